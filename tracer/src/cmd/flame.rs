//! `tracer flame`: one profile, from the kernel to files.

use std::{convert::Infallible, process::ExitCode};

use super::{
    begin::{Begun, Times, begin, header, nanoseconds, own_cpu_ns},
    ending::Interrupted,
    launch,
    measuring::{Measured, Measuring, troubles},
    outputs::Outputs,
    progress::say,
};
use crate::{
    export::{Export, Header, Overhead},
    kernel::{Event, Meter},
    plan::{Failure, Flame, Status, Subject},
    source::TICK,
    view::{self, Query},
};

/// Does what the plan says.
pub(super) fn run(plan: &Flame) -> Result<ExitCode, Failure> {
    let result = measure(plan);
    match result {
        // Statuses below 125 are the command's.
        Err(failure) if matches!(plan.sampling.subject, Subject::Command(_)) => {
            Err(Failure::new(Status::CommandNotRun, failure.to_string()))
        }
        other => other,
    }
}

fn measure(plan: &Flame) -> Result<ExitCode, Failure> {
    let times = Times::now();
    let outputs = Outputs::open(&plan.outputs)?;
    let interrupted = Interrupted::install()?;
    let Begun {
        cpu,
        cpus: _,
        found,
        naming,
    } = begin(&plan.sampling, launch::Stage::Shared)?;
    let event = cpu.event();
    let header = header(&plan.sampling, &found.title, &cpu);
    let opened = times.elapsed();

    let (measuring, _) =
        Measuring::<Infallible>::start(cpu, found, naming, plan.sampling.duration, TICK)?;
    let (measured, remaining) = measuring.run(interrupted)?;
    let Measured {
        profile,
        naming,
        meter,
        wall,
        failure,
    } = measured;
    let (symbols, worker) = naming.finish().map_err(|error| {
        Failure::new(
            Status::Failed,
            format!("the worker process failed: {error}"),
        )
    })?;

    let header = Header {
        duration_ns: nanoseconds(wall),
        ..header
    };
    let overhead = Overhead {
        bpf_ns: Some(meter.bpf_ns),
        user_cpu_ns: own_cpu_ns() + nanoseconds(worker.cpu) + meter.tables_cpu_ns,
        wall_ns: nanoseconds(wall),
    };
    let export = Export {
        profile: &profile,
        symbols: &symbols,
        query: &Query::default(),
        header: &header,
        overhead,
    };
    outputs.write(&export)?;
    summarize(&export, event, &meter);
    let files = plan
        .outputs
        .iter()
        .filter_map(|output| output.path.as_deref());
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    if !files.is_empty() {
        say(&format!(
            "tracer: wrote {}",
            view::printable(&files.join(", "))
        ));
    }
    if plan.debug_times {
        say(&times.report(opened, &meter, worker.peak_kib));
    }
    if let Some(error) = failure {
        let early =
            format!("the measuring ended early, and what it found until then is written: {error}");
        return Err(Failure::new(Status::Failed, early));
    }
    if remaining.running() {
        say("tracer: the measuring has ended; waiting for the command");
    }
    Ok(remaining
        .command_status()
        .map_or(ExitCode::SUCCESS, launch::exit_code))
}

/// One line on what was measured and how far to trust it, and one for each thing that went wrong, or
/// that would make stacks complete.
fn summarize(export: &Export<'_>, event: Event, meter: &Meter) {
    let Header {
        target,
        duration_ns,
        frequency_hz,
        ..
    } = export.header;
    say(&format!(
        "tracer: {} in {:.1} s at {} Hz ({}): {}; {}; {}",
        view::printable(target),
        *duration_ns as f64 / 1e9,
        frequency_hz.unwrap_or(0),
        event.name(),
        view::account(export.profile.ledger()),
        unnamed(export),
        export.overhead,
    ));
    let quality = view::quality(export.profile, export.symbols, export.query);
    for line in quality.advice() {
        say(&format!("tracer: {line}"));
    }
    for (count, what) in troubles(meter) {
        if count > 0 {
            say(&format!("tracer: {count} {what}"));
        }
    }
}

/// How many frames have no name, and why.
fn unnamed(export: &Export<'_>) -> String {
    let unnamed = view::unnamed(export.profile, export.symbols, export.query);
    let reasons: Vec<String> = unnamed
        .by_reason
        .iter()
        .map(|(why, count)| format!("{why} {}", count.frames))
        .collect();
    let of = format!(
        "unnamed {} of {} frames",
        unnamed.all.frames, unnamed.frames
    );
    if reasons.is_empty() {
        of
    } else {
        format!("{of}: {}", reasons.join(", "))
    }
}
