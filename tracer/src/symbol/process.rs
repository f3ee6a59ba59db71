//! The worker process: starting it, asking it, and noticing that it has died or hangs.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Usage;
use crate::proc;
use crate::worker::{Channel, Reply, Request};

/// How long a worker whose socket is closed may take to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// A worker that is running.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    channel: Channel,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The worker died, hung, or talks nonsense.
    Crashed,
    /// The caller is no longer interested.
    HungUp,
}

impl Process {
    /// Starts it. Somebody else may have the terminal to himself, so it writes nothing there: what
    /// it says goes to the log, if there is one.
    pub(crate) fn start(command: &mut Command, log: Option<&File>) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let log = match log {
            Some(log) => Stdio::from(log.try_clone()?),
            None => Stdio::null(),
        };
        let child = command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C in the terminal ends the measuring, not the naming of what was measured.
            .process_group(0)
            .spawn();
        // The command keeps its end of the socket, and with it the worker's death would not be
        // seen.
        command.stdin(Stdio::null());
        Ok(Self {
            child: child?,
            channel: Channel::new(ours),
        })
    }

    /// Its PID.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks, and waits for the reply. After a failure the process is of no further use.
    pub(crate) fn ask(
        &self,
        request: &Request,
        file: Option<&File>,
        patience: Duration,
        hangup: Option<BorrowedFd<'_>>,
    ) -> Result<Reply, Failure> {
        let deadline = Instant::now() + patience;
        let file = file.map(|file| file.as_fd());
        self.channel
            .send(request, file)
            .map_err(|_| Failure::Crashed)?;
        match self.channel.receive_before(Some(deadline), hangup) {
            Ok(Some((reply, _))) => Ok(reply),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => Err(Failure::HungUp),
            Ok(None) | Err(_) => Err(Failure::Crashed),
        }
    }

    /// Kills it. What it has used is known to the resolution of the scheduler's ticks.
    pub(crate) fn kill(mut self) -> Usage {
        // Fails only for a process that has ended already.
        drop(self.child.kill());
        let usage = Usage {
            cpu: proc::cpu_time(self.child.id()).unwrap_or_default(),
            peak_kib: 0,
            crashes: 0,
        };
        drop(self.child.wait());
        usage
    }

    /// Lets it end by itself, and says what it has used.
    pub(crate) fn end(mut self) -> Usage {
        let Ok(Reply::Usage { cpu_ns, peak_kib }) = self.ask(&Request::Usage, None, FAREWELL, None)
        else {
            return self.kill();
        };
        drop(self.channel);
        let deadline = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                drop(self.child.kill());
                drop(self.child.wait());
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Usage {
            cpu: Duration::from_nanos(cpu_ns),
            peak_kib,
            crashes: 0,
        }
    }
}
