//! The collector: a thread that drains the kernel by its own clock and hands batches on.
//!
//! The channel behind it is bounded. When it is full, the batch waits and the next one is merged
//! into it: collecting neither blocks nor drops.

use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel},
    thread::JoinHandle,
    time::Duration,
};

use super::Cpu;
use crate::{
    kernel::{self, Meter},
    proc,
    profile::{Batch, Fact, FactKind},
};

/// Time between two drains.
const TICK: Duration = Duration::from_millis(250);
/// Time to the first one: processes that are about to end still have their mappings.
const FIRST_TICK: Duration = Duration::from_millis(100);

/// What the collector hands on.
#[derive(Debug)]
pub enum Collected {
    /// A batch, and what the measuring has cost so far.
    Batch(Box<Batch>, Meter),
    /// Collecting ended early.
    Failed(kernel::Error),
    /// Collecting ended; nothing follows.
    Done,
}

/// What the receiving end understands besides: the type of its channel.
pub trait Message: From<Collected> + TryInto<Collected> + Send + 'static {}
impl<M: From<Collected> + TryInto<Collected> + Send + 'static> Message for M {}

/// Whose mappings are wanted.
#[derive(Clone, Debug)]
pub enum Interest {
    /// Everybody's, once sampled.
    Sampled,
    /// These processes' and their descendants', from the start.
    Processes(HashSet<u32>),
}

/// A running collector.
pub struct Collector {
    stop: std::sync::mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Collector {
    /// Starts sampling, and a thread that collects into `to`.
    pub fn start<M: Message>(
        mut source: Cpu,
        interest: Interest,
        to: SyncSender<M>,
    ) -> kernel::Result<Self> {
        let mut mappings = Mappings::new(interest);
        let mut facts = Vec::new();
        mappings.read_initial(&mut facts);
        source.start()?;
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut outlet = Outlet { to, waiting: None };
            if let Err(error) = run(&mut source, &mut mappings, facts, &stopped, &mut outlet) {
                outlet.finish(Some(Collected::Failed(error)));
            }
            outlet.finish(None);
        });
        Ok(Self { stop, thread })
    }

    /// Ends the sampling; the last batch follows, then [`Collected::Done`].
    pub fn stop(&self) {
        // Fails if it has ended by itself.
        _ = self.stop.send(());
    }

    /// Waits for the end, after [`Collected::Done`]: everything is detached then.
    pub fn join(self) {
        // A panic there has been reported by the panic hook.
        _ = self.thread.join();
    }
}

fn run<M: Message>(
    source: &mut Cpu,
    mappings: &mut Mappings,
    mut early: Vec<Fact>,
    stopped: &Receiver<()>,
    outlet: &mut Outlet<M>,
) -> kernel::Result<()> {
    let mut wait = FIRST_TICK;
    loop {
        let stop = !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout));
        if stop {
            source.stop()?;
        }
        let mut batch = source.drain()?;
        batch.facts.append(&mut early);
        mappings.complete(&mut batch, source);
        outlet.put(batch, source.meter());
        if stop {
            return Ok(());
        }
        wait = TICK;
    }
}

/// The end of the channel, with the batch that waits for room.
struct Outlet<M> {
    to: SyncSender<M>,
    waiting: Option<(Box<Batch>, Meter)>,
}

impl<M: Message> Outlet<M> {
    fn put(&mut self, batch: Batch, meter: Meter) {
        let batch = match self.waiting.take() {
            Some((mut waiting, _)) => {
                waiting.append(batch);
                waiting
            }
            None => Box::new(batch),
        };
        match self.to.try_send(Collected::Batch(batch, meter).into()) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(message)) => {
                if let Ok(Collected::Batch(batch, meter)) = message.try_into() {
                    self.waiting = Some((batch, meter));
                }
            }
        }
    }

    /// Hands on what waits, then an error if there is one, then the end. Blocks, for nothing is
    /// being measured any more.
    fn finish(&mut self, last: Option<Collected>) {
        let waiting = self
            .waiting
            .take()
            .map(|(batch, meter)| Collected::Batch(batch, meter));
        let end = last.is_none().then_some(Collected::Done);
        for message in waiting.into_iter().chain(last).chain(end) {
            if self.to.send(message.into()).is_err() {
                return;
            }
        }
    }
}

/// Which processes' mappings are known: those that were there before the measuring are read from
/// `/proc` when they first matter; what has happened since is in the facts.
struct Mappings {
    interest: Interest,
    known: HashSet<u32>,
}

impl Mappings {
    fn new(interest: Interest) -> Self {
        Self {
            interest,
            known: HashSet::new(),
        }
    }

    /// The mappings of the processes that are named, before anything is sampled.
    fn read_initial(&mut self, facts: &mut Vec<Fact>) {
        if let Interest::Processes(named) = &self.interest {
            for pid in named.clone() {
                facts.push(self.read(pid));
            }
        }
    }

    /// Adds the mappings of processes that appear for the first time, and puts the facts in order.
    fn complete(&mut self, batch: &mut Batch, source: &mut Cpu) {
        batch.facts.sort_by_key(|fact| fact.time_ns);
        let mut wanted = Vec::new();
        let mut ended = Vec::new();
        for fact in &batch.facts {
            match &fact.kind {
                FactKind::Fork { parent } => {
                    if self.interested_in_child(fact.pid, *parent) && !self.known.contains(parent) {
                        wanted.push(*parent);
                    }
                    self.known.insert(fact.pid);
                }
                FactKind::Exec => {
                    self.known.insert(fact.pid);
                }
                FactKind::Exit => ended.push(fact.pid),
                FactKind::Image(_)
                | FactKind::Map(_)
                | FactKind::Snapshot(_)
                | FactKind::Unreadable => {}
            }
        }
        for sample in &batch.samples {
            if sample.user.is_some() && !self.known.contains(&sample.image.pid) {
                wanted.push(sample.image.pid);
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        if !wanted.is_empty() {
            let read: Vec<Fact> = wanted.into_iter().map(|pid| self.read(pid)).collect();
            // What a process execed while its mappings were read may not be what was sampled.
            let mut since = Vec::new();
            source.read_facts(&mut since);
            for mut fact in read {
                if since
                    .iter()
                    .any(|new| new.pid == fact.pid && new.kind == FactKind::Exec)
                {
                    fact.kind = FactKind::Unreadable;
                }
                batch.facts.push(fact);
            }
            batch.facts.append(&mut since);
            batch.facts.sort_by_key(|fact| fact.time_ns);
        }
        for pid in ended {
            self.known.remove(&pid);
        }
        if let Interest::Processes(named) = &self.interest {
            batch.facts.retain(|fact| named.contains(&fact.pid));
        }
    }

    /// A process whose parent is of interest is too, from then on.
    fn interested_in_child(&mut self, child: u32, parent: u32) -> bool {
        match &mut self.interest {
            Interest::Sampled => true,
            Interest::Processes(named) => {
                let interested = named.contains(&parent);
                if interested {
                    named.insert(child);
                }
                interested
            }
        }
    }

    /// The mappings that a process has had since before the measuring began, so at time 0.
    fn read(&mut self, pid: u32) -> Fact {
        self.known.insert(pid);
        let kind = match proc::executable_mappings(pid) {
            // A process that is ending has a maps file, but an empty one.
            Ok(mappings) if !mappings.is_empty() => FactKind::Snapshot(mappings),
            Ok(_) | Err(_) => FactKind::Unreadable,
        };
        Fact {
            time_ns: 0,
            pid,
            kind,
        }
    }
}
