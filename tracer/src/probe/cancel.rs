//! Programs whose threads may be cancelled.
//!
//! A thread that is cancelled, or calls `pthread_exit`, unwinds its stack by return addresses to run
//! what its functions have to clean up. A return probe has put the kernel's address in the place of one:
//! there the unwinding ends, and the clean-up of all callers is left out without any error.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use super::{
    Scope,
    command::{interpreter, loaded_by},
    elf, files,
};
use crate::symbol;

/// Functions that end a thread that way.
const ENDING: [&str; 2] = ["pthread_cancel", "pthread_exit"];

/// A program that may end its threads so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelling {
    /// Which one, in words.
    pub who: String,
    /// The function that one of its files imports.
    pub import: &'static str,
    /// That file's name.
    pub file: String,
}

/// The first of the processes, or the command, that may end its threads so.
pub fn cancelling(scope: &Scope) -> Option<Cancelling> {
    match scope {
        Scope::Machine => None,
        Scope::Processes(pids) => {
            let mut seen = HashSet::new();
            pids.iter().find_map(|pid| {
                let files = files::mapped_by(*pid).unwrap_or_default();
                let new = files
                    .into_iter()
                    .map(|(_, file)| file.path)
                    .filter(|path| seen.insert(path.clone()));
                of_files(new, || format!("PID {pid}"))
            })
        }
        Scope::Command(program) => {
            let program = interpreter(program);
            let name = program.file_name().unwrap_or(program.as_os_str());
            let name = || name.to_string_lossy().into_owned();
            of_files(loaded_by(&program).into_iter(), name)
        }
    }
}

fn of_files(
    mut files: impl Iterator<Item = PathBuf>,
    who: impl Fn() -> String,
) -> Option<Cancelling> {
    files.find_map(|path| {
        Some(Cancelling {
            import: of_file(&path)?,
            who: who(),
            file: files::name_of(&path),
        })
    })
}

fn of_file(path: &Path) -> Option<&'static str> {
    elf::imports(symbol::open_file(path).ok()?, &ENDING)
}
