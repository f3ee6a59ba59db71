//! `tracer hist`: what it costs, how quickly it starts and ends, and whether its numbers hold.

mod attach;
mod clients;
mod cost;
mod ledger;
mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Bench, judge, tell};
use crate::{paths, run};

pub(super) use attach::run as attach;
pub(super) use clients::run as clients;
pub(super) use cost::run as cost;
pub(super) use ledger::run as ledger;
pub(super) use suite::run as suite;

impl Bench {
    /// `tracer hist` with these arguments, and JSON in this file: what a command prints is its own.
    fn hist(&self, out: &Path) -> Command {
        let mut command = Command::new(&self.tracer);
        command.args(["hist", "--format", "json", "-o"]).arg(out);
        command
    }

    /// A fixture as a program in the scratch directory.
    fn fixture(&self, compiler: &str, source: &str, name: &str, flags: &[&str]) -> Result<PathBuf> {
        let program = self.file(name);
        let mut command = Command::new(compiler);
        if compiler != "rustc" {
            command
                .arg("-I")
                .arg(paths::root().join("tracer/tests/fixtures"));
        }
        command
            .args(flags)
            .arg(paths::root().join("xtask/fixtures").join(source))
            .arg("-o")
            .arg(&program);
        run::status(&mut command)?;
        Ok(program)
    }
}

/// Runs to the end and returns standard output; what it says besides is thrown away.
fn quietly(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", run::shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", run::shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The objects of a file, one for each interval, probe and key.
fn lines(path: &Path) -> Result<Vec<Value>> {
    fs::read_to_string(path)?
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
        .collect()
}

/// A tool that measures until it is interrupted.
struct Measuring {
    child: Child,
    shown: String,
}

impl Measuring {
    /// `said`: where its standard error goes.
    fn start(command: &mut Command, said: impl Into<Stdio>) -> Result<Self> {
        let shown = run::shown(command);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot run {shown}"))?;
        Ok(Self { child, shown })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Interrupts it and waits for its end.
    fn end(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended by itself with {status}", self.shown);
        }
        kill(self.pid(), Signal::SIGINT)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > Duration::from_secs(20) {
                bail!("{} does not end", self.shown);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        // Only where something went wrong is it still there.
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop))
        {
            eprintln!("bench: {}: {error}", self.shown);
        }
    }
}
