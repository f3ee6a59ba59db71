//! `tracer doctor`: what this kernel and this user can do, and what helps where they cannot.
//!
//! First what there is to know is gathered, then everything is tried; checks are made from both,
//! and only then anything is said. Nothing that is amiss ends it early.

mod check;
mod facts;
mod json;
mod privileges;
mod remedy;
mod render;
mod settings;
mod sources;
mod system;
mod trial;

use std::{
    env,
    io::{IsTerminal as _, stdout},
    process::ExitCode,
};

use check::Report;
use facts::Facts;

use super::{begin::raise_file_limit, outputs};
use crate::{
    kernel::{self, AttachMode},
    plan::{Doctor, Failure, Status},
};

/// Does what the plan says.
pub(super) fn run(plan: &Doctor) -> Result<ExitCode, Failure> {
    if plan.probe_costs {
        let costs = kernel::calibrate_and_compare(AttachMode::Auto)?;
        outputs::print(&json::costs(&costs))?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = examine();
    let text = if plan.json {
        json::line(&report)
            .map_err(|error| Failure::new(Status::Failed, format!("cannot write JSON: {error}")))?
    } else {
        render::text(&report, wants_colours())
    };
    outputs::print(&text)?;
    let status = if report.works.all() {
        Status::Done
    } else {
        Status::Unable
    };
    Ok(status.into())
}

fn examine() -> Report {
    let facts = Facts::gather();
    // As the commands do.
    raise_file_limit();
    let (sources, works) = sources::checks(&facts);
    let mut checks = system::checks(&facts);
    checks.extend(privileges::checks(&facts));
    checks.extend(settings::checks(&facts));
    checks.extend(sources);
    Report { checks, works }
}

fn wants_colours() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && !refused
}
