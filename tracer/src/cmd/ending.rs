//! How a measuring comes to its end: the signals that ask for it, and the command that may outlive it.

use std::{
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
};

use signal_hook::{consts::signal, iterator::Signals};

use super::{
    launch,
    measuring::{Message, PATIENCE},
};
use crate::plan::{Failure, Status};

/// The command that is measured, if one is.
pub(super) enum Command {
    None,
    /// Its PID.
    Running(u32),
    Ended(Option<ExitStatus>),
}

/// What is left to wait for when the results are written.
pub(super) struct Remaining<R> {
    pub(super) messages: Receiver<Message<R>>,
    pub(super) command: Command,
    pub(super) interrupted: Interrupted,
}

impl<R> Remaining<R> {
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
                Ok(Message::Collected(_) | Message::Request(_))
                | Err(RecvTimeoutError::Timeout) => {}
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
pub(super) struct Interrupted(Arc<AtomicI32>);

impl Interrupted {
    pub(super) fn install() -> Result<Self, Failure> {
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

    pub(super) fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}
