//! What probes cost the programs that run into them, as predicted.

use std::thread::JoinHandle;

use crate::{
    kernel::ProbeCosts,
    probe::{Class, Site},
    profile::{Latencies, Window},
};

/// What a call of each function costs.
pub(super) struct Costs {
    /// Finds out what probes cost here.
    finding: Option<JoinHandle<Option<ProbeCosts>>>,
    /// Of each function, whether its first instruction is emulated, and whether its end is seen at
    /// instructions.
    places: Vec<(bool, bool)>,
    /// In nanoseconds; empty as long as it is not known.
    call_ns: Vec<f64>,
}

/// What the probes have cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ProbeCost {
    /// A call, in nanoseconds.
    pub(super) call_ns: f64,
    /// All calls.
    pub(super) all_ns: f64,
}

impl Costs {
    /// Of these functions, once it is found out.
    pub(super) fn new(finding: JoinHandle<Option<ProbeCosts>>, sites: &[Site]) -> Self {
        let place = |site: &Site| (site.class == Class::Emulated, !site.exits.is_empty());
        Self {
            finding: Some(finding),
            places: sites.iter().map(place).collect(),
            call_ns: Vec::new(),
        }
    }

    /// Takes in what has been found out; `wait`: even if that takes a moment.
    pub(super) fn settle(&mut self, wait: bool) {
        let found = self
            .finding
            .take_if(|finding| wait || finding.is_finished())
            .and_then(|finding| finding.join().ok().flatten());
        if let Some(costs) = found {
            let places = self.places.iter();
            let call_ns = places.map(|(emulated, at_exit)| costs.call_ns(*emulated, *at_exit));
            self.call_ns = call_ns.collect();
        }
    }

    /// What a call of each function costs, in nanoseconds; of none, if that is not known.
    pub(super) fn call_ns(&self) -> &[f64] {
        &self.call_ns
    }

    /// What the calls of a window have cost; `None`: that is not known, or there were no calls.
    pub(super) fn of(&self, latencies: &Latencies, window: Window) -> Option<ProbeCost> {
        if self.call_ns.is_empty() {
            return None;
        }
        let (mut calls, mut all_ns) = (0u64, 0.0);
        latencies.each_ledger(window, |function, ledger| {
            let call_ns = self.call_ns.get(function.0 as usize);
            all_ns += ledger.fired as f64 * call_ns.copied().unwrap_or(0.0);
            calls = calls.saturating_add(ledger.fired);
        });
        (calls > 0).then(|| ProbeCost {
            call_ns: all_ns / calls as f64,
            all_ns,
        })
    }
}
