//! Calls while they are measured: drained once a tick into the model, with an eye on the end.
//!
//! One thread drives it, by [`Running::turn`]: the one that prints, or the one that measures for the
//! interface.

use std::{
    convert::Infallible,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use signal_hook::consts::signal;

use super::{begin::Begun, costs::Costs};
use crate::{
    cmd::{
        ending::{Command, Interrupted, Remaining},
        launch,
        measuring::{Message, PATIENCE},
        subject::Found,
    },
    kernel::Meter,
    plan::{self, Failure},
    profile::Latencies,
    source::{self, TICK},
};

/// Time between two results where nobody says.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// A measuring of calls that goes on.
pub(super) struct Running {
    source: source::Function,
    found: Found,
    latencies: Latencies,
    costs: Costs,
    title: String,
    messages: Receiver<Message<Infallible>>,
    /// Held so that there can be messages.
    _sender: SyncSender<Message<Infallible>>,
    command: Command,
    duration: Option<Duration>,
    tick: Duration,
    due: Instant,
    started: Instant,
    stopped: Option<Instant>,
    done: bool,
}

impl Running {
    /// Starts counting, and the command if there is one.
    pub(super) fn start(begun: Begun, plan: &plan::Hist) -> Result<Self, Failure> {
        let Begun {
            mut source,
            mut found,
            latencies,
            title,
            costs,
        } = begun;
        let (sender, messages) = sync_channel(1);
        source.start()?;
        let started = Instant::now();
        let mut command = Command::None;
        if let Some(launched) = found.command.take() {
            command = Command::Running(launched.pid());
            let sender = sender.clone();
            launched.release(move |status| {
                // Whoever measures has ended if nobody listens.
                _ = sender.send(Message::CommandEnded(status));
            })?;
        }
        let tick = tick(plan.interval.unwrap_or(INTERVAL));
        Ok(Self {
            source,
            found,
            latencies,
            costs,
            title,
            messages,
            _sender: sender,
            command,
            duration: plan.duration,
            tick,
            due: started + tick,
            started,
            stopped: None,
            done: false,
        })
    }

    /// Waits for something to happen, but not for long, and takes in what has happened; whether
    /// that is anything. After a failure nothing more happens, and what was found until then stays.
    pub(super) fn turn(&mut self, patience: Duration) -> Result<bool, Failure> {
        if self.done {
            return Ok(false);
        }
        match self.messages.recv_timeout(self.patience(patience)) {
            Ok(Message::CommandEnded(status)) => {
                self.command = Command::Ended(status);
                self.stop();
            }
            Ok(Message::Collected(_) | Message::Request(_))
            | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if self.is_over() || self.found.ended() {
            self.stop();
        }
        let now = Instant::now();
        if self.stopped.is_none() && now < self.due {
            return Ok(false);
        }
        while self.due <= now {
            self.due += self.tick;
        }
        let drained = self.drain();
        self.costs.settle(self.stopped.is_some());
        self.done = self.stopped.is_some() || drained.is_err();
        drained.map(|()| true)
    }

    fn drain(&mut self) -> Result<(), Failure> {
        if self.stopped.is_some() {
            self.source.stop()?;
        }
        self.latencies.apply(self.source.drain()?);
        Ok(())
    }

    /// Ends the measuring; the next turn brings the rest of it.
    pub(super) fn stop(&mut self) {
        self.stopped.get_or_insert_with(Instant::now);
    }

    /// Asks a command that still runs to end.
    pub(super) fn stop_command(&self) {
        if let Command::Running(pid) = self.command {
            launch::send(pid, signal::SIGTERM);
        }
    }

    /// Whether nothing more is going to come.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// What has been observed.
    pub(super) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// What has been observed, to forget some of it.
    pub(super) fn latencies_mut(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    /// What is measured, in words.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Whose calls are measured, in words.
    pub(super) fn subject(&self) -> &str {
        &self.found.title
    }

    /// What a call of each function costs, in nanoseconds; of none, if that is not known.
    pub(super) fn costs(&self) -> &[f64] {
        self.costs.call_ns()
    }

    /// What the measuring has cost.
    pub(super) fn meter(&self) -> Meter {
        self.source.meter()
    }

    /// How long has been measured.
    pub(super) fn wall(&self) -> Duration {
        self.stopped
            .map_or_else(|| self.started.elapsed(), |at| at - self.started)
    }

    /// Time between two drains.
    pub(super) fn tick(&self) -> Duration {
        self.tick
    }

    /// Takes it apart, once it is done: everything is detached then. What is returned waits for a
    /// command that goes on.
    pub(super) fn finish(self, interrupted: Interrupted) -> Remaining<Infallible> {
        Remaining {
            messages: self.messages,
            command: self.command,
            interrupted,
        }
    }

    fn is_over(&self) -> bool {
        self.duration
            .is_some_and(|duration| self.started.elapsed() >= duration)
    }

    /// How long to wait: not past the next drain or the end, and not for long if the subject can
    /// end.
    fn patience(&self, patience: Duration) -> Duration {
        if self.stopped.is_some() {
            return Duration::ZERO;
        }
        let mut patience = patience.min(self.due.saturating_duration_since(Instant::now()));
        if !self.found.ends_with.is_empty() {
            patience = patience.min(PATIENCE);
        }
        match self.duration {
            Some(duration) => patience.min(duration.saturating_sub(self.started.elapsed())),
            None => patience,
        }
    }
}

/// A drain ends where an interval does.
fn tick(interval: Duration) -> Duration {
    let ticks = interval.as_nanos().div_ceil(TICK.as_nanos()).max(1);
    interval / u32::try_from(ticks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_end_where_intervals_do() {
        for (interval, expected) in [
            (100, 100),
            (250, 250),
            (600, 200),
            (1000, 250),
            (60_000, 250),
        ] {
            let found = tick(Duration::from_millis(interval));
            assert_eq!(found, Duration::from_millis(expected), "{interval}");
        }
    }

    #[test]
    fn it_can_be_driven_by_a_thread_of_its_own() {
        fn check<T: Send>() {}
        check::<Running>();
    }
}
