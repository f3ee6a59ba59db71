//! The only thing that leaves the kernel side: what one drain found, as plain owned facts.
//!
//! A batch is self-contained but for user and kernel stacks, each of which travels once, in the batch
//! in which its identifier is first used or an earlier one, and again only after a batch has said that
//! it is forgotten. Nothing in here needs a kernel, a clock or a file system to be understood, so tests
//! script batches by hand.

use std::collections::HashSet;

use super::Ledger;

/// What one drain of the maps found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Start of the time that the samples cover, CLOCK_MONOTONIC in nanoseconds.
    pub start_ns: u64,
    /// End of it.
    pub end_ns: u64,
    /// What happened to processes, in order of time.
    pub facts: Vec<Fact>,
    /// User stacks that no earlier batch has carried.
    pub user_stacks: Vec<RawStack>,
    /// Kernel stacks that no earlier batch has carried.
    pub kernel_stacks: Vec<RawStack>,
    /// Samples, aggregated: few have the same key.
    pub samples: Vec<Sample>,
    /// User stacks that no later sample will name unless they are sent again.
    pub forgotten_user_stacks: Vec<StackKey>,
    /// Kernel stacks of which the same holds.
    pub forgotten_kernel_stacks: Vec<StackKey>,
    /// The ledger of this batch alone.
    pub ledger: Ledger,
}

impl Batch {
    /// Appends the batch that follows this one.
    pub fn append(&mut self, next: Self) {
        let Self {
            start_ns: _,
            end_ns,
            facts,
            user_stacks,
            kernel_stacks,
            samples,
            forgotten_user_stacks,
            forgotten_kernel_stacks,
            ledger,
        } = next;
        self.end_ns = end_ns;
        // What was forgotten and has been sent again is known.
        let sent_again = |stacks: &[RawStack], forgotten: &mut Vec<StackKey>| {
            if !forgotten.is_empty() {
                let sent: HashSet<StackKey> = stacks.iter().map(|stack| stack.id).collect();
                forgotten.retain(|key| !sent.contains(key));
            }
        };
        sent_again(&user_stacks, &mut self.forgotten_user_stacks);
        sent_again(&kernel_stacks, &mut self.forgotten_kernel_stacks);
        self.forgotten_user_stacks.extend(forgotten_user_stacks);
        self.forgotten_kernel_stacks.extend(forgotten_kernel_stacks);
        self.facts.extend(facts);
        self.user_stacks.extend(user_stacks);
        self.kernel_stacks.extend(kernel_stacks);
        self.samples.extend(samples);
        self.ledger.add(&ledger);
    }
}

/// The addresses of a stack as they were in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawStack {
    /// How samples name it. Unique among the user stacks, and among the kernel stacks, of a run.
    pub id: StackKey,
    /// Leaf first. `addresses[0]` is an instruction pointer, the others are return addresses.
    pub addresses: Vec<u64>,
}

/// Names a stack within one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackKey(pub u64);

/// A program that a process runs: it ends with the process or with its next `exec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Image {
    /// The process (the kernel's tgid).
    pub pid: u32,
    /// When the process started, nanoseconds since boot: keeps a reused PID apart.
    pub start_ns: u64,
    /// The kernel's count of `exec` calls that led here (inherited over `fork`): rises by exactly
    /// one with each `exec` of this process.
    pub exec: u32,
}

/// Samples that agree in everything but time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose they are.
    pub image: Image,
    /// The thread.
    pub tid: u32,
    /// The thread's name when the samples were taken.
    pub comm: Comm,
    /// The user part of the stack. `None`: a kernel thread or the idle task.
    pub user: Option<StackKey>,
    /// The kernel part. `None`: the samples were taken in user mode.
    pub kernel: Option<StackKey>,
    /// Why the stack does not reach its root, if it does not.
    pub truncated: Option<Truncation>,
    /// How many samples.
    pub weight: u64,
}

/// A thread's name as the kernel keeps it: 16 bytes, ended by the first NUL, under the control of
/// the traced program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Comm(pub [u8; 16]);

/// Why a stack does not reach its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Truncation {
    /// Code without an unwind table, JIT code for instance, keeps no frame pointer there.
    NoFramePointer,
    /// Stack memory could not be read (not resident, or not the stack at all).
    ReadFault,
    /// Deeper than a capture can hold.
    TooDeep,
    /// A process of another ABI (32-bit), at a function that keeps no frame pointer.
    ForeignAbi,
    /// The file has no unwind table, and the function keeps no frame pointer.
    NoTable,
    /// The file's unwind table was not loaded yet.
    TableLate,
    /// There was no room for the file's unwind table.
    NoRoom,
    /// The file's unwind table has nothing on the function, which keeps no frame pointer.
    NoRow,
    /// What the unwind table says cannot be followed.
    Unsupported,
    /// The return address is in no executable mapping.
    NoMapping,
    /// The caller's frame would not lie above this one.
    NoProgress,
    /// The process had given up its memory: it was about to end, or to begin another program.
    NoMemory,
    /// The kernel part is deeper than the kernel hands out.
    KernelTooDeep,
    /// The sample was taken in the kernel, which did not hand out its part.
    KernelUnreadable,
}

/// Something that happened to a process, at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// CLOCK_MONOTONIC in nanoseconds.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
    /// What happened.
    pub kind: FactKind,
}

/// What happened to a process.
#[derive(Clone, Debug, PartialEq)]
pub enum FactKind {
    /// It began, as a copy of `parent` with the same mappings.
    Fork {
        /// The process that it was forked from.
        parent: u32,
    },
    /// It threw away all its mappings to run another program. The mappings of that program follow
    /// as [`FactKind::Map`].
    Exec,
    /// The program that the latest [`FactKind::Exec`] of this process began is this image: ties
    /// the kernel's count to what was seen. May be missing when it was lost.
    Image(Image),
    /// It mapped executable memory; older mappings that overlap are gone or cut.
    Map(Mapping),
    /// The executable mappings that it had when they were read from the system, all of them, for
    /// a process that was there before the measuring began.
    Snapshot(Vec<Mapping>),
    /// Its mappings could not be read: it had ended, or they were refused.
    Unreadable,
    /// It ended.
    Exit,
}

/// An executable mapping of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Where in the file `start` is.
    pub file_offset: u64,
    /// What is mapped.
    pub dso: Dso,
}

/// The file behind a mapping, as the kernel names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dso {
    /// The path in the process's own mount namespace, as bytes that the process may have chosen;
    /// `[vdso]`, `//anon`, `/memfd:… (deleted)` and the like where there is no file.
    pub path: Vec<u8>,
    /// Major and minor number of the file system's device; 0 where there is no file.
    pub device: (u32, u32),
    /// The file's inode number; 0 where there is no file.
    pub inode: u64,
}

impl Comm {
    /// The bytes up to the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}
