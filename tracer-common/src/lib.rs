//! Facts that tracer's programs in the kernel and its user side share: what crosses the border,
//! byte for byte.
//!
//! Nothing here has padding, a bool, an enum or a pointer; sizes are asserted, so that both sides
//! are known to agree whatever compiled them.

#![no_std]

mod bucket;
mod plain;
pub mod unwind;
mod wire;

pub use bucket::{BUCKETS, bucket_high, bucket_low, bucket_of};
pub use plain::Plain;
pub use wire::*;
