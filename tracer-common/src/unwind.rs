//! Unwinding: what tables are made of, and the step from a frame to its caller that they describe.
//!
//! A table covers the code of one file, by *file offset* rather than by address, so that where the file
//! is mapped does not matter. It has *pages* of 4 KiB; a page has *rows*, in order, the first at offset
//! 0 of the page. A row holds from its offset to the next row's:
//!
//! ```text
//! row  u32 = code:20 | offset in the page:12
//! code 0                  nothing is known
//!      bit 19 = 0         bit 18: CFA relative to 0 the stack pointer, 1 the frame pointer
//!                         bits 6–17: CFA offset / 8
//!                         bits 0–5: caller's frame pointer: 0 in the register, n at CFA − 8 (n + 1)
//!      bit 19 = 1         bits 0–18: one of the `CODE_…` kinds, or from FIRST_RULE on a Rule
//! page u64 = index of the first row:32 | number of rows:13 << 32
//! ```
//!
//! The return address is at CFA − 8 unless a rule says otherwise. The architecture is x86-64: another
//! one has other inline codes and its own [`step`], and the rest as it is.

use crate::plain::plain;

/// Bytes of code that a page of a table covers.
pub const TABLE_PAGE: u64 = 1 << 12;
/// Words of 64 bits in a segment of the memory that tables lie in: each holds two rows, or one page.
pub const SEGMENT_WORDS: u32 = 1 << 19;
/// Segments that there may be.
pub const SEGMENTS: u32 = 256;
/// Rules that there may be, of all tables together.
pub const RULES: u32 = 1 << 15;
/// The most rows that a page may have: one for each byte.
pub const MAX_PAGE_ROWS: u32 = 1 << 12;

const LONG: u32 = 1 << 19;
/// Nothing is known of this code.
pub const CODE_NONE: u32 = 0;
/// The outermost function: nobody called it.
pub const CODE_STOP: u32 = LONG;
/// The kernel called it to deliver a signal.
pub const CODE_SIGNAL: u32 = LONG | 1;
/// It keeps a frame pointer.
pub const CODE_FRAME_POINTER: u32 = LONG | 2;
/// What is known cannot be expressed.
pub const CODE_UNSUPPORTED: u32 = LONG | 3;
/// Codes from here on number rules.
pub const FIRST_RULE: u32 = LONG | 16;

/// CFA = stack pointer + `cfa`.
pub const CFA_SP: u8 = 1;
/// CFA = frame pointer + `cfa`.
pub const CFA_FP: u8 = 2;
/// In a PLT entry: CFA = stack pointer + 8, and 8 more from byte `cfa` of its 16 on.
pub const CFA_PLT: u8 = 3;
/// CFA = word at (stack pointer + `cfa`) + `post`.
pub const CFA_AT_SP: u8 = 4;
/// CFA = word at (frame pointer + `cfa`) + `post`.
pub const CFA_AT_FP: u8 = 5;
/// CFA = register number `register` + `cfa`.
pub const CFA_REGISTER: u8 = 6;
/// CFA = word at (register number `register` + `cfa`) + `post`.
pub const CFA_AT_REGISTER: u8 = 7;

/// The caller's frame pointer is still in the register.
pub const FP_SAME: u8 = 0;
/// It is at CFA + `fp`.
pub const FP_AT_CFA: u8 = 1;
/// It is at frame pointer + `fp`.
pub const FP_AT_FP: u8 = 2;
/// It cannot be had.
pub const FP_LOST: u8 = 3;

/// The return address is at CFA − 8.
pub const RA_AT_CFA: u8 = 0;
/// It is in register number `ra_register`.
pub const RA_REGISTER: u8 = 1;
/// It is at CFA + `ra`.
pub const RA_AT_CFA_PLUS: u8 = 2;

/// A frame pointer that is none: not a multiple of 8, and nothing can be read there.
const NO_FP: u64 = 1;

