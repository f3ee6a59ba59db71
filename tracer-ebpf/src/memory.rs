//! The memory of a process: which file is mapped where, as the kernel itself keeps it.
//!
//! The mappings of a process are in a tree (`mm_struct.mm_mt`, Linux 6.1), which its readers walk
//! without a lock, under RCU; so do the programs, which always run under RCU. That is right from a
//! process's first instruction on, over fork, exec, dlopen and munmap, with no help of the user side.
//! Layouts are those of `include/linux/maple_tree.h`.

use aya_ebpf::{
    Global,
    cty::c_void,
    helpers::generated::{bpf_loop, bpf_probe_read_kernel},
    macros::map,
    maps::PerCpuArray,
};
use tracer_common::{
    CodeMapping, MAX_DEFERRED_MAPPINGS, SCRATCH_SLOTS,
    unwind::{FileKey, TABLE_PAGE, TableRequest},
};

use crate::{
    tables::{self, negative},
    task::Task,
};

macro_rules! facts {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".rodata.memory")]
        static $name: Global<u32> = Global::new(0);
    )*};
}

facts! {
    MM_TREE TREE_ROOT MM_LOCK_SEQUENCE MM_VDSO MM_UPROBES
    VMA_START VMA_END VMA_FLAGS VMA_PAGE_OFFSET VMA_FILE
    FILE_INODE INODE_NUMBER INODE_GENERATION INODE_MTIME INODE_MTIME_NS INODE_SUPER SUPER_DEVICE
}

/// Bytes of a node of the tree.
const NODE: usize = 256;
/// `maple_leaf_64`: its slots hold mappings; `maple_arange_64`: an inner node with gaps.
const LEAF: u64 = 1;
const ARANGE: u64 = 3;
/// Levels that a tree may have: each has at least 8 entries a node.
const LEVELS: u32 = 7;
/// `VM_EXEC`.
const EXECUTABLE: u64 = 4;
/// Addresses of the kernel's own memory.
const KERNEL: u64 = 1 << 63;

/// Code that is in no file. That of files has the state of their tables, `TABLE_…`.
pub const ANONYMOUS: u32 = 5;

/// An executable mapping.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    /// To be added to an address: its place in the file.
    pub to_file: u64,
    pub page_base: u32,
    pub pages: u32,
    pub first_page: u32,
    /// One of the `TABLE_…` numbers, or [`ANONYMOUS`].
    pub kind: u32,
    pub file: FileKey,
}

impl Mapping {
    const NONE: Self = Self {
        start: 0,
        end: 0,
        to_file: 0,
        page_base: 0,
        pages: 0,
        first_page: 0,
        kind: 0,
        file: FileKey::NONE,
    };

    #[inline(always)]
    pub fn holds(&self, address: u64) -> bool {
        address >= self.start && address < self.end
    }
}

const REMEMBERED: usize = 8;
const SETS: u32 = 32;

/// Mappings of one process that have been looked up, all in one state of its memory.
#[repr(C)]
pub struct Remembered {
    of: State,
    next: u64,
    mappings: [Mapping; REMEMBERED],
}

/// Identifies a state of a process's memory and of the tables: two that are equal have the same
/// mappings with the same tables.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    mm: u64,
    start_ns: u64,
    exec: u32,
    /// Rises whenever mappings change (`mm_struct.mm_lock_seq`, Linux 6.4).
    sequence: u32,
    version: u32,
    reserved: u32,
}

/// For each scratch slot as many sets: who holds the slot has the sets to himself.
#[map]
static REMEMBERED_MAPPINGS: PerCpuArray<Remembered> =
    PerCpuArray::with_max_entries(SETS * SCRATCH_SLOTS, 0);

/// What a look-up needs besides the address.
#[repr(C)]
pub struct Memory {
    mm: u64,
    remembered: *mut Remembered,
    node: *mut [u64; NODE / 8],
    version: u32,
    tgid: u32,
    /// Whether a table has been asked for that nobody had asked for. Not in here: the verifier would
    /// look at all that follows for each value.
    asked: *mut u64,
}

/// State of the loop over all mappings.
#[repr(C)]
struct Asking {
    memory: *mut Memory,
    next: u64,
    /// Where what is found is noted too. The count is not in here: in memory that it follows, the
    /// verifier would look at every count.
    noted: *mut CodeMapping,
    count: *mut u32,
}

/// Mappings that are looked at to ask for their tables: few processes have more.
const MOST_MAPPINGS: u32 = 1024;

