//! What the measuring costs while it goes on.

use std::time::{Duration, Instant};

use super::{
    begin::{nanoseconds, own_cpu_ns},
    measuring::Measuring,
};
use crate::{export::Overhead, proc};

/// What had been spent at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    at: Instant,
    bpf_ns: u64,
    user_cpu_ns: u64,
}

impl Spent {
    /// As of now.
    pub(super) fn now<R: Send + 'static>(measuring: &mut Measuring<R>) -> Self {
        let worker = proc::cpu_time(measuring.naming().worker()).unwrap_or(Duration::ZERO);
        Self {
            at: Instant::now(),
            bpf_ns: measuring.meter.bpf_ns,
            user_cpu_ns: own_cpu_ns() + nanoseconds(worker) + measuring.meter.tables_cpu_ns,
        }
    }

    /// What has been spent between another time and this one.
    pub(super) fn since(&self, earlier: &Self) -> Overhead {
        Overhead {
            bpf_ns: Some(self.bpf_ns.saturating_sub(earlier.bpf_ns)),
            // A worker that was started anew begins at 0.
            user_cpu_ns: self.user_cpu_ns.saturating_sub(earlier.user_cpu_ns),
            wall_ns: nanoseconds(self.at - earlier.at),
        }
    }

    /// Since then.
    pub(super) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}
