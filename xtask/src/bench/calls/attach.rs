//! How soon thousands of functions are attached, and how soon they are let go.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::{Bench, Measuring, judge, tell};
use crate::run;

pub(in crate::bench) fn run(bench: &Bench) -> Result<bool> {
    let program = bench.fixture("c++", "start.cc", "start", &["-O1"])?;
    let mut shown = bench.hist(Path::new("/dev/null"));
    shown
        .args(["uprobe:libstdc++:*", "--yes", "--"])
        .arg(&program);
    println!(
        "every function of libstdc++, median of {}\n  {}",
        bench.rounds,
        run::shown(&shown)
    );
    let [functions, began, ended] = bench.medians(|| round(bench, &program))?;
    tell("functions", functions, "");
    let began = judge("from tracer's start to the program's main", began, 1.0, "s");
    let ended = judge("from Ctrl-C to tracer's end", ended, 1.0, "s");
    Ok(began && ended)
}

fn round(bench: &Bench, program: &Path) -> Result<[f64; 3]> {
    let mut command = bench.hist(Path::new("/dev/null"));
    command
        .args(["uprobe:libstdc++:*", "--yes", "--"])
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let start = monotonic_s()?;
    let shown = run::shown(&command);
    let mut child = command.spawn()?;
    let out = child.stdout.take().context("no standard output")?;
    let said = child.stderr.take().context("no standard error")?;
    let mut tracer = Measuring { child, shown };
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let (pid, main_ns) = line
        .trim()
        .split_once(' ')
        .with_context(|| format!("{} began with '{line}'", tracer.shown))?;
    let began = main_ns.parse::<f64>()? / 1e9 - start;
    let program = Pid::from_raw(pid.parse()?);
    // As a terminal does: to both.
    let interrupted = Instant::now();
    kill(tracer.pid(), Signal::SIGINT)?;
    kill(program, Signal::SIGINT)?;
    tracer.wait()?;
    let ended = interrupted.elapsed().as_secs_f64();
    let mut text = String::new();
    BufReader::new(said).read_to_string(&mut text)?;
    let functions =
        functions(&text).with_context(|| format!("no number of functions in:\n{text}"))?;
    Ok([functions, began, ended])
}

/// From `tracer: probing 3811 functions in 1 file`.
fn functions(said: &str) -> Option<f64> {
    let (_, rest) = said.split_once("probing ")?;
    rest.split_once(' ')?.0.replace(',', "").parse().ok()
}

fn monotonic_s() -> Result<f64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_functions_is_read() {
        let said = "tracer: probing 3811 functions in 1 file, 2948 of them moved\n";
        assert_eq!(functions(said), Some(3811.0));
        assert_eq!(functions("tracer: nothing matched\n"), None);
    }
}
