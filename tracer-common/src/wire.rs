//! The structures and numbers that cross the border between kernel and user side.

use crate::{plain::plain, unwind::FileKey};

/// Frames that a user stack record can hold.
pub const MAX_USER_FRAMES: usize = 2048;
/// Frames that the kernel hands out of a kernel stack (its `perf_event_max_stack`, by default).
pub const MAX_KERNEL_FRAMES: usize = 127;
/// Mappings in the record of a thread that is unwound later.
pub const MAX_DEFERRED_MAPPINGS: usize = 64;
/// Bytes of the stack in it.
pub const MAX_DEFERRED_STACK: usize = MAX_USER_FRAMES * 8;
/// Slots of the table of stacks that have been sent; a power of two.
pub const SENT_SLOTS: u32 = 1 << 16;
/// Scratch slots per CPU: how deep programs can interrupt each other.
pub const SCRATCH_SLOTS: u32 = 4;
/// Nanoseconds in the unit of start times in `/proc/PID/stat` (USER_HZ is 100 on all
/// architectures that tracer is built for).
pub const START_TICK_NS: u64 = 10_000_000;

/// Everything is measured.
pub const TARGET_ALL: u32 = 0;
/// Processes whose PID is in the map of targets.
pub const TARGET_PROCESSES: u32 = 1;
/// Threads whose TID is in the map of targets.
pub const TARGET_THREADS: u32 = 2;
/// What runs in one cgroup (version 2) or below it.
pub const TARGET_CGROUP: u32 = 3;

/// Pending return probes that the kernel keeps for a thread (`MAX_URETPROBE_DEPTH`).
pub const MAX_OPEN_CALLS: usize = 64;

/// The calls of a thread are to be measured.
pub const THREAD_WANTED: u32 = 1;
/// They are not.
pub const THREAD_FILTERED: u32 = 2;

/// Calls are not told apart by who called.
pub const CALLS_BY_NOTHING: u32 = 0;
/// By the process.
pub const CALLS_BY_PROCESS: u32 = 1;
/// By the thread.
pub const CALLS_BY_THREAD: u32 = 2;
/// By the thread's name.
pub const CALLS_BY_COMM: u32 = 3;

/// In the cookie of an entry program, besides the function's number: the function has no return probe,
/// and so the kernel's limit is not its.
pub const CALL_HAS_EXITS: u64 = 1 << 32;

/// Calls are counted; while this is not set, what happens is nobody's business.
pub const CALLS_COUNTED: u32 = 1;
/// Latencies go into an array, one histogram for each function and CPU, rather than into a hash map.
pub const CALLS_DENSE: u32 = 2;

/// Samples of the idle task are wanted.
pub const FLAG_IDLE: u32 = 1;
/// Children of targets become targets.
pub const FLAG_FOLLOW: u32 = 2;
/// Records of execs and exits are wanted.
pub const FLAG_REPORT: u32 = 4;
/// Stacks are unwound with tables where a file has one.
pub const FLAG_TABLES: u32 = 8;
/// Frame pointers are followed where there is no table.
pub const FLAG_FRAME_POINTERS: u32 = 16;

