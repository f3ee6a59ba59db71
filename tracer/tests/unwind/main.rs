//! Unwind tables of real files, beside what gimli reads from them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests; clippy knows only functions marked as such"
)]

mod lookup;
mod oracle;
mod real;
