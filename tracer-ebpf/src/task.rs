//! What the kernel knows about the current task, read with offsets from this kernel's BTF.
//!
//! aya emits no CO-RE relocations, so the user side looks the offsets up and writes them here
//! before loading. Each has its symbol in a section of its own: LLVM merges equal constants of the
//! ordinary read-only section, map keys among them, with these.

use aya_ebpf::{
    Global,
    helpers::{bpf_get_current_task, generated::bpf_probe_read_kernel},
};

#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_TGID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_GROUP_LEADER: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_START_BOOTTIME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_SELF_EXEC_ID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_SIGNAL: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static SIGNAL_LIVE: Global<u32> = Global::new(0);

#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_MM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static MM_UPROBES_STATE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static UPROBES_STATE_AREA: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static AREA_ADDRESS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static TASK_UTASK: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static UTASK_FROM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static UTASK_SLOT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static UTASK_RETURNS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static RETURN_ADDRESS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static RETURN_STACK: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.task")]
static RETURN_NEXT: Global<u32> = Global::new(0);

/// A `struct task_struct`.
#[derive(Clone, Copy)]
pub struct Task(*const u8);

impl Task {
    /// The one that runs, or was interrupted.
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: the helper has no preconditions.
        Self(unsafe { bpf_get_current_task() } as *const u8)
    }

    /// From the argument of a tracepoint.
    #[inline(always)]
    pub fn from_argument(task: *const u8) -> Self {
        Self(task)
    }

    #[inline(always)]
    fn field<T: Copy + Default>(self, offset: &Global<u32>) -> T {
        let mut value = T::default();
        // SAFETY: the helper checks the address, and fills the destination and no more, with zeros if
        // it fails.
        unsafe {
            bpf_probe_read_kernel(
                (&raw mut value).cast(),
                size_of::<T>() as u32,
                self.0.add(offset.load() as usize).cast(),
            )
        };
        value
    }

    /// The thread's identifier.
    #[inline(always)]
    pub fn tid(self) -> u32 {
        self.field(&TASK_PID)
    }

    /// The process's identifier.
    #[inline(always)]
    pub fn tgid(self) -> u32 {
        self.field(&TASK_TGID)
    }

    /// When the thread started, nanoseconds since boot.
    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        self.field(&TASK_START_BOOTTIME)
    }

    /// The thread that stands for the process.
    #[inline(always)]
    pub fn leader(self) -> Self {
        Self(self.field::<u64>(&TASK_GROUP_LEADER) as *const u8)
    }

    /// How many programs the process and its ancestors have begun.
    #[inline(always)]
    pub fn exec_id(self) -> u32 {
        self.field(&TASK_SELF_EXEC_ID)
    }

    /// Threads of the process that have not begun to exit (`signal_struct.live`).
    #[inline(always)]
    pub fn live_threads(self) -> u32 {
        Self(self.field::<u64>(&TASK_SIGNAL) as *const u8).field(&SIGNAL_LIVE)
    }

    /// Its `mm_struct`; 0: it has no memory of its own.
    #[inline(always)]
    pub fn memory(self) -> u64 {
        self.field(&TASK_MM)
    }

    /// Where return probes make functions return to: the start of the area that the kernel maps
    /// into a process with probes (`struct xol_area`).
    #[inline(always)]
    pub fn trampoline(self) -> u64 {
        let mm = self.memory() + u64::from(MM_UPROBES_STATE.load());
        Self::trampoline_of(Self(mm as *const u8).field::<u64>(&UPROBES_STATE_AREA))
    }

    /// The same, given the area.
    #[inline(always)]
    pub fn trampoline_of(area: u64) -> u64 {
        Self(area as *const u8).field(&AREA_ADDRESS)
    }

    /// The innermost call that a return probe waits for (`struct return_instance`); 0: none.
    #[inline(always)]
    pub fn return_instance(self) -> u64 {
        let utask: u64 = self.field(&TASK_UTASK);
        if utask == 0 {
            return 0;
        }
        Self(utask as *const u8).field(&UTASK_RETURNS)
    }

    /// Where the instruction is that a probe has executed in another place, and that place.
    #[inline(always)]
    pub fn stepped_instruction(self) -> (u64, u64) {
        let utask = Self(self.field::<u64>(&TASK_UTASK) as *const u8);
        (utask.field(&UTASK_FROM), utask.field(&UTASK_SLOT))
    }

    /// Of such a call: where its return address is, what that was, and the call outside of it.
    #[inline(always)]
    pub fn of_return_instance(instance: u64) -> (u64, u64, u64) {
        let instance = Self(instance as *const u8);
        (
            instance.field(&RETURN_STACK),
            instance.field(&RETURN_ADDRESS),
            instance.field(&RETURN_NEXT),
        )
    }
}
