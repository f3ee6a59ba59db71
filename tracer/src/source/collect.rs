//! The collector: a thread that drains the kernel by its own clock and hands batches on.
//!
//! The channel behind it is bounded. When it is full, the batch waits and the next one is merged
//! into it: collecting neither blocks nor drops.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Cpu,
    mappings::{Interest, Mappings},
};
use crate::{
    kernel::{self, Health, Meter},
    profile::{Batch, Fact},
};

/// Time between two drains, if nothing speaks for another.
pub const TICK: Duration = Duration::from_millis(250);
/// Time to the first one: processes that are about to end still have their mappings.
const FIRST_TICK: Duration = Duration::from_millis(100);

/// What the collector hands on.
#[derive(Debug)]
pub enum Collected {
    /// A batch, and what the measuring has cost so far.
    Batch(Box<Batch>, Meter),
    /// How maps and programs are doing: behind each batch, while it is watched and the channel has
    /// room.
    Health(Box<Health>),
    /// Collecting ended early.
    Failed(kernel::Error),
    /// Collecting ended; nothing follows.
    Done,
}

/// What the receiving end understands besides: the type of its channel.
pub trait Message: From<Collected> + TryInto<Collected> + Send + 'static {}
impl<M: From<Collected> + TryInto<Collected> + Send + 'static> Message for M {}

/// A running collector.
pub struct Collector {
    commands: Sender<Command>,
    thread: JoinHandle<()>,
}

/// What the collector is told while it runs.
enum Command {
    /// Collect once more, and end.
    Stop,
    /// Whether [`Collected::Health`] is wanted.
    Watch(bool),
    /// The process that names symbols is another one now.
    Worker(u32),
}

impl Collector {
    /// Starts sampling, and a thread that collects into `to` once a `tick`.
    pub fn start<M: Message>(
        mut source: Cpu,
        interest: Interest,
        tick: Duration,
        to: SyncSender<M>,
    ) -> kernel::Result<Self> {
        let mut mappings = Mappings::new(interest);
        let mut facts = Vec::new();
        mappings.read_initial(&mut facts);
        source.start()?;
        let (commands, told) = channel();
        let collect = move || {
            let mut collecting = Collecting {
                source,
                mappings,
                watched: false,
                outlet: Outlet { to, waiting: None },
            };
            let failed = collecting.run(facts, tick, &told).err();
            if let Some(error) = failed {
                collecting.outlet.finish(Some(Collected::Failed(error)));
            }
            collecting.outlet.finish(None);
        };
        let thread = std::thread::Builder::new()
            .name("collector".to_owned())
            .spawn(collect)
            .map_err(|source| kernel::Error::Os {
                what: "start a thread",
                source,
            })?;
        Ok(Self { commands, thread })
    }

    /// Ends the sampling; the last batch follows, then [`Collected::Done`].
    pub fn stop(&self) {
        self.tell(Command::Stop);
    }

    /// Whether [`Collected::Health`] is wanted, from the next drain on. It has a cost: programs'
    /// runs are counted, all over the machine.
    pub fn watch(&self, wanted: bool) {
        self.tell(Command::Watch(wanted));
    }

    /// The process that names symbols is another one now: it is left out of the measurement
    /// instead of the one before.
    pub fn set_worker(&self, pid: u32) {
        self.tell(Command::Worker(pid));
    }

    fn tell(&self, command: Command) {
        // Fails if it has ended by itself.
        _ = self.commands.send(command);
    }

    /// Waits for the end, after [`Collected::Done`]: everything is detached then.
    pub fn join(self) {
        // A panic there has been reported by the panic hook.
        _ = self.thread.join();
    }
}

/// What the collector's thread has.
struct Collecting<M> {
    source: Cpu,
    mappings: Mappings,
    watched: bool,
    outlet: Outlet<M>,
}

impl<M: Message> Collecting<M> {
    /// Drains until it is told to stop, or nobody is left who could tell.
    fn run(
        &mut self,
        mut early: Vec<Fact>,
        tick: Duration,
        told: &Receiver<Command>,
    ) -> kernel::Result<()> {
        let mut due = Instant::now() + FIRST_TICK.min(tick);
        loop {
            let stop = loop {
                let left = due.saturating_duration_since(Instant::now());
                // However much is told, the drain comes first.
                if left.is_zero() {
                    break false;
                }
                match told.recv_timeout(left) {
                    Ok(Command::Watch(wanted)) => {
                        self.watched = wanted;
                        self.source.watch(wanted);
                    }
                    Ok(Command::Worker(pid)) => self.source.set_worker(pid)?,
                    Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break true,
                    Err(RecvTimeoutError::Timeout) => break false,
                }
            };
            if stop {
                self.source.stop()?;
            }
            let mut batch = self.source.drain()?;
            batch.facts.append(&mut early);
            self.mappings.complete(&mut batch, &mut self.source);
            self.outlet.put(batch, self.source.meter());
            if self.watched {
                self.outlet.tell(self.source.health());
            }
            if stop {
                return Ok(());
            }
            due = Instant::now() + tick;
        }
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

    /// Hands on what the next drain will replace, if there is room.
    fn tell(&self, health: Health) {
        // A receiver that is gone or late misses nothing that it will not hear again.
        _ = self.to.try_send(Collected::Health(Box::new(health)).into());
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
