//! Trying things for real: a process to observe, and what is seen of it.

use std::{
    collections::HashSet,
    io,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cmd::symbols::Naming,
    kernel::{self, Event, SessionOptions, Shrink, Target},
    proc,
    profile::{Batch, Fact, FactKind, Profile},
    source::{Cpu, CpuOptions},
    view::{self, Query, Unnamed},
};

/// Samples a second. What is to be seen is seen soon then.
pub(super) const HERTZ: u32 = 999;
/// How long is observed.
const SPELL: Duration = Duration::from_millis(150);
/// How long is waited where nothing has been seen: other processes may have the CPUs.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long names are waited for.
const NAMES: Duration = Duration::from_secs(5);

/// Works hard, starts a child now and then, and ends by itself after some seconds if nobody ends it.
const BUSY: &str = "i=0; while [ $i -lt 1000 ]; do j=0; \
    while [ $j -lt 5000 ]; do j=$((j+1)); done; /bin/sh -c :; i=$((i+1)); done";

/// A busy process. Dropping it ends it.
pub(super) struct Busy {
    child: Child,
    start_ticks: u64,
}

impl Busy {
    pub(super) fn start() -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", BUSY])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut busy = Self {
            child,
            start_ticks: 0,
        };
        busy.start_ticks = proc::start_ticks(busy.child.id())?;
        Ok(busy)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What was seen of it.
pub(super) struct Observed {
    pub(super) profile: Profile,
    pub(super) lives: Lives,
    pub(super) wall: Duration,
}

impl Observed {
    /// Samples of it.
    pub(super) fn samples(&self) -> u64 {
        self.profile.ledger().recorded
    }
}

/// What was seen of its children's lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lives {
    pub(super) forks: bool,
    pub(super) execs: bool,
    /// That a program knows which exec it was.
    pub(super) images: bool,
    pub(super) exits: bool,
}

impl Lives {
    fn all(self) -> bool {
        self.missing().is_empty()
    }

    /// What was not seen.
    pub(super) fn missing(self) -> Vec<&'static str> {
        let Self {
            forks,
            execs,
            images,
            exits,
        } = self;
        let seen = [
            (forks, "forks"),
            (execs, "execs"),
            (images, "which exec it was"),
            (exits, "exits"),
        ];
        let missing = seen.into_iter().filter(|(seen, _)| !seen);
        missing.map(|(_, what)| what).collect()
    }

    /// Takes in facts; `children` are those of the process that is observed.
    fn take(&mut self, facts: &[Fact], observed: u32, children: &mut HashSet<u32>) {
        for fact in facts {
            match fact.kind {
                FactKind::Fork { parent } if parent == observed => {
                    self.forks = true;
                    children.insert(fact.pid);
                }
                _ if !children.contains(&fact.pid) => {}
                FactKind::Exec => self.execs = true,
                FactKind::Image(_) => self.images = true,
                FactKind::Exit => self.exits = true,
                FactKind::Fork { .. }
                | FactKind::Map(_)
                | FactKind::Snapshot(_)
                | FactKind::Unreadable => {}
            }
        }
    }
}

/// Loads and attaches all that sampling needs, for a process or, without one, for all.
pub(super) fn open(event: Event, busy: Option<&Busy>, worker: Option<u32>) -> kernel::Result<Cpu> {
    let target = busy.map_or(Target::All, |busy| {
        Target::Processes(vec![(busy.pid(), busy.start_ticks)])
    });
    let cpus = proc::cpus("online").map_err(|source| kernel::Error::Os {
        what: "read the list of CPUs",
        source,
    })?;
    let session = SessionOptions {
        target,
        follow: true,
        idle: false,
        launched: None,
        worker,
        room: 0,
        shrink: Shrink::default(),
    };
    let options = CpuOptions {
        event,
        hertz: HERTZ,
        cpus,
    };
    Cpu::open(&options, &session)
}

/// Samples a busy process for a while, and for longer if there is nothing to see.
pub(super) fn observe(mut cpu: Cpu, busy: &Busy) -> kernel::Result<Observed> {
    let mut profile = Profile::new();
    profile.apply(mappings(busy));
    let mut lives = Lives::default();
    let mut children = HashSet::new();
    let began = Instant::now();
    cpu.start()?;
    loop {
        thread::sleep(SPELL);
        let wall = began.elapsed();
        let (seen, patient) = (
            profile.ledger().recorded > 0 && lives.all(),
            wall < PATIENCE,
        );
        let last = seen || !patient;
        if last {
            cpu.stop()?;
        }
        let mut batch = cpu.drain()?;
        batch.facts.sort_by_key(|fact| fact.time_ns);
        lives.take(&batch.facts, busy.pid(), &mut children);
        profile.apply(batch);
        if last {
            profile.finish();
            return Ok(Observed {
                profile,
                lives,
                wall,
            });
        }
    }
}

/// What it has mapped, as the first thing that is known of it.
fn mappings(busy: &Busy) -> Batch {
    let now = proc::monotonic_ns();
    let kind = match proc::executable_mappings(busy.pid()) {
        Ok(mappings) => FactKind::Snapshot(mappings),
        Err(_) => FactKind::Unreadable,
    };
    Batch {
        start_ns: now,
        end_ns: now,
        facts: vec![Fact {
            time_ns: now,
            pid: busy.pid(),
            kind,
        }],
        ..Batch::default()
    }
}

/// Has the worker name the frames that were seen: how many it did not.
pub(super) fn name(naming: &mut Naming, profile: &mut Profile) -> io::Result<Unnamed> {
    let deadline = Instant::now() + NAMES;
    naming.advance(profile)?;
    while naming.pending() > 0 && Instant::now() < deadline {
        naming.receive(Duration::from_millis(50))?;
    }
    if naming.pending() > 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(view::unnamed(profile, &naming.symbols, &Query::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_of_children_are_seen_and_those_of_others_are_not() {
        let fact = |pid, kind| Fact {
            time_ns: 0,
            pid,
            kind,
        };
        let mut lives = Lives::default();
        let mut children = HashSet::new();
        let others = [
            fact(8, FactKind::Fork { parent: 9 }),
            fact(8, FactKind::Exec),
            fact(7, FactKind::Exec),
            fact(8, FactKind::Exit),
        ];
        lives.take(&others, 7, &mut children);
        assert_eq!(lives, Lives::default());
        let own = [
            fact(8, FactKind::Fork { parent: 7 }),
            fact(8, FactKind::Exec),
        ];
        lives.take(&own, 7, &mut children);
        assert_eq!(lives.missing(), ["which exec it was", "exits"]);
        // In a later batch.
        lives.take(&[fact(8, FactKind::Exit)], 7, &mut children);
        assert_eq!(lives.missing(), ["which exec it was"]);
    }
}
