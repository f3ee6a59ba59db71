//! The commands: each composes a source, the model, the symbolizer and an output.

mod begin;
mod cost;
mod doctor;
mod ending;
mod flame;
mod hist;
mod launch;
mod list;
mod measuring;
mod outputs;
mod progress;
mod subject;
mod symbols;
mod top;

use std::{ffi::OsString, process::ExitCode};

pub use launch::launch;

use crate::{
    cli,
    plan::{Failure, Plan},
};

/// Parses the command line and does what it says.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = match cli::parse(args) {
        Ok(cli::Parsed::Text(text)) => outputs::print(&text).map(|()| ExitCode::SUCCESS),
        Ok(cli::Parsed::Plan(plan)) => match &*plan {
            Plan::Flame(plan) => flame::run(plan),
            Plan::Top(plan) => top::run(plan),
            Plan::Hist(plan) => hist::run(plan),
            Plan::List(plan) => list::run(plan),
            Plan::Doctor(plan) => doctor::run(plan),
        },
        Err(failure) => Err(failure),
    };
    result.unwrap_or_else(|failure: Failure| {
        progress::say(&format!("tracer: {failure}"));
        failure.status.into()
    })
}
