//! Unwinding: from the registers of a thread to the addresses of its callers.

use aya_ebpf::{
    cty::c_void,
    helpers::{
        bpf_ktime_get_ns,
        generated::{bpf_loop, bpf_probe_read_user},
    },
};
use tracer_common::{
    CodeMapping, Config, FLAG_FRAME_POINTERS, FLAG_TABLES, MAX_DEFERRED_STACK, MAX_USER_FRAMES,
    USER_COMPLETE, USER_DEFERRED, USER_FOREIGN_ABI, USER_NO_FRAME_POINTER, USER_NO_MAPPING,
    USER_NO_MEMORY, USER_NO_PROGRESS, USER_NO_ROOM, USER_NO_ROW, USER_NO_TABLE, USER_READ_FAULT,
    USER_TABLE_LATE, USER_TOO_DEEP, USER_UNSUPPORTED, mix,
    unwind::{
        CODE_NONE, CODE_SIGNAL, End, Frame, Machine, Rule, TABLE_NO_ROOM, TABLE_PAGE, TABLE_READY,
        TABLE_REQUESTED, step,
    },
};

use crate::{
    arch::{self, Registers},
    capture::Who,
    memory::{ANONYMOUS, Mapping, Memory},
    ring,
    scratch::{self, Scratch},
    tables,
    task::Task,
};

/// Below this an address is no code (`mmap_min_addr`).
const LOWEST_CODE: u64 = 4096;
/// What lies further than this from the stack pointer is not taken for the stack.
const STACK_REACH: u64 = 8 << 20;
/// A chain of frame pointers that ends in 0 after fewer frames than these proves nothing: code
/// without frame pointers has zeros in that register, and on the stack where it points, all the time.
/// The shortest true one is a thread's: what its function calls, its function, and what starts that.
const SHORTEST_COMPLETE: u32 = 3;
/// The same of code that is known to have no table: such code keeps frame pointers, or nothing helps.
const SHORTEST_WITHOUT_TABLE: u32 = 2;
/// Of memory.
const PAGE: u64 = 4096;
/// Bytes that the kernel has for an instruction that it executes in another place (`UPROBE_XOL_SLOT_BYTES`).
const SLOT: u64 = 128;
/// Return probes that one step looks through for the one that it met.
const RETURN_PROBES: u32 = 8;

/// How far a walk has come.
#[repr(C)]
pub struct Walk {
    ip: u64,
    sp: u64,
    fp: u64,
    /// Whether `ip` is a return address.
    called: u64,
    hash: u64,
    mapping: Mapping,
    /// Where return probes make functions return to; 0: nowhere.
    trampoline: u64,
    /// The innermost return probe that has not been met; 0: none, or not looked up.
    return_instance: u64,
    flags: u32,
    frames: u32,
    /// How it ended, `USER_…`.
    end: u32,
    is_32_bit: u32,
    /// Whether a table has been asked for.
    asked: u64,
}

/// What the steps of a walk are given.
#[repr(C)]
struct Context {
    scratch: *mut Scratch,
    memory: Memory,
}

/// Walks up the stack that `regs` are of, and leaves the addresses in the scratch slot. Returns how the
/// walk ended, `USER_…`, how many frames it found, and their hash.
///
/// An address behind the first is a return address; of a frame that a signal interrupted it is that of
/// the instruction *and one more*, so that one less is always in the code that was running.
#[inline(always)]
pub fn walk(
    regs: &Registers,
    config: &Config,
    who: &Who,
    scratch: *mut Scratch,
) -> (u32, u32, u64) {
    // SAFETY: `scratch` is a map element that this program holds; so are its parts.
    let (walk, node, noted, count, asked) = unsafe {
        let noted = (&raw mut (*scratch).mappings).cast::<CodeMapping>();
        let count = &raw mut (*scratch).deferred.mappings;
        let asked = &raw mut (*scratch).walk.asked;
        (
            &mut (*scratch).walk,
            &raw mut (*scratch).node,
            noted,
            count,
            asked,
        )
    };
    walk.ip = regs.ip;
    walk.sp = regs.sp;
    walk.fp = regs.fp;
    walk.called = u64::from(regs.in_call);
    walk.hash = config.hash_seed;
    walk.mapping.start = 0;
    walk.mapping.end = 0;
    walk.trampoline = 0;
    walk.return_instance = 0;
    walk.flags = config.flags;
    walk.frames = 0;
    walk.end = USER_TOO_DEEP;
    walk.is_32_bit = u32::from(regs.is_32_bit());
    if walk.is_32_bit != 0 || config.flags & FLAG_TABLES == 0 {
        let mut context = scratch;
        repeat(follow_frame_pointer, (&raw mut context).cast());
    } else if let Some(memory) =
        { Memory::of_current(who.task, who.tgid, scratch::number(scratch), node, asked) }
    {
        walk.trampoline = memory.trampoline();
        if walk.trampoline != 0 {
            walk.return_instance = who.task.return_instance();
        }
        let mut context = Context { scratch, memory };
        repeat(follow_table, (&raw mut context).cast());
        if context.memory.has_asked() || walk.end == USER_TABLE_LATE {
            context.memory.ask_for_all(noted, count);
            if walk.end == USER_TABLE_LATE
                && let Some(id) = defer(regs, config.hash_seed, scratch)
            {
                return (USER_DEFERRED, 0, id);
            }
        }
    } else {
        push(scratch);
        walk.end = USER_NO_MEMORY;
    }
    // SAFETY: as above.
    let walk = unsafe { &(*scratch).walk };
    (walk.end, walk.frames, walk.hash)
}

