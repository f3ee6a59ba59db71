//! Finding the file of a DSO: the very one that was mapped, or none. Another file at the same
//! path would give wrong names.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Holder, NoName, open, vdso};
use crate::profile::Dso;

/// How many processes are asked for it.
const MAX_HOLDERS: usize = 8;

/// Opens the file of a DSO.
pub(super) fn find(dso: &Dso, holders: &[Holder]) -> Result<File, NoName> {
    let holders = &holders[..holders.len().min(MAX_HOLDERS)];
    if dso.path == vdso::NAME {
        return vdso::image(holders).map_err(|_| NoName::FileGone);
    }
    if dso.inode == 0 || !dso.path.starts_with(b"/") {
        return Err(NoName::Unreadable);
    }
    let path = Path::new(OsStr::from_bytes(living(&dso.path)));
    for holder in holders {
        if let Ok(file) = mapped(dso, holder) {
            return Ok(file);
        }
        if let Ok(file) = in_root(dso, holder, path) {
            return Ok(file);
        }
    }
    open::regular(path, |metadata| is(dso, metadata)).map_err(|why| match why.kind() {
        io::ErrorKind::PermissionDenied => NoName::Unreadable,
        _ => NoName::FileGone,
    })
}

/// The path as it was while the file had one.
fn living(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
}

/// Through the mapping itself: finds it without a path, and in any mount namespace. Needs
/// CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
fn mapped(dso: &Dso, holder: &Holder) -> io::Result<File> {
    let link = PathBuf::from(format!(
        "/proc/{}/map_files/{:x}-{:x}",
        holder.pid, holder.start, holder.end
    ));
    // On a layered file system the mapping may name the inode of the layer below: then the path
    // that the kernel gives for both says that they are the same.
    let same_path = std::fs::read_link(&link)
        .is_ok_and(|path| living(path.as_os_str().as_bytes()) == living(&dso.path));
    open::regular_or_link(&link, |metadata| {
        is(dso, metadata) || (same_path && layered(dso, metadata))
    })
}

fn in_root(dso: &Dso, holder: &Holder, path: &Path) -> io::Result<File> {
    let root = File::open(format!("/proc/{}/root", holder.pid))?;
    open::regular_within(root, path, |metadata| is(dso, metadata))
}

fn is(dso: &Dso, metadata: &Metadata) -> bool {
    let device = device(metadata);
    // btrfs and overlayfs give files device numbers of their own (major 0) that mappings do not
    // show: these cannot be compared.
    let comparable = dso.device.0 != 0 && device.0 != 0;
    metadata.ino() == dso.inode && (!comparable || device == dso.device)
}

fn layered(dso: &Dso, metadata: &Metadata) -> bool {
    device(metadata).0 == 0 && dso.device != device(metadata)
}

fn device(metadata: &Metadata) -> (u32, u32) {
    (
        rustix::fs::major(metadata.dev()),
        rustix::fs::minor(metadata.dev()),
    )
}
