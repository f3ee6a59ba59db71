//! The border to the kernel: loading programs and maps, perf events, reading what they left.
//!
//! The only module that knows aya, and the only one with raw system calls. Everything above works
//! with what it returns: descriptors that close themselves, and plain values.

mod account;
mod arena;
mod btf;
mod calibrate;
mod calls;
mod deferred;
mod drain;
mod error;
mod generation;
mod grace;
mod health;
mod heap;
mod known;
mod limits;
mod mapped;
mod object;
mod perf;
mod session;
mod sideband;
mod sys;
mod tables;
mod uprobes;

pub use account::Due;
pub use calibrate::{AttachMode, CallCost, ProbeCosts, calibrate, calibrate_and_compare};
pub use calls::{By, CallOptions, CallSession};
pub use error::{Error, Result};
pub use health::{Health, MapFill, ProgramRuns};
pub use heap::give_back_large_blocks;
pub use limits::Shrink;
pub use perf::{Event, Ticks};
pub use session::{Meter, Session, SessionOptions, Target};
pub use tables::{NoTable, TableRequests, TableUse, Tables};
pub use uprobes::Place;