/// One mapping of [`Asking`].
extern "C" fn ask(_: u32, asking: *mut c_void) -> i64 {
    // SAFETY: `bpf_loop` hands on what it was given.
    let asking = unsafe { &mut *asking.cast::<Asking>() };
    // SAFETY: as above.
    let memory = unsafe { &mut *asking.memory };
    let mut last = 0;
    let vma = memory.vma(asking.next, &mut last);
    if vma != 0 {
        let mut mapping = Mapping::NONE;
        let is_code = memory.describe(vma, asking.next, &mut mapping);
        // SAFETY: in a map element that this program holds.
        let count = unsafe { asking.count.read_volatile() } as usize;
        if is_code && count < MAX_DEFERRED_MAPPINGS {
            // SAFETY: an array of that length, in a map element that this program holds.
            unsafe {
                asking.noted.add(count).write(CodeMapping {
                    start: mapping.start,
                    end: mapping.end,
                    to_file: mapping.to_file,
                    file: mapping.file,
                });
                asking.count.write_volatile(count as u32 + 1);
            }
        }
    }
    // Behind the last one lies what is the kernel's.
    if last >> 56 != 0 || last < asking.next {
        return 1;
    }
    asking.next = last + 1;
    0
}

/// A member of a structure of the kernel's; 0 where it cannot be read.
#[inline(always)]
fn read<T: Copy + Default>(address: u64, offset: &Global<u32>) -> T {
    let mut value = T::default();
    let from = address.wrapping_add(u64::from(offset.load()));
    // SAFETY: the helper checks the address, and fills the destination and no more, with zeros if it
    // fails. What it returns is not looked at: the verifier would follow both ways from every read.
    unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<T>() as u32,
            from as *const _,
        )
    };
    value
}

impl Memory {
    /// The memory of the current task; `None`: it has none. `node` is room for a node of the tree,
    /// `asked` for a word.
    #[inline(always)]
    pub fn of_current(
        task: Task,
        tgid: u32,
        slot: u32,
        node: *mut [u64; NODE / 8],
        asked: *mut u64,
    ) -> Option<Self> {
        // SAFETY: in a map element that this program holds.
        unsafe { asked.write_volatile(0) };
        let mm = task.memory();
        if mm == 0 {
            return None;
        }
        let set = (mm >> 6 ^ mm >> 12) as u32 & (SETS - 1);
        let remembered =
            REMEMBERED_MAPPINGS.get_ptr_mut((slot & (SCRATCH_SLOTS - 1)) * SETS + set)?;
        let counted = MM_LOCK_SEQUENCE.load() != 0;
        let version = tables::version();
        let state = State {
            mm,
            start_ns: task.leader().start_ns(),
            exec: task.exec_id(),
            sequence: read(mm, &MM_LOCK_SEQUENCE),
            version,
            reserved: 0,
        };
        // SAFETY: a map element that belongs to the scratch slot that this program holds.
        unsafe {
            // Without the count, or in the middle of a change, nothing is remembered.
            if !counted || (*remembered).of != state {
                (*remembered).of = state;
                (*remembered).next = 0;
                let mut index = 0;
                while index < REMEMBERED {
                    let mapping = (&raw mut (*remembered).mappings)
                        .cast::<Mapping>()
                        .add(index);
                    (*mapping).end = 0;
                    index += 1;
                }
            }
        }
        Some(Self {
            mm,
            remembered,
            node,
            version,
            tgid,
            asked,
        })
    }

    /// Whether a table has been asked for that nobody had asked for.
    #[inline(always)]
    pub fn has_asked(&self) -> bool {
        // SAFETY: in a map element that this program holds.
        unsafe { self.asked.read_volatile() != 0 }
    }

    /// Asks for the tables of all files that the process has mapped, and notes the mappings in an array
    /// of [`MAX_DEFERRED_MAPPINGS`]; `count` becomes how many.
    #[inline(always)]
    pub fn ask_for_all(&mut self, noted: *mut CodeMapping, count: *mut u32) {
        // SAFETY: in a map element that this program holds.
        unsafe { count.write_volatile(0) };
        let mut asking = Asking {
            memory: self,
            next: 0,
            noted,
            count,
        };
        // SAFETY: the callback gets what it expects, and it outlives the call.
        unsafe {
            bpf_loop(
                MOST_MAPPINGS,
                ask as *mut c_void,
                (&raw mut asking).cast(),
                0,
            )
        };
    }

    /// Where return probes make functions return to; 0: nowhere.
    #[inline(always)]
    pub fn trampoline(&self) -> u64 {
        let area: u64 = read(self.mm, &MM_UPROBES);
        if area == 0 {
            return 0;
        }
        Task::trampoline_of(area)
    }

    /// The executable mapping that an address is in.
    #[inline(always)]
    pub fn find(&mut self, address: u64, found: &mut Mapping) -> bool {
        // SAFETY: a map element that belongs to the scratch slot that this program holds.
        let mappings = unsafe { (&raw mut (*self.remembered).mappings).cast::<Mapping>() };
        let mut index = 0;
        while index < REMEMBERED {
            // SAFETY: the index is below the length of the array, in a map element that belongs to
            // this program.
            let mapping = unsafe { &*mappings.add(index) };
            if mapping.holds(address) {
                *found = *mapping;
                return true;
            }
            index += 1;
        }
        let mut last = 0;
        let vma = self.vma(address, &mut last);
        if vma == 0 || !self.describe(vma, address, found) {
            return false;
        }
        // SAFETY: as above.
        unsafe {
            let next = (*self.remembered).next;
            (*self.remembered).next = next + 1;
            *mappings.add(next as usize & (REMEMBERED - 1)) = *found;
        }
        true
    }

