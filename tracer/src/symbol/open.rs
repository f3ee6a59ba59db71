//! Opening files that somebody else may have put there: nothing is opened for reading before it
//! is known to be a regular file, since opening a device or a pipe can block or act.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, ResolveFlags, memfd_create, openat, openat2};

/// The most that is copied for the worker.
const MAX_COPY: u64 = 512 << 20;

/// Opens a regular file that satisfies `wanted`. A symbolic link in the last place is not
/// followed; those before it are.
pub(super) fn regular(path: &Path, wanted: impl Fn(&Metadata) -> bool) -> io::Result<File> {
    let place = openat(CWD, path, place() | OFlags::NOFOLLOW, Mode::empty())?;
    for_reading(place, wanted)
}

/// As [`regular`], and follows symbolic links: for directories of root's.
pub(super) fn regular_or_link(path: &Path, wanted: impl Fn(&Metadata) -> bool) -> io::Result<File> {
    for_reading(openat(CWD, path, place(), Mode::empty())?, wanted)
}

/// As [`regular`], within a root directory that no link leads out of.
pub(super) fn regular_within(
    root: impl AsFd,
    path: &Path,
    wanted: impl Fn(&Metadata) -> bool,
) -> io::Result<File> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let place = openat2(root, path, place() | OFlags::NOFOLLOW, Mode::empty(), how)?;
    for_reading(place, wanted)
}

fn place() -> OFlags {
    OFlags::PATH | OFlags::CLOEXEC
}

fn for_reading(place: OwnedFd, wanted: impl Fn(&Metadata) -> bool) -> io::Result<File> {
    let place = File::from(place);
    let metadata = place.metadata()?;
    if !metadata.is_file() || !wanted(&metadata) {
        return Err(io::ErrorKind::NotFound.into());
    }
    // The same file, whatever is at its path by now.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(File::from(openat(CWD, path, flags, Mode::empty())?))
}

/// A copy in memory, which the worker may open where it may not open the file itself: one of
/// another user that others may not read, one on a file system that serves only its mounter.
pub(super) fn copy(file: &File) -> io::Result<File> {
    let size = file.metadata()?.len();
    if size > MAX_COPY {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let copy = File::from(memfd_create("tracer-copy", MemfdFlags::CLOEXEC)?);
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    while at < MAX_COPY {
        match file.read_at(&mut buffer, at)? {
            0 => break,
            length => copy.write_all_at(&buffer[..length], at)?,
        }
        at = copy.metadata()?.len();
    }
    Ok(copy)
}
