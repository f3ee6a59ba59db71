//! The account of calls.

use std::collections::BTreeMap;

use crate::profile::Loss;

/// A balanced account: `fired = recorded + filtered + thinned + open + Σ lost` always.
///
/// Accounts of windows add up to that of the whole. So `open` of a window is how many more calls are
/// open at its end than were at its start, which can be less than nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanLedger {
    /// Calls that began, counted at the entry of the program that sees them.
    pub fired: u64,
    /// Calls in the histograms.
    pub recorded: u64,
    /// Calls left out because nobody asked for them: of another process, of tracer itself, or too
    /// short.
    pub filtered: u64,
    /// Calls left out at random on purpose.
    pub thinned: u64,
    /// Calls that have begun and not ended.
    pub open: i64,
    /// Calls that are missing, by reason.
    pub lost: BTreeMap<Loss, u64>,
}

impl SpanLedger {
    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        let Self {
            fired,
            recorded,
            filtered,
            thinned,
            open,
            lost,
        } = other;
        for (sum, count) in [
            (&mut self.fired, fired),
            (&mut self.recorded, recorded),
            (&mut self.filtered, filtered),
            (&mut self.thinned, thinned),
        ] {
            *sum = sum.saturating_add(*count);
        }
        self.open = self.open.saturating_add(*open);
        for (reason, count) in lost {
            let sum = self.lost.entry(*reason).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// All that is lost.
    pub fn lost_total(&self) -> u64 {
        self.lost.values().copied().fold(0, u64::saturating_add)
    }

    /// Whether the sum adds up.
    pub fn balances(&self) -> bool {
        let ended = [
            self.recorded,
            self.filtered,
            self.thinned,
            self.lost_total(),
        ];
        let ended: i128 = ended.into_iter().map(i128::from).sum();
        i128::from(self.fired) == ended + i128::from(self.open)
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