/// Sends all that it takes to walk later, when the tables are there: what the sample then knows the stack
/// by; `None`: there is no room.
#[inline(always)]
fn defer(regs: &Registers, seed: u64, scratch: *mut Scratch) -> Option<u64> {
    // SAFETY: `scratch` is a map element that this program holds; so are its parts.
    let (header, bytes) = unsafe {
        let bytes = (&raw mut (*scratch).stack.addresses).cast::<u8>();
        (&mut (*scratch).deferred, bytes)
    };
    header.ip = regs.ip;
    header.sp = regs.sp;
    header.fp = regs.fp;
    header.called = u64::from(regs.in_call);
    let mut number = 0;
    while number < 16 {
        // SAFETY: the index is below the length of the array.
        unsafe {
            (&raw mut header.registers)
                .cast::<u64>()
                .add(number as usize)
                .write(arch::register_at_kernel_entry(number).unwrap_or(0));
        }
        number += 1;
    }
    // Page by page: what lies behind the stack cannot be read.
    let mut length = 0u64;
    let mut page = 0;
    while page < MAX_DEFERRED_STACK as u64 / PAGE {
        let from = regs.sp.wrapping_add(length);
        let part = PAGE - (from & (PAGE - 1));
        if length > MAX_DEFERRED_STACK as u64 - PAGE || part > PAGE {
            break;
        }
        // SAFETY: the part ends within the buffer.
        let failed = unsafe {
            bpf_probe_read_user(
                bytes.add(length as usize).cast(),
                part as u32,
                from as *const c_void,
            )
        };
        if failed != 0 {
            break;
        }
        length += part;
        page += 1;
    }
    header.stack = length as u32;
    // The time makes it unique: the same registers may be met with another stack.
    // SAFETY: the helper has no preconditions.
    header.id = mix(mix(seed, unsafe { bpf_ktime_get_ns() }), regs.sp);
    let id = header.id;
    ring::send_deferred(scratch, length).then_some(id)
}

/// Asks for the tables of all files that the current process has mapped, before it is sampled.
#[inline(always)]
pub fn ask_ahead(config: &Config, task: Task, tgid: u32) {
    if config.flags & FLAG_TABLES == 0 {
        return;
    }
    let Some(scratch) = scratch::take(config.scratch_slots) else {
        return;
    };
    // SAFETY: `scratch` is a map element that this program holds.
    let (node, noted, count, asked) = unsafe {
        let noted = (&raw mut (*scratch).mappings).cast::<CodeMapping>();
        let count = &raw mut (*scratch).deferred.mappings;
        let asked = &raw mut (*scratch).walk.asked;
        (&raw mut (*scratch).node, noted, count, asked)
    };
    if let Some(mut memory) =
        { Memory::of_current(task, tgid, scratch::number(scratch), node, asked) }
    {
        memory.ask_for_all(noted, count);
    }
    scratch::give(scratch);
}

#[inline(always)]
fn repeat(step: extern "C" fn(u32, *mut c_void) -> i64, context: *mut c_void) {
    // SAFETY: the callback gets what it expects, and it outlives the call. One more than there is room
    // for, to learn whether that was all.
    unsafe { bpf_loop(MAX_USER_FRAMES as u32 + 1, step as *mut c_void, context, 0) };
}

