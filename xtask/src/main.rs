//! Development tasks: `cargo xtask --help`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task's output is for the terminal"
)]

mod bench;
mod bless;
mod ci;
mod ebpf;
mod paths;
mod run;
mod screenshots;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of tracer")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building the BPF object and running every test needs (Debian)
    Setup,
    /// Build the BPF object that is committed
    Ebpf(ebpf::Args),
    /// Run every test; those that need the kernel's privileges are skipped without them
    Test(test::Args),
    /// Scan the sources for what the architecture forbids
    Tidy,
    /// All that a change must pass, in order
    Ci,
    /// Write the golden files anew
    Bless,
    /// Measure tracer beside perf, bpftrace and funclatency
    Bench(bench::Args),
    /// Make the pictures that the README shows
    Screenshots,
    /// Run a command and write what it used as JSON
    #[command(hide = true)]
    Measure(bench::measure::Args),
}

fn main() -> ExitCode {
    if let Some(compiled) = ebpf::run_if_asked() {
        return compiled;
    }
    let done = match Cli::parse().task {
        Task::Setup => setup::run(),
        Task::Ebpf(args) => ebpf::run(args),
        Task::Test(args) => test::run(&args),
        Task::Tidy => tidy::run(),
        Task::Ci => ci::run(),
        Task::Bless => bless::run(),
        Task::Bench(args) => bench::run(&args),
        Task::Screenshots => screenshots::run(),
        Task::Measure(args) => bench::measure::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
