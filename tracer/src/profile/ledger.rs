//! The account of every observation: what was seen, and what is known to be missing, by reason.

use std::collections::BTreeMap;

use super::Truncation;

/// Why an observation is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Loss {
    /// The timer was due and the program did not run. Inferred: event time ÷ period, less the
    /// runs that were counted.
    NotRun,
    /// The ring buffer refused a stack record.
    RingFull,
    /// The map of counts refused a new key: it was full, or busy.
    MapFull,
    /// Programs interrupted each other deeper than there is scratch space.
    Nested,
    /// A call that never returned to its caller: left by `longjmp` or an exception.
    NoReturn,
    /// The kernel keeps at most 64 pending return probes for a thread, and had them all.
    UretprobeDepth,
}

/// A balanced account: `fired = recorded + filtered + thinned + open + Σ lost` always, and
/// `complete + Σ truncated = recorded` for sources with stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Observations that there were, counted on their own: program entries, plus those that are
    /// known not to have run.
    pub fired: u64,
    /// Observations in the profile.
    pub recorded: u64,
    /// Observations left out because nobody asked for them (another process, idle, tracer itself).
    pub filtered: u64,
    /// Observations left out at random on purpose.
    pub thinned: u64,
    /// Spans that have begun and not ended.
    pub open: u64,
    /// Observations that are missing, by reason.
    pub lost: BTreeMap<Loss, u64>,
    /// Recorded stacks that reach their root.
    pub complete: u64,
    /// Recorded stacks that do not, by reason.
    pub truncated: BTreeMap<Truncation, u64>,
}

impl Loss {
    /// Every reason for which a sample can be missing.
    pub const OF_SAMPLES: [Self; 4] = [Self::NotRun, Self::RingFull, Self::MapFull, Self::Nested];
    /// Every reason for which a call can be missing.
    pub const OF_CALLS: [Self; 3] = [Self::MapFull, Self::NoReturn, Self::UretprobeDepth];

    /// The name in files and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotRun => "not_run",
            Self::RingFull => "ring_full",
            Self::MapFull => "map_full",
            Self::Nested => "nested",
            Self::NoReturn => "no_return",
            Self::UretprobeDepth => "uretprobe_depth",
        }
    }
}

impl Ledger {
    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        let Self {
            fired,
            recorded,
            filtered,
            thinned,
            open,
            lost,
            complete,
            truncated,
        } = other;
        for (sum, count) in [
            (&mut self.fired, fired),
            (&mut self.recorded, recorded),
            (&mut self.filtered, filtered),
            (&mut self.thinned, thinned),
            (&mut self.open, open),
            (&mut self.complete, complete),
        ] {
            *sum = sum.saturating_add(*count);
        }
        for (reason, count) in lost {
            let sum = self.lost.entry(*reason).or_default();
            *sum = sum.saturating_add(*count);
        }
        for (reason, count) in truncated {
            let sum = self.truncated.entry(*reason).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// All that is lost.
    pub fn lost_total(&self) -> u64 {
        saturating_sum(self.lost.values().copied())
    }

    /// All stacks that do not reach their root.
    pub fn truncated_total(&self) -> u64 {
        saturating_sum(self.truncated.values().copied())
    }

    /// Whether both sums add up.
    pub fn balances(&self) -> bool {
        let Self {
            fired,
            recorded,
            filtered,
            thinned,
            open,
            lost: _,
            complete,
            truncated: _,
        } = *self;
        let accounted = [recorded, filtered, thinned, open, self.lost_total()];
        fired == saturating_sum(accounted)
            && recorded == saturating_sum([complete, self.truncated_total()])
    }
}

/// A recording can hold any numbers: adding them up must not be what fails.
fn saturating_sum(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

impl Truncation {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::NoFramePointer,
        Self::ReadFault,
        Self::TooDeep,
        Self::ForeignAbi,
        Self::NoTable,
        Self::TableLate,
        Self::NoRoom,
        Self::NoRow,
        Self::Unsupported,
        Self::NoMapping,
        Self::NoProgress,
        Self::NoMemory,
        Self::KernelTooDeep,
        Self::KernelUnreadable,
    ];

    /// The place in [`Self::ALL`].
    pub(super) const fn index(self) -> u32 {
        self as u32
    }

    /// Whether it is the kernel's part of the stack that is cut short.
    pub const fn is_of_kernel(self) -> bool {
        matches!(self, Self::KernelTooDeep | Self::KernelUnreadable)
    }

    /// The name in files and on screens. Where a stack stopped is not part of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFramePointer => "no frame pointer",
            Self::ReadFault => "stack not readable",
            Self::TooDeep => "too deep",
            Self::ForeignAbi => "32-bit process",
            Self::NoTable => "no table",
            Self::TableLate => "table not loaded yet",
            Self::NoRoom => "no room for table",
            Self::NoRow => "not in table",
            Self::Unsupported => "unwind rule not supported",
            Self::NoMapping => "return address outside code",
            Self::NoProgress => "frame below its callee",
            Self::NoMemory => "memory given up",
            Self::KernelTooDeep => "kernel stack too deep",
            Self::KernelUnreadable => "kernel stack not readable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_has_its_own_place() {
        for (index, why) in (0..).zip(Truncation::ALL) {
            assert_eq!(why.index(), index);
        }
    }

    #[test]
    fn accounts_add_up() {
        let mut sum = Ledger::default();
        assert!(sum.balances());
        let part = Ledger {
            fired: 21,
            recorded: 10,
            filtered: 4,
            thinned: 3,
            open: 2,
            lost: [(Loss::RingFull, 1), (Loss::NotRun, 1)].into(),
            complete: 7,
            truncated: [(Truncation::TooDeep, 3)].into(),
        };
        sum.add(&part);
        sum.add(&part);
        assert!(sum.balances());
        assert_eq!(
            (sum.fired, sum.lost_total(), sum.truncated_total()),
            (42, 4, 6)
        );
        sum.complete += 1;
        assert!(!sum.balances());
        sum.add(&Ledger {
            recorded: u64::MAX,
            fired: u64::MAX,
            ..Ledger::default()
        });
    }
}
