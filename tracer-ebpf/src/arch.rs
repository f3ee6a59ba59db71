//! What differs between architectures: registers, and where a frame keeps its caller.

use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::{
    bpf_get_current_task_btf, bpf_probe_read_user, generated::bpf_probe_read_kernel,
    generated::bpf_task_pt_regs,
};

use tracer_common::{USER_COMPLETE, USER_NO_FRAME_POINTER, USER_READ_FAULT};

use crate::{
    task::Task,
    unwind::{is_code, is_near},
};

/// The registers that unwinding begins with.
#[derive(Clone, Copy)]
pub struct Registers {
    pub ip: u64,
    pub sp: u64,
    pub fp: u64,
    /// Whether the code before `ip` is what runs: it has called the kernel.
    pub in_call: bool,
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
            in_call: false,
            mode: regs.cs,
        }
    }

    /// Those that the current task entered the kernel with. Of a kernel thread they are zero.
    #[inline(always)]
    pub fn at_kernel_entry() -> Option<Self> {
        let mut fp = 0u64;
        // orig_rax, rip, cs, eflags, rsp: neighbours in `struct pt_regs`.
        let mut frame = [0u64; 5];
        // SAFETY: the helpers check what they are given, and the destinations have these sizes.
        unsafe {
            let regs = bpf_task_pt_regs(bpf_get_current_task_btf()) as *const pt_regs;
            if bpf_probe_read_kernel((&raw mut fp).cast(), 8, (&raw const (*regs).rbp).cast()) != 0
                || bpf_probe_read_kernel(
                    (&raw mut frame).cast(),
                    40,
                    (&raw const (*regs).orig_rax).cast(),
                ) != 0
            {
                return None;
            }
        }
        Some(Self {
            ip: frame[1],
            sp: frame[4],
            fp,
            // The number of a system call; −1 of anything else.
            in_call: frame[0] != u64::MAX,
            mode: frame[2],
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
        self.mode & 0xffff == USER_32
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

/// Where the registers with DWARF numbers 0 to 15 are in `struct pt_regs`, in words: 4 bits each.
const PLACES: u64 = 0x0123_6789_f4ed_5bca;
/// `rsp`.
const STACK_POINTER: u32 = 7;

/// A register that user code entered the kernel with, by its DWARF number.
#[inline(always)]
pub fn register_at_kernel_entry(number: u32) -> Option<u64> {
    if number > 15 || number == STACK_POINTER {
        return None;
    }
    let place = PLACES >> (number * 4) & 15;
    let mut value = 0u64;
    // SAFETY: the helpers check what they are given, and the destination has this size.
    let failed = unsafe {
        let regs = bpf_task_pt_regs(bpf_get_current_task_btf()) as *const u64;
        bpf_probe_read_kernel((&raw mut value).cast(), 8, regs.add(place as usize).cast())
    };
    (failed == 0).then_some(value)
}

/// Whether the instruction at `ip` is of those at which a function with frame pointer has not yet saved
/// it, or has restored it already; then the stack pointer is made what it is in the caller, and so is
/// the frame pointer.
#[inline(always)]
pub fn leaf(ip: u64, sp: &mut u64, fp: &mut u64) -> bool {
    const PUSH_RBP: u32 = 0x55;
    const RET: u32 = 0xc3;
    /// `mov %rsp, %rbp`, after the push.
    const MOV_RSP_RBP: u32 = 0xe5_8948;
    const ENDBR: u32 = 0xfa1e_0ff3;
    /// What entries of linkage tables are made of: `jmp *…(%rip)`, `mov $…, %r11d`, `push $…`.
    const JMP: u32 = 0x25ff;
    const MOV_R11: u32 = 0xbb41;
    const PUSH: u32 = 0x68;
    let mut code = 0u32;
    let mut before = 0u8;
    // SAFETY: the helper checks the addresses, and the destinations have these sizes.
    unsafe {
        if aya_ebpf::helpers::generated::bpf_probe_read_user(
            (&raw mut code).cast(),
            4,
            ip as *const _,
        ) != 0
        {
            return false;
        }
        aya_ebpf::helpers::generated::bpf_probe_read_user(
            (&raw mut before).cast(),
            1,
            ip.wrapping_sub(1) as *const _,
        );
    }
    let in_linkage = code & 0xffff == JMP || code & 0xffff == MOV_R11 || code & 0xff == PUSH;
    if code & 0xff == PUSH_RBP || code & 0xff == RET || code == ENDBR || in_linkage {
        *sp = sp.wrapping_add(8);
        return true;
    }
    if code & 0xff_ffff == MOV_RSP_RBP && u32::from(before) == PUSH_RBP {
        // SAFETY: the helper checks the address.
        if let Ok(saved) = unsafe { bpf_probe_read_user(*sp as *const u64) } {
            *fp = saved;
            *sp = sp.wrapping_add(16);
            return true;
        }
    }
    false
}

/// Where the return address belongs for one who is so many bytes into what return probes make functions
/// return to; 0: not known. From Linux 6.11 on that is `push %rax`, `push %rcx`, `push %r11`, a system
/// call, and the opposite (`uretprobe_trampoline_entry`).
#[inline(always)]
pub fn return_slot_in_trampoline(into: u64, sp: u64) -> u64 {
    match into {
        0x0d => sp.wrapping_add(16),
        0x0f => sp.wrapping_add(8),
        0x10 => sp,
        _ => 0,
    }
}

/// Whether the code at `ip` is what a signal handler returns to: `mov $15, %rax` or `%eax`, `syscall`.
#[inline(always)]
pub fn returns_from_signal(ip: u64) -> bool {
    const LONG: u64 = 0x0f00_0000_0fc0_c748;
    const SHORT: u64 = 0x05_0f00_0000_0fb8;
    // SAFETY: the helper checks the address.
    let code = unsafe { bpf_probe_read_user(ip as *const u64) }.unwrap_or(0);
    code == LONG || code << 8 == SHORT << 8
}

/// From the frame at `fp`: the caller's frame pointer, the return address, the caller's stack pointer;
/// or how the stack ends there, `USER_…`. No frame lies below `sp`.
#[inline(always)]
pub fn caller(fp: u64, sp: u64, is_32_bit: bool) -> Result<(u64, u64, u64), u32> {
    // The psABI marks the outermost frame with a frame pointer of 0.
    if fp == 0 {
        return Err(USER_COMPLETE);
    }
    let word = if is_32_bit { 4 } else { 8 };
    // Frames lie ever higher, at multiples of the word; anything else is a register that a
    // function without frame pointer uses for its own ends.
    if fp & (word - 1) != 0 || fp < sp {
        return Err(USER_NO_FRAME_POINTER);
    }
    let mut frame = [0u64; 2];
    // SAFETY: the helper checks the address, and the destination has this size.
    let failed = unsafe {
        aya_ebpf::helpers::generated::bpf_probe_read_user(
            (&raw mut frame).cast(),
            2 * word as u32,
            fp as *const _,
        )
    };
    if failed != 0 {
        return Err(if is_near(fp, sp) {
            USER_READ_FAULT
        } else {
            USER_NO_FRAME_POINTER
        });
    }
    let [next, ip] = if is_32_bit {
        [frame[0] & 0xffff_ffff, frame[0] >> 32]
    } else {
        frame
    };
    if ip == 0 {
        return Err(USER_COMPLETE);
    }
    if !is_code(ip) {
        return Err(USER_NO_FRAME_POINTER);
    }
    Ok((next, ip, fp + 2 * word))
}
