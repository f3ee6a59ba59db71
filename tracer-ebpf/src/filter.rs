//! Who is measured.

use aya_ebpf::{
    helpers::generated::bpf_get_current_ancestor_cgroup_id, macros::map, maps::HashMap,
};
use tracer_common::{
    Config, FLAG_IDLE, START_TICK_NS, TARGET_ALL, TARGET_CGROUP, TARGET_PROCESSES, TARGET_THREADS,
};

use crate::task::Task;

/// PID or TID → when it started, in ticks: a stale entry does not match a later process of the
/// same number.
#[map]
static TARGETS: HashMap<u32, u64> = HashMap::with_max_entries(16_384, 0);

/// Whether the current task is to be measured.
#[inline(always)]
pub fn wanted(config: &Config, task: Task, tgid: u32, tid: u32) -> bool {
    if tid == 0 {
        return config.flags & FLAG_IDLE != 0 && config.target == TARGET_ALL;
    }
    if tgid == config.own_tgid || tgid == config.worker_tgid || tgid == config.tables_tgid {
        return false;
    }
    match config.target {
        TARGET_ALL => true,
        TARGET_PROCESSES => is_target(tgid, task.leader().start_ns()),
        TARGET_THREADS => is_target(tid, task.start_ns()),
        // SAFETY: the helper has no preconditions.
        TARGET_CGROUP => unsafe {
            bpf_get_current_ancestor_cgroup_id(config.cgroup_level as i32) == config.cgroup
        },
        _ => false,
    }
}

#[inline(always)]
fn is_target(number: u32, start_ns: u64) -> bool {
    // SAFETY: the value is read at once; an update writes the one word whole.
    unsafe { TARGETS.get(&number) }.is_some_and(|ticks| *ticks == start_ns / START_TICK_NS)
}

/// Makes a process a target; `false`: there is no room.
#[inline(always)]
pub fn add_process(tgid: u32, start_ns: u64) -> bool {
    TARGETS
        .insert(&tgid, &(start_ns / START_TICK_NS), 0)
        .is_ok()
}

/// Forgets a process that has ended, unless its number is another's by now.
#[inline(always)]
pub fn remove_process(tgid: u32, start_ns: u64) {
    if is_target(tgid, start_ns) {
        // Nobody else removes it.
        _ = TARGETS.remove(&tgid);
    }
}
