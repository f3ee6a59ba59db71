//! Processes as they come, change and go.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    programs::RawTracePointContext,
};
use tracer_common::{
    Config, Counters, FLAG_FOLLOW, FLAG_REPORT, ProcessRecord, RECORD_EXEC, RECORD_EXIT,
    TARGET_PROCESSES,
};

use crate::{calls, config, filter, ledger, ring, task::Task, unwind};

/// Arguments: `parent`, `child`, both `struct task_struct *`.
#[inline(always)]
pub fn fork(ctx: &RawTracePointContext) {
    timed(|config, generation| {
        if !follows(config) {
            return;
        }
        let parent = Task::current();
        let parent_tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
        if !filter::wanted(config, parent, parent_tgid, parent_tgid) {
            return;
        }
        let child = Task::from_argument(ctx.arg(1));
        let tgid = child.tgid();
        // A thread belongs to a process that is a target already.
        if child.tid() == tgid && !filter::add_process(tgid, child.start_ns()) {
            // SAFETY: a pointer into a map element.
            count(generation, |counters| unsafe {
                &raw mut (*counters).forks_lost
            });
        }
    });
}

#[inline(always)]
pub fn exec() {
    timed(|config, generation| {
        let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
        if tgid == config.launched_tgid
            && !filter::add_process(tgid, Task::current().leader().start_ns())
        {
            // SAFETY: a pointer into a map element.
            count(generation, |counters| unsafe {
                &raw mut (*counters).forks_lost
            });
        }
        calls::exec();
        let task = Task::current();
        if filter::wanted(config, task, tgid, tgid) {
            unwind::ask_ahead(config, task, tgid);
        }
        report(RECORD_EXEC, config, generation);
    });
}

/// The first thread's exit is not the process's: others may run on, or one of them may take its
/// place with an exec.
#[inline(always)]
pub fn exit() {
    timed(|config, generation| {
        if Task::current().live_threads() == 0 {
            report(RECORD_EXIT, config, generation);
        }
    });
}

/// Argument: `struct task_struct *`, which nothing uses any more. Until then a target's exit counts
/// as its work.
#[inline(always)]
pub fn free(ctx: &RawTracePointContext) {
    timed(|config, _| {
        let task = Task::from_argument(ctx.arg(0));
        let tgid = task.tgid();
        if follows(config) && task.tid() == tgid {
            filter::remove_process(tgid, task.start_ns());
        }
    });
}

#[inline(always)]
fn report(kind: u32, config: &Config, generation: config::Generation) {
    if config.flags & FLAG_REPORT == 0 {
        return;
    }
    let task = Task::current();
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // Of single threads and of cgroups, not every thread that execs or exits is a target.
    if config.target == TARGET_PROCESSES && !filter::wanted(config, task, tgid, tgid) {
        return;
    }
    let record = ProcessRecord {
        kind,
        tgid,
        start_ns: task.leader().start_ns(),
        // SAFETY: the helper has no preconditions.
        time_ns: unsafe { bpf_ktime_get_ns() },
        exec: task.exec_id(),
        reserved: 0,
    };
    if !ring::send(
        (&raw const record).cast(),
        size_of::<ProcessRecord>() as u64,
    ) {
        // SAFETY: a pointer into a map element.
        count(generation, |counters| unsafe {
            &raw mut (*counters).reports_lost
        });
    }
}

/// Adds one to a counter.
#[inline(always)]
fn count(generation: config::Generation, counter: impl FnOnce(*mut Counters) -> *mut u64) {
    if let Some(counters) = ledger::counters(generation) {
        ledger::add(counter(counters), 1);
    }
}

#[inline(always)]
fn follows(config: &Config) -> bool {
    config.flags & FLAG_FOLLOW != 0 && config.target == TARGET_PROCESSES
}

/// Runs `work` and counts the time that it takes.
#[inline(always)]
fn timed(work: impl FnOnce(&Config, config::Generation)) {
    // SAFETY: the helper has no preconditions.
    let begin = unsafe { bpf_ktime_get_ns() };
    let (Some(generation), Some(config)) = (config::generation(), config::config()) else {
        return;
    };
    work(config, generation);
    if let Some(counters) = ledger::counters(generation) {
        // SAFETY: the helper has no preconditions; a pointer into a map element.
        unsafe { ledger::add(&raw mut (*counters).bpf_ns, bpf_ktime_get_ns() - begin) };
    }
}
