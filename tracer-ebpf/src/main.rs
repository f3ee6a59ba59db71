//! tracer's programs in the kernel. Entry points only: what they do is in the modules.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![allow(
    internal_features,
    reason = "the BPF target has atomics as intrinsics only"
)]

mod aggregate;
mod arch;
mod capture;
mod config;
mod cpu;
mod filter;
mod ledger;
mod process;
mod ring;
mod scratch;
mod task;

use aya_ebpf::{
    macros::{perf_event, raw_tracepoint},
    programs::{PerfEventContext, RawTracePointContext},
};

/// A tick of the sampling timer, or of a hardware counter.
#[perf_event]
pub fn cpu_sample(ctx: PerfEventContext) -> u32 {
    cpu::sample(&ctx);
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
