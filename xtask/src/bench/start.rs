//! How soon the first sample is taken, and how soon after the measuring it ends.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::time::{ClockId, clock_gettime};

use super::{Bench, judge, tell, workload};
use crate::run;

/// Seconds from start to end of a profile of one second.
pub(super) fn wall(bench: &Bench) -> Result<bool> {
    let busy = workload::burn(bench.scratch.path())?;
    let pid = busy.pid().to_string();
    let flame = || bench.flame(&["-p", &pid, "-F", "99", "-d", "1"]);
    let perf = || bench.perf(&["-F", "99", "-p", &pid, "--", "sleep", "1"]);
    println!(
        "wall time of 1 s of one busy process, median of {}",
        bench.rounds
    );
    println!("  {}\n  {}", run::shown(&flame()), run::shown(&perf()));
    let [flame, perf] = bench.medians(|| Ok([timed(&mut flame())?, timed(&mut perf())?]))?;
    tell("perf record (no names, no picture)", perf, "s");
    Ok(judge("tracer flame (names and picture)", flame, 1.4, "s"))
}

fn timed(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    run::status(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    Ok(start.elapsed().as_secs_f64())
}

/// Milliseconds from the start of the program to its first sample.
pub(super) fn first_sample(bench: &Bench) -> Result<bool> {
    let busy = workload::burn(bench.scratch.path())?;
    let pid = busy.pid().to_string();
    let flame = || bench.flame(&["-p", &pid, "-F", "99", "-d", "1", "--debug-times"]);
    let perf = || {
        bench.perf(&[
            "-F",
            "99",
            "-k",
            "CLOCK_MONOTONIC",
            "-p",
            &pid,
            "--",
            "sleep",
            "1",
        ])
    };
    println!(
        "start to first sample, of one busy process, median of {}",
        bench.rounds
    );
    println!("  {}\n  {}", run::shown(&flame()), run::shown(&perf()));
    let [flame, perf] = bench.medians(|| {
        let output = flame().stdout(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = first_sample_ms(&said)
            .with_context(|| format!("no first_sample_ms on standard error:\n{said}"))?;
        let start = monotonic_ms()?;
        run::status(perf().stdout(Stdio::null()).stderr(Stdio::null()))?;
        Ok([first, perf_first_ms(bench)? - start])
    })?;
    tell("perf record", perf, "ms");
    Ok(judge("tracer flame", flame, 140.0, "ms"))
}

/// From the line of JSON that `--debug-times` prints.
fn first_sample_ms(said: &str) -> Option<f64> {
    said.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.trim()).ok())
        .find_map(|times| times.get("first_sample_ms")?.as_f64())
}

fn monotonic_ms() -> Result<f64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() as f64 * 1e3 + now.tv_nsec() as f64 / 1e6)
}

/// The time of the first sample in perf's file.
fn perf_first_ms(bench: &Bench) -> Result<f64> {
    let mut script = Command::new("perf");
    script
        .args(["script", "-F", "time", "-G", "--ns", "-i"])
        .arg(bench.file("perf.data"));
    let times = run::output(script.stderr(Stdio::null()))?;
    let first = times
        .lines()
        .find_map(|line| line.trim().trim_end_matches(':').parse::<f64>().ok());
    Ok(first.context("perf took no sample")? * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_times_is_found_among_others() {
        let said = "measuring…\n{\"first_sample_ms\":97.5,\"loaded_ms\":80}\n99 samples\n";
        assert_eq!(first_sample_ms(said), Some(97.5));
        assert_eq!(first_sample_ms("{\"other\":1}\n"), None);
    }
}
