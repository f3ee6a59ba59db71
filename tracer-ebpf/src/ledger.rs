//! Counting, per CPU and generation.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::Counters;

use crate::config::Generation;

#[map]
static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(2, 0);

/// This CPU's counters of a generation.
#[inline(always)]
pub fn counters(generation: Generation) -> Option<*mut Counters> {
    COUNTERS.get_ptr_mut(generation.index())
}

/// Adds to a counter that an interrupt may be adding to as well.
#[inline(always)]
pub fn add(counter: *mut u64, amount: u64) {
    // SAFETY: `counter` points into a map element, which lives as long as the program is loaded.
    // The result is not used: with a relaxed order it would not be the old value on this target.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, amount) };
}
