//! The two generations of every map that is drained.
//!
//! Programs write one of them. Retiring it makes the other one current and waits until no program that
//! saw the old word still runs: then whoever drains has it to himself.

use super::{Error, Result, grace::GracePeriod, object::Object, sys};
use crate::proc;

/// Which generation is being written.
pub(super) struct Generations {
    current: u32,
    grace_period: GracePeriod,
}

impl Generations {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            current: 0,
            grace_period: GracePeriod::new()
                .map_err(|error| Error::from_os("create a BPF map", error))?,
        })
    }

    /// Retires the current generation, and waits until nothing writes it any more, 5 to 20 ms. Gives
    /// its number, and when what is counted began to belong to the other one.
    pub(super) fn retire(&mut self, object: &Object) -> Result<(u32, u64)> {
        let retired = self.current;
        self.current ^= 1;
        let current = self.current.to_ne_bytes();
        sys::map_update(object.map("GENERATION")?, &0u32.to_ne_bytes(), &current)
            .map_err(|error| Error::from_os("switch generations", error))?;
        let end_ns = proc::monotonic_ns();
        self.grace_period
            .wait()
            .map_err(|error| Error::from_os("wait for a grace period", error))?;
        Ok((retired, end_ns))
    }
}
