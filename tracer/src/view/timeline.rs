//! How much there was at each time.

use super::{Query, select::Accepts};
use crate::{profile::Profile, symbol::Symbols};

/// A slice of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its beginning, CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// Its end.
    pub end_ns: u64,
    /// The weight of the samples that the query asks for.
    pub weight: u64,
    /// Observations of the slice that were lost, whomever they would have been of.
    pub lost: u64,
}

/// Every slice that is held, whatever the query's window.
pub fn timeline(profile: &Profile, symbols: &Symbols, query: &Query) -> Vec<Bar> {
    let mut accepts = Accepts::new(profile, symbols, query);
    let everything = query.is_only_time();
    let bars = profile.slices().map(|slice| Bar {
        start_ns: slice.start_ns,
        end_ns: slice.end_ns,
        weight: if everything {
            slice.ledger.recorded
        } else {
            slice
                .weights()
                .filter(|row| accepts.row(row))
                .fold(0, |sum, row| sum.saturating_add(row.weight))
        },
        lost: slice.ledger.lost_total(),
    });
    bars.collect()
}