/// Enters the frame that the walk is at; `false`: there is no room.
#[inline(always)]
fn push(scratch: *mut Scratch) -> bool {
    // SAFETY: `scratch` is a map element that this program holds, and the index is checked.
    unsafe {
        let walk = &mut (*scratch).walk;
        let at = walk.frames as usize;
        if at >= MAX_USER_FRAMES {
            return false;
        }
        let address = if at > 0 {
            walk.ip + 1 - walk.called
        } else {
            walk.ip
        };
        (&raw mut (*scratch).stack.addresses)
            .cast::<u64>()
            .add(at)
            .write(address);
        walk.hash = mix(walk.hash, address);
        walk.frames = at as u32 + 1;
    }
    true
}

/// A frame of a walk without tables.
extern "C" fn follow_frame_pointer(_: u32, context: *mut c_void) -> i64 {
    // SAFETY: `bpf_loop` hands on what it was given.
    let scratch = unsafe { *context.cast::<*mut Scratch>() };
    if !push(scratch) {
        return 1;
    }
    // SAFETY: a map element that this program holds.
    let walk = unsafe { &mut (*scratch).walk };
    let end = frame_pointer(walk, SHORTEST_COMPLETE);
    if end == 0 {
        return 0;
    }
    walk.end = if walk.is_32_bit != 0 && end == USER_NO_FRAME_POINTER {
        USER_FOREIGN_ABI
    } else {
        end
    };
    1
}

/// A frame of a walk with tables.
extern "C" fn follow_table(_: u32, context: *mut c_void) -> i64 {
    // SAFETY: `bpf_loop` hands on what it was given.
    let Context { scratch, memory } = unsafe { &mut *context.cast::<Context>() };
    // SAFETY: a map element that this program holds.
    let walk = unsafe { &mut (**scratch).walk };
    if walk.trampoline != 0 && walk.ip == walk.trampoline {
        past_return_probe(walk);
    }
    if walk.frames == 0 && walk.trampoline != 0 {
        out_of_probe(walk);
    }
    let code_at = walk.ip.wrapping_sub(walk.called);
    if !walk.mapping.holds(code_at) && !memory.find(code_at, &mut walk.mapping) {
        walk.end = USER_NO_MAPPING;
        if walk.frames == 0 {
            push(*scratch);
            // In a system call, that is an exec which has thrown the code away.
            if walk.called != 0 {
                walk.end = USER_NO_MEMORY;
            }
        }
        return 1;
    }
    if !push(*scratch) {
        return 1;
    }
    walk.end = up(walk, code_at);
    if walk.end == 0 {
        walk.end = USER_TOO_DEEP;
        return 0;
    }
    1
}

/// To the caller; 0, or how the walk ends.
#[inline(always)]
fn up(walk: &mut Walk, code_at: u64) -> u32 {
    let mapping = &walk.mapping;
    let mut code = CODE_NONE;
    if mapping.kind == TABLE_REQUESTED {
        return USER_TABLE_LATE;
    }
    if mapping.kind == TABLE_READY {
        let place = code_at.wrapping_add(mapping.to_file);
        let page = (place / TABLE_PAGE).wrapping_sub(mapping.first_page.into());
        if page < mapping.pages.into() {
            let offset = (place % TABLE_PAGE) as u32;
            code = tables::code(mapping.page_base, page as u32, offset);
        }
    }
    // In no table, where a C library is written without.
    if code == CODE_NONE && walk.called != 0 && arch::returns_from_signal(walk.ip) {
        code = CODE_SIGNAL;
    }
    if code != CODE_NONE {
        let frame = Frame {
            ip: walk.ip,
            sp: walk.sp,
            fp: walk.fp,
            called: walk.called != 0,
        };
        let thread = Thread {
            is_leaf: walk.frames == 1,
        };
        match step(code, frame, &thread) {
            Ok(caller) => {
                walk.ip = caller.ip;
                walk.sp = caller.sp;
                walk.fp = caller.fp;
                walk.called = u64::from(caller.called);
                return 0;
            }
            Err(End::Root) => return USER_COMPLETE,
            Err(End::Unsupported) => return USER_UNSUPPORTED,
            Err(End::Unreadable) => return USER_READ_FAULT,
            Err(End::NoProgress) => return USER_NO_PROGRESS,
            Err(End::Unknown | End::FramePointer) => {}
        }
    }
    let (least, reason) = match walk.mapping.kind {
        TABLE_READY => (SHORTEST_COMPLETE, USER_NO_ROW),
        TABLE_NO_ROOM => (SHORTEST_COMPLETE, USER_NO_ROOM),
        ANONYMOUS => (SHORTEST_WITHOUT_TABLE, USER_NO_FRAME_POINTER),
        _ => (SHORTEST_WITHOUT_TABLE, USER_NO_TABLE),
    };
    if walk.flags & FLAG_FRAME_POINTERS == 0 {
        return reason;
    }
    match frame_pointer(walk, least) {
        USER_NO_FRAME_POINTER => reason,
        end => end,
    }
}

