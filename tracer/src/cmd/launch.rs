//! Starting a command so that nothing of it goes unseen.
//!
//! The command is started as tracer itself, which stops at once and waits to be told to become the
//! command: by then its PID is known and sampling has begun.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_parent_process_death_signal,
    waitid,
};

use super::progress;
use crate::plan::{Failure, Status};

/// The hidden argument that asks for [`launch`].
pub(super) const LAUNCH: &str = "--launch";

/// Whose the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A command that is measured may use it.
    Shared,
    /// The interface has it: a command neither reads nor writes.
    Taken,
}

/// A command that is ready to run.
pub(super) struct Launched {
    /// `None`: it runs, and is somebody else's to wait for.
    waiting: Option<Child>,
    pid: Pid,
}

impl Launched {
    /// Prepares a command; it does not run before [`Self::release`].
    pub(super) fn prepare(command: &[OsString], stage: Stage) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::new(
                Status::CommandNotRun,
                format!("cannot start a process for the command: {error}"),
            )
        };
        let mut launcher = Command::new("/proc/self/exe");
        launcher.arg(LAUNCH).args(command);
        if stage == Stage::Taken {
            let streams = [Command::stdin, Command::stdout, Command::stderr];
            for stream in streams {
                stream(&mut launcher, Stdio::null());
            }
        }
        let child = launcher.spawn().map_err(failed)?;
        let launched = Self {
            pid: Pid::from_child(&child),
            waiting: Some(child),
        };
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(launched.pid), stopped) {
                Ok(_) => return Ok(launched),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    /// Its PID.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Lets it run; `ended` is called, in a thread, with its status when it has ended.
    pub(super) fn release(
        mut self,
        ended: impl FnOnce(Option<ExitStatus>) + Send + 'static,
    ) -> Result<(), Failure> {
        kill_process(self.pid, Signal::CONT).map_err(|error| {
            Failure::new(
                Status::CommandNotRun,
                format!("cannot start the command: {error}"),
            )
        })?;
        if let Some(mut child) = self.waiting.take() {
            std::thread::spawn(move || ended(child.wait().ok()));
        }
        Ok(())
    }
}

impl Drop for Launched {
    /// A command that is not to run does not stay behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.waiting.take() {
            // It may have ended already.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Sends a signal to a command that runs.
pub(super) fn send(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
        // It may have ended already.
        _ = kill_process(pid, signal);
    }
}

/// Becomes `command` when told to. Called in the new process; does not return if all goes well.
pub fn launch(mut command: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(program) = command.next() else {
        return ExitCode::from(2);
    };
    // Until it is the command. No harm if it fails.
    _ = rustix::thread::set_name(c"tracer-launch");
    // Were tracer to die now, nobody would ever continue this process.
    _ = set_parent_process_death_signal(Some(Signal::KILL));
    if kill_process(getpid(), Signal::STOP).is_err() {
        return ExitCode::from(125);
    }
    _ = set_parent_process_death_signal(None);
    let error = Command::new(&program).args(command).exec();
    progress::say(&format!(
        "tracer: cannot run {}: {error}",
        OsStr::to_string_lossy(&program)
    ));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    })
}

/// The status that a shell would report.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
