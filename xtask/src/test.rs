//! Every test.
//!
//! Those of the kernel side serialise themselves by a file lock, so that the rest run side by side.

use std::process::Command;

use anyhow::Result;

use crate::run;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

fn all() -> Command {
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--locked"]);
    command
}

pub(crate) fn run(args: &Args) -> Result<()> {
    run::status(all().args(&args.rest))
}

/// A kernel test that would be skipped fails instead.
pub(crate) fn run_with_kernel() -> Result<()> {
    run::status(all().env("TRACER_REQUIRE_KERNEL", "1"))
}

/// Golden files become what the code does now.
pub(crate) fn bless() -> Result<()> {
    run::status(all().env("BLESS", "1"))
}
