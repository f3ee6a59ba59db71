//! Names for frames: what can be known about one, and why not when nothing can.
//!
//! Symbols arrive after the samples, in a side table; nothing is re-keyed when they do.
//!
//! [`Symbolizer`] finds and opens the files that the names are in, with the privileges that this
//! takes, and never parses one: that is done in the child process of [`crate::worker`]. It knows
//! frames only as keys, and nothing of stacks, samples or views.

mod clean;
mod client;
mod debug_file;
mod dso_file;
mod jit;
mod open;
mod place;
mod process;
mod recent;
mod supervisor;
mod vdso;
mod work;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::profile::FrameId;

pub(crate) use clean::text as clean;
pub use client::{Settings, Symbolizer, Usage, worker_command};
#[doc(hidden)]
pub use place::ids;
pub use place::{Holder, Place};
pub(crate) use process::{Failure, Process};

/// Opens a regular file, and nothing else; links are followed.
pub(crate) fn open_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    open::regular_or_link(path, |_| true)
}

/// Opens the file that a process has mapped at an address, the vDSO too.
pub(crate) fn mapped_file(pid: u32, start: u64) -> std::io::Result<std::fs::File> {
    let mappings = crate::proc::executable_mappings(pid)?;
    let mapping = mappings.iter().find(|mapping| mapping.start == start);
    let mapping = mapping.ok_or(std::io::ErrorKind::NotFound)?;
    let holder = Holder {
        pid,
        start,
        end: mapping.end,
    };
    dso_file::find(&mapping.dso, &[holder]).map_err(|_| std::io::ErrorKind::NotFound.into())
}

/// What is known about a frame: its function, and those inlined into it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// Outermost first: `functions[0]` is the one with a symbol of its own, the others are inlined
    /// into the one before. Never empty.
    pub functions: Vec<Function>,
}

/// A function at an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Demangled and free of control characters.
    pub name: String,
    /// Source file and line of the instruction (for the innermost function) or of the call.
    pub location: Option<Location>,
}

/// A place in source code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file's path.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// Why a frame has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoName {
    /// The file has no symbol for it: it is stripped and no debug file was found.
    Stripped,
    /// The file is gone, or another one is at its path now.
    FileGone,
    /// The file could not be read or is not an ELF file.
    Unreadable,
    /// The worker crashed on the file.
    WorkerCrashed,
    /// Compiled at run time, and the process wrote no perf map.
    NoPerfMap,
    /// Compiled at run time, and the perf map has no entry for it.
    NotInPerfMap,
    /// No mapping is known: the process ended before its mappings could be read.
    ProcessGone,
    /// No mapping covers the address.
    Unmapped,
    /// The kernel hides its symbols from this user.
    KernelHidden,
    /// The kernel has no symbol there.
    NotInKernel,
}

/// The side table: frame → what is known about it. A frame that is not in it has not been asked
/// for yet.
#[derive(Debug, Default)]
pub struct Symbols {
    by_frame: HashMap<FrameId, Result<Symbol, NoName>>,
}

impl Symbols {
    /// What is known about a frame; `None`: nothing has been asked or answered yet.
    pub fn get(&self, frame: FrameId) -> Option<Result<&Symbol, NoName>> {
        self.by_frame
            .get(&frame)
            .map(|known| known.as_ref().map_err(|why| *why))
    }

    /// Enters an answer.
    pub fn insert(&mut self, frame: FrameId, answer: Result<Symbol, NoName>) {
        self.by_frame.insert(frame, answer);
    }

    /// Forgets all frames but those that are wanted.
    pub fn retain(&mut self, wanted: impl Fn(FrameId) -> bool) {
        self.by_frame.retain(|frame, _| wanted(*frame));
        self.by_frame.shrink_to(self.by_frame.len() * 2);
    }
}

impl NoName {
    /// The reason in words, for screens and files.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Stripped => "stripped, no debug file",
            Self::FileGone => "file deleted or replaced",
            Self::Unreadable => "file not readable",
            Self::WorkerCrashed => "symbolizing the file crashed the worker",
            Self::NoPerfMap => "compiled at run time, no perf map",
            Self::NotInPerfMap => "compiled at run time, not in the perf map",
            Self::ProcessGone => "process ended before its mappings were read",
            Self::Unmapped => "outside all mappings",
            Self::KernelHidden => "kernel symbols are hidden from this user",
            Self::NotInKernel => "no kernel symbol there",
        }
    }
}
