//! The model: what was observed, interned. No IO, no clock, and nothing in it can fail.

mod batch;
mod holders;
mod intern;
mod latency;
mod ledger;
mod lives;
mod mappings;
mod memory;
mod model;
mod process;
mod raw;
mod resolve;
mod slice;
mod slots;
mod space;
mod stack;

pub use batch::{
    Batch, Comm, Dso, Fact, FactKind, Image, Mapping, RawStack, Sample, StackKey, Truncation,
};
pub use latency::{
    Bucket, CallBatch, CallKey, Calls, Function, FunctionId, Histogram, KeyId, Latencies,
    SpanLedger,
};
pub use ledger::{Ledger, Loss};
pub use memory::{Garbage, Held};
pub use model::Profile;
pub use slice::{SliceRef, Weight, Window};
pub(crate) use slots::Slots;
pub use stack::{StackId, StackNode, Stop};

/// A frame, interned: an opaque index into [`Profile::frame`], never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub(crate) u32);

/// A file that code came from, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DsoId(pub(crate) u32);

/// A process, interned: (PID, start time).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub(crate) u32);

/// A thread under one name, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(pub(crate) u32);

/// A thread under one name: a thread that is renamed becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread {
    /// Whose it is.
    pub process: ProcessId,
    /// The kernel's number of it.
    pub tid: u32,
    /// Its name.
    pub comm: Comm,
}

/// Where an instruction is. Return addresses have already been moved back by one, so that they
/// lie within the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Frame {
    /// At a kernel address.
    Kernel {
        /// The absolute address.
        address: u64,
    },
    /// In a file: an executable, a library, the vDSO.
    File {
        /// The file.
        dso: DsoId,
        /// Offset in the file (not an ELF virtual address).
        offset: u64,
    },
    /// In executable memory of a process that has no file behind it: compiled at run time.
    Jit {
        /// The process.
        process: ProcessId,
        /// The absolute address.
        address: u64,
    },
    /// At an address for which no mapping is known.
    Unmapped {
        /// The process.
        process: ProcessId,
        /// The absolute address.
        address: u64,
        /// Why there is none.
        why: NoMapping,
    },
}

/// Why no mapping is known for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoMapping {
    /// The process had ended, or had started another program, before its mappings were read.
    ProcessGone,
    /// The mappings are known and none covers it.
    OutsideMappings,
}
