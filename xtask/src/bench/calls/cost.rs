//! What a call costs, entry and return together: beside empty programs, bpftrace and funclatency.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Bench, Measuring, judge, quietly, tell};
use crate::{paths, run};

/// What a function begins with, and the compiler's flag for it.
const BEGINNINGS: [(&str, &str); 2] = [
    ("push", "-fcf-protection=none"),
    ("endbr64", "-fcf-protection=full"),
];
/// A round of one tool takes some seconds at most.
const CALLS: &str = "200000";
/// Bare, a call takes a nanosecond or two; with probes, hundreds.
const PROBED_NS: f64 = 300.0;

pub(in crate::bench) fn run(bench: &Bench) -> Result<bool> {
    let mut met = empty(bench)?;
    for (name, flag) in BEGINNINGS {
        let flags = ["-O0", "-g", "-fno-omit-frame-pointer", flag];
        let program = bench.fixture("cc", "percall.c", name, &flags)?;
        met &= peers(bench, name, &program)?;
    }
    Ok(met)
}

/// tracer's programs beside programs that do nothing, at the same places.
fn empty(bench: &Bench) -> Result<bool> {
    let mut command = Command::new(&bench.tracer);
    command.args(["doctor", "--probe-costs"]);
    println!(
        "cost per call, entry and return, beside empty programs, median of {}",
        bench.rounds
    );
    println!("  {}", run::shown(&command));
    let [emulated, emulated_empty, stepped, stepped_empty] = bench.medians(|| {
        let costs: Value = serde_json::from_str(&quietly(&mut command)?)?;
        let ns = |place: &str, what: &str| {
            costs[place][what]
                .as_f64()
                .with_context(|| format!("no {place}.{what}"))
        };
        Ok([
            ns("emulated", "ns")?,
            ns("emulated", "empty_ns")?,
            ns("stepped", "ns")?,
            ns("stepped", "empty_ns")?,
        ])
    })?;
    tell("emulated: empty programs", emulated_empty, "ns");
    tell("emulated: tracer's", emulated, "ns");
    let quick = judge("emulated: ratio", emulated / emulated_empty, 1.15, "");
    tell("stepped: empty programs", stepped_empty, "ns");
    tell("stepped: tracer's", stepped, "ns");
    let slow = judge("stepped: ratio", stepped / stepped_empty, 1.15, "");
    Ok(quick && slow)
}

/// tracer beside the peers, on a function that begins so.
fn peers(bench: &Bench, name: &str, program: &Path) -> Result<bool> {
    let probe = format!("uprobe:{}:work", program.display());
    let hist = || {
        let mut command = bench.hist(Path::new("/dev/null"));
        command.arg(&probe).arg("--").arg(program).arg(CALLS);
        command
    };
    let bpftrace = || {
        let mut command = Command::new("bpftrace");
        command.arg("-e").arg(format!(
            "{probe} {{ @start[tid] = nsecs; }} uret{} /@start[tid]/ \
             {{ @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }}",
            probe.trim_start_matches('u')
        ));
        command
            .arg("-c")
            .arg(format!("{} {CALLS}", program.display()));
        command
    };
    let funclatency = || {
        let mut command = Command::new("/usr/sbin/funclatency");
        command.arg(format!("{}:work", program.display()));
        command
    };
    println!(
        "cost per call of a function that begins with {name}, {CALLS} calls, median of {}",
        bench.rounds
    );
    for command in [hist(), bpftrace(), funclatency()] {
        println!("  {}", run::shown(&command));
    }
    let runs_bpftrace = printed(&mut bpftrace()).is_ok();
    if !runs_bpftrace {
        println!("  bpftrace cannot run here: judged by funclatency alone");
    }
    let [bare, tracer, bpftrace, funclatency] = bench.medians(|| {
        let bpftrace = if runs_bpftrace {
            printed(&mut bpftrace())?
        } else {
            f64::INFINITY
        };
        Ok([
            per_call(program, CALLS)?,
            printed(&mut hist())?,
            bpftrace,
            beside(&mut funclatency(), program)?,
        ])
    })?;
    tell("bare", bare, "ns");
    tell("bpftrace", bpftrace, "ns");
    tell("funclatency", funclatency, "ns");
    let share = if name == "endbr64" { 0.5 } else { 1.0 };
    let most = bpftrace.min(funclatency) * share;
    Ok(judge("tracer", tracer, most, "ns"))
}

/// While a tool measures that knows no commands.
fn beside(tool: &mut Command, program: &Path) -> Result<f64> {
    if paths::find(tool.get_program()).is_none() {
        bail!("{} is not installed: `cargo xtask setup`", run::shown(tool));
    }
    let measuring = Measuring::start(tool, Stdio::null())?;
    let start = Instant::now();
    while per_call(program, "1000")? < PROBED_NS {
        if start.elapsed() > Duration::from_secs(20) {
            bail!("{} attaches nothing", run::shown(tool));
        }
        thread::sleep(Duration::from_millis(50));
    }
    // The other of the two probes.
    thread::sleep(Duration::from_millis(300));
    let ns = per_call(program, CALLS)?;
    measuring.end()?;
    Ok(ns)
}

fn per_call(program: &Path, calls: &str) -> Result<f64> {
    printed(Command::new(program).arg(calls))
}

/// What the fixture printed.
fn printed(command: &mut Command) -> Result<f64> {
    let said = quietly(command)?;
    said.lines()
        .find_map(|line| line.strip_prefix("percall ")?.trim().parse().ok())
        .with_context(|| format!("no time per call from {}:\n{said}", run::shown(command)))
}
