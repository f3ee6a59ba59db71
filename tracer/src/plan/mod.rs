//! What will be done: validated, complete, and without side effects so far.

mod error;

use std::{ffi::OsString, path::PathBuf, time::Duration};

pub use error::{Failure, Status};

use crate::{
    export::Format,
    kernel::{Event, Shrink},
};

/// Who is to be measured, as a user names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Everything.
    All,
    /// Processes, by PID or name.
    Processes(Vec<ProcessName>),
    /// Threads, by TID.
    Threads(Vec<u32>),
    /// A cgroup, by path.
    Cgroup(PathBuf),
    /// A command that is started for it.
    Command(Vec<OsString>),
}

/// A process as a user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessName {
    /// By its PID.
    Pid(u32),
    /// By its name: all that have it.
    Name(String),
}

/// How to sample.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// Who.
    pub subject: Subject,
    /// Whether children of processes are measured too.
    pub children: bool,
    /// Samples a second on each CPU.
    pub hertz: u32,
    /// Which CPUs; `None`: all that are online.
    pub cpus: Option<Vec<u32>>,
    /// The event.
    pub event: Event,
    /// Whether the idle task counts.
    pub idle: bool,
    /// How long; `None`: until interrupted, or until the subject ends.
    pub duration: Option<Duration>,
    /// Sizes of maps, for tests.
    pub shrink: Shrink,
}

/// Where a result goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// The file; `None`: standard output.
    pub path: Option<PathBuf>,
    /// What is written.
    pub format: &'static Format,
}

/// `tracer flame`.
#[derive(Clone, Debug)]
pub struct Flame {
    /// How to sample.
    pub sampling: Sampling,
    /// Where the results go.
    pub outputs: Vec<Output>,
    /// Whether to say when what happened.
    pub debug_times: bool,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Record one profile and write it.
    Flame(Flame),
}
