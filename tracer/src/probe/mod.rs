//! What can be probed: the grammar of probes, the functions that match one, and where in a function the
//! probe goes.

mod cancel;
mod command;
mod elf;
mod error;
mod exits;
mod files;
mod ldcache;
mod links;
mod near;
mod pattern;
mod place;
mod refuse;
mod resolve;
mod spec;
mod symbols;
mod text;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use cancel::{Cancelling, cancelling};
pub use error::Error;
pub use exits::Returns;
pub use resolve::resolve;
pub use spec::Spec;

/// How functions are probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// How the end of a call is seen.
    pub returns: Returns,
    /// Whether every probe is at its function's beginning, whatever that costs.
    pub at_start: bool,
}

/// The most functions that are probed without being asked whether that is meant.
pub const MOST_WITHOUT_YES: usize = 1000;

/// Where functions are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the files of this machine.
    Machine,
    /// In what these processes have mapped.
    Processes(Vec<u32>),
    /// In a command that is to be run, by its first word, and in its libraries.
    Command(PathBuf),
}

/// What probes came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The functions, each once, in the order of the probes and of their places in the files.
    pub sites: Vec<Site>,
    /// What matches too and is not probed.
    pub skipped: Vec<Skipped>,
}

/// A function that matches and is not probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The probe that asked for it: its place among those that were typed.
    pub probe: usize,
    /// The function's name, as in [`Site`].
    pub name: String,
    /// The file's name, as in [`Site`].
    pub dso: String,
    /// Why it is not.
    pub why: String,
}

/// A place to attach to: one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The probe that asked for it: its place among those that were typed.
    pub probe: usize,
    /// The function's name, demangled, clean of control characters.
    pub name: String,
    /// The file's name as it is shown.
    pub dso: String,
    /// The file as the kernel finds it, in whichever mount namespace it is.
    pub file: Arc<Path>,
    /// Where the function begins, as an offset in the file.
    pub start: u64,
    /// Where the probe goes, as an offset in the file.
    pub offset: u64,
    /// Where the function ends, as offsets in the file, if it must not have a return probe.
    pub exits: Vec<u64>,
    /// How the kernel will run the instruction there.
    pub class: Class,
    /// That instruction, in words.
    pub instruction: String,
    /// The symbol that names the function, as it is in the file.
    pub symbol: String,
}

/// How the kernel runs the instruction that a probe replaces; it sets the probe's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Emulated: no second trap.
    Emulated,
    /// Single-stepped out of line: a second trap.
    Stepped,
}
