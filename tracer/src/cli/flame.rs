//! `tracer flame`: its flags, and how they become a plan.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::duration;
use crate::{
    export::{self, Format},
    kernel::{Event, Shrink},
    plan::{Failure, Flame, Output, ProcessName, Sampling, Status, Subject},
    proc,
};

const EXAMPLES: &str = "\
Examples:
  sudo tracer flame -p 4711 -d 10 > out.svg       10 seconds of a process and its children
  sudo tracer flame -p postgres -o pg.svg         all processes of that name, until Ctrl-C
  sudo tracer flame -a -d 5 -o all.svg -o all.folded
                                                  the whole machine, in two formats at once
  sudo tracer flame -o build.svg -- make -j8      a command from its start to its end
  sudo tracer flame -p 4711 -d 5 --format folded | awk '{print $NF, $0}' | sort -rn | head

Ctrl-C ends the measuring and keeps the result; a second Ctrl-C gives up.
The summary says how many samples were lost or cut short, and why.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FlameArgs {
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

    /// Only what runs on these CPUs, such as 0-3,8
    #[arg(short = 'C', long = "cpu", value_name = "LIST", value_parser = cpu_list, help_heading = "What to measure")]
    cpus: Option<CpuList>,

    /// Count the idle task too, one stack for each idle CPU
    #[arg(long, help_heading = "What to measure")]
    idle: bool,

    /// Samples a second on each CPU
    #[arg(short = 'F', long = "freq", value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    hertz: u32,

    /// How long: 10, 500ms, 2m; without it until Ctrl-C or until what is measured ends
    #[arg(short, long, value_name = "DUR", value_parser = duration::parse)]
    duration: Option<Duration>,

    /// What makes a CPU take a sample
    #[arg(short, long, value_enum, default_value_t = EventArg::Auto)]
    event: EventArg,

    /// A file to write, its format by its extension (.svg, .folded); '-' is standard output; repeatable
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,

    /// The format of standard output and of files whose extension says nothing
    #[arg(long, value_name = "NAME")]
    format: Option<String>,

    /// Write the account of all observations (fired, recorded, lost, …) as JSON
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    #[arg(long, hide = true, value_parser = shrink)]
    shrink: Option<Shrink>,

    #[arg(long, hide = true)]
    debug_times: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum EventArg {
    /// Hardware cycles where the machine has them, else the CPU clock
    Auto,
    /// Hardware cycles
    Cycles,
    /// A timer on each CPU
    CpuClock,
}

impl FlameArgs {
    /// The plan; says what is wrong with it if it cannot be.
    pub(super) fn lower(self) -> Result<Flame, Failure> {
        let Self {
            processes,
            threads,
            all: _,
            cgroup,
            command,
            no_children,
            cpus,
            idle,
            hertz,
            duration,
            event,
            outputs,
            format,
            ledger,
            shrink,
            debug_times,
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
        if idle && subject != Subject::All {
            return Err(usage(
                "--idle counts idle CPUs, which belong to nobody; use it with -a",
            ));
        }
        let sampling = Sampling {
            subject,
            children: !no_children,
            hertz,
            cpus: cpus.map(|CpuList(cpus)| cpus),
            event: match event {
                EventArg::Auto => Event::Auto,
                EventArg::Cycles => Event::Cycles,
                EventArg::CpuClock => Event::CpuClock,
            },
            idle,
            duration,
            shrink: shrink.unwrap_or_default(),
        };
        let mut outputs = lower_outputs(outputs, format.as_deref())?;
        if let Some(path) = ledger {
            let format = export::by_name("ledger").map_err(|error| usage(error.to_string()))?;
            outputs.push(Output {
                path: (path.as_os_str() != "-").then_some(path),
                format,
            });
        }
        Ok(Flame {
            sampling,
            outputs,
            debug_times,
        })
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Status::Usage, message)
}

/// Digits are a PID, anything else is a name.
fn process_name(text: String) -> ProcessName {
    text.parse()
        .map_or(ProcessName::Name(text), ProcessName::Pid)
}

fn lower_outputs(paths: Vec<PathBuf>, format: Option<&str>) -> Result<Vec<Output>, Failure> {
    let named = format
        .map(|name| export::by_name(name).map_err(|error| usage(error.to_string())))
        .transpose()?;
    if paths.is_empty() {
        return Ok(vec![Output {
            path: None,
            format: named.unwrap_or_else(default_format),
        }]);
    }
    paths
        .into_iter()
        .map(|path| {
            if path.as_os_str() == "-" {
                return Ok(Output {
                    path: None,
                    format: named.unwrap_or_else(default_format),
                });
            }
            let format = match (export::by_path(&path), named) {
                (Ok(format), _) => format,
                (Err(_), Some(named)) => named,
                (Err(error), None) => return Err(usage(error.to_string())),
            };
            Ok(Output {
                path: Some(path),
                format,
            })
        })
        .collect()
}

fn default_format() -> &'static Format {
    &export::FORMATS[0]
}

#[derive(Clone)]
struct CpuList(Vec<u32>);

fn cpu_list(text: &str) -> Result<CpuList, String> {
    proc::parse_cpu_list(text)
        .map(CpuList)
        .ok_or_else(|| "not a list of CPUs; try 0-3,8".to_owned())
}

/// `counts=16,ring=4096,kstacks=1,scratch=0,epoch=5`.
fn shrink(text: &str) -> Result<Shrink, String> {
    let mut shrink = Shrink::default();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("no '=' in '{part}'"))?;
        let value = value
            .parse()
            .map_err(|_| format!("no number in '{part}'"))?;
        let field = match name {
            "counts" => &mut shrink.counts,
            "ring" => &mut shrink.ring,
            "kstacks" => &mut shrink.kernel_stacks,
            "scratch" => &mut shrink.scratch,
            "epoch" => &mut shrink.epoch,
            _ => {
                return Err(format!(
                    "no size '{name}'; there are counts, ring, kstacks, scratch, epoch"
                ));
            }
        };
        *field = Some(value);
    }
    Ok(shrink)
}
