//! Calls of user functions: from the entry to the return of each.
//!
//! The kernel keeps a thread's pending return probes on a stack, and so does this, by the same rules
//! (`kernel/events/uprobes.c`): what it drops without a word is counted here.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_F_NO_PREALLOC, bpf_map_def, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE},
    helpers::{
        bpf_get_current_pid_tgid, bpf_get_current_task_btf, bpf_ktime_get_ns,
        generated::{bpf_get_attach_cookie, bpf_task_storage_delete, bpf_task_storage_get},
    },
    macros::map,
    maps::{Array, PerCpuArray},
    programs::{ProbeContext, RetProbeContext},
};
use tracer_common::{
    CALL_HAS_EXITS, CALLS_COUNTED, CallConfig, CallCounters, MAX_OPEN_CALLS, OpenCall, OpenCalls,
    TARGET_CGROUP, THREAD_FILTERED, THREAD_WANTED,
};

use crate::{
    arch,
    config::{self, Generation},
    filter, latencies,
    ledger::add,
    task::Task,
};

#[map]
static CALL_CONFIG: Array<CallConfig> = Array::with_max_entries(1, 0);

/// Of each function one, in the order of their numbers, for each generation.
#[map]
static CALL_COUNTERS: PerCpuArray<CallCounters> = PerCpuArray::with_max_entries(2, 0);

/// A map of one value for each thread, which goes with the thread (Linux 5.11).
#[repr(transparent)]
struct TaskStorage(core::cell::UnsafeCell<bpf_map_def>);

// SAFETY: nothing ever reads or writes the definition; the kernel gets a reference to the map.
unsafe impl Sync for TaskStorage {}

#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
static OPEN_CALLS: TaskStorage = TaskStorage(core::cell::UnsafeCell::new(bpf_map_def {
    type_: BPF_MAP_TYPE_TASK_STORAGE,
    key_size: 4,
    value_size: size_of::<OpenCalls>() as u32,
    max_entries: 0,
    map_flags: BPF_F_NO_PREALLOC,
    id: 0,
    pinning: 0,
}));

/// `BPF_LOCAL_STORAGE_GET_F_CREATE`.
const CREATE: u64 = 1;

/// A probed function is entered: another counter rises besides `fired`, or the call is pending.
#[inline(always)]
pub fn entry(ctx: &ProbeContext) {
    let (Some(generation), Some(config)) = (config::generation(), settings()) else {
        return;
    };
    if config.flags & CALLS_COUNTED == 0 {
        return;
    }
    // SAFETY: the helper takes the program's context.
    let cookie = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) };
    let function = cookie as u32;
    let Some(counters) = counters(config, function, generation) else {
        return;
    };
    // SAFETY: in this function, `counters` points to a map element.
    unsafe { add(&raw mut (*counters).fired, 1) };
    let calls = open_calls(CREATE);
    if calls.is_null() {
        // SAFETY: as above.
        unsafe { add(&raw mut (*counters).lost_stack, 1) };
        return;
    }
    // SAFETY: `calls` points to the value of this thread, which nobody else uses.
    if !unsafe { wanted(calls) } {
        // SAFETY: as above.
        unsafe { add(&raw mut (*counters).filtered, 1) };
        return;
    }
    // SAFETY: the context of an entry program has the registers.
    let frame = arch::return_slot_at_entry(unsafe { &*ctx.regs });
    // SAFETY: `calls` points to the value of this thread, which nobody else uses.
    unsafe {
        // The kernel looks whether there is room before it looks for calls that are over.
        if (*calls).depth as usize >= MAX_OPEN_CALLS && cookie & CALL_HAS_EXITS == 0 {
            add(&raw mut (*counters).lost_depth, 1);
            return;
        }
        close_dead(config, calls, frame, true, generation);
        let depth = (*calls).depth as usize;
        if depth >= MAX_OPEN_CALLS {
            add(&raw mut (*counters).lost_depth, 1);
            return;
        }
        let call = (&raw mut (*calls).calls).cast::<OpenCall>().add(depth);
        (*call).frame = frame;
        (*call).function = function;
        (*calls).depth = depth as u32 + 1;
        // Last, so that as little as possible of this is measured.
        (*call).start_ns = bpf_ktime_get_ns();
    }
}

/// A probed function has returned.
#[inline(always)]
pub fn returned(ctx: &RetProbeContext) {
    // SAFETY: the helper has no preconditions. First, so that nothing of this is measured.
    let now = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the context of a return program has the registers.
    close(now, arch::return_slot_at_return(unsafe { &*ctx.regs }));
}

/// A probed function is about to return.
#[inline(always)]
pub fn exit(ctx: &ProbeContext) {
    // SAFETY: the helper has no preconditions. First, so that nothing of this is measured.
    let now = unsafe { bpf_ktime_get_ns() };
    // SAFETY: the context of a program at an instruction has the registers.
    close(now, arch::return_slot_at_entry(unsafe { &*ctx.regs }));
}

