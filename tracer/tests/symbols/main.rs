//! Symbolization from outside: real files, real processes, a real worker.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests; clippy knows only functions marked as such"
)]

mod elf;
mod fixture;
mod gone;
mod hostile;
mod kernel;
mod perf_map;
