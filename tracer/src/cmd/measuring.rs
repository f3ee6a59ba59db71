//! The main thread while the kernel is measuring: batches in, names asked for, an eye on the end.

use std::{
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::{Duration, Instant},
};

use signal_hook::{consts::signal, iterator::Signals};

use super::{launch, progress::Progress, subject::Found, symbols::Naming};
use crate::{
    kernel::{self, Meter},
    plan::{Failure, Status},
    profile::Profile,
    source::{Collected, Collector, Cpu, TICK},
};

/// Messages that may wait for the main thread.
const BACKLOG: usize = 8;
/// How often the main thread looks whether the subject is still there.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the main thread hears of.
enum Message {
    Collected(Collected),
    CommandEnded(Option<ExitStatus>),
}

impl From<Collected> for Message {
    fn from(collected: Collected) -> Self {
        Self::Collected(collected)
    }
}

impl TryFrom<Message> for Collected {
    type Error = Message;

    fn try_from(message: Message) -> Result<Self, Message> {
        match message {
            Message::Collected(collected) => Ok(collected),
            other => Err(other),
        }
    }
}

/// The measuring and the naming of what it finds.
pub(super) struct Measuring {
    messages: Receiver<Message>,
    collector: Collector,
    naming: Naming,
    profile: Profile,
    meter: Meter,
    progress: Progress,
    started: Instant,
    stopped: Option<Instant>,
    interrupted: Interrupted,
    command: Command,
    /// Why it ended early.
    failure: Option<kernel::Error>,
}

/// The command that is measured, if one is.
enum Command {
    None,
    /// Its PID.
    Running(u32),
    Ended(Option<ExitStatus>),
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

impl Measuring {
    /// Starts sampling, and the command if there is one.
    pub(super) fn start(cpu: Cpu, found: &mut Found, naming: Naming) -> Result<Self, Failure> {
        let (sender, messages) = sync_channel(BACKLOG);
        let interrupted = Interrupted::install()?;
        let collector = Collector::start(cpu, found.interest.clone(), TICK, sender.clone())?;
        let started = Instant::now();
        let mut command = Command::None;
        if let Some(launched) = found.command.take() {
            command = Command::Running(launched.pid());
            launched.release(move |status| {
                // The main thread has ended if nobody listens.
                _ = sender.send(Message::CommandEnded(status));
            })?;
        }
        Ok(Self {
            messages,
            collector,
            naming,
            profile: Profile::new(),
            meter: Meter::default(),
            progress: Progress::new(),
            started,
            stopped: None,
            interrupted,
            command,
            failure: None,
        })
    }

    /// Measures until the time is up, the subject has ended, or a signal comes; then waits for the
    /// names that are missing. The other value waits for a command that goes on.
    pub(super) fn run(
        mut self,
        duration: Option<Duration>,
        found: &Found,
    ) -> Result<(Measured, Remaining), Failure> {
        self.collect(duration, found)?;
        self.profile.finish();
        self.name_the_rest()?;
        self.progress.clear();
        let Self {
            messages,
            collector,
            naming,
            profile,
            meter,
            started,
            stopped,
            command,
            failure,
            interrupted,
            ..
        } = self;
        collector.join();
        let wall = stopped.map_or_else(|| started.elapsed(), |at| at - started);
        Ok((
            Measured {
                profile,
                naming,
                meter,
                wall,
                failure,
            },
            Remaining {
                messages,
                command,
                interrupted,
            },
        ))
    }

    fn collect(&mut self, duration: Option<Duration>, found: &Found) -> Result<(), Failure> {
        loop {
            match self.messages.recv_timeout(self.patience(duration)) {
                Ok(Message::Collected(Collected::Batch(batch, meter))) => {
                    self.profile.apply(*batch);
                    self.meter = meter;
                }
                // Nobody has asked for it.
                Ok(Message::Collected(Collected::Health(_))) => {}
                Ok(Message::Collected(Collected::Failed(error))) => self.failure = Some(error),
                Ok(Message::Collected(Collected::Done)) | Err(RecvTimeoutError::Disconnected) => {
                    return Ok(());
                }
                Ok(Message::CommandEnded(status)) => {
                    self.command = Command::Ended(status);
                    self.stop();
                }
                Err(RecvTimeoutError::Timeout) => {
                    if found.ended() {
                        self.stop();
                    }
                }
            }
            let over = duration.is_some_and(|duration| self.started.elapsed() >= duration);
            if over || self.interrupted.signal().is_some() {
                self.stop();
            }
            self.naming
                .advance(&mut self.profile)
                .map_err(worker_failed)?;
            self.show_progress();
        }
    }