/// To the caller along the frame pointer; 0, or how the walk ends.
#[inline(always)]
fn frame_pointer(walk: &mut Walk, least: u32) -> u32 {
    let is_leaf = walk.frames == 1 || walk.called == 0;
    if is_leaf && walk.is_32_bit == 0 && arch::leaf(walk.ip, &mut walk.sp, &mut walk.fp) {
        let Some(ip) = word(walk.sp.wrapping_sub(8)) else {
            return USER_READ_FAULT;
        };
        walk.ip = ip;
        walk.called = 1;
        return if is_code(ip) {
            0
        } else {
            USER_NO_FRAME_POINTER
        };
    }
    match arch::caller(walk.fp, walk.sp, walk.is_32_bit != 0) {
        Ok((fp, ip, sp)) => {
            walk.ip = ip;
            walk.sp = sp;
            walk.fp = fp;
            walk.called = 1;
            0
        }
        Err(USER_COMPLETE) if walk.frames < least => USER_NO_FRAME_POINTER,
        Err(end) => end,
    }
}

/// A thread that a probe has led to code of the kernel's own is where it came from: at the instruction
/// that it executes in another place, or behind the call that has returned.
#[inline(always)]
fn out_of_probe(walk: &mut Walk) {
    let into = walk.ip.wrapping_sub(walk.trampoline);
    if into >= PAGE {
        return;
    }
    let (from, slot) = Task::current().stepped_instruction();
    if walk.ip.wrapping_sub(slot) < SLOT {
        walk.ip = from.wrapping_add(walk.ip.wrapping_sub(slot));
        return;
    }
    let slot = arch::return_slot_in_trampoline(into, walk.sp);
    if walk.return_instance != 0 {
        let (stack, address, next) = Task::of_return_instance(walk.return_instance);
        // In the system call the stack pointer is what it was before the pushes.
        if slot == 0 || stack == slot || stack == walk.sp.wrapping_sub(8) {
            walk.ip = address;
            walk.sp = stack.wrapping_add(8);
            walk.called = 1;
            walk.return_instance = next;
            return;
        }
    }
    // The kernel has been told of the return, and has put the address where it was.
    if let Some(address) = word(slot) {
        walk.ip = address;
        walk.sp = slot.wrapping_add(8);
        walk.called = 1;
    }
}

/// The function was called by a probed one; its return address is in the kernel's keeping.
#[inline(always)]
fn past_return_probe(walk: &mut Walk) {
    let slot = walk.sp.wrapping_sub(8);
    let mut round = 0;
    while round < RETURN_PROBES {
        if walk.return_instance == 0 {
            return;
        }
        let (stack, address, next) = Task::of_return_instance(walk.return_instance);
        if stack > slot {
            return;
        }
        walk.return_instance = next;
        if stack == slot {
            walk.ip = address;
            return;
        }
        round += 1;
    }
}

/// The current thread, to step through.
struct Thread {
    is_leaf: bool,
}

impl Machine for Thread {
    #[inline(always)]
    fn word(&self, address: u64) -> Option<u64> {
        word(address)
    }

    #[inline(always)]
    fn register(&self, number: u32) -> Option<u64> {
        if self.is_leaf {
            arch::register_at_kernel_entry(number)
        } else {
            None
        }
    }

    #[inline(always)]
    fn rule(&self, index: u32) -> Option<Rule> {
        tables::rule(index)
    }
}

#[inline(always)]
fn word(address: u64) -> Option<u64> {
    let mut word = 0u64;
    // SAFETY: the helper checks the address, and the destination has this size.
    let failed =
        unsafe { bpf_probe_read_user((&raw mut word).cast(), 8, address as *const c_void) };
    (failed == 0).then_some(word)
}

/// Whether an address can be one of user code at all.
#[inline(always)]
pub fn is_code(address: u64) -> bool {
    (LOWEST_CODE..1 << 56).contains(&address)
}

/// Whether a frame that cannot be read is the stack's nevertheless.
#[inline(always)]
pub fn is_near(fp: u64, sp: u64) -> bool {
    fp.wrapping_sub(sp) < STACK_REACH
}