plain! {
    /// What is measured. In an array map: it may change while programs run.
    pub struct Config {
        /// One of the `TARGET_…` numbers.
        pub target: u32,
        /// The `FLAG_…` bits.
        pub flags: u32,
        /// tracer itself, which is left out.
        pub own_tgid: u32,
        /// Its worker, which is left out too.
        pub worker_tgid: u32,
        /// The cgroup's identifier (the inode number of its directory).
        pub cgroup: u64,
        /// How deep the cgroup lies; the root is 0.
        pub cgroup_level: u32,
        /// Scratch slots that may be used, at most [`SCRATCH_SLOTS`].
        pub scratch_slots: u32,
        /// A process that becomes a target with its next exec: until then it is tracer, waiting to
        /// become the user's command. 0: none.
        pub launched_tgid: u32,
        /// The process that makes unwind tables for this one, which is left out too.
        pub tables_tgid: u32,
        /// Start value of stack hashes, drawn at random for each run.
        pub hash_seed: u64,
    }

    /// What samples are aggregated by.
    pub struct SampleKey {
        /// Start of the process: `task_struct.group_leader->start_boottime`.
        pub start_ns: u64,
        /// Hash of the user stack; 0 where there is none.
        pub user: u64,
        /// Identifier in a stack-trace map, or hash of the kernel stack, as `flags` says.
        pub kernel: u64,
        /// `task_struct.comm`.
        pub comm: [u8; 16],
        /// The process.
        pub tgid: u32,
        /// The thread.
        pub tid: u32,
        /// `task_struct.self_exec_id`.
        pub exec: u32,
        /// Kind of kernel stack (`KERNEL_…`) in bits 0–7, end of the user stack (`USER_…`) in
        /// bits 8–15.
        pub flags: u32,
    }

    /// How calls are measured. In an array map: it changes while programs run.
    pub struct CallConfig {
        /// The `CALLS_…` bits.
        pub flags: u32,
        /// One of the `CALLS_BY_…` numbers.
        pub by: u32,
        /// Calls that take less are left out.
        pub least_ns: u64,
        /// How many functions there are.
        pub functions: u32,
        /// Always 0.
        pub reserved: u32,
    }

    /// What one CPU counted of one function in one generation.
    pub struct CallCounters {
        /// Runs of the entry program, counted before anything else.
        pub fired: u64,
        /// Calls of what was not asked for.
        pub filtered: u64,
        /// Calls whose thread has had no memory for its pending calls.
        pub lost_stack: u64,
        /// Calls for which the kernel has had no more return probes.
        pub lost_depth: u64,
        /// Of the other calls, which are pending then: those that will never return.
        pub no_return: u64,
        /// Those that returned.
        pub closed: u64,
        /// Of these, those that returned too early to be asked for.
        pub too_short: u64,
        /// Those whose latency the map refused.
        pub lost_map: u64,
    }

    /// A call that has not returned.
    pub struct OpenCall {
        /// Where its return address is.
        pub frame: u64,
        /// When it began, CLOCK_MONOTONIC.
        pub start_ns: u64,
        /// The function.
        pub function: u32,
        /// Always 0.
        pub reserved: u32,
    }

    /// A thread's pending calls, as the kernel has them: outermost first.
    pub struct OpenCalls {
        /// How many there are.
        pub depth: u32,
        /// Whether the thread is to be measured: 0 not known, or one of the `THREAD_…` numbers.
        pub verdict: u32,
        /// Always 0. With it, what is before the calls is as large as a call: verifiers before Linux
        /// 6.8 learn nothing from `depth != 0`, and want the call before the first to lie in here.
        pub reserved: [u64; 2],
        /// The first `depth` of these.
        pub calls: [OpenCall; MAX_OPEN_CALLS],
    }

    /// The histogram of one function on one CPU in one generation.
    pub struct CallHistogram {
        /// The sum of all latencies, in nanoseconds.
        pub sum: u64,
        /// The complement of the least (so that 0 says that there is none).
        pub min_complement: u64,
        /// The most.
        pub max: u64,
        /// Counts by [`crate::bucket_of`].
        pub buckets: [u64; crate::BUCKETS as usize],
    }

    /// What latencies are aggregated by where a histogram for each would be too much.
    pub struct CallKey {
        /// The function.
        pub function: u32,
        /// [`crate::bucket_of`] the latency.
        pub bucket: u32,
        /// PID, TID or name; zeros where calls are told apart by nothing.
        pub who: [u8; 16],
    }

    /// Latencies of one key.
    pub struct CallCell {
        /// How many.
        pub count: u64,
        /// Their sum, in nanoseconds.
        pub sum: u64,
        /// The complement of the least.
        pub min_complement: u64,
        /// The most.
        pub max: u64,
    }

    /// Code that a process has mapped.
    pub struct CodeMapping {
        /// First address.
        pub start: u64,
        /// First address after it.
        pub end: u64,
        /// To be added to an address: its place in the file.
        pub to_file: u64,
        /// The file.
        pub file: FileKey,
    }

    /// Starts a record of a thread that has not been unwound, for want of a table; the mappings of its
    /// process and a copy of its stack follow.
    pub struct DeferredHeader {
        /// What the sample knows the stack by.
        pub id: u64,
        /// Instruction pointer.
        pub ip: u64,
        /// Stack pointer.
        pub sp: u64,
        /// Frame pointer.
        pub fp: u64,
        /// 1: `ip` is a return address.
        pub called: u64,
        /// Registers by their DWARF numbers.
        pub registers: [u64; 16],
        /// How many mappings follow, at most [`MAX_DEFERRED_MAPPINGS`]; there is room for all in any case.
        pub mappings: u32,
        /// How many bytes of the stack follow, at most [`MAX_DEFERRED_STACK`].
        pub stack: u32,
    }

    /// Starts a record of a stack in the ring; `frames` addresses follow, leaf first.
    pub struct StackHeader {
        /// [`RECORD_USER_STACK`] or [`RECORD_KERNEL_STACK`].
        pub kind: u32,
        /// How many addresses follow.
        pub frames: u32,
        /// What samples know the stack by.
        pub hash: u64,
    }

    /// A record in the ring that says that a process has begun another program, or has ended.
    pub struct ProcessRecord {
        /// [`RECORD_EXEC`] or [`RECORD_EXIT`].
        pub kind: u32,
        /// The process.
        pub tgid: u32,
        /// Its start.
        pub start_ns: u64,
        /// CLOCK_MONOTONIC.
        pub time_ns: u64,
        /// `self_exec_id`, after the exec.
        pub exec: u32,
        /// Always 0.
        pub reserved: u32,
    }

    /// What one CPU counted in one generation.
    pub struct Counters {
        /// Runs of the sampling program, counted before anything else.
        pub fired: u64,
        /// Runs while the CPU was idle, whatever became of them.
        pub idle: u64,
        /// Samples of what was not asked for.
        pub filtered: u64,
        /// Samples lost because the ring refused their stack.
        pub lost_ring: u64,
        /// Samples lost because the map of counts refused their key.
        pub lost_map: u64,
        /// Samples lost because there was no scratch space.
        pub lost_nested: u64,
        /// Time that tracer's programs took.
        pub bpf_ns: u64,
        /// When the first sample that is not filtered was taken; 0: none yet.
        pub first_ns: u64,
        /// Records of execs and exits that the ring refused.
        pub reports_lost: u64,
        /// Children that could not be followed, because the map of targets was full.
        pub forks_lost: u64,
    }
}