/// Closes the call whose return address is, or was, at `frame`.
#[inline(always)]
fn close(now: u64, frame: u64) {
    let (Some(generation), Some(config)) = (config::generation(), settings()) else {
        return;
    };
    if config.flags & CALLS_COUNTED == 0 {
        return;
    }
    let calls = open_calls(0);
    if calls.is_null() {
        return;
    }
    // SAFETY: `calls` points to the value of this thread, which nobody else uses.
    unsafe {
        close_dead(config, calls, frame, false, generation);
        let depth = (*calls).depth as usize;
        if depth == 0 || depth > MAX_OPEN_CALLS {
            return;
        }
        let call = (&raw mut (*calls).calls).cast::<OpenCall>().add(depth - 1);
        // Otherwise the call began before anybody counted. Of calls that return at once, as tail
        // calls do, the last to begin is the first to be told: no need to ask which function it is.
        if (*call).frame != frame {
            return;
        }
        let function = (*call).function;
        (*calls).depth = depth as u32 - 1;
        let Some(counters) = counters(config, function, generation) else {
            return;
        };
        add(&raw mut (*counters).closed, 1);
        let latency = now.saturating_sub((*call).start_ns);
        if latency < config.least_ns {
            add(&raw mut (*counters).too_short, 1);
        } else if !latencies::record(generation, config, function, latency) {
            add(&raw mut (*counters).lost_map, 1);
        }
    }
}

/// The current thread begins another program: its calls will not return.
#[inline(always)]
pub fn exec() {
    // SAFETY: the map is of this kind; the helper checks the task.
    unsafe {
        bpf_task_storage_delete(map(), bpf_get_current_task_btf());
    }
}

/// Takes off calls that cannot return any more: those whose return address lies below the stack
/// pointer. At an entry also those whose return address has been overwritten by the new call's, unless
/// that is a tail call's, which has the same.
///
/// # Safety
///
/// `calls` must point to a map value that nobody else uses.
#[inline(always)]
unsafe fn close_dead(
    config: &CallConfig,
    calls: *mut OpenCalls,
    frame: u64,
    entry: bool,
    generation: Generation,
) {
    for _ in 0..MAX_OPEN_CALLS {
        // SAFETY: by the contract; the index is below the length of the array.
        unsafe {
            let depth = (*calls).depth as usize;
            if depth == 0 || depth > MAX_OPEN_CALLS {
                return;
            }
            let call = (&raw mut (*calls).calls).cast::<OpenCall>().add(depth - 1);
            let top = (*call).frame;
            if top > frame || (top == frame && (!entry || arch::is_trampoline_at(frame))) {
                return;
            }
            (*calls).depth = depth as u32 - 1;
            if let Some(counters) = counters(config, (*call).function, generation) {
                add(&raw mut (*counters).no_return, 1);
            }
        }
    }
}

/// Whether the current thread is to be measured. Looked up once for each thread and program that it
/// runs; but a thread can be moved to another cgroup.
///
/// # Safety
///
/// `calls` must point to a map value that nobody else uses.
#[inline(always)]
unsafe fn wanted(calls: *mut OpenCalls) -> bool {
    // SAFETY: by the contract.
    let known = unsafe { (*calls).verdict };
    if known != 0 {
        return known == THREAD_WANTED;
    }
    let Some(config) = config::config() else {
        return false;
    };
    let ids = bpf_get_current_pid_tgid();
    let wanted = filter::wanted(config, Task::current(), (ids >> 32) as u32, ids as u32);
    if config.target != TARGET_CGROUP {
        // SAFETY: by the contract.
        unsafe {
            (*calls).verdict = if wanted {
                THREAD_WANTED
            } else {
                THREAD_FILTERED
            };
        }
    }
    wanted
}

#[inline(always)]
fn settings() -> Option<&'static CallConfig> {
    CALL_CONFIG.get(0)
}

/// This CPU's counters of a function.
#[inline(always)]
fn counters(
    config: &CallConfig,
    function: u32,
    generation: Generation,
) -> Option<*mut CallCounters> {
    CALL_COUNTERS.get_ptr_mut(generation.index() * config.functions + function)
}

/// The current thread's pending calls, or null.
#[inline(always)]
fn open_calls(flags: u64) -> *mut OpenCalls {
    // SAFETY: the map is of this kind; a value that is made is made of zeros.
    unsafe {
        bpf_task_storage_get(
            map(),
            bpf_get_current_task_btf(),
            core::ptr::null_mut(),
            flags,
        )
        .cast()
    }
}

#[inline(always)]
fn map() -> *mut core::ffi::c_void {
    (&raw const OPEN_CALLS).cast_mut().cast()
}
