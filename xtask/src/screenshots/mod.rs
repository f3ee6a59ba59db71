//! The pictures that the README shows, of real programs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::bench::workload::{self, Busy};
use crate::{paths, run};

/// How long the interface measures before it is pictured: as long as its timeline is wide.
const MEASURED: Duration = Duration::from_secs(56);

/// Functions of postgres, from parsing to commit.
const OF_A_TRANSACTION: &str = "/^(raw_parser|pg_analyze_and_rewrite.*|pg_plan_query|PortalRun|\
     ExecutorStart|ExecutorRun|CommitTransactionCommand|XLogFlush|XLogInsertRecord|LWLockAcquire|\
     heap_update|heap_insert|index_getnext_slot|ReadBufferExtended)$/";

pub(crate) fn run() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("measuring needs root");
    }
    run::status(run::cargo().args(["build", "--release", "--locked", "--package", "tracer"]))?;
    let directory = paths::root().join("screenshots");
    fs::create_dir_all(&directory)?;
    flame(&directory.join("flame.svg"))?;
    interface(&directory.join("top"))?;
    latencies(&directory.join("hist"))
}

fn tracer(arguments: &[&str], pids: &[u32], directory: &Path) -> Result<()> {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let mut command = Command::new(paths::release_tracer());
    command.args(arguments).arg(directory);
    command.args(["-p", &pids.join(",")]);
    println!("screenshots: {}", run::shown(&command));
    run::status(&mut command)
}

/// Most of what a server does for its clients it does in the kernel, whose stacks are whole.
fn flame(picture: &Path) -> Result<()> {
    let redis = workload::redis()?;
    tracer(
        &["flame", "-F", "499", "-d", "5", "-o"],
        &redis.pids,
        picture,
    )
}

/// What a database does for each of its clients' transactions.
fn latencies(directory: &Path) -> Result<()> {
    let postgres = workload::postgres(MEASURED, &["-R", "400", "-b", "tpcb-like"])?;
    thread::sleep(Duration::from_secs(1));
    let program = workload::postgres_binaries()?.join("postgres");
    let probe = format!("uprobe:{}:{OF_A_TRANSACTION}", program.display());
    let duration = MEASURED.as_secs().to_string();
    let hist = ["hist", &probe, "-d", &duration, "--pictures"];
    tracer(&hist, &postgres.pids, directory)
}

/// A server that is never idle and never full, and a program that is busy at times.
fn interface(directory: &Path) -> Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let burn = workload::build_burn(scratch.path())?;
    let script = paths::root().join("xtask/src/screenshots/report.py");
    // Debian's, whatever else there is on the search path: it has the names of its functions.
    let python = Busy::start(Command::new("/usr/bin/python3").arg(script).arg(burn))?;
    let mut postgres = workload::postgres(MEASURED, &["-R", "2500"])?;
    thread::sleep(Duration::from_secs(1));
    postgres.pids.push(python.pid());
    let duration = MEASURED.as_secs().to_string();
    let top = ["top", "-d", &duration, "--pictures"];
    tracer(&top, &postgres.pids, directory)
}
