//! Truncated stacks in words, the same everywhere: where they stop, why, and what would help.
//!
//! Owns what is said about a file by name. The names of the reasons alone, which files have as keys,
//! are the ledger's.

use super::label::file_name;
use crate::profile::{Profile, Stop, Truncation};

/// What truncated stacks stop in; see [`Stop`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Code of a file of this name.
    File(String),
    /// Code compiled at run time.
    Jit,
    /// An address for which no mapping is known.
    Unmapped,
    /// The kernel.
    Kernel,
    /// No frame was found.
    Nothing,
}

/// Characters of a file's name within a sentence.
const NAME: usize = 64;

impl Place {
    pub(super) fn of(profile: &Profile, stop: Stop) -> Self {
        match stop {
            Stop::File(dso) => Self::File(file_name(profile.dso(dso))),
            Stop::Jit => Self::Jit,
            Stop::Unmapped => Self::Unmapped,
            Stop::Kernel => Self::Kernel,
            Stop::Nothing => Self::Nothing,
        }
    }

    /// As functions have it for their file: empty where nothing was found.
    pub fn dso(&self) -> &str {
        match self {
            Self::File(name) => name,
            Self::Jit => "[jit]",
            Self::Unmapped => "[unknown]",
            Self::Kernel => "[kernel]",
            Self::Nothing => "",
        }
    }

    /// Within a sentence.
    pub fn name(&self) -> String {
        match self {
            Self::File(name) => short(name),
            Self::Jit => "JIT code".to_owned(),
            Self::Unmapped => "unmapped code".to_owned(),
            Self::Kernel => "the kernel".to_owned(),
            Self::Nothing => "(no frame)".to_owned(),
        }
    }
}

/// Why a stack is truncated, with the file where it is that file's matter: what stands in its root
/// frame.
pub(super) fn reason(why: Truncation, place: &Place) -> String {
    if !matches!(place, Place::File(_) | Place::Jit) {
        return why.name().to_owned();
    }
    let of = place.name();
    match apparent(why, place) {
        Truncation::NoFramePointer => format!("no frame pointer in {of}"),
        Truncation::ForeignAbi => format!("32-bit process, no frame pointer in {of}"),
        Truncation::NoTable => format!("no table for {of}"),
        Truncation::TableLate => format!("table of {of} not loaded yet"),
        Truncation::NoRoom => format!("no room for table of {of}"),
        Truncation::NoRow => format!("not in table of {of}"),
        Truncation::Unsupported => format!("unwind rule of {of} not supported"),
        Truncation::NoMapping => format!("return address from {of} outside code"),
        Truncation::NoProgress => format!("frame in {of} below its callee"),
        why @ (Truncation::ReadFault
        | Truncation::TooDeep
        | Truncation::NoMemory
        | Truncation::KernelTooDeep
        | Truncation::KernelUnreadable) => why.name().to_owned(),
    }
}

/// What is wrong, to a person who knows the place.
pub(super) fn cause(why: Truncation, place: &Place) -> &'static str {
    match apparent(why, place) {
        Truncation::NoFramePointer => "no frame pointers",
        Truncation::ForeignAbi => "32-bit code without frame pointers",
        Truncation::NoTable => "no unwind table, no frame pointers",
        Truncation::TableLate => "its unwind table was not loaded yet",
        Truncation::NoRoom => "no room for its unwind table",
        Truncation::NoRow => "functions that its unwind table leaves out, no frame pointers",
        Truncation::Unsupported => "unwind rules that tracer cannot follow",
        Truncation::NoMapping => "return addresses outside all code",
        Truncation::NoProgress => "callers' frames that do not lie above",
        Truncation::ReadFault => "stack memory that could not be read",
        Truncation::TooDeep => "stacks deeper than tracer holds",
        Truncation::NoMemory => "processes that were ending or beginning another program",
        Truncation::KernelTooDeep => "stacks deeper than the kernel hands out",
        Truncation::KernelUnreadable => "stacks that the kernel did not hand out",
    }
}

