//! `tracer hist`: how long calls take.

mod begin;
mod costs;
mod live;
mod print;
mod running;
mod sinks;

use std::{
    io::{self, IsTerminal as _, stdin, stdout},
    process::ExitCode,
};

pub(super) use begin::{probing, scope as found_in};

use super::top::{self, log};
use crate::{
    plan::{Failure, Hist, Pictures, Status, Subject},
    tui::latency,
};

/// Does what the plan says.
pub(super) fn run(plan: &Hist) -> Result<ExitCode, Failure> {
    if let Some(path) = &plan.log {
        log::start(path)?;
    }
    let is_asked = plan.outputs.is_empty() && plan.rounds.is_none();
    let has_terminal = stdout().is_terminal() && stdin().is_terminal();
    let result = match &plan.pictures {
        Some(Pictures { directory, after }) => live::run(plan, |facts, port, news| {
            let keep = top::keep_pictures(directory);
            latency::take_pictures(facts, *after, port, news, keep)
        }),
        None if is_asked && has_terminal => live::run(plan, |facts, port, news| {
            latency::run(facts, top::theme(plan.palette), port, news)
                .map_err(|error| io::Error::other(format!("cannot use the terminal: {error}")))
        }),
        None => print::run(plan),
    };
    match result {
        // Statuses below 125 are the command's.
        Err(failure) if matches!(plan.subject, Subject::Command(_)) => {
            Err(Failure::new(Status::CommandNotRun, failure.to_string()))
        }
        other => other,
    }
}
