//! Which files a probe is looked for in.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    ops::Range,
    os::{
        fd::AsRawFd as _,
        unix::{
            ffi::OsStrExt as _,
            fs::{FileTypeExt as _, MetadataExt as _},
        },
    },
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::{
    Error, Scope,
    command::{in_search_path, interpreter, loaded_by},
    elf::Elf,
    ldcache,
    spec::Place,
};
use crate::{proc, profile::Dso, symbol};

/// Where libraries are that nobody has said where they are.
pub(super) const LIBRARIES: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
];
pub(super) const CACHE: &str = "/etc/ld.so.cache";

/// A file in which functions are looked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// As the kernel finds it.
    pub(super) path: PathBuf,
    /// Its name.
    pub(super) shown: String,
}

impl Candidate {
    fn new(path: PathBuf) -> Self {
        let shown = name_of(&path);
        Self { path, shown }
    }
}

/// The files that a probe may be in; never none.
pub(super) fn candidates(
    typed: &str,
    place: &Place,
    scope: &Scope,
) -> Result<Vec<Candidate>, Error> {
    let found = match scope {
        Scope::Machine => on_machine(typed, place)?,
        Scope::Processes(pids) => in_processes(typed, place, pids)?,
        Scope::Command(program) => in_command(typed, place, program)?,
    };
    let mut seen = HashSet::new();
    let mut found: Vec<Candidate> = found
        .into_iter()
        .filter(|candidate| seen.insert(identity(&candidate.path)))
        .collect();
    found.retain(|candidate| fs::metadata(&candidate.path).is_ok_and(|file| file.is_file()));
    if found.is_empty() {
        return Err(Error::nothing(format!(
            "'{typed}': the file is gone or cannot be read"
        )));
    }
    Ok(found)
}

/// Device and inode of a file, or its path where there is none.
fn identity(path: &Path) -> (u64, u64, Option<PathBuf>) {
    match fs::metadata(path) {
        Ok(file) => (file.dev(), file.ino(), None),
        Err(_) => (0, 0, Some(path.to_owned())),
    }
}

fn on_machine(typed: &str, place: &Place) -> Result<Vec<Candidate>, Error> {
    match place {
        Place::Anywhere => Err(Error::usage(format!(
            "'{typed}' does not say in which file; write uprobe:PATH-or-library:{typed}, or name a process with -p"
        ))),
        Place::Path(path) if path.is_file() => Ok(vec![Candidate::new(absolute(path))]),
        Place::Path(path) => Err(no_file(typed, path)),
        Place::Named(name) => named(typed, name, libraries_of_machine(name)),
        Place::Short(name) => {
            let mut libraries = libraries_of_machine(&format!("lib{name}"));
            if libraries.is_empty() {
                libraries = libraries_of_machine(name);
            }
            named(typed, name, libraries)
        }
    }
}

/// Why a path is not that of a file.
fn no_file(typed: &str, path: &Path) -> Error {
    match what_else(path) {
        Some(what) => not_a_file(typed, path, what),
        None => Error::nothing(format!("'{typed}': there is no file {}", path.display())),
    }
}

fn not_a_file(typed: &str, path: &Path, what: &str) -> Error {
    Error::nothing(format!(
        "'{typed}': {} is {what}; a probe needs a program or a library",
        path.display()
    ))
}

/// What is at a path, where that is no file.
fn what_else(path: &Path) -> Option<&'static str> {
    let Ok(found) = fs::metadata(path) else {
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        return is_link.then_some("a link that leads nowhere");
    };
    let kind = found.file_type();
    match () {
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a pipe (FIFO)"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
        () => None,
    }
}

/// Of the libraries of a name the only one, else a program in the search path.
fn named(typed: &str, name: &str, libraries: Vec<PathBuf>) -> Result<Vec<Candidate>, Error> {
    match libraries.as_slice() {
        [library] => return Ok(vec![Candidate::new(library.clone())]),
        [] => {}
        many => {
            let paths: Vec<String> = many.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::usage(format!(
                "'{typed}': '{name}' can be {}; write the path",
                paths.join(" or ")
            )));
        }
    }
    in_search_path(name)
        .map(|program| vec![Candidate::new(program)])
        .ok_or_else(|| {
            Error::nothing(format!(
                "'{typed}': there is no library '{name}' in {CACHE} or the usual directories, and no program of that name in PATH; write the path, or name a process that has it with -p"
            ))
        })
}