plain! {
    /// A step that no inline code describes.
    pub struct Rule {
        /// One of the `CFA_…` numbers.
        pub cfa_kind: u8,
        /// One of the `FP_…` numbers.
        pub fp_kind: u8,
        /// One of the `RA_…` numbers.
        pub ra_kind: u8,
        /// DWARF number of a register.
        pub register: u8,
        /// See `cfa_kind`.
        pub cfa: i32,
        /// See `fp_kind`.
        pub fp: i32,
        /// See `cfa_kind`.
        pub post: i16,
        /// Offset or DWARF register number; see `ra_kind`.
        pub ra: i16,
    }

    /// A file as the kernel identifies it.
    pub struct FileKey {
        /// `inode.i_ino`; 0: the vDSO.
        pub inode: u64,
        /// `super_block.s_dev`.
        pub device: u32,
        /// `inode.i_generation`, mixed with when the file was written last: another file may have the
        /// number later, and this one may become another program.
        pub generation: u32,
    }

    /// Where a file's table is.
    pub struct FileTable {
        /// One of the `TABLE_…` numbers.
        pub state: u32,
        /// Word of the first page.
        pub page_base: u32,
        /// How many pages there are.
        pub pages: u32,
        /// File offset of the first page's beginning, in pages.
        pub first_page: u32,
        /// The version of the tables in which it was last looked up.
        pub used: u32,
        /// Always 0.
        pub reserved: u32,
    }

    /// Asks for a file's table: in a ring of its own.
    pub struct TableRequest {
        /// The file.
        pub file: FileKey,
        /// A process that has it mapped,
        pub tgid: u32,
        /// Always 0.
        pub reserved: u32,
        /// from here
        pub start: u64,
        /// to here.
        pub end: u64,
    }
}

impl FileKey {
    /// The vDSO.
    pub const VDSO: Self = Self {
        inode: 0,
        device: 0,
        generation: 0,
    };
    /// Memory that is no file's.
    pub const NONE: Self = Self {
        inode: u64::MAX,
        device: u32::MAX,
        generation: 0,
    };
}

/// It has been asked for.
pub const TABLE_REQUESTED: u32 = 0;
/// It is there.
pub const TABLE_READY: u32 = 1;
/// The file has none.
pub const TABLE_NONE: u32 = 2;
/// There was one, or would have been, but for want of memory.
pub const TABLE_NO_ROOM: u32 = 3;
/// The file could not be read.
pub const TABLE_UNREADABLE: u32 = 4;

/// The row of a code.
pub const fn row(code: u32, offset: u32) -> u32 {
    code << 12 | offset & 0xfff
}

/// The code of a CFA relative to the frame pointer, or else the stack pointer, and of where the caller's
/// frame pointer is relative to the CFA, `None`: in the register. `None`: a rule is needed.
pub const fn inline_code(from_fp: bool, cfa: i32, fp: Option<i32>) -> Option<u32> {
    if cfa <= 0 || cfa % 8 != 0 || cfa >= 8 << 12 {
        return None;
    }
    let slot = match fp {
        None => 0,
        Some(fp) if fp % 8 == 0 && fp <= -16 && fp >= -512 => (-fp / 8 - 1) as u32,
        Some(_) => return None,
    };
    Some((from_fp as u32) << 18 | (cfa as u32 / 8) << 6 | slot)
}

/// The registers that matter to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Instruction pointer.
    pub ip: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Frame pointer.
    pub fp: u64,
    /// Whether `ip` is a return address, so that the code that was running ends before it.
    pub called: bool,
}

/// What a step reads from.
pub trait Machine {
    /// A word of the process's memory; `None`: it cannot be read.
    fn word(&self, address: u64) -> Option<u64>;
    /// A register of the frame that was interrupted, by its DWARF number. `None`: this is another frame.
    fn register(&self, number: u32) -> Option<u64>;
    /// A rule, counted from 0.
    fn rule(&self, index: u32) -> Option<Rule>;
}

/// How a step ends that finds no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The frame is the outermost one.
    Root,
    /// Nothing is known of the code: frame pointers may help.
    Unknown,
    /// The code keeps a frame pointer.
    FramePointer,
    /// What is known cannot be expressed, or needs what is not to be had.
    Unsupported,
    /// Memory could not be read.
    Unreadable,
    /// The caller's frame would not lie above this one.
    NoProgress,
}

/// `rip`, `rsp` and `rbp` in `struct rt_sigframe`, from where the handler's return left the stack
/// pointer: behind `pretcode` come `ucontext` (40 bytes to `uc_mcontext`) and in it the registers in the
/// order of `struct sigcontext`.
const SIGNAL_IP: u64 = 168;
const SIGNAL_SP: u64 = 160;
const SIGNAL_FP: u64 = 120;

