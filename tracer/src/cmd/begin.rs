//! From a plan to a source that is attached, and what to call what it will find.

use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use super::{
    launch::{Launched, Stage},
    progress::say,
    subject::{self, Found},
    symbols::Naming,
};
use crate::{
    export::Header,
    kernel::{Meter, SessionOptions},
    plan::{CallGraph, Failure, Sampling, Status},
    proc,
    source::{Cpu, CpuOptions},
    symbol::worker_command,
};

/// All that measuring needs; nothing has been sampled yet.
pub(super) struct Begun {
    pub(super) cpu: Cpu,
    /// The CPUs that are sampled.
    pub(super) cpus: usize,
    pub(super) found: Found,
    pub(super) naming: Naming,
}

/// Finds the subject, starts the worker, loads and attaches the programs.
pub(super) fn begin(sampling: &Sampling, stage: Stage) -> Result<Begun, Failure> {
    let naming = Naming::start().map_err(|error| {
        let message = format!("cannot start the worker process: {error}");
        Failure::new(Status::Failed, message)
    })?;
    let found = subject::find(&sampling.subject, stage)?;
    let (cpu, session) = options(sampling, &found, naming.worker())?;
    // Not before the command is there: its limits are the user's.
    raise_file_limit();
    let cpus = cpu.cpus.len();
    let mut cpu = Cpu::open(&cpu, &session)?;
    use_tables(&mut cpu, sampling)?;
    Ok(Begun {
        cpu,
        cpus,
        found,
        naming,
    })
}

/// Has stacks unwound with tables, as far as that was asked for.
fn use_tables(cpu: &mut Cpu, sampling: &Sampling) -> Result<(), Failure> {
    let call_graph = sampling.call_graph;
    if call_graph == CallGraph::FramePointers {
        return Ok(());
    }
    let frame_pointers = call_graph == CallGraph::Auto;
    if cpu.use_tables(worker_command(), sampling.unwind_memory, frame_pointers)? {
        return Ok(());
    }
    let why = "unwind tables need Linux 6.1 or later";
    if frame_pointers {
        say(&format!("tracer: {why}: stacks follow frame pointers only"));
        return Ok(());
    }
    let remedy = format!("{why}; --call-graph fp follows frame pointers");
    Err(Failure::new(Status::Unable, remedy))
}

/// What the results will say of how they came about.
pub(super) fn header(sampling: &Sampling, title: &str, cpu: &Cpu) -> Header {
    Header {
        host: proc::host(),
        target: title.to_owned(),
        source: format!("{}, {}", Cpu::SPEC.title, cpu.event().name()),
        unit: Cpu::SPEC.unit.to_owned(),
        frequency_hz: Some(u64::from(sampling.hertz)),
        duration_ns: 0,
    }
}

/// Each CPU takes two descriptors, a probe that is attached alone takes some too, and shells allow
/// 1024.
pub(super) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it matters, opening fails and says so.
    _ = setrlimit(Resource::Nofile, limit);
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

/// CPU time of this process.
pub(super) fn own_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// A duration as exports have it.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// When what happened, for benchmarks.
pub(super) struct Times {
    began: Instant,
    began_ns: u64,
}

impl Times {
    pub(super) fn now() -> Self {
        Self {
            began: Instant::now(),
            began_ns: proc::monotonic_ns(),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn report(&self, opened: Duration, meter: &Meter, worker_peak_kib: u64) -> String {
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
