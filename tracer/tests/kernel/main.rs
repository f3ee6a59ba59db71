//! tracer in the running kernel, on programs of known truth. Needs root; says so where it is not.

#[path = "../common/mod.rs"]
mod common;

mod account;
mod children;
mod collector;
mod ending;
mod errors;
mod interface;
mod lives;
mod pictures;
mod scope;
mod shares;
mod tables;
#[path = "../model/xml.rs"]
mod xml;