/// Each file once, whatever links lead to it.
fn libraries_of_machine(name: &str) -> Vec<PathBuf> {
    let mut found: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut add = |path: PathBuf| {
        if let Ok(real) = fs::canonicalize(&path) {
            found.entry(real).or_insert(path);
        }
    };
    for (soname, path) in ldcache::parse(&fs::read(CACHE).unwrap_or_default()) {
        if is_library(&soname, name) {
            add(path);
        }
    }
    if found.is_empty() {
        for directory in LIBRARIES {
            let files = fs::read_dir(directory).into_iter().flatten().flatten();
            for file in files.filter(|file| is_library(&file.file_name().to_string_lossy(), name)) {
                let path = file.path();
                if path.is_file()
                    && symbol::open_file(&path).is_ok_and(|file| Elf::read(file).is_ok())
                {
                    found
                        .entry(fs::canonicalize(&path).unwrap_or_default())
                        .or_insert(path);
                }
            }
        }
    }
    found.into_values().collect()
}

/// Whether a file is what a library's soname or stem means: `libc` is `libc.so.6` and `libc-2.31.so`.
fn is_library(file: &str, name: &str) -> bool {
    let Some(rest) = file.strip_prefix(name) else {
        return false;
    };
    let version = |rest: &str| {
        let number = rest
            .strip_prefix('-')
            .and_then(|rest| rest.strip_suffix(".so"));
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let more = name.contains(".so") && rest.starts_with('.');
    rest.is_empty() || more || rest == ".so" || rest.starts_with(".so.") || version(rest)
}

fn in_processes(typed: &str, place: &Place, pids: &[u32]) -> Result<Vec<Candidate>, Error> {
    let mut mapped = Vec::new();
    let mut failed = None;
    for pid in pids {
        match mapped_by(*pid) {
            Ok(files) => mapped.extend(files),
            Err(error) => failed = Some((pid, error)),
        }
    }
    if let (true, Some((pid, error))) = (mapped.is_empty(), failed) {
        return Err(Error::nothing(format!(
            "'{typed}': cannot read what process {pid} maps: {error}"
        )));
    }
    let of_name = |name: &str| -> Vec<Candidate> {
        let is =
            |(_, file): &&(PathBuf, Candidate)| is_library(&file.shown, name) || file.shown == name;
        mapped
            .iter()
            .filter(is)
            .map(|(_, file)| file.clone())
            .collect()
    };
    let found = match place {
        Place::Anywhere => mapped.iter().map(|(_, file)| file.clone()).collect(),
        Place::Path(path) => {
            let path = absolute(path);
            let is = |(inside, _): &&(PathBuf, Candidate)| *inside == path;
            let own: Vec<Candidate> = mapped
                .iter()
                .filter(is)
                .map(|(_, file)| file.clone())
                .collect();
            match own.is_empty() {
                false => own,
                // Links lead to it, or it is going to be loaded.
                true => pids
                    .iter()
                    .filter_map(|pid| seen_by(*pid, &path))
                    .map(Candidate::new)
                    .collect(),
            }
        }
        Place::Named(name) => of_name(name),
        Place::Short(name) => match of_name(&format!("lib{name}")) {
            none if none.is_empty() => of_name(name),
            found => found,
        },
    };
    if let (true, Place::Path(path)) = (found.is_empty(), place) {
        let path = absolute(path);
        let else_in = |pid: &u32| what_else(&under_root(*pid, &path));
        if let Some(what) = pids.iter().find_map(else_in) {
            return Err(not_a_file(typed, &path, what));
        }
    }
    if found.is_empty() {
        let wanted = match place {
            Place::Anywhere => "no file with code".to_owned(),
            Place::Path(path) => format!("no file {}", path.display()),
            Place::Named(name) | Place::Short(name) => format!("no library '{name}'"),
        };
        let mut names: Vec<&str> = mapped.iter().map(|(_, file)| file.shown.as_str()).collect();
        names.dedup();
        names.truncate(8);
        return Err(Error::nothing(format!(
            "'{typed}': what is measured maps {wanted}; it maps {}",
            names.join(", ")
        )));
    }
    Ok(found)
}

/// The files that a process maps code from: the path as it has it, and the file.
pub(super) fn mapped_by(pid: u32) -> std::io::Result<Vec<(PathBuf, Candidate)>> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for mapping in proc::executable_mappings(pid)? {
        let dso = &mapping.dso;
        if dso.inode == 0 || !dso.path.starts_with(b"/") || !seen.insert((dso.device, dso.inode)) {
            continue;
        }
        let path = dso.path.strip_suffix(b" (deleted)").unwrap_or(&dso.path);
        let inside = PathBuf::from(std::ffi::OsStr::from_bytes(path));
        let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| is(dso, &file));
        // By its own path where that is the same file here, so that the kernel need not look through
        // /proc when the process has gone.
        let path = [inside.clone(), under_root(pid, &inside)]
            .into_iter()
            .find(is_it)
            .unwrap_or_else(|| {
                let Range { start, end } = mapping.start..mapping.end;
                PathBuf::from(format!("/proc/{pid}/map_files/{start:x}-{end:x}"))
            });
        let shown = name_of(&inside);
        files.push((inside, Candidate { path, shown }));
    }
    Ok(files)
}

