//! A command that is to be run: the program that the kernel runs for it, and the libraries that are
//! loaded with that.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use super::{
    elf::Elf,
    files::{CACHE, LIBRARIES, absolute},
    ldcache,
};
use crate::symbol;

/// The longest first line of a script that the kernel reads (`BINPRM_BUF_SIZE`).
const MAX_INTERPRETER: u64 = 256;

/// More libraries than a program loads.
const MAX_LIBRARIES: usize = 4096;

/// What the kernel runs for a script: the interpreter that its first line names, or the program that
/// `env` finds for it.
pub(super) fn interpreter(program: &Path) -> PathBuf {
    let first_line = || {
        let file = symbol::open_file(program).ok()?;
        let mut line = Vec::new();
        let mut head = BufReader::new(file.take(MAX_INTERPRETER));
        head.read_until(b'\n', &mut line).ok()?;
        let line = String::from_utf8(line).ok()?;
        let mut words = line.strip_prefix("#!")?.split_ascii_whitespace();
        let named = PathBuf::from(words.next()?);
        if !named.ends_with("env") {
            return Some(named);
        }
        let run = words.find(|word| !word.starts_with('-') && !word.contains('='));
        run.and_then(in_search_path).or(Some(named))
    };
    absolute(&first_line().unwrap_or_else(|| program.to_owned()))
}

/// The program that a shell would run for a name.
pub(super) fn in_search_path(name: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// A program and the libraries that it is linked with, and those that they are, as the dynamic linker
/// finds them.
pub(super) fn loaded_by(program: &Path) -> Vec<PathBuf> {
    let cache: BTreeMap<String, PathBuf> = {
        let entries = ldcache::parse(&fs::read(CACHE).unwrap_or_default());
        // The first of a name is the one that is taken.
        entries.into_iter().rev().collect()
    };
    let mut files = vec![program.to_owned()];
    let mut known = HashSet::new();
    let mut waiting = VecDeque::from([program.to_owned()]);
    while let Some(path) = waiting.pop_front() {
        let Some(elf) = symbol::open_file(&path)
            .ok()
            .and_then(|file| Elf::read(file).ok())
        else {
            continue;
        };
        let origin = path
            .parent()
            .unwrap_or(Path::new("/"))
            .to_string_lossy()
            .into_owned();
        for name in &elf.links.needed {
            if files.len() >= MAX_LIBRARIES || !known.insert(name.clone()) {
                continue;
            }
            let own = elf.links.directories.iter().map(|directory| {
                let directory = directory.replace("${ORIGIN}", &origin);
                PathBuf::from(directory.replace("$ORIGIN", &origin)).join(name)
            });
            let usual = LIBRARIES
                .iter()
                .map(|directory| Path::new(directory).join(name));
            let found = own.chain(cache.get(name).cloned()).chain(usual);
            if let Some(library) = found.into_iter().find(|path| path.is_file()) {
                files.push(library.clone());
                waiting.push_back(library);
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_a_program_are_found() {
        let shell = loaded_by(&interpreter(Path::new("/bin/sh")));
        let libc = |path: &PathBuf| path.to_string_lossy().contains("/libc.");
        assert!(shell.iter().any(libc), "{shell:?}");
    }

    #[test]
    fn a_script_is_what_runs_it() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        for (first, expected) in [
            ("#!/bin/sh -e\n", "/bin/sh"),
            ("#! /usr/bin/perl\n", "/usr/bin/perl"),
            ("#!/usr/bin/env A=1 no-such-program\n", "/usr/bin/env"),
            ("#!\n", script.to_str().unwrap()),
            ("\x7fELF", script.to_str().unwrap()),
        ] {
            fs::write(&script, first).unwrap();
            assert_eq!(interpreter(&script), Path::new(expected), "{first:?}");
        }
        fs::write(&script, "#!/usr/bin/env -S sh -e\n").unwrap();
        assert_eq!(interpreter(&script).file_name().unwrap(), "sh");
    }
}
