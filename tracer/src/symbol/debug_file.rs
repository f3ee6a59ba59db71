//! Where a debug file may be. Whether one that is found is the right one, the worker says.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::open;
use crate::worker::Wanted;

/// A build ID of fewer bytes is no build ID.
const MIN_BUILD_ID: usize = 4;

/// The files that may be the debug file of the DSO at `path`, the likeliest first, as they are
/// asked for.
pub(super) fn candidates<'a>(
    wanted: &'a Wanted,
    path: &'a Path,
    directories: &'a [PathBuf],
) -> impl Iterator<Item = File> + 'a {
    let by_id = directories
        .iter()
        .filter_map(|directory| by_build_id(directory, &wanted.build_id));
    let by_id = by_id.filter_map(|path| open::regular_or_link(&path, |_| true).ok());
    let beside = beside(wanted, path)
        .into_iter()
        .filter_map(|path| open::regular(&path, |_| true).ok());
    let below = below(wanted, path, directories).into_iter();
    let below = below.filter_map(|path| open::regular_or_link(&path, |_| true).ok());
    by_id.chain(beside).chain(below).filter(is_elf)
}

fn by_build_id(directory: &Path, id: &[u8]) -> Option<PathBuf> {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let (first, rest) = id
        .split_at_checked(1)
        .filter(|_| id.len() >= MIN_BUILD_ID)?;
    Some(
        directory
            .join(".build-id")
            .join(hex(first))
            .join(hex(rest) + ".debug"),
    )
}

fn beside(wanted: &Wanted, path: &Path) -> Vec<PathBuf> {
    let home = path.parent().filter(|home| home.is_absolute());
    let (Some(name), Some(home)) = (link_name(wanted), home) else {
        return Vec::new();
    };
    vec![home.join(name), home.join(".debug").join(name)]
}

fn below(wanted: &Wanted, path: &Path, directories: &[PathBuf]) -> Vec<PathBuf> {
    let home = path.parent().and_then(|home| home.strip_prefix("/").ok());
    let (Some(name), Some(home)) = (link_name(wanted), home) else {
        return Vec::new();
    };
    directories
        .iter()
        .map(|directory| directory.join(home).join(name))
        .collect()
}

/// The name in `.gnu_debuglink`: it comes from the file, by way of the worker, and must not lead
/// anywhere else.
fn link_name(wanted: &Wanted) -> Option<&Path> {
    let name = Path::new(OsStr::from_bytes(&wanted.link));
    (name.file_name() == Some(name.as_os_str())).then_some(name)
}

/// What is no ELF file is not handed to the worker at all.
fn is_elf(file: &File) -> bool {
    let mut magic = [0; 4];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == *b"\x7fELF"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_in_the_places_that_gdb_documents() {
        let wanted = Wanted {
            build_id: vec![0xab, 0xcd, 0xef, 0x01],
            link: b"ls.debug".to_vec(),
        };
        let directories = [PathBuf::from("/usr/lib/debug")];
        let id = by_build_id(&directories[0], &wanted.build_id).unwrap();
        assert_eq!(id, Path::new("/usr/lib/debug/.build-id/ab/cdef01.debug"));
        let ls = Path::new("/usr/bin/ls");
        let near = [
            Path::new("/usr/bin/ls.debug"),
            Path::new("/usr/bin/.debug/ls.debug"),
        ];
        assert_eq!(beside(&wanted, ls), near);
        let far = [Path::new("/usr/lib/debug/usr/bin/ls.debug")];
        assert_eq!(below(&wanted, ls, &directories), far);
    }

    #[test]
    fn a_hostile_link_or_build_id_leads_nowhere() {
        for link in [
            &b"../../etc/shadow"[..],
            b"/etc/shadow",
            b"..",
            b".",
            b"",
            b"a/b",
            b"a/",
        ] {
            let wanted = Wanted {
                build_id: Vec::new(),
                link: link.to_vec(),
            };
            assert!(
                beside(&wanted, Path::new("/usr/bin/ls")).is_empty(),
                "{link:?}"
            );
        }
        let vdso = Wanted {
            build_id: Vec::new(),
            link: b"vdso64.so.debug".to_vec(),
        };
        assert!(beside(&vdso, Path::new("[vdso]")).is_empty());
        assert!(below(&vdso, Path::new("[vdso]"), &[PathBuf::from("/usr")]).is_empty());
        assert_eq!(by_build_id(Path::new("/x"), &[]), None);
        assert_eq!(by_build_id(Path::new("/x"), &[1]), None);
    }
}
