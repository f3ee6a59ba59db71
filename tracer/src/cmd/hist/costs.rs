//! What probes cost the programs that run into them, as predicted.

use std::thread::JoinHandle;

use crate::{
    kernel::ProbeCosts,
    probe::{Class, Site},
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
}
