//! Where the code of a frame is: what symbolizing it takes, as plain data.

use crate::profile::{Dso, DsoId, NoMapping};

/// Where the code of a frame is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In the kernel.
    Kernel {
        /// The absolute address.
        address: u64,
    },
    /// In a file.
    File {
        /// The file.
        dso: DsoId,
        /// What the kernel calls it.
        info: &'a Dso,
        /// Offset in it.
        offset: u64,
        /// Processes that had it mapped. One that lives gives the very file, whatever has become
        /// of its path since.
        holders: &'a [Holder],
    },
    /// In code that a process compiled at run time.
    Jit {
        /// The process, as in /proc.
        pid: u32,
        /// The absolute address.
        address: u64,
    },
    /// Nowhere that is known.
    Unmapped(NoMapping),
}

/// A mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, as in /proc.
    pub pid: u32,
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
}

/// Identifiers for tests of this interface from outside the crate, where there is no model.
#[doc(hidden)]
pub mod ids {
    use crate::profile::{DsoId, FrameId};

    /// The frame with this number.
    pub const fn frame(number: u32) -> FrameId {
        FrameId(number)
    }

    /// The DSO with this number.
    pub const fn dso(number: u32) -> DsoId {
        DsoId(number)
    }
}
