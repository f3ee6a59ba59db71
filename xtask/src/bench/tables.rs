//! Unwind tables of everything that is installed: whether gimli makes the same of each file, how fast
//! they are made and what they take.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{judge, judge_least, tell};
use crate::{paths, run};

const DIRECTORIES: [&str; 4] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/gcc",
];

/// Everything that `unwind_tables` prints.
pub(super) fn run() -> Result<bool> {
    let mut build = run::cargo();
    build.args(["build", "--release", "--locked", "--package", "tracer"]);
    run::status(build.args(["--example", "unwind_tables"]))?;
    let example: PathBuf = paths::release_tracer().with_file_name("examples/unwind_tables");
    let output = run::output(Command::new(example).args(DIRECTORIES))?;
    let report: Value = serde_json::from_str(&output)?;
    let (files, mapped) = (&report["files"], &report["mapped"]);
    println!(
        "unwind tables of {} ELF files in {}",
        files["compared"],
        DIRECTORIES.join(", ")
    );
    let differing = files["differing"].as_array().context("no comparison")?;
    for path in differing {
        println!("  gimli reads another table from {path}");
    }
    let different = judge(
        "tables that gimli makes differently",
        differing.len() as f64,
        0.0,
        "",
    );
    let speed = number(&files["mb_per_s"])?;
    let speed = judge_least(".eh_frame read, warm, on one core", speed, 150.0, "MB/s");
    let slowest = number(&files["slowest_mb_per_s"])?;
    tell("of the slowest large file", slowest, "MB/s");
    let bytes = number(&files["table_bytes"])? / number(&files["rows"])?;
    let bytes = judge("memory per million rows", bytes, 4.5, "MB");
    for (kind, rows) in files["kinds"].as_object().context("no kinds of rows")? {
        tell(&format!("rows: {kind}"), number(rows)?, "");
    }
    println!(
        "tables of all {} files that running processes have code of: {} rows",
        mapped["files"], mapped["rows"]
    );
    let mapped = judge("time, on one core", number(&mapped["s"])?, 1.0, "s");
    Ok(different && speed && bytes && mapped)
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().context("a number is missing")
}
