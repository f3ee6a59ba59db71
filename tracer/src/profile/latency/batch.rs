//! What leaves the kernel side of calls: plain owned facts.

use super::{FunctionId, Histogram, SpanLedger};
use crate::profile::Comm;

/// What one drain found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallBatch {
    /// Start of the time that it covers, CLOCK_MONOTONIC in nanoseconds.
    pub start_ns: u64,
    /// End of it.
    pub end_ns: u64,
    /// Calls that ended in that time.
    pub calls: Vec<Calls>,
    /// The account of each function of which anything happened, for this batch alone.
    pub ledgers: Vec<(FunctionId, SpanLedger)>,
    /// Names of processes and threads that appear for the first time.
    pub names: Vec<(CallKey, String)>,
}

/// Calls that agree in everything but time.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// What was called.
    pub function: FunctionId,
    /// By whom.
    pub key: CallKey,
    /// How long they took, in nanoseconds.
    pub histogram: Histogram,
}

/// What calls are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallKey {
    /// Nothing.
    All,
    /// The calling process, by PID.
    Process(u32),
    /// The calling thread, by TID.
    Thread(u32),
    /// The name of the calling thread.
    Comm(Comm),
}
