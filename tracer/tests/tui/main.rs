//! The interface with no terminal and no kernel: scripted batches → answers → state → cells.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "shared with the tests of the model")]
#[path = "../model/cases.rs"]
mod cases;
#[path = "../model/golden.rs"]
mod golden;
#[path = "../model/names.rs"]
mod names;
#[path = "../model/naming.rs"]
mod naming;
#[allow(dead_code, reason = "shared with the tests of the model")]
#[path = "../model/script.rs"]
mod script;

mod agree;
mod driver;
mod fuzz;
mod hostile;
mod keys;
mod latency;
mod mouse;
mod profiles;
mod prompts;
mod screens;
mod state;
