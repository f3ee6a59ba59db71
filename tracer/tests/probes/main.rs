//! Probes from outside: what people type, resolved in real files and processes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests; clippy knows only functions marked as such"
)]

mod files;
mod fixture;
mod names;
mod places;
mod system;
