//! What was typed, and how it becomes a [`Plan`]. The only module that knows clap.

mod doctor;
mod duration;
mod flame;
mod hist;
mod list;
mod sampling;
mod subject;
mod top;

use std::{
    env,
    ffi::OsString,
    io::{IsTerminal as _, stdout},
};

use clap::{Parser, Subcommand, error::ErrorKind};

use crate::plan::{Failure, Plan, Status};

#[derive(Parser)]
#[command(
    name = "tracer",
    version,
    about = "See where a slow Linux machine spends its time",
    long_about = "See where a slow Linux machine spends its time.\n\ntracer loads eBPF programs into the running kernel, samples stacks there, and shows what it finds, live or in files: functions, processes, flame graphs, call trees. It needs root and Linux 5.17 or newer with type information (BTF).",
    after_help = "Exit status: 0 done; 1 failed while running; 2 wrong usage; 3 this kernel or user cannot do it;\n4 nothing to measure. With a command of yours, its own status; 125 if tracer failed.",
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See live where time goes: functions, processes, flame graph, call tree
    Top(Box<top::TopArgs>),
    /// Record one profile and write it as a flame graph, folded stacks or tables
    Flame(Box<flame::FlameArgs>),
    /// Measure how long calls of functions take, as histograms with percentiles
    Hist(Box<hist::HistArgs>),
    /// Show which functions a probe matches, where each is probed, and what a call would cost
    List(list::ListArgs),
    /// Say what this kernel and this user can do, and what helps where they cannot
    Doctor(doctor::DoctorArgs),
}

/// What parsing came to.
pub enum Parsed {
    /// Something to do.
    Plan(Box<Plan>),
    /// Something to say: help or the version.
    Text(String),
}

/// Reads a command line, its first element the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.last().is_some_and(|last| last == "--") {
        return Err(Failure::new(Status::Usage, "no command follows '--'"));
    }
    match Cli::try_parse_from(&args) {
        Ok(Cli { command }) => Ok(Parsed::Plan(Box::new(match command {
            Command::Top(top) => Plan::Top(top.lower()?),
            Command::Flame(flame) => Plan::Flame(flame.lower()?),
            Command::Hist(hist) => Plan::Hist(hist.lower()?),
            Command::List(list) => Plan::List(list.lower()),
            Command::Doctor(doctor) => Plan::Doctor(doctor.lower()),
        }))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let plain = !stdout().is_terminal() || env::var_os("NO_COLOR").is_some();
                let text = error.render();
                Ok(Parsed::Text(if plain {
                    text.to_string()
                } else {
                    text.ansi().to_string()
                }))
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Err(Failure::new(
                Status::Usage,
                "no command given; try 'sudo tracer top', 'sudo tracer flame -a -d 5 -o profile.svg', or 'tracer --help'",
            )),
            _ => {
                let topic = match args.get(1).and_then(|first| first.to_str()) {
                    Some("flame") => " flame",
                    Some("hist") => " hist",
                    Some("list") => " list",
                    Some("top") => " top",
                    Some("doctor") => " doctor",
                    _ => "",
                };
                let mut message = one_line(&error);
                if error.kind() == ErrorKind::UnknownArgument && !message.contains("'-") {
                    message += "; a process is measured with -p, a command behind '--'";
                }
                let message = format!("{message}; see 'tracer{topic} --help'");
                Err(Failure::new(Status::Usage, message))
            }
        },
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Status::Usage, message)
}

