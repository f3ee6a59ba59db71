//! Who is measured: the flags that every command that measures has.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use crate::plan::{ProcessName, Subject};

#[derive(Args)]
pub(super) struct SubjectArgs {
    /// Processes, by PID or by name, with all their threads and the children that they fork
    #[arg(
        short,
        long = "pid",
        value_name = "PID|NAME",
        value_delimiter = ',',
        help_heading = "What to measure",
        group = "who"
    )]
    processes: Vec<String>,

    /// Threads, by TID, and nothing else of their processes
    #[arg(
        short,
        long = "tid",
        value_name = "TID",
        value_delimiter = ',',
        help_heading = "What to measure",
        group = "who"
    )]
    threads: Vec<u32>,

    /// Everything that runs on the machine (the default)
    #[arg(short, long, help_heading = "What to measure", group = "who")]
    all: bool,

    /// A cgroup (version 2) and those below it, by directory or path in the hierarchy
    #[arg(
        short = 'G',
        long,
        value_name = "PATH",
        help_heading = "What to measure",
        group = "who"
    )]
    cgroup: Option<PathBuf>,

    /// A command to start: it is measured with its children until it ends
    #[arg(
        last = true,
        value_name = "COMMAND",
        help_heading = "What to measure",
        group = "who"
    )]
    command: Vec<OsString>,

    /// Leave out children that the processes fork
    #[arg(long, help_heading = "What to measure")]
    no_children: bool,
}

impl SubjectArgs {
    /// Who it is, and whether their children are measured too.
    pub(super) fn lower(self) -> (Subject, bool) {
        let Self {
            processes,
            threads,
            all: _,
            cgroup,
            command,
            no_children,
        } = self;
        let subject = if !command.is_empty() {
            Subject::Command(command)
        } else if let Some(path) = cgroup {
            Subject::Cgroup(path)
        } else if !threads.is_empty() {
            Subject::Threads(threads)
        } else if !processes.is_empty() {
            Subject::Processes(processes.into_iter().map(process_name).collect())
        } else {
            Subject::All
        };
        (subject, !no_children)
    }
}

/// Digits are a PID, anything else is a name.
pub(super) fn process_name(text: String) -> ProcessName {
    text.parse()
        .map_or(ProcessName::Name(text), ProcessName::Pid)
}
