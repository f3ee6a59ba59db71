//! Room for what does not fit on the stack of a BPF program (512 bytes).
//!
//! Programs interrupt each other on one CPU, and on a preemptible kernel they do not even end in
//! the reverse order of their start. So each takes a free slot, rather than one by depth.

use core::intrinsics::{AtomicOrdering, atomic_xchg};

use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::{
    CodeMapping, DeferredHeader, MAX_DEFERRED_MAPPINGS, MAX_USER_FRAMES, SCRATCH_SLOTS, SampleKey,
    StackHeader,
};

use crate::unwind::Walk;

/// A stack record as it is sent: header, then addresses.
#[repr(C)]
pub struct StackBuffer {
    pub header: StackHeader,
    pub addresses: [u64; MAX_USER_FRAMES],
}

#[repr(C)]
pub struct Scratch {
    busy: u64,
    pub key: SampleKey,
    /// A walk up a user stack.
    pub walk: Walk,
    /// A node of the tree of mappings.
    pub node: [u64; 32],
    /// These three are one record, of which the last part is the stack's bytes.
    pub deferred: DeferredHeader,
    pub mappings: [CodeMapping; MAX_DEFERRED_MAPPINGS],
    pub stack: StackBuffer,
}

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(SCRATCH_SLOTS, 0);

/// Takes a free slot of the first `slots`, and says which; `None`: all are taken.
#[inline(always)]
pub fn take(slots: u32) -> Option<(*mut Scratch, u32)> {
    let mut index = 0;
    while index < SCRATCH_SLOTS {
        if index >= slots {
            return None;
        }
        let slot = SCRATCH.get_ptr_mut(index)?;
        // SAFETY: `slot` points to a map element; its first word is only ever exchanged.
        let was =
            unsafe { atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(&raw mut (*slot).busy, 1) };
        if was == 0 {
            return Some((slot, index));
        }
        index += 1;
    }
    None
}

/// Gives a slot back.
#[inline(always)]
pub fn give(slot: *mut Scratch) {
    // SAFETY: `slot` was taken by this program and nothing uses it after this.
    unsafe { (&raw mut (*slot).busy).write_volatile(0) };
}
