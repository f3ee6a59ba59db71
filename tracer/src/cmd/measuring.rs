//! What a thread does while the kernel is measuring: batches in, names asked for, an eye on the end.

use std::{
    process::ExitStatus,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use signal_hook::consts::signal;

use super::{
    ending::{Command, Interrupted, Remaining},
    launch,
    progress::Progress,
    subject::Found,
    symbols::Naming,
};
use crate::{
    kernel::{self, Health, Meter},
    plan::{Failure, Status},
    profile::Profile,
    source::{Collected, Collector, Cpu, TICK},
    symbol::Symbols,
};

/// Messages that may wait.
const BACKLOG: usize = 64;
/// How often it is looked whether the subject is still there, and whether names have come.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// What whoever measures hears of; requests are its own affair.
pub(super) enum Message<R> {
    Collected(Collected),
    CommandEnded(Option<ExitStatus>),
    Request(R),
}

impl<R> From<Collected> for Message<R> {
    fn from(collected: Collected) -> Self {
        Self::Collected(collected)
    }
}

impl<R> TryFrom<Message<R>> for Collected {
    type Error = Message<R>;

    fn try_from(message: Message<R>) -> Result<Self, Message<R>> {
        match message {
            Message::Collected(collected) => Ok(collected),
            other => Err(other),
        }
    }
}

/// The measuring and the naming of what it finds.
pub(super) struct Measuring<R> {
    messages: Receiver<Message<R>>,
    collector: Collector,
    naming: Naming,
    /// What has been observed.
    pub(super) profile: Profile,
    /// What measuring has cost.
    pub(super) meter: Meter,
    /// How the kernel side was doing when it was last watched.
    pub(super) health: Health,
    /// The worker that is left out of the measurement.
    worker: u32,
    found: Found,
    duration: Option<Duration>,
    started: Instant,
    stopped: Option<Instant>,
    /// Nothing more is going to be collected.
    done: bool,
    command: Command,
    /// Why it ended early.
    pub(super) failure: Option<kernel::Error>,
}

/// What a turn has brought.
pub(super) struct Turn<R> {
    /// Whether there is more to see than before.
    pub(super) changed: bool,
    pub(super) requests: Vec<R>,
}

/// What came of it.
pub(super) struct Measured {
    /// What was observed.
    pub(super) profile: Profile,
    /// What the frames are called.
    pub(super) naming: Naming,
    /// What measuring cost.
    pub(super) meter: Meter,
    /// How long it took.
    pub(super) wall: Duration,
    /// Why it ended early, if it did.
    pub(super) failure: Option<kernel::Error>,
}

impl<R: Send + 'static> Measuring<R> {
    /// Starts sampling, and the command if there is one; what was sampled comes at least once a
    /// `tick`. The other end of its channel is returned too.
    pub(super) fn start(
        cpu: Cpu,
        mut found: Found,
        naming: Naming,
        duration: Option<Duration>,
        tick: Duration,
    ) -> Result<(Self, SyncSender<Message<R>>), Failure> {
        let (sender, messages) = sync_channel(BACKLOG);
        let collector =
            Collector::start(cpu, found.interest.clone(), TICK.min(tick), sender.clone())?;
        let started = Instant::now();
        let worker = naming.worker();
        let mut command = Command::None;
        if let Some(launched) = found.command.take() {
            command = Command::Running(launched.pid());
            let sender = sender.clone();
            launched.release(move |status| {
                // Whoever measures has ended if nobody listens.
                _ = sender.send(Message::CommandEnded(status));
            })?;
        }
        let measuring = Self {
            messages,
            collector,
            naming,
            profile: Profile::new(),
            meter: Meter::default(),
            health: Health::default(),
            worker,
            found,
            duration,
            started,
            stopped: None,
            done: false,
            command,
            failure: None,
        };
        Ok((measuring, sender))
    }

    /// Waits for something to happen, but not for long, and takes in all that has happened.
    pub(super) fn turn(&mut self, patience: Duration) -> Result<Turn<R>, Failure> {
        let mut turn = Turn {
            changed: false,
            requests: Vec::new(),
        };
        let mut idle = false;
        match self.messages.recv_timeout(self.patience(patience)) {
            Ok(message) => self.take(message, &mut turn),
            Err(RecvTimeoutError::Disconnected) => self.done = true,
            Err(RecvTimeoutError::Timeout) => idle = true,
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take(message, &mut turn);
        }
        // As often as there is a batch, or time to look.
        let look = self.stopped.is_none() && (idle || turn.changed);
        if self.is_over() || (look && self.found.ended()) {
            self.stop();
        }
        if self
            .naming
            .advance(&mut self.profile)
            .map_err(worker_failed)?
            > 0
        {
            turn.changed = true;
        }
        let worker = self.naming.worker();
        if std::mem::replace(&mut self.worker, worker) != worker {
            log::warn!("the worker process was started anew, as {worker}");
            self.collector.set_worker(worker);
        }
        Ok(turn)
    }

    fn take(&mut self, message: Message<R>, turn: &mut Turn<R>) {
        match message {
            Message::Collected(Collected::Batch(batch, meter)) => {
                self.profile.apply(*batch);
                self.meter = meter;
                turn.changed = true;
            }
            Message::Collected(Collected::Health(health)) => self.health = *health,
            Message::Collected(Collected::Failed(error)) => self.failure = Some(error),
            Message::Collected(Collected::Done) => {
                self.done = true;
                self.profile.finish();
                turn.changed = true;
            }
            Message::CommandEnded(status) => {
                self.command = Command::Ended(status);
                self.stop();
            }
            Message::Request(request) => turn.requests.push(request),
        }
    }

    /// Measures until the time is up, the subject has ended, or a signal comes; then waits for the
    /// names that are missing. The other value waits for a command that goes on.
    pub(super) fn run(
        mut self,
        interrupted: Interrupted,
    ) -> Result<(Measured, Remaining<R>), Failure> {
        let mut progress = Progress::new();
        while !self.done {
            self.turn(PATIENCE)?;
            if interrupted.signal().is_some() {
                self.stop();
            }
            self.show_progress(&mut progress);
        }
        self.name_the_rest(&interrupted, &mut progress)?;
        progress.clear();
        Ok(self.finish(interrupted))
    }

    /// Takes it apart, once it is done.
    pub(super) fn finish(self, interrupted: Interrupted) -> (Measured, Remaining<R>) {
        let wall = self.wall();
        let Self {
            messages,
            collector,
            naming,
            profile,
            meter,
            command,
            failure,
            ..
        } = self;
        collector.join();
        let measured = Measured {
            profile,
            naming,
            meter,
            wall,
            failure,
        };
        let remaining = Remaining {
            messages,
            command,
            interrupted,
        };
        (measured, remaining)
    }

    /// A command writes to the same terminal; it is not to be written over.
    fn show_progress(&self, progress: &mut Progress) {
        if !matches!(self.command, Command::None) {
            return;
        }
        let (elapsed, samples) = (self.started.elapsed(), self.profile.ledger().recorded);
        progress.show(|| {
            let seconds = elapsed.as_secs_f64();
            format!("measuring {seconds:.1} s, {samples} samples (Ctrl-C ends and keeps them)")
        });
    }

    /// Waits for names. A signal ends that too, and leaves the rest without; not the one that has
    /// ended the measuring.
    fn name_the_rest(
        &mut self,
        interrupted: &Interrupted,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let before = interrupted.signal();
        while self.naming.pending() > 0 && interrupted.signal() == before {
            if let Ok(Message::CommandEnded(status)) = self.messages.try_recv() {
                self.command = Command::Ended(status);
            }
            let (missing, samples) = (self.naming.pending(), self.profile.ledger().recorded);
            progress.show(|| {
                format!(
                    "naming frames, {missing} to go, {samples} samples (Ctrl-C leaves them unnamed)"
                )
            });
            self.naming.receive(PATIENCE).map_err(worker_failed)?;
        }
        Ok(())
    }

    /// Ends the measuring; what is left of it comes in the next turns.
    pub(super) fn stop(&mut self) {
        if self.stopped.is_none() {
            self.stopped = Some(Instant::now());
            self.collector.stop();
        }
    }

    /// Asks a command that still runs to end.
    pub(super) fn stop_command(&self) {
        if let Command::Running(pid) = self.command {
            launch::send(pid, signal::SIGTERM);
        }
    }

    /// Whether nothing more is going to be collected.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// What is known of names, and what is not known yet.
    pub(super) fn naming(&mut self) -> &mut Naming {
        &mut self.naming
    }

    /// What has been observed, and the names for it.
    pub(super) fn parts(&self) -> (&Profile, &Symbols) {
        (&self.profile, &self.naming.symbols)
    }

    /// What went wrong in the measuring: how often, and what.
    pub(super) fn troubles(&self) -> [(u64, &'static str); 3] {
        troubles(&self.meter)
    }

    /// Forgets names of what the profile has forgotten.
    pub(super) fn prune_names(&mut self) {
        self.naming.prune(&self.profile);
    }

    /// Whether to observe the programs themselves.
    pub(super) fn watch(&self, watched: bool) {
        self.collector.watch(watched);
    }

    /// How long has been measured.
    pub(super) fn wall(&self) -> Duration {
        self.stopped
            .map_or_else(|| self.started.elapsed(), |at| at - self.started)
    }

    fn is_over(&self) -> bool {
        self.duration
            .is_some_and(|duration| self.started.elapsed() >= duration)
    }

    /// How long to wait for a message: not past the end, and not for long if there is something
    /// that comes without one.
    fn patience(&self, patience: Duration) -> Duration {
        let patience = if self.naming.pending() > 0 || !self.found.ends_with.is_empty() {
            patience.min(PATIENCE)
        } else {
            patience
        };
        match self.duration {
            Some(duration) if self.stopped.is_none() => {
                patience.min(duration.saturating_sub(self.started.elapsed()))
            }
            _ => patience,
        }
    }
}

/// What can go wrong: how often it did, and what that means.
pub(super) fn troubles(meter: &Meter) -> [(u64, &'static str); 3] {
    [
        (
            meter.reports_lost,
            "execs or exits went unreported: samples around them may have wrong names",
        ),
        (
            meter.forks_lost,
            "children could not be followed: more than 16,384 processes at once",
        ),
        (
            meter.facts_lost,
            "reports on processes were lost: some samples may have no names",
        ),
    ]
}

fn worker_failed(error: std::io::Error) -> Failure {
    Failure::new(
        Status::Failed,
        format!("the worker process failed: {error}"),
    )
}
