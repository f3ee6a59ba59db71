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
    /// 0: free; else the slot's number, from 1.
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

/// Takes a free slot of the first `slots`; `None`: all are taken.
#[inline(always)]
pub fn take(slots: u32) -> Option<*mut Scratch> {
    let mut index = 0;
    while index < SCRATCH_SLOTS {
        if index >= slots {
            return None;
        }
        let slot = SCRATCH.get_ptr_mut(index)?;
        // SAFETY: `slot` points to a map element; its first word is only ever exchanged.
        let number = u64::from(index) + 1;
        let was = unsafe {
            atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(&raw mut (*slot).busy, number)
        };
        if was == 0 {
            return Some(slot);
        }
        index += 1;
    }
    None
}

/// The number of a slot, from 0. Read from there: a constant for each slot, and the verifier would look
/// at all that follows for each.
#[inline(always)]
pub fn number(slot: *mut Scratch) -> u32 {
    // SAFETY: `slot` was taken by this program.
    unsafe { (&raw const (*slot).busy).read_volatile() as u32 - 1 }
}

/// Gives a slot back.
#[inline(always)]
pub fn give(slot: *mut Scratch) {
    // SAFETY: `slot` was taken by this program and nothing uses it after this.
    unsafe { (&raw mut (*slot).busy).write_volatile(0) };
}