    /// The `vm_area_struct` that an address is in; 0: none. `last` becomes the last address of which the
    /// answer is the same.
    #[inline(always)]
    fn vma(&self, address: u64, last: &mut u64) -> u64 {
        let tree = self.mm.wrapping_add(u64::from(MM_TREE.load()));
        let mut entry: u64 = read(tree, &TREE_ROOT);
        // `xa_is_node`: of one mapping alone there would be no tree.
        if entry & 3 != 2 {
            return 0;
        }
        let words = self.node.cast::<u64>();
        *last = u64::MAX;
        let mut level = 0;
        while level < LEVELS {
            // The address of a node, and its type in bits 3 to 6.
            if entry & KERNEL == 0 {
                return 0;
            }
            let kind = entry >> 3 & 15;
            // SAFETY: the helper checks the address, and the buffer has that size.
            let failed = unsafe {
                bpf_probe_read_kernel(words.cast(), NODE as u32, (entry & !0xff) as *const _)
            };
            if failed != 0 {
                return 0;
            }
            // Slot i holds what lies behind pivot i − 1, up to and with pivot i. Masks, not branches:
            // the verifier would follow every way through all levels.
            let inner = negative((kind ^ ARANGE) as i64 - 1);
            // SAFETY: constant places in the buffer.
            let (last_pivot, inner_end, leaf_end) = unsafe {
                (
                    words.add(15).read(),
                    words.add(30).read(),
                    words.add(31).read(),
                )
            };
            let partly = negative((last_pivot >> 1) as i64 - 1);
            let end = inner_end & 0xff & inner | (leaf_end & 0xff & partly | 15 & !partly) & !inner;
            let slots = 10 & inner | 16 & !inner;
            let mut slot = 0u64;
            let mut pivot = 0;
            while pivot < 15 {
                // SAFETY: as above. Halved, because the last pivot may be the largest number.
                let last = unsafe { words.add(1 + pivot).read() } >> 1;
                let behind = negative(last as i64 - (address >> 1) as i64);
                slot += behind & negative(pivot as i64 - end as i64) & 1;
                pivot += 1;
            }
            // Behind the last pivot the node ends, as its parent says.
            let within = negative(slot as i64 - end as i64);
            // SAFETY: masked to the buffer's length.
            let pivot = unsafe { words.add((1 + slot) as usize & (NODE / 8 - 1)).read() };
            *last = pivot & within | *last & !within;
            // SAFETY: as above.
            entry = unsafe { words.add((slots + slot) as usize & (NODE / 8 - 1)).read() };
            if kind == LEAF {
                return if entry & KERNEL != 0 && entry & 7 == 0 {
                    entry
                } else {
                    0
                };
            }
            level += 1;
        }
        0
    }

    /// What is mapped there; `false`: no code, or not there.
    #[inline(always)]
    fn describe(&mut self, vma: u64, address: u64, found: &mut Mapping) -> bool {
        found.start = read(vma, &VMA_START);
        found.end = read(vma, &VMA_END);
        let flags: u64 = read(vma, &VMA_FLAGS);
        if !found.holds(address) || flags & EXECUTABLE == 0 {
            return false;
        }
        let mut request = TableRequest {
            file: FileKey::VDSO,
            tgid: self.tgid,
            reserved: 0,
            start: found.start,
            end: found.end,
        };
        let file: u64 = read(vma, &VMA_FILE);
        if file != 0 {
            let page: u64 = read(vma, &VMA_PAGE_OFFSET);
            found.to_file = page.wrapping_mul(TABLE_PAGE).wrapping_sub(found.start);
            let inode: u64 = read(file, &FILE_INODE);
            let device: u64 = read(inode, &INODE_SUPER);
            let seconds: u64 = read(inode, &INODE_MTIME);
            let nanoseconds: u32 = read(inode, &INODE_MTIME_NS);
            let generation: u32 = read(inode, &INODE_GENERATION);
            request.file = FileKey {
                inode: read(inode, &INODE_NUMBER),
                device: read(device, &SUPER_DEVICE),
                generation: generation ^ (seconds as u32).rotate_left(16) ^ nanoseconds,
            };
        } else if found.start == read(self.mm, &MM_VDSO) {
            found.to_file = 0u64.wrapping_sub(found.start);
        } else {
            found.kind = ANONYMOUS;
            found.file = FileKey::NONE;
            return true;
        }
        found.file = request.file;
        let table = tables::of_file(self.version, &request);
        if table.reserved != 0 {
            // SAFETY: in a map element that this program holds.
            unsafe { self.asked.write_volatile(1) };
        }
        found.page_base = table.page_base;
        found.pages = table.pages;
        found.first_page = table.first_page;
        found.kind = table.state;
        true
    }
}
