//! tracer in the running kernel, on programs of known truth. Needs root; says so where it is not.

#[path = "../common/mod.rs"]
mod common;

mod account;
mod calls;
mod children;
mod collector;
mod doctor;
mod ending;
mod errors;
mod interface;
mod latency_interface;
mod lives;
mod pictures;
mod placement;
mod scope;
mod shares;
mod tables;
mod unwind;
#[path = "../model/xml.rs"]
mod xml;