/// From a frame to its caller, as `code` says.
#[inline(always)]
pub fn step(code: u32, frame: Frame, machine: &impl Machine) -> Result<Frame, End> {
    let Frame { sp, fp, .. } = frame;
    if code & LONG == 0 {
        if code == CODE_NONE {
            return Err(End::Unknown);
        }
        let base = if code & 1 << 18 != 0 { fp } else { sp };
        let cfa = base.wrapping_add(u64::from(code >> 6 & 0xfff) << 3);
        let slot = u64::from(code & 0x3f);
        let caller_fp = if slot == 0 {
            fp
        } else {
            let at = cfa.wrapping_sub(8).wrapping_sub(slot << 3);
            machine.word(at).ok_or(End::Unreadable)?
        };
        return caller(frame, cfa, caller_fp, machine.word(cfa.wrapping_sub(8)));
    }
    if code < FIRST_RULE {
        return match code {
            CODE_STOP => Err(End::Root),
            CODE_FRAME_POINTER => Err(End::FramePointer),
            CODE_SIGNAL => {
                let at = |offset: u64| machine.word(sp.wrapping_add(offset)).ok_or(End::Unreadable);
                Ok(Frame {
                    ip: at(SIGNAL_IP)?,
                    sp: at(SIGNAL_SP)?,
                    fp: at(SIGNAL_FP)?,
                    called: false,
                })
            }
            _ => Err(End::Unsupported),
        };
    }
    let rule = machine.rule(code - FIRST_RULE).ok_or(End::Unsupported)?;
    by_rule(&rule, frame, machine)
}

#[inline(always)]
fn by_rule(rule: &Rule, frame: Frame, machine: &impl Machine) -> Result<Frame, End> {
    let Frame { ip, sp, fp, .. } = frame;
    let plus = |base: u64, offset: i32| base.wrapping_add(i64::from(offset) as u64);
    let kind = rule.cfa_kind;
    let cfa = if kind == CFA_PLT {
        let pushed = u64::from(ip & 15 >= i64::from(rule.cfa) as u64);
        sp.wrapping_add(8).wrapping_add(pushed << 3)
    } else {
        let base = match kind {
            CFA_SP | CFA_AT_SP => sp,
            CFA_FP | CFA_AT_FP => fp,
            CFA_REGISTER | CFA_AT_REGISTER => {
                let register = machine.register(rule.register.into());
                register.ok_or(End::Unsupported)?
            }
            _ => return Err(End::Unsupported),
        };
        let at = plus(base, rule.cfa);
        if matches!(kind, CFA_AT_SP | CFA_AT_FP | CFA_AT_REGISTER) {
            plus(machine.word(at).ok_or(End::Unreadable)?, rule.post.into())
        } else {
            at
        }
    };
    let caller_fp = match rule.fp_kind {
        FP_SAME => fp,
        FP_AT_CFA => machine.word(plus(cfa, rule.fp)).ok_or(End::Unreadable)?,
        // Compilers say so for an instruction too long: then it is not needed.
        FP_AT_FP => machine.word(plus(fp, rule.fp)).unwrap_or(NO_FP),
        _ => NO_FP,
    };
    let ra = if rule.ra_kind == RA_REGISTER {
        machine.register(rule.ra as u32).ok_or(End::Unsupported)?
    } else {
        let offset = if rule.ra_kind == RA_AT_CFA {
            -8
        } else {
            rule.ra.into()
        };
        machine.word(plus(cfa, offset)).ok_or(End::Unreadable)?
    };
    // With the return address in a register, nothing need have been pushed.
    if rule.ra_kind == RA_REGISTER && cfa == sp && ra != 0 {
        return Ok(Frame {
            ip: ra,
            sp: cfa,
            fp: caller_fp,
            called: true,
        });
    }
    caller(frame, cfa, caller_fp, Some(ra))
}

#[inline(always)]
fn caller(frame: Frame, cfa: u64, fp: u64, ra: Option<u64>) -> Result<Frame, End> {
    let ip = ra.ok_or(End::Unreadable)?;
    if ip == 0 {
        return Err(End::Root);
    }
    if cfa <= frame.sp {
        return Err(End::NoProgress);
    }
    Ok(Frame {
        ip,
        sp: cfa,
        fp,
        called: true,
    })
}
