//! The pictures that the README shows, of real programs.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::bench::workload;
use crate::{paths, run};

pub(crate) fn run() -> Result<()> {
    run::status(run::cargo().args(["build", "--release", "--locked", "--package", "tracer"]))?;
    let directory = paths::root().join("screenshots");
    fs::create_dir_all(&directory)?;
    let picture = directory.join("flame.svg");
    // Most of what a server does for its clients it does in the kernel, whose stacks are whole.
    let redis = workload::redis()?;
    let server: Vec<String> = redis.pids.iter().map(u32::to_string).collect();
    let mut flame = Command::new(paths::release_tracer());
    flame.args([
        "flame",
        "-F",
        "499",
        "-d",
        "5",
        "-p",
        &server.join(","),
        "-o",
    ]);
    flame.arg(&picture);
    println!("screenshots: {}", run::shown(&flame));
    run::status(&mut flame)?;
    println!("screenshots: {}", picture.display());
    Ok(())
}
