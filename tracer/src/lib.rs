//! tracer: see where a Linux machine spends its time.
//!
//! This library is the program; `main.rs` only runs it. Dependencies point downwards: commands
//! compose sources, the model, views and exports, and none of those knows the commands.

#![deny(unsafe_code)]

pub mod export;
pub mod profile;
pub mod symbol;
pub mod view;
pub mod worker;