/// A record of a user stack.
pub const RECORD_USER_STACK: u32 = 1;
/// A record of a kernel stack that found its bucket of the stack-trace map taken.
pub const RECORD_KERNEL_STACK: u32 = 2;
/// A [`ProcessRecord`]: a process has begun another program.
pub const RECORD_EXEC: u32 = 3;
/// A [`ProcessRecord`]: the last thread of a process ends.
pub const RECORD_EXIT: u32 = 4;

/// The sample was taken in user mode.
pub const KERNEL_NONE: u32 = 0;
/// The kernel stack is in the generation's stack-trace map.
pub const KERNEL_MAP: u32 = 1;
/// The kernel stack was sent in the ring.
pub const KERNEL_HASHED: u32 = 2;
/// The sample was taken in the kernel, but its stack could not be had.
pub const KERNEL_FAILED: u32 = 3;

/// A task without user memory: a kernel thread, the idle task.
pub const USER_NONE: u32 = 0;
/// The user stack reaches its root.
pub const USER_COMPLETE: u32 = 1;
/// It ends in code without a table, at a function that keeps no frame pointer.
pub const USER_NO_FRAME_POINTER: u32 = 2;
/// It ends where memory could not be read.
pub const USER_READ_FAULT: u32 = 3;
/// It is deeper than [`MAX_USER_FRAMES`].
pub const USER_TOO_DEEP: u32 = 4;
/// It ends in a 32-bit process at a function that keeps no frame pointer.
pub const USER_FOREIGN_ABI: u32 = 5;
/// It ends in a file that has no table, at a function that keeps no frame pointer.
pub const USER_NO_TABLE: u32 = 6;
/// It ends in a file whose table was not loaded yet.
pub const USER_TABLE_LATE: u32 = 7;
/// It ends in a file for whose table there was no room.
pub const USER_NO_ROOM: u32 = 8;
/// It ends in code that its file's table knows nothing of.
pub const USER_NO_ROW: u32 = 9;
/// It ends in code whose row cannot be followed.
pub const USER_UNSUPPORTED: u32 = 10;
/// It ends at an address that is in no executable mapping.
pub const USER_NO_MAPPING: u32 = 11;
/// It ends where the caller's frame would not have lain above.
pub const USER_NO_PROGRESS: u32 = 12;
/// The process had given up its memory: it was about to end, or to begin another program.
pub const USER_NO_MEMORY: u32 = 13;
/// It has not been walked: a [`DeferredHeader`] has been sent, by which it can be.
pub const USER_DEFERRED: u32 = 14;

impl SampleKey {
    /// The kind of the kernel stack, `KERNEL_…`.
    pub const fn kernel_kind(&self) -> u32 {
        self.flags & 0xff
    }

    /// The end of the user stack, `USER_…`.
    pub const fn user_end(&self) -> u32 {
        (self.flags >> 8) & 0xff
    }

    /// The `flags` of these two.
    pub const fn flags_of(kernel_kind: u32, user_end: u32) -> u32 {
        kernel_kind | user_end << 8
    }
}

/// Mixes one address into the hash of a stack.
#[inline(always)]
pub const fn mix(hash: u64, address: u64) -> u64 {
    let mixed = (hash ^ address).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
