//! tracer's programs in the kernel. Entry points only: what they do is in the modules.

#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![allow(
    internal_features,
    reason = "the BPF target has atomics as intrinsics only"
)]

mod aggregate;
mod arch;
mod calls;
mod capture;
mod config;
mod cpu;
mod filter;
mod latencies;
mod ledger;
mod memory;
mod process;
mod ring;
mod scratch;
mod tables;
mod task;
mod unwind;

use aya_ebpf::{
    macros::{perf_event, raw_tracepoint, uprobe, uretprobe},
    programs::{PerfEventContext, ProbeContext, RawTracePointContext, RetProbeContext},
};

/// A tick of the sampling timer, or of a hardware counter.
#[perf_event]
pub fn cpu_sample(ctx: PerfEventContext) -> u32 {
    cpu::sample(&ctx);
    0
}

/// A tick before the sampling begins.
#[perf_event]
pub fn cpu_ahead(_ctx: PerfEventContext) -> u32 {
    cpu::ask_ahead();
    0
}

/// A probed function is entered.
#[uprobe]
pub fn call_entry(ctx: ProbeContext) -> u32 {
    calls::entry(&ctx);
    0
}

/// A probed function has returned.
#[uretprobe]
pub fn call_return(ctx: RetProbeContext) -> u32 {
    calls::returned(&ctx);
    0
}

/// A probed function is about to return.
#[uprobe]
pub fn call_exit(ctx: ProbeContext) -> u32 {
    calls::exit(&ctx);
    0
}

/// What a probe costs that does nothing: what the others add to it is tracer's own.
#[uprobe]
pub fn empty_entry(_ctx: ProbeContext) -> u32 {
    0
}

/// The same at a return.
#[uretprobe]
pub fn empty_return(_ctx: RetProbeContext) -> u32 {
    0
}

/// A process or thread has been made.
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn process_fork(ctx: RawTracePointContext) -> i32 {
    process::fork(&ctx);
    0
}

/// A process has begun another program.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(_ctx: RawTracePointContext) -> i32 {
    process::exec();
    0
}

/// A thread that has ended is given up.
#[raw_tracepoint(tracepoint = "sched_process_free")]
pub fn process_free(ctx: RawTracePointContext) -> i32 {
    process::free(&ctx);
    0
}

/// A thread ends.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(_ctx: RawTracePointContext) -> i32 {
    process::exit();
    0
}

/// Unreachable: the verifier refuses a program that could get here, for it would not end.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// Lets the programs call helpers that the kernel gives to GPL-compatible code only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