    /// A command writes to the same terminal; it is not to be written over.
    fn show_progress(&mut self) {
        if !matches!(self.command, Command::None) {
            return;
        }
        let (elapsed, samples) = (self.started.elapsed(), self.profile.ledger().recorded);
        self.progress.show(|| {
            let seconds = elapsed.as_secs_f64();
            format!("measuring {seconds:.1} s, {samples} samples (Ctrl-C ends and keeps them)")
        });
    }

    /// Waits for names. A signal ends that too, and leaves the rest without; not the one that has
    /// ended the measuring.
    fn name_the_rest(&mut self) -> Result<(), Failure> {
        self.naming
            .advance(&mut self.profile)
            .map_err(worker_failed)?;
        let before = self.interrupted.signal();
        while self.naming.pending() > 0 && self.interrupted.signal() == before {
            if let Ok(Message::CommandEnded(status)) = self.messages.try_recv() {
                self.command = Command::Ended(status);
            }
            let (missing, samples) = (self.naming.pending(), self.profile.ledger().recorded);
            self.progress.show(|| {
                format!(
                    "naming frames, {missing} to go, {samples} samples (Ctrl-C leaves them unnamed)"
                )
            });
            self.naming.receive(PATIENCE).map_err(worker_failed)?;
        }
        Ok(())
    }

    fn stop(&mut self) {
        if self.stopped.is_none() {
            self.stopped = Some(Instant::now());
            self.collector.stop();
        }
    }

    /// How long to wait for a message: not past the end.
    fn patience(&self, duration: Option<Duration>) -> Duration {
        match duration {
            Some(duration) if self.stopped.is_none() => {
                PATIENCE.min(duration.saturating_sub(self.started.elapsed()))
            }
            _ => PATIENCE,
        }
    }
}

/// What is left to wait for when the results are written.
pub(super) struct Remaining {
    messages: Receiver<Message>,
    command: Command,
    interrupted: Interrupted,
}

impl Remaining {
    /// Whether a command goes on.
    pub(super) fn running(&self) -> bool {
        matches!(self.command, Command::Running(_))
    }

    /// The command's status, once it has ended; `None`: there is no command. What asks tracer to
    /// end asks the command too, but for Ctrl-C, which the terminal sends to both.
    pub(super) fn command_status(self) -> Option<ExitStatus> {
        let mut command = self.command;
        let mut told = false;
        while let Command::Running(pid) = command {
            if let Some(signal @ (signal::SIGTERM | signal::SIGHUP)) = self.interrupted.signal()
                && !std::mem::replace(&mut told, true)
            {
                launch::send(pid, signal);
            }
            match self.messages.recv_timeout(PATIENCE) {
                Ok(Message::CommandEnded(status)) => command = Command::Ended(status),
                Ok(Message::Collected(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        match command {
            Command::Ended(status) => status,
            Command::None | Command::Running(_) => None,
        }
    }
}

/// The signal that asked for the end, once there is one. The second gives up, whatever the main
/// thread is doing: the kernel cleans up after a process.
struct Interrupted(Arc<AtomicI32>);

impl Interrupted {
    fn install() -> Result<Self, Failure> {
        let signals = Signals::new([signal::SIGINT, signal::SIGTERM, signal::SIGHUP]);
        let mut signals = signals.map_err(|error| {
            Failure::new(Status::Failed, format!("cannot handle signals: {error}"))
        })?;
        let first = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&first);
        std::thread::spawn(move || {
            for signal in signals.forever() {
                if seen.swap(signal, Ordering::Relaxed) != 0 {
                    std::process::exit(128 + signal);
                }
            }
        });
        Ok(Self(first))
    }

    fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

fn worker_failed(error: std::io::Error) -> Failure {
    Failure::new(
        Status::Failed,
        format!("the worker process failed: {error}"),
    )
}
