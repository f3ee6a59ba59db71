//! Messages over a stream socket: a length, a postcard-encoded message, and at most one file,
//! which travels with the message's first byte. Knows no message by name.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longer messages are taken for those of a worker that has lost its mind.
const MAX_MESSAGE: usize = 16 << 20;

/// One end of the socket.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: UnixStream,
}

impl Channel {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket }
    }

    /// Sends a message and, with it, a file.
    pub(crate) fn send<T: Serialize>(
        &self,
        message: &T,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut bytes = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
        let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
        bytes[..4].copy_from_slice(&length.to_le_bytes());

        let files: Vec<BorrowedFd<'_>> = file.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&files));
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // A closed peer must be an error here, not a SIGPIPE for the whole program.
            match sendmsg(
                &self.socket,
                &[IoSlice::new(rest)],
                &mut control,
                SendFlags::NOSIGNAL,
            ) {
                Ok(sent) => {
                    rest = &rest[sent..];
                    control.clear();
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Err(why.into()),
            }
        }
        Ok(())
    }

    /// Waits for a message and the file that came with it. `None`: the peer has closed.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        self.receive_before(None, None)
    }

    /// As [`Self::receive`], but gives up with `TimedOut` at the deadline, and with `Interrupted`
    /// as soon as `hangup` is readable or closed.
    pub(crate) fn receive_before<T: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
        hangup: Option<BorrowedFd<'_>>,
    ) -> io::Result<Option<(T, Option<OwnedFd>)>> {
        let mut file = None;
        let mut length = [0; 4];
        if !self.fill(&mut length, &mut file, deadline, hangup)? {
            return Ok(None);
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_MESSAGE {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "message too long",
            ));
        }
        let mut bytes = vec![0; length];
        if !self.fill(&mut bytes, &mut file, deadline, hangup)? && length > 0 {
            return Ok(None);
        }
        let message = postcard::from_bytes(&bytes)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(Some((message, file)))
    }

    /// Fills the buffer; `false`: the peer closed before it was full.
    fn fill(
        &self,
        buffer: &mut [u8],
        file: &mut Option<OwnedFd>,
        deadline: Option<Instant>,
        hangup: Option<BorrowedFd<'_>>,
    ) -> io::Result<bool> {
        let mut filled = 0;
        while filled < buffer.len() {
            if deadline.is_some() || hangup.is_some() {
                self.wait(deadline, hangup)?;
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(&mut buffer[filled..])];
            match recvmsg(
                &self.socket,
                &mut into,
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Ok(received) if received.bytes == 0 => return Ok(false),
                Ok(received) => filled += received.bytes,
                Err(rustix::io::Errno::INTR) => {}
                // The peer died with data of ours unread: as good as closed.
                Err(rustix::io::Errno::CONNRESET) => return Ok(false),
                Err(why) => return Err(why.into()),
            }
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(mut files) = message {
                    *file = files.next();
                }
            }
        }
        Ok(true)
    }

    fn wait(&self, deadline: Option<Instant>, hangup: Option<BorrowedFd<'_>>) -> io::Result<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut ready = vec![PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
            ready.extend(hangup.map(|hangup| PollFd::from_borrowed_fd(hangup, PollFlags::IN)));
            match poll(&mut ready, left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Err(why.into()),
            }
            if ready
                .get(1)
                .is_some_and(|hangup| !hangup.revents().is_empty())
            {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if !ready[0].revents().is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_message_arrives_whole_and_with_its_file() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (ours, theirs) = (Channel::new(ours), Channel::new(theirs));
        let long = "x".repeat(3 << 20);
        let sender = std::thread::spawn(move || {
            ours.send(&1_u32, None).unwrap();
            let file = File::open("/proc/self/comm").unwrap();
            ours.send(&long, Some(file.as_fd())).unwrap();
        });
        let (number, file) = theirs.receive::<u32>().unwrap().unwrap();
        assert_eq!((number, file.is_none()), (1, true));
        let (text, file) = theirs.receive::<String>().unwrap().unwrap();
        assert_eq!(text.len(), 3 << 20);
        let mut comm = String::new();
        File::from(file.unwrap()).read_to_string(&mut comm).unwrap();
        assert!(!comm.is_empty());
        sender.join().unwrap();
        assert!(theirs.receive::<u32>().unwrap().is_none());
    }

    #[test]
    fn waiting_ends_at_the_deadline_and_when_hung_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ours = Channel::new(ours);
        let soon = Some(Instant::now() + Duration::from_millis(20));
        let error = ours.receive_before::<u32>(soon, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (hangup, other) = UnixStream::pair().unwrap();
        drop(other);
        let error = ours
            .receive_before::<u32>(None, Some(hangup.as_fd()))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }

    #[test]
    fn nonsense_is_an_error_and_not_an_allocation() {
        use std::io::Write as _;
        for bytes in [&[0xff, 0xff, 0xff, 0xff][..], &[1, 0, 0, 0, 0xff]] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(bytes).unwrap();
            let error = Channel::new(theirs).receive::<u32>().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
