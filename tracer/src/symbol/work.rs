//! What the client hands to the supervisor: frames, grouped by what they are looked up in.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;

use super::{Holder, NoName};
use crate::profile::{Dso, DsoId, FrameId};

/// Counts files that are on their way.
pub(super) type Held = Arc<()>;

/// What there is to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Kernel addresses.
    Kernel(Vec<(FrameId, u64)>),
    /// Code in a file.
    Dso(DsoWork),
    /// Code that was compiled at run time.
    Jit(JitWork),
    /// No file but these is going to be asked for again.
    Keep(HashSet<DsoId>),
}

/// Frames in a file.
#[derive(Debug)]
pub(super) struct DsoWork {
    pub(super) dso: DsoId,
    pub(super) info: Dso,
    pub(super) holders: Vec<Holder>,
    /// Its file, if it has been opened already.
    pub(super) file: Result<Option<(File, Held)>, NoName>,
    /// With the offset of each.
    pub(super) frames: Vec<(FrameId, u64)>,
}

/// Frames in code that a process compiled.
#[derive(Debug)]
pub(super) struct JitWork {
    pub(super) pid: u32,
    pub(super) map: Option<File>,
    /// With the address of each.
    pub(super) frames: Vec<(FrameId, u64)>,
}

impl DsoWork {
    pub(super) fn new(dso: DsoId, info: Dso) -> Self {
        Self {
            dso,
            info,
            holders: Vec::new(),
            file: Ok(None),
            frames: Vec::new(),
        }
    }
}

impl JitWork {
    pub(super) fn new(pid: u32, map: Option<File>) -> Self {
        Self {
            pid,
            map,
            frames: Vec::new(),
        }
    }
}
