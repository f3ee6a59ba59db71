//! What differs between architectures: registers, and where a frame keeps its caller.

use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::{
    bpf_get_current_task_btf, bpf_probe_read_user, generated::bpf_probe_read_kernel,
    generated::bpf_task_pt_regs,
};

use crate::task::Task;

/// The registers that unwinding begins with.
#[derive(Clone, Copy)]
pub struct Registers {
    pub ip: u64,
    pub sp: u64,
    pub fp: u64,
    mode: u64,
}

/// Code segment selector of 32-bit user code (`__USER32_CS`).
const USER_32: u64 = 0x23;

impl Registers {
    #[inline(always)]
    pub fn of(regs: &pt_regs) -> Self {
        Self {
            ip: regs.rip,
            sp: regs.rsp,
            fp: regs.rbp,
            mode: regs.cs,
        }
    }

    /// Those that the current task entered the kernel with. Of a kernel thread they are zero.
    #[inline(always)]
    pub fn at_kernel_entry() -> Option<Self> {
        let mut fp = 0u64;
        // rip, cs, eflags, rsp: neighbours in `struct pt_regs`.
        let mut frame = [0u64; 4];
        // SAFETY: the helpers check what they are given, and the destinations have these sizes.
        unsafe {
            let regs = bpf_task_pt_regs(bpf_get_current_task_btf()) as *const pt_regs;
            if bpf_probe_read_kernel((&raw mut fp).cast(), 8, (&raw const (*regs).rbp).cast()) != 0
                || bpf_probe_read_kernel(
                    (&raw mut frame).cast(),
                    32,
                    (&raw const (*regs).rip).cast(),
                ) != 0
            {
                return None;
            }
        }
        Some(Self {
            ip: frame[0],
            sp: frame[3],
            fp,
            mode: frame[1],
        })
    }

    /// Whether they are those of user code. Kernel threads that a process has for its io_uring
    /// have registers of user mode too, which lead nowhere.
    #[inline(always)]
    pub fn is_user(&self) -> bool {
        self.mode & 3 == 3 && self.ip != 0
    }

    /// Whether they are those of 32-bit code.
    #[inline(always)]
    pub fn is_32_bit(&self) -> bool {
        self.mode == USER_32
    }
}

/// Where the return address is when a function has just been entered, or is about to return.
#[inline(always)]
pub fn return_slot_at_entry(regs: &pt_regs) -> u64 {
    regs.rsp
}

/// Where it was, when the function has just returned.
#[inline(always)]
pub fn return_slot_at_return(regs: &pt_regs) -> u64 {
    regs.rsp.wrapping_sub(8)
}

/// Whether the return address there is the kernel's own, put there by a return probe.
#[inline(always)]
pub fn is_trampoline_at(slot: u64) -> bool {
    // SAFETY: the helper checks the address.
    let address = unsafe { bpf_probe_read_user(slot as *const u64) };
    address.is_ok_and(|address| address != 0 && address == Task::current().trampoline())
}
