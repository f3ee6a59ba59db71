//! The ring buffer: what travels once.
//!
//! Nobody is woken: the user side reads it by its own clock, so that measuring the scheduler does
//! not schedule.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::generated::bpf_ringbuf_output,
    macros::map,
    maps::{Array, RingBuf},
};
use tracer_common::{
    CodeMapping, DeferredHeader, MAX_DEFERRED_MAPPINGS, MAX_DEFERRED_STACK, MAX_USER_FRAMES,
    SENT_SLOTS, StackHeader,
};

use crate::scratch::{Scratch, StackBuffer};

#[map]
static RING: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Threads to be unwound later.
#[map]
static DEFERRED: RingBuf = RingBuf::with_byte_size(1 << 21, 0);

/// Stacks that have been sent, each at the slot that its hash selects. Losing one (another stack
/// took its slot) means that it is sent again, which is harmless.
#[map]
static SENT: Array<u64> = Array::with_max_entries(SENT_SLOTS, 0);

/// Sends `bytes` at `data`.
#[inline(always)]
pub fn send(data: *const u8, bytes: u64) -> bool {
    // SAFETY: the caller gives memory of that size, and the verifier checks it.
    unsafe {
        bpf_ringbuf_output(
            (&raw const RING).cast_mut().cast(),
            data.cast_mut().cast(),
            bytes,
            BPF_RB_NO_WAKEUP.into(),
        ) == 0
    }
}

/// Sends a thread to be unwound later, with so many bytes of its stack; `false`: the ring refused it.
#[inline(always)]
pub fn send_deferred(scratch: *mut Scratch, stack: u64) -> bool {
    const HEAD: u64 = (size_of::<DeferredHeader>()
        + size_of::<[CodeMapping; MAX_DEFERRED_MAPPINGS]>()
        + size_of::<StackHeader>()) as u64;
    if stack > MAX_DEFERRED_STACK as u64 {
        return false;
    }
    // SAFETY: `scratch` is a map element that this program holds, and the record lies within.
    unsafe {
        bpf_ringbuf_output(
            (&raw const DEFERRED).cast_mut().cast(),
            (&raw mut (*scratch).deferred).cast(),
            HEAD + stack,
            BPF_RB_NO_WAKEUP.into(),
        ) == 0
    }
}

/// Sends a stack unless it has been; `false`: the ring refused it.
#[inline(always)]
pub fn send_once(stack: *mut StackBuffer, kind: u32, frames: u32, hash: u64) -> bool {
    let Some(sent) = SENT.get_ptr_mut(hash as u32 & (SENT_SLOTS - 1)) else {
        return false;
    };
    // SAFETY: `sent` and `stack` point to map elements. Two CPUs may race for a slot of SENT: a
    // word is written whole, and whichever wins, the other stack is merely sent again.
    unsafe {
        if sent.read_volatile() == hash {
            return true;
        }
        (*stack).header = StackHeader { kind, frames, hash };
        let frames = if frames as usize > MAX_USER_FRAMES {
            MAX_USER_FRAMES as u64
        } else {
            u64::from(frames)
        };
        if !send(stack.cast(), size_of::<StackHeader>() as u64 + frames * 8) {
            return false;
        }
        sent.write_volatile(hash);
    }
    true
}