fn in_command(typed: &str, place: &Place, program: &Path) -> Result<Vec<Candidate>, Error> {
    let program = interpreter(program);
    let files = || loaded_by(&program).into_iter().map(Candidate::new);
    let of_name = |name: &str| -> Vec<Candidate> {
        let is = |file: &Candidate| is_library(&file.shown, name) || file.shown == name;
        files().filter(is).collect()
    };
    let found = match place {
        Place::Anywhere => files().collect(),
        Place::Path(_) => Vec::new(),
        Place::Named(name) => of_name(name),
        Place::Short(name) => match of_name(&format!("lib{name}")) {
            none if none.is_empty() => of_name(name),
            found => found,
        },
    };
    match found.is_empty() {
        false => Ok(found),
        true => on_machine(typed, place),
    }
}

/// Whether a file is the one that is mapped. Layered file systems have device numbers (major 0) that
/// mappings do not show: these cannot be compared.
fn is(dso: &Dso, file: &fs::Metadata) -> bool {
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let comparable = dso.device.0 != 0 && major != 0;
    file.ino() == dso.inode && (!comparable || dso.device == (major, minor))
}

/// The file that a process has at a path, as it is found from here. Links in the process's root
/// directory lead to places in there, not here.
fn seen_by(pid: u32, path: &Path) -> Option<PathBuf> {
    let root = fs::File::open(format!("/proc/{pid}/root")).ok()?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = fs::File::from(openat2(root, path, flags, Mode::empty(), how).ok()?);
    let wanted = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok();
    let real = real.map(|real| under_root(pid, &real));
    let places = [path.to_owned(), under_root(pid, path)];
    places.into_iter().chain(real).find(|place| {
        fs::metadata(place)
            .is_ok_and(|file| (file.dev(), file.ino()) == (wanted.dev(), wanted.ino()))
    })
}

fn under_root(pid: u32, path: &Path) -> PathBuf {
    let inside = path.strip_prefix("/").unwrap_or(path);
    PathBuf::from(format!("/proc/{pid}/root")).join(inside)
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    symbol::clean(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_by_soname_and_stem() {
        for (file, name, expected) in [
            ("libc.so.6", "libc", true),
            ("libc.so.6", "libc.so.6", true),
            ("libc.so.6", "libc.so", true),
            ("libc-2.31.so", "libc", true),
            ("libcrypt.so.1", "libc", false),
            ("libc.a", "libc", false),
            ("libstdc++.so.6", "libstdc++", true),
            ("libc-client.so", "libc", false),
        ] {
            assert_eq!(is_library(file, name), expected, "{file} {name}");
        }
    }

    #[test]
    fn a_process_sees_files_in_its_own_root() {
        let own = std::process::id();
        let here = std::env::current_exe().unwrap();
        assert_eq!(seen_by(own, &here), Some(here));
        assert_eq!(seen_by(own, Path::new("/no/such/file")), None);
        assert_eq!(seen_by(own, Path::new("/usr")), None);
    }
}
