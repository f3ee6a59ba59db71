//! What will be done: validated, complete, and without side effects so far.

mod error;

use std::{ffi::OsString, path::PathBuf, time::Duration};

pub use error::{Failure, Status};

use crate::{
    export::{Format, LatencyFormat},
    kernel::{AttachMode, Event, Shrink},
    probe, source,
    view::LatencyGroup,
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

/// How stacks are walked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallGraph {
    /// With unwind tables where a file has one, along frame pointers elsewhere.
    #[default]
    Auto,
    /// With unwind tables only.
    Tables,
    /// Along frame pointers only.
    FramePointers,
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
    /// How stacks are walked.
    pub call_graph: CallGraph,
    /// The most bytes that unwind tables may take.
    pub unwind_memory: u64,
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

/// `tracer top`.
#[derive(Clone, Debug)]
pub struct Top {
    /// How to sample.
    pub sampling: Sampling,
    /// Time between two pictures.
    pub interval: Duration,
    /// How much of the past is kept.
    pub history: Duration,
    /// What is printed instead of the interface; `None`: the interface, if there is a terminal.
    pub print: Option<Print>,
    /// After how many intervals to end.
    pub rounds: Option<u64>,
    /// Colours of the interface.
    pub palette: Palette,
    /// Where the log goes.
    pub log: Option<PathBuf>,
    /// Pictures of the interface instead of the interface.
    pub pictures: Option<Pictures>,
}

/// `tracer hist`.
#[derive(Clone, Debug)]
pub struct Hist {
    /// What to probe.
    pub probes: Vec<probe::Spec>,
    /// Whose calls.
    pub subject: Subject,
    /// Whether those of the processes' children too.
    pub children: bool,
    /// How long; `None`: until interrupted, or until the subject ends.
    pub duration: Option<Duration>,
    /// Time between two results; `None`: what the output's format is made for.
    pub interval: Option<Duration>,
    /// After how many intervals to end.
    pub rounds: Option<u64>,
    /// What calls are put together by.
    pub group: LatencyGroup,
    /// What they are told apart by, besides.
    pub by: source::By,
    /// Calls that are shorter are left out.
    pub slower_than: Duration,
    /// Whether more than [`probe::MOST_WITHOUT_YES`] functions may be probed.
    pub yes: bool,
    /// Where the results go; empty: to the interface, or as text where there is no terminal.
    pub outputs: Vec<LatencyOutput>,
    /// How much of the past the interface keeps.
    pub history: Duration,
    /// Colours of the interface.
    pub palette: Palette,
    /// Where the log goes.
    pub log: Option<PathBuf>,
    /// How functions are probed.
    pub manner: probe::Manner,
    /// How to attach.
    pub mode: AttachMode,
    /// Sizes of maps, for tests.
    pub shrink: Shrink,
    /// Whether to say when what happened.
    pub debug_times: bool,
    /// Pictures of the interface instead of the interface.
    pub pictures: Option<Pictures>,
}

/// `tracer list`.
#[derive(Clone, Debug)]
pub struct List {
    /// What to look for.
    pub probes: Vec<probe::Spec>,
    /// In whose files.
    pub subject: Subject,
    /// Whether lines of JSON are wanted.
    pub json: bool,
}

/// Where latencies go.
#[derive(Clone, Debug)]
pub struct LatencyOutput {
    /// The file; `None`: standard output.
    pub path: Option<PathBuf>,
    /// What is written.
    pub format: &'static LatencyFormat,
}

/// Pictures of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pictures {
    /// Where they go.
    pub directory: PathBuf,
    /// How long is measured before they are taken.
    pub after: Duration,
}

/// What is printed for each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// Tables.
    Text,
    /// A line of JSON.
    Json,
}

/// Colours of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// By what the environment says of the terminal.
    Auto,
    /// Many colours on a dark background.
    Dark,
    /// Many colours on a light background.
    Light,
    /// The terminal's sixteen.
    Ansi,
    /// None.
    Mono,
}

/// `tracer doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doctor {
    /// Whether a line of JSON is wanted.
    pub json: bool,
    /// Whether nothing is wanted but what probes cost.
    pub probe_costs: bool,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Show live where time goes.
    Top(Top),
    /// Record one profile and write it.
    Flame(Flame),
    /// Measure how long calls take.
    Hist(Hist),
    /// Say what can be probed.
    List(List),
    /// Say what works here.
    Doctor(Doctor),
}
