//! Stacks: walking them and sending each once.

use aya_ebpf::{
    EbpfContext,
    cty::c_void,
    helpers::generated::{bpf_get_stack, bpf_get_stackid, bpf_loop, bpf_probe_read_user},
    macros::map,
    maps::StackTrace,
};
use tracer_common::*;

use crate::{
    arch::Registers,
    config::Generation,
    ring,
    scratch::{Scratch, StackBuffer},
};

#[map]
static KERNEL_STACKS_0: StackTrace = StackTrace::with_max_entries(4096, 0);
#[map]
static KERNEL_STACKS_1: StackTrace = StackTrace::with_max_entries(4096, 0);

/// Below this an address is no code (`mmap_min_addr`).
const LOWEST_CODE: u64 = 4096;
/// What lies further than this from the stack pointer is not taken for the stack.
const STACK_REACH: u64 = 8 << 20;
/// A chain that ends in 0 after fewer frames than these proves nothing: code without frame pointers
/// has zeros in that register, and on the stack where it points, all the time. The shortest true
/// one is a thread's: what its function calls, its function, and what starts that.
const SHORTEST_COMPLETE: u32 = 3;
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

/// The user part: its end and its hash.
#[inline(always)]
pub fn user_stack(
    regs: &Registers,
    seed: u64,
    scratch: *mut Scratch,
) -> Result<(u32, u64), RingFull> {
    // SAFETY: `scratch` is a map element that this program holds.
    let stack = unsafe { &raw mut (*scratch).stack };
    let (end, frames, hash) = walk_frame_pointers(regs, seed, stack);
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

/// State of the walk along saved frame pointers.
#[repr(C)]
struct Walk {
    /// Where the next frame lies.
    fp: u64,
    /// No frame lies below this.
    lowest: u64,
    hash: u64,
    stack: *mut StackBuffer,
    /// How it ended, `USER_…`.
    end: u32,
    frames: u32,
}

/// Follows saved frame pointers. Leaves the addresses in `stack`; returns how the walk ended, how
/// many frames it found, and their hash.
#[inline(always)]
fn walk_frame_pointers(regs: &Registers, seed: u64, stack: *mut StackBuffer) -> (u32, u32, u64) {
    // SAFETY: `stack` is a map element that this program holds.
    unsafe { (&raw mut (*stack).addresses).cast::<u64>().write(regs.ip) };
    let mut walk = Walk {
        fp: regs.fp,
        lowest: regs.sp,
        hash: mix(seed, regs.ip),
        stack,
        end: USER_TOO_DEEP,
        frames: 1,
    };
    if regs.is_32_bit() {
        walk.end = USER_FOREIGN_ABI;
    } else {
        // SAFETY: the callback gets what it expects, and it outlives the call.
        unsafe {
            bpf_loop(
                MAX_USER_FRAMES as u32 - 1,
                walk_frame as *mut c_void,
                (&raw mut walk).cast(),
                0,
            )
        };
    }
    (walk.end, walk.frames, walk.hash)
}

/// One frame of a [`Walk`].
extern "C" fn walk_frame(index: u32, state: *mut c_void) -> i64 {
    // SAFETY: `bpf_loop` hands on what it was given.
    let walk = unsafe { &mut *state.cast::<Walk>() };
    match caller(walk.fp, walk.lowest) {
        Ok((fp, ret)) => {
            let at = index as usize + 1;
            if at >= MAX_USER_FRAMES {
                return 1;
            }
            // SAFETY: the index is below the length of the array.
            unsafe {
                (&raw mut (*walk.stack).addresses)
                    .cast::<u64>()
                    .add(at)
                    .write(ret)
            };
            walk.hash = mix(walk.hash, ret);
            walk.lowest = walk.fp + 16;
            walk.fp = fp;
            walk.frames = at as u32 + 1;
            0
        }
        Err(USER_COMPLETE) if walk.frames < SHORTEST_COMPLETE => {
            walk.end = USER_NO_FRAME_POINTER;
            1
        }
        Err(end) => {
            walk.end = end;
            1
        }
    }
}

/// The caller's frame pointer and the return address, from the frame at `fp`; or how the stack
/// ends there.
#[inline(always)]
fn caller(fp: u64, lowest: u64) -> Result<(u64, u64), u32> {
    // The psABI marks the outermost frame with a frame pointer of 0.
    if fp == 0 {
        return Err(USER_COMPLETE);
    }
    // Frames lie ever higher, at multiples of the word; anything else is a register that a
    // function without frame pointer uses for its own ends.
    if fp & 7 != 0 || fp < lowest {
        return Err(USER_NO_FRAME_POINTER);
    }
    let mut frame = [0u64; 2];
    // SAFETY: the helper checks the address, and the destination has this size.
    if unsafe { bpf_probe_read_user((&raw mut frame).cast(), 16, fp as *const c_void) } != 0 {
        return Err(if fp - lowest < STACK_REACH {
            USER_READ_FAULT
        } else {
            USER_NO_FRAME_POINTER
        });
    }
    let [next, ret] = frame;
    if ret == 0 {
        return Err(USER_COMPLETE);
    }
    if ret < LOWEST_CODE || ret >> 47 != 0 {
        return Err(USER_NO_FRAME_POINTER);
    }
    Ok((next, ret))
}
