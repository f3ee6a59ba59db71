//! What probing takes of the programs' time, as predicted.

use crate::profile::{Latencies, Window};

/// What probes cost in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// A call of the function where that is least, and where it is most, in nanoseconds.
    pub each_ns: (f64, f64),
    /// Calls that ran into probes, whoever made them.
    pub calls: u64,
    /// All of these together.
    pub all_ns: f64,
}

/// Predicts it. `each_ns` says what a call of each function costs; of none: it is not known.
pub fn cost(latencies: &Latencies, each_ns: &[f64], window: Window) -> Option<Cost> {
    let least = each_ns.iter().copied().reduce(f64::min)?;
    let most = each_ns.iter().copied().reduce(f64::max)?;
    let mut cost = Cost {
        each_ns: (least, most),
        calls: 0,
        all_ns: 0.0,
    };
    latencies.each_ledger(window, |function, ledger| {
        let each = each_ns.get(function.0 as usize).copied().unwrap_or(0.0);
        cost.all_ns += each * ledger.fired as f64;
        cost.calls = cost.calls.saturating_add(ledger.fired);
    });
    Some(cost)
}
