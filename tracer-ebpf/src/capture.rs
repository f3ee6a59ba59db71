//! Stacks: walking them and sending each once.

use aya_ebpf::{
    EbpfContext,
    cty::c_void,
    helpers::generated::{bpf_get_stack, bpf_get_stackid, bpf_loop},
    macros::map,
    maps::StackTrace,
};
use tracer_common::*;

use crate::{
    arch::Registers,
    config::Generation,
    ring,
    scratch::{Scratch, StackBuffer},
    task::Task,
    unwind,
};

#[map]
static KERNEL_STACKS_0: StackTrace = StackTrace::with_max_entries(4096, 0);
#[map]
static KERNEL_STACKS_1: StackTrace = StackTrace::with_max_entries(4096, 0);

/// `EEXIST`: the stack-trace map holds another stack in that bucket.
const TAKEN: i64 = -17;

/// Why a stack could not be had.
pub struct RingFull;

/// The kernel part of a sample that was taken in the kernel.
#[inline(always)]
pub fn kernel_stack(
    ctx: &impl EbpfContext,
    generation: Generation,
    seed: u64,
    scratch: *mut Scratch,
) -> Result<(u32, u64), RingFull> {
    let map = if generation.index() == 0 {
        &raw const KERNEL_STACKS_0
    } else {
        &raw const KERNEL_STACKS_1
    };
    // SAFETY: a context and a map of this program; flags 0 compare whole stacks.
    let id = unsafe { bpf_get_stackid(ctx.as_ptr(), map.cast_mut().cast(), 0) };
    if id >= 0 {
        return Ok((KERNEL_MAP, id as u64));
    }
    if id != TAKEN {
        return Ok((KERNEL_FAILED, 0));
    }
    // SAFETY: `scratch` is a map element that this program holds.
    let stack = unsafe { &raw mut (*scratch).stack };
    let frames = read_kernel_stack(ctx, stack);
    if frames == 0 {
        return Ok((KERNEL_FAILED, 0));
    }
    let mut hashing = Hashing {
        hash: seed,
        stack,
        frames,
    };
    // SAFETY: the callback gets what it expects, and it outlives the call.
    unsafe {
        bpf_loop(
            frames,
            hash_frame as *mut c_void,
            (&raw mut hashing).cast(),
            0,
        )
    };
    let hash = hashing.hash;
    if ring::send_once(stack, RECORD_KERNEL_STACK, frames, hash) {
        Ok((KERNEL_HASHED, hash))
    } else {
        Err(RingFull)
    }
}

#[inline(always)]
fn read_kernel_stack(ctx: &impl EbpfContext, stack: *mut StackBuffer) -> u32 {
    const BYTES: u32 = (MAX_KERNEL_FRAMES * 8) as u32;
    // SAFETY: the buffer is larger than what the helper may write.
    let bytes = unsafe {
        bpf_get_stack(
            ctx.as_ptr(),
            (&raw mut (*stack).addresses).cast::<c_void>(),
            BYTES,
            0,
        )
    };
    if bytes < 0 { 0 } else { bytes as u32 / 8 }
}

/// Whose stack it is.
pub struct Who {
    pub task: Task,
    pub tgid: u32,
    pub tid: u32,
}

/// The user part: its end and its hash.
#[inline(always)]
pub fn user_stack(
    regs: &Registers,
    config: &Config,
    who: &Who,
    scratch: *mut Scratch,
) -> Result<(u32, u64), RingFull> {
    let (end, frames, hash) = unwind::walk(regs, config, who, scratch);
    if end == USER_DEFERRED {
        return Ok((end, hash));
    }
    // SAFETY: `scratch` is a map element that this program holds.
    let stack = unsafe { &raw mut (*scratch).stack };
    if ring::send_once(stack, RECORD_USER_STACK, frames, hash) {
        Ok((end, hash))
    } else {
        Err(RingFull)
    }
}

/// State of the loop over a stack's frames.
#[repr(C)]
struct Hashing {
    hash: u64,
    stack: *const StackBuffer,
    frames: u32,
}

/// One frame of [`Hashing`].
extern "C" fn hash_frame(index: u32, state: *mut c_void) -> i64 {
    // SAFETY: `bpf_loop` hands on what it was given.
    let state = unsafe { &mut *state.cast::<Hashing>() };
    if index >= state.frames || index as usize >= MAX_KERNEL_FRAMES {
        return 1;
    }
    // SAFETY: the index is below the length of the array.
    let address = unsafe {
        (&raw const (*state.stack).addresses)
            .cast::<u64>()
            .add(index as usize)
            .read()
    };
    state.hash = mix(state.hash, address);
    0
}