/// clap's message without its paragraphs: the cause, and the tip if there is one. Its tip to pass
/// an unknown flag behind `--` would here run it as a command.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let wanted = lines.filter_map(|line| {
        let cause = line.strip_prefix("error: ").map(str::to_owned);
        let tip = line
            .strip_prefix("tip: ")
            .filter(|tip| !tip.contains("'-- -"));
        cause.or_else(|| tip.map(str::to_owned))
    });
    wanted.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, time::Duration};

    use clap::CommandFactory as _;

    use super::*;
    use crate::{
        plan::{Hist, Subject},
        source::By,
        view::LatencyGroup,
    };

    #[track_caller]
    fn check(line: &str, expected: &str) {
        match parse(line.split(' ').map(OsString::from)) {
            Err(failure) => {
                assert_eq!(failure.status, Status::Usage);
                assert_eq!(failure.to_string(), expected);
            }
            Ok(_) => panic!("{line} is taken"),
        }
    }

    #[test]
    fn wrong_usage_is_one_line_with_a_remedy() {
        check("tracer flame --", "no command follows '--'");
        check(
            "tracer flame 1234",
            "unexpected argument '1234' found; a process is measured with -p, a command behind '--'; see 'tracer flame --help'",
        );
        check(
            "tracer flame --bogus",
            "unexpected argument '--bogus' found; see 'tracer flame --help'",
        );
        check(
            "tracer flame -d 0",
            "invalid value '0' for '--duration <DUR>': must be longer than nothing; see 'tracer flame --help'",
        );
    }

    #[track_caller]
    fn hist(line: &str) -> Hist {
        let parsed = parse(line.split(' ').map(OsString::from));
        match parsed.map(|parsed| match parsed {
            Parsed::Plan(plan) => *plan,
            Parsed::Text(text) => panic!("{text}"),
        }) {
            Ok(Plan::Hist(hist)) => hist,
            Ok(_) => panic!("{line} is another command"),
            Err(failure) => panic!("{line}: {failure}"),
        }
    }

    /// Where a line of `tracer hist` writes, and what.
    #[track_caller]
    fn outputs(line: &str) -> Vec<(String, &'static str)> {
        let name = |path: Option<PathBuf>| {
            path.map_or_else(|| "-".to_owned(), |path| path.display().to_string())
        };
        let outputs = hist(line).outputs.into_iter();
        outputs
            .map(|output| (name(output.path), output.format.name))
            .collect()
    }

    #[test]
    fn hist_writes_what_is_asked_for_where_it_is_asked_for() {
        for (line, expected) in [
            ("tracer hist malloc", &[][..]),
            ("tracer hist malloc -b", &[("-", "text")]),
            ("tracer hist malloc -n 3", &[("-", "text")]),
            ("tracer hist malloc --json", &[("-", "json")]),
            ("tracer hist malloc --json -b", &[("-", "json")]),
            ("tracer hist malloc --csv", &[("-", "csv")]),
            ("tracer hist malloc --format csv", &[("-", "csv")]),
            ("tracer hist malloc -o a.json", &[("a.json", "json")]),
            (
                "tracer hist malloc -o - -o b.csv -o -",
                &[("-", "text"), ("b.csv", "csv")],
            ),
            (
                "tracer hist malloc --json -o - -o c.txt",
                &[("-", "json"), ("c.txt", "text")],
            ),
            ("tracer hist malloc -o d --format json", &[("d", "json")]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|(path, format)| ((*path).to_owned(), *format))
                .collect();
            assert_eq!(outputs(line), expected, "{line}");
        }
    }

    #[test]
    fn hist_takes_several_probes_and_a_command() {
        let plan = hist("tracer hist malloc free --by function,pid --slower-than 50us -- ls -l");
        let probes: Vec<&str> = plan.probes.iter().map(|probe| probe.text()).collect();
        assert_eq!(probes, ["malloc", "free"]);
        let command = ["ls", "-l"].map(OsString::from);
        assert_eq!(plan.subject, Subject::Command(command.into()));
        assert_eq!(plan.group, LatencyGroup::Function);
        assert_eq!(plan.by, By::Process);
        assert_eq!(plan.slower_than, Duration::from_micros(50));
        assert!(plan.children && !plan.yes);
        let plan = hist("tracer hist malloc -p 4711,redis --no-children");
        assert!(!plan.children);
        assert_eq!(plan.slower_than, Duration::ZERO);
        assert_eq!((plan.group, plan.by), (LatencyGroup::Probe, By::Function));
    }

    #[test]
    fn wrong_usage_of_hist_is_one_line_with_a_remedy() {
        check(
            "tracer hist -p 1",
            "the following required arguments were not provided: <PROBE>...; see 'tracer hist --help'",
        );
        check(
            "tracer hist malloc -o a.svg",
            "the name of the file \"a.svg\" does not end like that of any format; known are: .txt .json .csv",
        );
        check(
            "tracer hist malloc --format svg",
            "no format is called \"svg\"; there are: text json csv",
        );
        check(
            "tracer hist malloc --by pid,comm",
            "--by takes one of pid, tid and comm, and function besides; --by function,pid for instance",
        );
        check(
            "tracer hist malloc -I 10ms",
            "an interval is at least 100ms; what is measured is collected that often",
        );
        check(
            "tracer hist malloc --slower-than 5parsec",
            "invalid value '5parsec' for '--slower-than <DUR>': unknown unit 'parsec'; use ns, us, ms, s, m or h; see 'tracer hist --help'",
        );
        check(
            "tracer hist malloc --json --csv",
            "the argument '--json' cannot be used with '--csv'; see 'tracer hist --help'",
        );
        check("tracer hist malloc --", "no command follows '--'");
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
