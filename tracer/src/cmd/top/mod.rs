//! `tracer top`: what is measured, live: as an interface or as tables.

mod keeper;
mod live;
pub(super) mod log;
mod pictures;
mod print;

pub(super) use live::stamp;
pub(super) use pictures::keep as keep_pictures;

use std::{
    env,
    io::{self, IsTerminal as _, stdin, stdout},
    process::ExitCode,
};

use crate::{
    kernel::give_back_large_blocks,
    plan::{Failure, Palette, Print, Status, Subject, Top},
    tui::{self, Environment, Theme},
};

/// Does what the plan says.
pub(super) fn run(plan: &Top) -> Result<ExitCode, Failure> {
    if let Some(path) = &plan.log {
        log::start(path)?;
    }
    give_back_large_blocks();
    let terminal = stdout().is_terminal() && stdin().is_terminal();
    let result = match (&plan.pictures, plan.print) {
        (Some(pictures), _) => pictures::run(plan, pictures),
        (None, Some(what)) => print::run(plan, what),
        (None, None) if terminal => live::run(plan, |facts, port, news| {
            tui::run(facts, theme(plan.palette), port, news)
                .map_err(|error| io::Error::other(format!("cannot use the terminal: {error}")))
        }),
        (None, None) => print::run(plan, Print::Text),
    };
    match result {
        // Statuses below 125 are the command's.
        Err(failure) if matches!(plan.sampling.subject, Subject::Command(_)) => {
            Err(Failure::new(Status::CommandNotRun, failure.to_string()))
        }
        other => other,
    }
}

/// The colours that a palette comes to on this terminal.
pub(super) fn theme(palette: Palette) -> Theme {
    let variable = |name: &str| {
        let value = env::var_os(name).unwrap_or_default();
        value.to_string_lossy().into_owned()
    };
    match palette {
        Palette::Dark => Theme::Dark,
        Palette::Light => Theme::Light,
        Palette::Ansi => Theme::Ansi,
        Palette::Mono => Theme::Mono,
        Palette::Auto => Theme::of(&Environment {
            no_color: !variable("NO_COLOR").is_empty(),
            term: variable("TERM"),
            colorterm: variable("COLORTERM"),
            colorfgbg: variable("COLORFGBG"),
        }),
    }
}
