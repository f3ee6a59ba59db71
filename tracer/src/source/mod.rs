//! Ways of observing: what each is, how it is attached and drained, and the thread that collects.

mod collect;
mod cpu;
mod function;
mod mappings;
mod tables;

pub use collect::{Collected, Collector, Message, TICK};
pub use cpu::{Cpu, CpuOptions};
pub use function::{By, Function, FunctionOptions};
pub use mappings::Interest;

/// What a source is, as data: titles and messages are made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What it is called in titles.
    pub title: &'static str,
    /// What a weight counts.
    pub unit: &'static str,
    /// The first kernel that has what it needs.
    pub kernel: (u32, u32),
}
