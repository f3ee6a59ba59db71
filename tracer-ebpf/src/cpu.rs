//! On-CPU sampling.

use aya_ebpf::{
    EbpfContext as _,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    programs::PerfEventContext,
};
use tracer_common::{Config, Counters, KERNEL_NONE, SampleKey, USER_NONE};

use crate::{
    aggregate,
    arch::Registers,
    capture::{self, RingFull, Who},
    config::{self, Generation},
    filter,
    ledger::{self, add},
    scratch::{self, Scratch},
    task::Task,
    unwind,
};

/// One tick: exactly one counter besides `fired` rises, or one count in the map.
#[inline(always)]
pub fn sample(ctx: &PerfEventContext) {
    // SAFETY: the helper has no preconditions.
    let begin = unsafe { bpf_ktime_get_ns() };
    let Some(generation) = config::generation() else {
        return;
    };
    let Some(counters) = ledger::counters(generation) else {
        return;
    };
    // SAFETY: in this function, `counters` points to a map element.
    add(unsafe { &raw mut (*counters).fired }, 1);
    let missed = observe(ctx, generation, counters, begin);
    if !missed.is_null() {
        add(missed, 1);
    }
    add(
        unsafe { &raw mut (*counters).bpf_ns },
        unsafe { bpf_ktime_get_ns() } - begin,
    );
}

/// Returns the counter that the sample belongs to if it is not recorded, or null.
#[inline(always)]
fn observe(
    ctx: &PerfEventContext,
    generation: Generation,
    counters: *mut Counters,
    now: u64,
) -> *mut u64 {
    // SAFETY: in this function, `counters` points to a map element.
    let filtered = unsafe { &raw mut (*counters).filtered };
    let Some(config) = config::config() else {
        return filtered;
    };
    let task = Task::current();
    let ids = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((ids >> 32) as u32, ids as u32);
    if tid == 0 {
        add(unsafe { &raw mut (*counters).idle }, 1);
    }
    if !filter::wanted(config, task, tgid, tid) {
        return filtered;
    }
    unsafe {
        if (*counters).first_ns == 0 {
            (*counters).first_ns = now;
        }
    }
    let Some(scratch) = scratch::take(config.scratch_slots) else {
        return unsafe { &raw mut (*counters).lost_nested };
    };
    let who = Who { task, tgid, tid };
    let missed = match record(ctx, generation, config, who, scratch) {
        Ok(true) => core::ptr::null_mut(),
        Ok(false) => unsafe { &raw mut (*counters).lost_map },
        Err(RingFull) => unsafe { &raw mut (*counters).lost_ring },
    };
    scratch::give(scratch);
    missed
}

/// Writes the stacks first and the count last, so that no count refers to a stack that was lost.
#[inline(always)]
fn record(
    ctx: &PerfEventContext,
    generation: Generation,
    config: &Config,
    who: Who,
    scratch: *mut Scratch,
) -> Result<bool, RingFull> {
    // SAFETY: the context of a perf-event program holds the registers of the interrupted code.
    let interrupted = Registers::of(unsafe {
        &(*ctx
            .as_ptr()
            .cast::<aya_ebpf::bindings::bpf_perf_event_data>())
        .regs
    });
    let in_kernel = !interrupted.is_user();
    let user = if in_kernel {
        Registers::at_kernel_entry().filter(Registers::is_user)
    } else {
        Some(interrupted)
    };
    // First: the verifier looks at it once for every way that leads here.
    let (user_end, user) = match user {
        Some(registers) => capture::user_stack(&registers, config, &who, scratch)?,
        None => (USER_NONE, 0),
    };
    let (kernel_kind, kernel) = if in_kernel {
        capture::kernel_stack(ctx, generation, config.hash_seed, scratch)?
    } else {
        (KERNEL_NONE, 0)
    };
    // SAFETY: `scratch` is a map element that this program holds.
    let key = unsafe { &mut (*scratch).key };
    *key = SampleKey {
        start_ns: who.task.leader().start_ns(),
        user,
        kernel,
        comm: bpf_get_current_comm().unwrap_or_default(),
        tgid: who.tgid,
        tid: who.tid,
        exec: who.task.exec_id(),
        flags: SampleKey::flags_of(kernel_kind, user_end),
    };
    Ok(aggregate::count(generation, key))
}

/// What runs now is likely to be sampled.
#[inline(always)]
pub fn ask_ahead() {
    let Some(config) = config::config() else {
        return;
    };
    let task = Task::current();
    let ids = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((ids >> 32) as u32, ids as u32);
    if filter::wanted(config, task, tgid, tid) {
        unwind::ask_ahead(config, task, tgid);
    }
}
