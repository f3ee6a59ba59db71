//! `tracer flame`: one profile, from the kernel to files.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    launch::{self, Launched},
    measuring::{Measured, Measuring},
    outputs::Outputs,
    progress::say,
    subject::{self, Found},
    symbols::Naming,
};
use crate::{
    export::{Export, Header, Overhead},
    kernel::{Event, Meter, SessionOptions},
    plan::{Failure, Flame, Sampling, Status, Subject},
    proc,
    source::{Cpu, CpuOptions},
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
    let naming = Naming::start().map_err(|error| {
        let message = format!("cannot start the worker process: {error}");
        Failure::new(Status::Failed, message)
    })?;
    let mut found = subject::find(&plan.sampling.subject)?;
    let (cpu, session) = options(&plan.sampling, &found, naming.worker())?;
    // Not before the command is there: its limits are the user's.
    raise_file_limit();
    let cpu = Cpu::open(&cpu, &session)?;
    let event = cpu.event();
    let opened = times.elapsed();

    let measuring = Measuring::start(cpu, &mut found, naming)?;
    let (measured, remaining) = measuring.run(plan.sampling.duration, &found)?;
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
        host: proc::host(),
        target: found.title.clone(),
        source: format!("{}, {}", Cpu::SPEC.title, event.name()),
        unit: Cpu::SPEC.unit.to_owned(),
        frequency_hz: Some(u64::from(plan.sampling.hertz)),
        duration_ns: nanoseconds(wall),
    };
    let overhead = Overhead {
        bpf_ns: Some(meter.bpf_ns),
        user_cpu_ns: own_cpu_ns() + nanoseconds(worker.cpu),
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

/// Each CPU takes two descriptors, and shells allow 1024.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it matters, opening fails and says so.
    _ = setrlimit(Resource::Nofile, limit);
}

/// When what happened, for benchmarks.
struct Times {
    began: Instant,
    began_ns: u64,
}

impl Times {
    fn now() -> Self {
        Self {
            began: Instant::now(),
            began_ns: proc::monotonic_ns(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn report(&self, opened: Duration, meter: &Meter, worker_peak_kib: u64) -> String {
        let first = meter
            .first_ns
            .map(|at| at.saturating_sub(self.began_ns) as f64 / 1e6);
        serde_json::json!({
            "opened_ms": opened.as_secs_f64() * 1e3,
            "first_sample_ms": first,
            "ended_ms": self.elapsed().as_secs_f64() * 1e3,
            "worker_peak_kib": worker_peak_kib,
        })
        .to_string()
    }
}

fn options(
    sampling: &Sampling,
    found: &Found,
    worker: u32,
) -> Result<(CpuOptions, SessionOptions), Failure> {
    let online = proc::cpus("online").map_err(|error| {
        Failure::new(
            Status::Failed,
            format!("cannot read the list of CPUs: {error}"),
        )
    })?;
    let cpus = match &sampling.cpus {
        None => online,
        Some(chosen) => {
            if let Some(cpu) = chosen.iter().find(|cpu| !online.contains(cpu)) {
                return Err(Failure::new(
                    Status::Nothing,
                    format!(
                        "CPU {cpu} is not online; /sys/devices/system/cpu/online lists those that are"
                    ),
                ));
            }
            chosen.clone()
        }
    };
    // Were no two samples of a slice alike; a slice is a quarter of a second.
    let room = sampling
        .hertz
        .saturating_mul(u32::try_from(cpus.len()).unwrap_or(u32::MAX));
    let session = SessionOptions {
        target: found.target.clone(),
        follow: sampling.children,
        idle: sampling.idle,
        launched: found.command.as_ref().map(Launched::pid),
        worker: Some(worker),
        room,
        shrink: sampling.shrink,
    };
    Ok((
        CpuOptions {
            event: sampling.event,
            hertz: sampling.hertz,
            cpus,
        },
        session,
    ))
}

/// One line on what was measured and how far to trust it, and one for each thing that went wrong.
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
    for (count, what) in [
        (
            meter.reports_lost,
            "execs or exits went unreported: samples around them may have wrong names",
        ),
        (
            meter.forks_lost,
            "children could not be followed: more than 16,384 processes at once",
        ),
        (
            meter.facts_lost,
            "reports on processes were lost: some samples may have no names",
        ),
    ] {
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

/// CPU time of this process.
fn own_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
