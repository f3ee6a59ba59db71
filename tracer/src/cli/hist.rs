//! `tracer hist`: its flags, and how they become a plan.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    duration,
    sampling::shrink,
    subject::SubjectArgs,
    top::{ThemeArg, check_times},
    usage,
};
use crate::{
    export::{self, LATENCY_FORMATS, LatencyFormat},
    kernel::{AttachMode, Shrink},
    plan::{Failure, Hist, LatencyOutput, Pictures},
    probe::{self, Manner, Returns},
    source::By,
    view::LatencyGroup,
};

const EXAMPLES: &str = "\
Examples:
  sudo tracer hist malloc -p 4711            a function of a process and its libraries, until Ctrl-C
  sudo tracer hist uprobe:/usr/bin/app:handle_request --slower-than 10ms --by pid
                                             only slow calls, a histogram for each process
  sudo tracer hist 'uprobe:libc:str*' --by function -d 5
                                             each function of a pattern by itself, for five seconds
  sudo tracer hist 'uprobe:libstdc++:*' --yes -- ./program
                                             every function of a library, from a program's start to its end
  sudo tracer hist malloc -p 4711 --json | jq -r '[.start_ns, .count, .p99] | @tsv'
                                             a line for each second, for scripts
  sudo tracer hist malloc free -p 4711 -d 60 -o calls.txt -o calls.csv
                                             two functions, in two formats at once

Probes: uprobe:FILE:SYMBOL, where FILE is a path or a library's name such as libc; SYMBOL alone
with -p or a command; SYMBOL+OFFSET; patterns such as 'str*' and '/^str(len|cpy)$/', quoted so that
the shell leaves them alone. 'tracer list PATTERN' shows what matches and what each would cost.

What a probe costs: the kernel stops a program at each call and each return, for some microseconds.
With -p the children of the processes are followed, and so the probes are in every process that
maps the file: calls by others cost them the same, and are counted as filtered. --no-children puts
the probes into the named processes alone.

Percentiles are exact to a bucket, whose bounds differ by at most 1/32. The summary says how many
calls began, and what has become of those that are not in the histogram: lost (with the reason),
filtered, or still open.

