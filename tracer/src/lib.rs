//! tracer: see where a Linux machine spends its time.
//!
//! This library is the program; `main.rs` only runs it. Dependencies point downwards: commands
//! compose sources, the model, views and exports, and none of those knows the commands.

#![deny(unsafe_code)]

pub mod cli;
pub mod cmd;
pub mod export;
#[allow(
    unsafe_code,
    reason = "the border to the kernel: the one place for raw system calls"
)]
pub mod kernel;
pub mod plan;
pub mod probe;
pub mod proc;
pub mod profile;
pub mod source;
pub mod symbol;
pub mod tui;
pub mod unwind;
pub mod view;
pub mod worker;
