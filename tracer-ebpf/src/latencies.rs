//! Adding latencies up in the kernel: an array of histograms for a few functions, a hash map of
//! buckets for many or where calls are told apart.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::{HashMap, PerCpuArray},
};
use tracer_common::{
    BUCKETS, CALLS_BY_COMM, CALLS_BY_PROCESS, CALLS_BY_THREAD, CALLS_DENSE, CallCell, CallConfig,
    CallHistogram, CallKey, bucket_of,
};

use crate::{config::Generation, ledger::add};

/// Of each function one, in the order of their numbers, for each generation.
#[map]
static CALL_HISTOGRAMS: PerCpuArray<CallHistogram> = PerCpuArray::with_max_entries(1, 0);
#[map]
static CALL_CELLS_0: HashMap<CallKey, CallCell> = HashMap::with_max_entries(1, 0);
#[map]
static CALL_CELLS_1: HashMap<CallKey, CallCell> = HashMap::with_max_entries(1, 0);

/// Counts a latency; `false`: there is no room for it.
#[inline(always)]
pub fn record(generation: Generation, config: &CallConfig, function: u32, latency: u64) -> bool {
    if config.flags & CALLS_DENSE != 0 {
        dense(generation, config, function, latency)
    } else {
        let key = CallKey {
            function,
            bucket: bucket_of(latency),
            who: who(config.by),
        };
        if generation.index() == 0 {
            sparse(&CALL_CELLS_0, &key, latency)
        } else {
            sparse(&CALL_CELLS_1, &key, latency)
        }
    }
}

#[inline(always)]
fn dense(generation: Generation, config: &CallConfig, function: u32, latency: u64) -> bool {
    let Some(histogram) =
        CALL_HISTOGRAMS.get_ptr_mut(generation.index() * config.functions + function)
    else {
        return false;
    };
    let bucket = bucket_of(latency);
    if bucket >= BUCKETS {
        return false;
    }
    // SAFETY: a pointer to a map element, and an index below the length of its array.
    unsafe {
        add(
            (&raw mut (*histogram).buckets)
                .cast::<u64>()
                .add(bucket as usize),
            1,
        );
        add(&raw mut (*histogram).sum, latency);
        raise(&raw mut (*histogram).min_complement, !latency);
        raise(&raw mut (*histogram).max, latency);
    }
    true
}

#[inline(always)]
fn sparse(cells: &HashMap<CallKey, CallCell>, key: &CallKey, latency: u64) -> bool {
    if let Some(cell) = cells.get_ptr_mut(key) {
        add_to(cell, latency);
        return true;
    }
    let first = CallCell {
        count: 1,
        sum: latency,
        min_complement: !latency,
        max: latency,
    };
    if cells.insert(key, &first, BPF_NOEXIST.into()).is_ok() {
        return true;
    }
    // Another CPU may have been first.
    match cells.get_ptr_mut(key) {
        Some(cell) => {
            add_to(cell, latency);
            true
        }
        None => false,
    }
}

#[inline(always)]
fn add_to(cell: *mut CallCell, latency: u64) {
    // SAFETY: a pointer to a map element.
    unsafe {
        add(&raw mut (*cell).count, 1);
        add(&raw mut (*cell).sum, latency);
        raise(&raw mut (*cell).min_complement, !latency);
        raise(&raw mut (*cell).max, latency);
    }
}

/// Makes a value at least so large, while others may do the same. It nearly always is already.
#[inline(always)]
fn raise(value: *mut u64, least: u64) {
    // SAFETY: a pointer into a map element.
    let mut seen = unsafe { value.read_volatile() };
    // Each round that fails has seen another one raise it.
    for _ in 0..16 {
        if seen >= least {
            return;
        }
        // SAFETY: as above.
        let (was, done) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                value, seen, least,
            )
        };
        if done {
            return;
        }
        seen = was;
    }
}

/// What the caller is told apart by.
#[inline(always)]
fn who(by: u32) -> [u8; 16] {
    if by == CALLS_BY_COMM {
        return bpf_get_current_comm().unwrap_or_default();
    }
    let ids = bpf_get_current_pid_tgid();
    let number = match by {
        CALLS_BY_PROCESS => (ids >> 32) as u32,
        CALLS_BY_THREAD => ids as u32,
        _ => 0,
    };
    let mut who = [0; 16];
    let [a, b, c, d] = number.to_ne_bytes();
    (who[0], who[1], who[2], who[3]) = (a, b, c, d);
    who
}