In the interface, ? lists the keys: 1 to 4 or Tab change the screen, Enter looks at one row alone,
e writes what is shown to a file, q quits and prints the histogram.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistArgs {
    /// Functions whose calls are measured: uprobe:FILE:SYMBOL, or SYMBOL with -p; patterns match several
    #[arg(required = true, value_name = "PROBE", value_parser = probe::Spec::parse)]
    probes: Vec<probe::Spec>,

    #[command(flatten)]
    who: SubjectArgs,

    /// How long: 10, 500ms, 2m; without it until Ctrl-C or until what is measured ends
    #[arg(short, long, value_name = "DUR", value_parser = duration::parse)]
    duration: Option<Duration>,

    /// A result after each interval [default: 1 for JSON, CSV and the interface; one text at the end]
    #[arg(short = 'I', long, value_name = "DUR", value_parser = duration::parse)]
    interval: Option<Duration>,

    /// End after so many intervals; without the interface
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,

    /// Histograms for each of these: function, and one of pid, tid, comm
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<ByArg>,

    /// Only calls that take at least this long: 10ms, 50us
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    slower_than: Option<Duration>,

    /// Probe more than 1,000 functions
    #[arg(long)]
    yes: bool,

    /// Print text instead of the interface
    #[arg(short, long)]
    batch: bool,

    /// Print lines of JSON, one for each interval, probe and key
    #[arg(long, conflicts_with_all = ["csv", "format"])]
    json: bool,

    /// Print comma-separated values: a row for each bucket that is not empty
    #[arg(long, conflicts_with = "format")]
    csv: bool,

    /// A file to write, its format by its extension (.txt, .json, .csv); '-' is standard output; repeatable
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,

    /// The format of standard output and of files whose extension says nothing
    #[arg(long, value_name = "NAME")]
    format: Option<String>,

    /// How much of the past the interface keeps to go back to
    #[arg(long, value_name = "DUR", default_value = "10m", value_parser = duration::parse)]
    history: Duration,

    /// Colours of the interface
    #[arg(long, value_enum, default_value_t = ThemeArg::Auto)]
    theme: ThemeArg,

    /// Write what goes wrong, and when, to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// How the end of a call is seen
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ReturnsArg::Auto)]
    returns: ReturnsArg,

    #[arg(long, hide = true)]
    at_start: bool,

    #[arg(long, value_enum, default_value_t = AttachArg::Auto, hide = true)]
    attach: AttachArg,

    #[arg(long, hide = true, value_parser = shrink)]
    shrink: Option<Shrink>,

    #[arg(long, hide = true)]
    debug_times: bool,

    /// Write a picture of each screen to this directory once the duration is over
    #[arg(long, value_name = "DIR", requires = "duration", hide = true)]
    pictures: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ByArg {
    /// The function, where a probe matches several
    Function,
    /// The process
    Pid,
    /// The thread
    Tid,
    /// The thread's name
    Comm,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReturnsArg {
    /// At the instructions that leave it for C++ and Rust functions, else by a return probe
    Auto,
    /// By a return probe, which costs less; an exception or panic that passes through ends the
    /// program, and when a thread is cancelled clean-up of its callers may not run
    Probe,
    /// At the instructions that leave it, whatever the language
    Instruction,
}

#[derive(Clone, Copy, ValueEnum)]
enum AttachArg {
    Auto,
    Multi,
    Single,
}

impl HistArgs {
    /// The plan; says what is wrong with it if it cannot be.
    pub(super) fn lower(self) -> Result<Hist, Failure> {
        let Self {
            probes,
            who,
            duration,
            interval,
            rounds,
            by,
            slower_than,
            yes,
            batch,
            json,
            csv,
            outputs,
            format,
            history,
            theme,
            log,
            returns,
            at_start,
            attach,
            shrink,
            debug_times,
            pictures,
        } = self;
        check_times(interval.unwrap_or(Duration::from_secs(1)), history)?;
        // They are taken while the measuring goes on, which ends with them.
        let mut duration = duration;
        let pictures = pictures.and_then(|directory| {
            let after = duration.take()?;
            Some(Pictures { directory, after })
        });
        let (subject, children) = who.lower();
        let (group, by) = lower_by(&by)?;
        let format = match (json, csv) {
            (true, _) => Some("json"),
            (false, true) => Some("csv"),
            (false, false) => format.as_deref(),
        };
        let format = format
            .map(|name| export::latency_format(name).map_err(|error| usage(error.to_string())))
            .transpose()?;
        // A format that was asked for by name and has no file is for standard output.
        let print = batch || json || csv;
        let print = print || (outputs.is_empty() && (format.is_some() || rounds.is_some()));
        Ok(Hist {
            probes,
            subject,
            children,
            duration,
            interval,
            rounds,
            group,
            by,
            slower_than: slower_than.unwrap_or_default(),
            yes,
            outputs: lower_outputs(outputs, format, print)?,
            history,
            palette: theme.palette(),
            log,
            manner: Manner {
                returns: match returns {
                    ReturnsArg::Auto => Returns::Auto,
                    ReturnsArg::Probe => Returns::Probe,
                    ReturnsArg::Instruction => Returns::Instruction,
                },
                at_start,
            },
            mode: match attach {
                AttachArg::Auto => AttachMode::Auto,
                AttachArg::Multi => AttachMode::Multi,
                AttachArg::Single => AttachMode::Single,
            },
            shrink: shrink.unwrap_or_default(),
            debug_times,
            pictures,
        })
    }
}

fn lower_by(by: &[ByArg]) -> Result<(LatencyGroup, By), Failure> {
    let group = if by.contains(&ByArg::Function) {
        LatencyGroup::Function
    } else {
        LatencyGroup::Probe
    };
    let keys = by.iter().filter_map(|by| match by {
        ByArg::Function => None,
        ByArg::Pid => Some(By::Process),
        ByArg::Tid => Some(By::Thread),
        ByArg::Comm => Some(By::Comm),
    });
    let keys: Vec<By> = keys.collect();
    match keys.as_slice() {
        [] => Ok((group, By::Function)),
        [key] => Ok((group, *key)),
        _ => Err(usage(
            "--by takes one of pid, tid and comm, and function besides; --by function,pid for instance",
        )),
    }
}

/// `format`: of what has no extension that says it. Standard output has one format, and comes first.
fn lower_outputs(
    paths: Vec<PathBuf>,
    format: Option<&'static LatencyFormat>,
    print: bool,
) -> Result<Vec<LatencyOutput>, Failure> {
    let (standard, files): (Vec<_>, Vec<_>) =
        paths.into_iter().partition(|path| path.as_os_str() == "-");
    let mut outputs = Vec::new();
    if print || !standard.is_empty() {
        outputs.push(LatencyOutput {
            path: None,
            format: format.unwrap_or(&LATENCY_FORMATS[0]),
        });
    }
    for path in files {
        let format = match (export::latency_format_of(&path), format) {
            (Ok(format), _) => format,
            (Err(_), Some(format)) => format,
            (Err(error), None) => return Err(usage(error.to_string())),
        };
        outputs.push(LatencyOutput {
            path: Some(path),
            format,
        });
    }
    Ok(outputs)
}
