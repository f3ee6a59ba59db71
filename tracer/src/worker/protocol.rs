//! What tracer and its worker say to each other. Strictly alternating: one request, one reply.
//! That keeps both socket buffers from filling up at once, and says which file a crash belongs to.

use serde::{Deserialize, Serialize};

use super::table::Packed;
use crate::symbol::{NoName, Symbol};

/// The most addresses in one request: bounds what a crash or a hang takes with it.
pub(crate) const BATCH: usize = 256;

/// What is asked of the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Read the file that comes with this as DSO number `dso`.
    Open {
        /// Chosen by the parent; names the file until it is closed.
        dso: u32,
    },
    /// Use the file that comes with this as debug file of `dso`, if it is the right one.
    Debug {
        /// A file that is open.
        dso: u32,
    },
    /// Forget a DSO.
    Close {
        /// A file that is open.
        dso: u32,
    },
    /// Name the code at these offsets in a DSO.
    Offsets {
        /// A file that is open.
        dso: u32,
        /// File offsets, at most [`BATCH`].
        offsets: Vec<u64>,
    },
    /// Name the code at these kernel addresses.
    Kernel {
        /// Absolute addresses, at most [`BATCH`].
        addresses: Vec<u64>,
    },
    /// Read the file that comes with this as perf map number `map`, in place of an earlier one.
    OpenMap {
        /// Chosen by the parent.
        map: u32,
    },
    /// Forget a perf map.
    CloseMap {
        /// A perf map that is open.
        map: u32,
    },
    /// Name the code at these addresses of the process whose perf map it is.
    Jit {
        /// A perf map that is open.
        map: u32,
        /// Absolute addresses, at most [`BATCH`].
        addresses: Vec<u64>,
    },
    /// Make the unwind table of the file that comes with this.
    Table,
    /// Say what you have used.
    Usage,
}

/// What is known about one address.
pub(crate) type Answer = Result<Symbol, NoName>;

/// What the worker replies.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Done; nothing to add.
    Done,
    /// The DSO is open. With it, how to recognize the debug file that it lacks.
    Opened(Option<Wanted>),
    /// The file's unwind table.
    Table {
        /// The file's build ID; empty: it has none.
        build_id: Vec<u8>,
        /// The table.
        table: Packed,
        /// User and system time that the worker has used since it began.
        cpu_ns: u64,
    },
    /// The file has no unwind table.
    NoTable,
    /// The file that came may not be opened again with the worker's privileges: send a copy.
    Denied,
    /// The file is not a readable ELF file.
    Unreadable,
    /// It is not the debug file of that DSO.
    WrongDebugFile,
    /// In the order of the addresses.
    Answers(Vec<Answer>),
    /// What the worker has used since it began.
    Usage {
        /// User and system time.
        cpu_ns: u64,
        /// The most memory that was resident.
        peak_kib: u64,
    },
}

/// How to find the debug file of a DSO that has no DWARF of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// The build ID; empty: it has none.
    pub(crate) build_id: Vec<u8>,
    /// The file name in `.gnu_debuglink`; empty: it has none.
    pub(crate) link: Vec<u8>,
}
