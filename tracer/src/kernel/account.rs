//! The ledger of a drain: `fired` from the programs' own count and the timers, everything else from
//! what arrived.

use std::collections::{BTreeMap, HashMap};

use tracer_common::{Counters, Plain as _};

use super::{Error, Meter, Result, object::Object, sys};
use crate::profile::{Ledger, Loss, Sample, Truncation};

/// How often a CPU's timer was due since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The CPU.
    pub cpu: u32,
    /// In all.
    pub ticks: u64,
    /// While the CPU was idle, at most.
    pub idle: u64,
}

/// What has been accounted for so far, by CPU.
pub(super) struct Account {
    idle_wanted: bool,
    per_cpu: HashMap<u32, PerCpu>,
}

/// Ticks since the start.
#[derive(Clone, Copy, Default)]
struct PerCpu {
    fired: u64,
    /// Of these, while the CPU was idle.
    idle: u64,
    not_run: u64,
    /// Withheld while the CPU was idle.
    idle_not_run: u64,
}

impl Account {
    /// `idle_wanted`: samples of idle CPUs are asked for.
    pub(super) fn new(idle_wanted: bool) -> Self {
        Self {
            idle_wanted,
            per_cpu: HashMap::new(),
        }
    }

    /// The ledger of one drain, from each CPU's counters of it.
    pub(super) fn ledger(
        &mut self,
        counted: impl Iterator<Item = (u32, Counters)>,
        due: &[Due],
        stopped: bool,
        samples: &[Sample],
        meter: &mut Meter,
    ) -> Ledger {
        let mut ledger = Ledger {
            lost: Loss::OF_SAMPLES.map(|reason| (reason, 0)).into(),
            ..Ledger::default()
        };
        let mut lose = |reason, count| *ledger.lost.entry(reason).or_default() += count;
        for (cpu, counted) in counted {
            let Counters {
                fired,
                idle,
                filtered,
                lost_ring,
                lost_map,
                lost_nested,
                bpf_ns,
                first_ns,
                reports_lost,
                forks_lost,
            } = counted;
            ledger.fired += fired;
            ledger.filtered += filtered;
            lose(Loss::RingFull, lost_ring);
            lose(Loss::MapFull, lost_map);
            lose(Loss::Nested, lost_nested);
            meter.bpf_ns += bpf_ns;
            meter.reports_lost += reports_lost;
            meter.forks_lost += forks_lost;
            if first_ns != 0 && meter.first_ns.is_none_or(|first| first_ns < first) {
                meter.first_ns = Some(first_ns);
            }
            if fired > 0 {
                let seen = self.per_cpu.entry(cpu).or_default();
                seen.fired += fired;
                seen.idle += idle;
            }
        }
        for Due { cpu, ticks, idle } in due {
            let seen = self.per_cpu.entry(*cpu).or_default();
            // While timers run, a tick that is just due may not have been counted: it will be in
            // the next drain.
            let ticks = if stopped {
                *ticks
            } else {
                ticks.saturating_sub(1)
            };
            let missing = ticks.saturating_sub(seen.fired + seen.not_run + seen.idle_not_run);
            // A CPU that is woken from its idle loop without an interrupt handles its timers with
            // no registers to sample, and perf takes no tick (`perf_swevent_hrtimer`). That was no
            // observation of anything, unless the idle task is what is asked for.
            let idle = if self.idle_wanted {
                0
            } else {
                idle.saturating_sub(seen.idle + seen.idle_not_run)
            };
            let idle = missing.min(idle);
            seen.idle_not_run += idle;
            seen.not_run += missing - idle;
            ledger.fired += missing - idle;
            lose(Loss::NotRun, missing - idle);
        }
        let mut truncated: BTreeMap<Truncation, u64> = BTreeMap::new();
        for sample in samples {
            ledger.recorded += sample.weight;
            match sample.truncated {
                None => ledger.complete += sample.weight,
                Some(reason) => *truncated.entry(reason).or_default() += sample.weight,
            }
        }
        ledger.truncated = truncated;
        ledger
    }
}

/// Reads and clears the counters of a generation: one for each possible CPU, in their order, whatever
/// their numbers.
pub(super) fn take_counters(
    object: &Object,
    generation: u32,
    possible_cpus: usize,
) -> Result<Vec<Counters>> {
    let map = object.map("COUNTERS")?;
    let key = generation.to_ne_bytes();
    // Values of per-CPU maps are laid out at multiples of 8 bytes, which the size is.
    let mut values = vec![0u8; size_of::<Counters>() * possible_cpus];
    sys::map_lookup(map, &key, &mut values)
        .map_err(|error| Error::from_os("read counters", error))?;
    sys::map_update(map, &key, &vec![0u8; values.len()])
        .map_err(|error| Error::from_os("clear counters", error))?;
    Ok(values
        .chunks_exact(size_of::<Counters>())
        .filter_map(Counters::read)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two drains of one CPU: what it counted in each, and what was due when. The last is final.
    #[track_caller]
    fn check(idle_wanted: bool, drains: [(Counters, Due); 2], expected: [(u64, u64); 2]) {
        let mut account = Account::new(idle_wanted);
        let mut meter = Meter::default();
        let ledgers = drains
            .into_iter()
            .zip([false, true])
            .map(|((counters, due), stopped)| {
                let counted = [(due.cpu, counters)].into_iter();
                let ledger = account.ledger(counted, &[due], stopped, &[], &mut meter);
                assert!(ledger.balances(), "{ledger:?}");
                (ledger.fired, ledger.lost[&Loss::NotRun])
            });
        assert_eq!(ledgers.collect::<Vec<_>>(), expected);
    }

    fn counters(fired: u64, idle: u64) -> Counters {
        Counters {
            fired,
            idle,
            filtered: fired,
            lost_ring: 0,
            lost_map: 0,
            lost_nested: 0,
            bpf_ns: 0,
            first_ns: 0,
            reports_lost: 0,
            forks_lost: 0,
        }
    }

    fn due(ticks: u64, idle: u64) -> Due {
        Due {
            cpu: 3,
            ticks,
            idle,
        }
    }

    #[test]
    fn a_tick_that_is_only_just_due_is_not_lost() {
        let drains = [(counters(9, 0), due(10, 0)), (counters(11, 0), due(20, 0))];
        check(false, drains, [(9, 0), (11, 0)]);
    }

    #[test]
    fn ticks_that_did_not_run_are_lost_once() {
        let drains = [(counters(4, 0), due(10, 0)), (counters(8, 0), due(20, 0))];
        check(false, drains, [(9, 5), (11, 3)]);
    }

    #[test]
    fn ticks_withheld_from_an_idle_cpu_are_no_observations() {
        let drains = [(counters(4, 2), due(10, 7)), (counters(8, 2), due(20, 10))];
        check(false, drains, [(4, 0), (10, 2)]);
    }

    #[test]
    fn unless_the_idle_task_is_asked_for() {
        let drains = [(counters(4, 2), due(10, 7)), (counters(8, 2), due(20, 10))];
        check(true, drains, [(9, 5), (11, 3)]);
    }
}
