//! How full the maps are, and what the programs have cost: facts about tracer itself.
//!
//! The kernel counts runs and time of programs for as long as somebody holds a descriptor that asks
//! for it, of all programs of the machine, and at a cost to each run: so only while it is watched.

use std::os::fd::{AsFd as _, OwnedFd};

use tracer_common::SENT_SLOTS;

use super::{
    Error, Result,
    drain::Drain,
    object::{Object, SENT},
    sys::{self, ProgramStatistics},
};

/// The state of what tracer has in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How full each map was in the last drain.
    pub maps: Vec<MapFill>,
    /// What each program has done since the watching began; empty if that is not to be had.
    pub programs: Vec<ProgramRuns>,
    /// Why `programs` is empty, in words.
    pub refused: Option<String>,
}

/// How full a map was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFill {
    /// The map's name in the kernel.
    pub name: &'static str,
    /// What is in it, in words.
    pub what: &'static str,
    /// How much of it was in use.
    pub used: u64,
    /// How much there is room for.
    pub capacity: u64,
    /// What is counted.
    pub unit: &'static str,
}

/// What a program has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRuns {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long all runs took together.
    pub time_ns: u64,
    /// How often it was due and the kernel did not run it.
    pub misses: u64,
}

/// Whether programs are watched.
#[derive(Default)]
pub(super) enum Watch {
    #[default]
    No,
    Yes {
        /// While it is open, the kernel counts.
        _counting: OwnedFd,
        /// What each program had done when it began, in the order of the programs.
        before: Vec<ProgramStatistics>,
    },
    Refused(String),
}

impl Watch {
    /// Begins. Where it is refused, [`health`] says why.
    pub(super) fn begin(object: &Object) -> Self {
        let refused = |what, error| Self::Refused(Error::from_os(what, error).to_string());
        let counting = match sys::count_runs() {
            Ok(counting) => counting,
            Err(error) => return refused("count runs of BPF programs", error),
        };
        let programs = object.programs().iter();
        let before = programs.map(|(_, program)| sys::program_statistics(program.as_fd()));
        match before.collect() {
            Ok(before) => Self::Yes {
                _counting: counting,
                before,
            },
            Err(error) => refused("read what BPF programs have done", error),
        }
    }

    /// Whether it has begun, be it in vain.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self, Self::No)
    }
}

/// The state of maps and programs.
pub(super) fn health(object: &Object, drain: &Drain, watch: &Watch) -> Health {
    let (programs, refused) = match watch {
        Watch::No => (Vec::new(), None),
        Watch::Refused(why) => (Vec::new(), Some(why.clone())),
        Watch::Yes { before, .. } => match program_runs(object, before) {
            Ok(programs) => (programs, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
    };
    Health {
        maps: map_fills(object, drain),
        programs,
        refused,
    }
}

fn map_fills(object: &Object, drain: &Drain) -> Vec<MapFill> {
    let found = drain.found();
    let fill = |(name, used), what, unit| MapFill {
        name,
        what,
        used,
        capacity: object.capacity(name),
        unit,
    };
    vec![
        fill(found.counts, "counts", "entries"),
        fill(found.kernel_stacks, "kernel stacks", "stacks"),
        fill(("RING", found.ring), "ring of stacks", "bytes"),
        MapFill {
            name: SENT,
            what: "stacks sent",
            used: drain.sent(),
            capacity: SENT_SLOTS.into(),
            unit: "stacks",
        },
    ]
}

fn program_runs(object: &Object, before: &[ProgramStatistics]) -> Result<Vec<ProgramRuns>> {
    let mut before = before.iter().copied();
    object
        .programs()
        .iter()
        .map(|(name, program)| {
            let now = sys::program_statistics(program.as_fd())
                .map_err(|error| Error::from_os("read what BPF programs have done", error))?;
            // One that was loaded later had done nothing.
            let before = before.next().unwrap_or_default();
            Ok(ProgramRuns {
                name: (*name).to_owned(),
                runs: now.runs.saturating_sub(before.runs),
                time_ns: now.time_ns.saturating_sub(before.time_ns),
                misses: now.misses.saturating_sub(before.misses),
            })
        })
        .collect()
}
