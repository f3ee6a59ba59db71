//! tracer in the running kernel, on programs of known truth. Needs root; says so where it is not.

#[path = "../common/mod.rs"]
mod common;

mod account;
mod children;
mod collector;
mod ending;
mod errors;
mod lives;
mod scope;
mod shares;
