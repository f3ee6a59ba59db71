//! Control groups, version 2.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// A cgroup as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its identifier: the inode number of its directory.
    pub id: u64,
    /// Its depth below the root.
    pub level: u32,
}

/// Looks a cgroup up by its directory, or by its path below the root of the hierarchy.
pub fn cgroup(path: &Path) -> io::Result<Cgroup> {
    let root = cgroup_root()?;
    let below = path.strip_prefix("/").unwrap_or(path);
    let directory = [path.to_owned(), root.join(below)]
        .into_iter()
        .find(|candidate| candidate.join("cgroup.procs").exists())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such cgroup"))?
        .canonicalize()?;
    let relative = directory
        .strip_prefix(root.canonicalize()?)
        .map_err(|_| io::Error::new(io::ErrorKind::NotFound, "not a cgroup of version 2"))?;
    let level = u32::try_from(relative.components().count()).map_err(io::Error::other)?;
    Ok(Cgroup {
        id: fs::metadata(&directory)?.ino(),
        level,
    })
}

/// Where the hierarchy is mounted.
pub fn cgroup_root() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    root_of(&mounts).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no cgroup version 2 hierarchy is mounted",
        )
    })
}

fn root_of(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mount() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            root_of(mounts),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(root_of("proc /proc proc rw 0 0\n"), None);
    }
}
