//! `tracer hist`: how long calls take.

mod begin;
mod costs;
mod live;
mod print;
mod running;
mod sinks;

use std::{
    io::{IsTerminal as _, stdin, stdout},
    process::ExitCode,
};

pub(super) use begin::{probing, scope as found_in};

use super::top::log;
use crate::plan::{Failure, Hist, Status, Subject};

/// Does what the plan says.
pub(super) fn run(plan: &Hist) -> Result<ExitCode, Failure> {
    if let Some(path) = &plan.log {
        log::start(path)?;
    }
    let is_asked = plan.outputs.is_empty() && plan.rounds.is_none();
    let has_terminal = stdout().is_terminal() && stdin().is_terminal();
    let result = if is_asked && has_terminal {
        live::run(plan)
    } else {
        print::run(plan)
    };
    match result {
        // Statuses below 125 are the command's.
        Err(failure) if matches!(plan.subject, Subject::Command(_)) => {
            Err(Failure::new(Status::CommandNotRun, failure.to_string()))
        }
        other => other,
    }
}