/// What would help; `None`: nothing that we know of.
pub(super) fn remedy(why: Truncation, place: &Place) -> Option<&'static str> {
    match apparent(why, place) {
        Truncation::NoFramePointer if *place == Place::Jit => Some(
            "its compiler may have an option for them, such as Java's -XX:+PreserveFramePointer",
        ),
        Truncation::NoFramePointer | Truncation::ForeignAbi => {
            Some("rebuild with -fno-omit-frame-pointer")
        }
        Truncation::NoTable => {
            Some("rebuild with -fasynchronous-unwind-tables or -fno-omit-frame-pointer")
        }
        Truncation::NoRow => {
            Some("its assembly needs .cfi directives, or rebuild with -fno-omit-frame-pointer")
        }
        Truncation::TableLate => Some("measure for longer"),
        Truncation::NoRoom => Some("give more --unwind-memory"),
        Truncation::Unsupported
        | Truncation::NoMapping
        | Truncation::NoProgress
        | Truncation::ReadFault
        | Truncation::TooDeep
        | Truncation::NoMemory
        | Truncation::KernelTooDeep
        | Truncation::KernelUnreadable => None,
    }
}

/// Nobody expects a table for code that is compiled at run time: what it lacks are frame pointers.
fn apparent(why: Truncation, place: &Place) -> Truncation {
    match (why, place) {
        (Truncation::NoTable | Truncation::NoRow, Place::Jit) => Truncation::NoFramePointer,
        _ => why,
    }
}

/// As much of both ends of a name as fits.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME {
        return name.to_owned();
    }
    let (front, back) = (NAME / 2, NAME - NAME / 2 - 1);
    let front = name.chars().take(front);
    let back = name.chars().skip(length - back);
    front.chain(['…']).chain(back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_well() {
        let file = Place::File("libfoo.so".to_owned());
        let reasons = Truncation::ALL.map(|why| reason(why, &file));
        assert_eq!(
            reasons,
            [
                "no frame pointer in libfoo.so",
                "stack not readable",
                "too deep",
                "32-bit process, no frame pointer in libfoo.so",
                "no table for libfoo.so",
                "table of libfoo.so not loaded yet",
                "no room for table of libfoo.so",
                "not in table of libfoo.so",
                "unwind rule of libfoo.so not supported",
                "return address from libfoo.so outside code",
                "frame in libfoo.so below its callee",
                "memory given up",
                "kernel stack too deep",
                "kernel stack not readable",
            ]
        );
        for why in Truncation::ALL {
            for place in [Place::Unmapped, Place::Kernel, Place::Nothing] {
                assert_eq!(reason(why, &place), why.name());
            }
        }
        for why in [
            Truncation::NoFramePointer,
            Truncation::NoTable,
            Truncation::NoRow,
        ] {
            assert_eq!(reason(why, &Place::Jit), "no frame pointer in JIT code");
            assert_eq!(cause(why, &Place::Jit), "no frame pointers");
        }
    }

    #[test]
    fn the_readme_has_every_reason_and_what_helps() {
        let readme = include_str!("../../../README.md");
        let file = Place::File("libfoo.so".to_owned());
        for why in Truncation::ALL {
            let row = format!("\n| `{}` | ", why.name());
            let (_, row) = readme.split_once(&row).unwrap_or_else(|| panic!("{row}"));
            let reason = reason(why, &file);
            let shown = if reason == why.name() {
                "the same |".to_owned()
            } else {
                format!("`{reason}` |")
            };
            assert!(row.starts_with(&shown), "{shown}");
            let (row, _) = row.split_once('\n').unwrap();
            let remedy = remedy(why, &file).unwrap_or_default();
            for option in remedy.split_whitespace() {
                assert!(!option.starts_with('-') || row.contains(option), "{option}");
            }
        }
    }

    #[test]
    fn a_long_name_keeps_both_its_ends() {
        let fits = "x".repeat(NAME);
        assert_eq!(short(&fits), fits);
        let long = format!("libé{}.so.6", "é".repeat(9_000));
        let short = short(&long);
        assert_eq!(short.chars().count(), NAME);
        assert!(short.starts_with("libéé") && short.contains("é…é") && short.ends_with("é.so.6"));
    }
}
