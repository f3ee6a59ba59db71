//! `tracer top`: its flags, and how they become a plan.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{duration, sampling::SamplingArgs, usage};
use crate::plan::{Failure, Palette, Pictures, Print, Top};

const EXAMPLES: &str = "\
Examples:
  sudo tracer top                          the whole machine
  sudo tracer top -p postgres              all processes of that name, with their children
  sudo tracer top -F 499 -- make -j8       a command from its start to its end
  sudo tracer top -b -n 1                  one table of the next second, as plain text
  sudo tracer top --json | jq '.functions[0]'
                                           one object a second, for scripts

In the interface, ? lists the keys: 1 to 5 or Tab change the screen, Enter goes into what is
selected, Backspace takes back the last step, f filters, v selects a stretch of time, e writes
what is shown to a file, q quits. A command that is measured with the interface has no terminal:
redirect its output to see it.
Where standard output is no terminal, tables are printed as with -b.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TopArgs {
    #[command(flatten)]
    sampling: SamplingArgs,

    /// How often what is shown or printed is brought up to date
    #[arg(short = 'I', long, value_name = "DUR", default_value = "1", value_parser = duration::parse)]
    interval: Duration,

    /// How much of the past is kept to go back to
    #[arg(long, value_name = "DUR", default_value = "10m", value_parser = duration::parse)]
    history: Duration,

    /// Print plain tables, each of one interval, instead of the interface
    #[arg(short, long)]
    batch: bool,

    /// Print one line of JSON for each interval instead of the interface
    #[arg(long)]
    json: bool,

    /// End after so many intervals; implies --batch unless --json is given
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rounds: Option<u64>,

    /// Colours of the interface
    #[arg(long, value_enum, default_value_t = ThemeArg::Auto)]
    theme: ThemeArg,

    /// Write what goes wrong, and when, to this file
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// Write a picture of each screen to this directory once the duration is over
    #[arg(long, value_name = "DIR", requires = "duration", hide = true)]
    pictures: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ThemeArg {
    /// What the terminal says it can; none with NO_COLOR
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// The terminal's own sixteen colours
    Ansi,
    /// No colours
    Mono,
}

impl ThemeArg {
    pub(super) fn palette(self) -> Palette {
        match self {
            Self::Auto => Palette::Auto,
            Self::Dark => Palette::Dark,
            Self::Light => Palette::Light,
            Self::Ansi => Palette::Ansi,
            Self::Mono => Palette::Mono,
        }
    }
}

impl TopArgs {
    /// The plan; says what is wrong with it if it cannot be.
    pub(super) fn lower(self) -> Result<Top, Failure> {
        let Self {
            sampling,
            interval,
            history,
            batch,
            json,
            rounds,
            theme,
            log,
            pictures,
        } = self;
        check_times(interval, history)?;
        let mut sampling = sampling.lower()?;
        // They are taken while the measuring goes on, which ends with them.
        let pictures = pictures.and_then(|directory| {
            let after = sampling.duration.take()?;
            Some(Pictures { directory, after })
        });
        Ok(Top {
            sampling,
            interval,
            history,
            print: match (json, batch || rounds.is_some()) {
                (true, _) => Some(Print::Json),
                (false, true) => Some(Print::Text),
                (false, false) => None,
            },
            rounds,
            palette: theme.palette(),
            log,
            pictures,
        })
    }
}

/// Whether an interval and the history can be kept.
pub(super) fn check_times(interval: Duration, history: Duration) -> Result<(), Failure> {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST_HISTORY: Duration = Duration::from_secs(24 * 3600);
    if interval < SHORTEST {
        return Err(usage(
            "an interval is at least 100ms; what is measured is collected that often",
        ));
    }
    if history < interval || history > LONGEST_HISTORY {
        return Err(usage("--history is at least one interval and at most 24h"));
    }
    Ok(())
}
