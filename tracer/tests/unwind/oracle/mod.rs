//! The table of a file as gimli reads it: slow and plain, to compare with.

mod pages;

use std::collections::BTreeMap;
use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, DebugFrame, EhFrame, EndianSlice, LittleEndian, Operation,
    Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection,
    UnwindTableRow, X86_64,
};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Object as _, ObjectSection as _, elf};
use tracer::unwind::Table;
use tracer_common::unwind::{self as wire, Rule};

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Expression = UnwindExpression<usize>;

/// As large as it needs to be.
pub(crate) struct Unbounded;

impl UnwindContextStorage<usize> for Unbounded {
    type Rules = Vec<(Register, RegisterRule<usize>)>;
    type Stack = Vec<UnwindTableRow<usize, Self>>;
}

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Code(u32),
    Rule(Rule),
}

const NOTHING: Said = Said::Code(wire::CODE_NONE);
const UNSUPPORTED: Said = Said::Code(wire::CODE_UNSUPPORTED);

/// A function: where it is in the file, and what holds from which offset on.
struct Function {
    range: Range<u64>,
    rows: BTreeMap<u64, Said>,
}

/// An executable segment: where it is in memory, and in the file.
pub(crate) struct Segment {
    addresses: Range<u64>,
    offset: u64,
}

/// A file's table, if there is anything to be said of it.
pub(crate) fn table(bytes: &[u8]) -> Option<Table> {
    let file = ElfFile64::<object::LittleEndian>::parse(bytes).ok()?;
    let segments = segments(&file, bytes.len() as u64);
    let hdr = file.section_by_name(".eh_frame_hdr");
    let bases = |address: u64| {
        let bases = BaseAddresses::default().set_eh_frame(address);
        bases.set_got(hdr.as_ref().map_or(0, |section| section.address()))
    };
    let mut functions = Vec::new();
    if let Some(section) = file.section_by_name(".eh_frame") {
        let mut frame = EhFrame::new(section.data().ok()?, LittleEndian);
        frame.set_address_size(8);
        functions = of_section(&frame, &bases(section.address()), &segments);
    }
    let go = file.section_by_name(".gopclntab").is_some();
    if let Some(section) = file.section_by_name(".debug_frame")
        && !go
    {
        let bytes = section.uncompressed_data().ok()?;
        let mut frame = DebugFrame::new(&bytes, LittleEndian);
        frame.set_address_size(8);
        functions.extend(of_section(&frame, &bases(section.address()), &segments));
    }
    if functions.is_empty() {
        return None;
    }
    let entry = file.elf_header().e_entry(object::LittleEndian);
    let entry = segments
        .iter()
        .find_map(|segment| segment.place(entry, u64::MAX));
    let entry = entry.filter(|_| {
        let program = file.elf_header().e_type(object::LittleEndian) == elf::ET_EXEC
            || file.section_by_name(".interp").is_some();
        let dynamic = file.section_by_name(".dynamic");
        let bytes = dynamic.and_then(|section| section.data().ok());
        let needed = 1_u64.to_le_bytes();
        let mut tags = bytes.unwrap_or_default().chunks(16);
        program || !tags.any(|entry| entry.starts_with(&needed))
    });
    Some(pages::pages(&pages::changes(functions, entry)))
}

pub(crate) fn segments(file: &ElfFile64<'_, object::LittleEndian>, length: u64) -> Vec<Segment> {
    let le = object::LittleEndian;
    let executable = |head: &&elf::ProgramHeader64<object::LittleEndian>| {
        head.p_type(le) == elf::PT_LOAD && head.p_flags(le) & elf::PF_X != 0
    };
    let heads = file.elf_program_headers().iter().filter(executable);
    let segment = |head: &elf::ProgramHeader64<object::LittleEndian>| {
        let (address, offset) = (head.p_vaddr(le), head.p_offset(le));
        let size = head.p_filesz(le).min(length.saturating_sub(offset));
        Segment {
            addresses: address..address + size,
            offset,
        }
    };
    heads.map(segment).collect()
}

impl Segment {
    /// Where code is in the file.
    pub(crate) fn place(&self, address: u64, size: u64) -> Option<Range<u64>> {
        let Range { start, end } = self.addresses;
        if !self.addresses.contains(&address) || size == 0 {
            return None;
        }
        let offset = address - start + self.offset;
        Some(offset..offset + size.min(end - address))
    }
}

fn of_section<'a, S: UnwindSection<Slice<'a>>>(
    section: &S,
    bases: &BaseAddresses,
    segments: &[Segment],
) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut context = UnwindContext::<usize, Unbounded>::new_in();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let Ok(fde) = partial.parse(S::cie_from_offset) else {
            continue;
        };
        let address = fde.initial_address();
        let place = |segment: &Segment| segment.place(address, fde.len());
        let Some(range) = segments.iter().find_map(place) else {
            continue;
        };
        let mut rows = BTreeMap::new();
        if fde.is_signal_trampoline() {
            rows.insert(range.start, Said::Code(wire::CODE_SIGNAL));
        } else if fde.cie().return_address_register() != X86_64::RA {
            rows.insert(range.start, UNSUPPORTED);
        } else {
            let mut from = address;
            match fde.rows(section, bases, &mut context) {
                Err(_) => drop(rows.insert(range.start, UNSUPPORTED)),
                Ok(mut table) => loop {
                    let (said, next) = match table.next_row() {
                        Ok(None) => break,
                        Ok(Some(row)) => (said(row, section), Some(row.end_address())),
                        Err(_) => (UNSUPPORTED, None),
                    };
                    rows.insert(from - address + range.start, said);
                    match next {
                        Some(next) => from = next,
                        None => break,
                    }
                },
            }
        }
        functions.push(Function { range, rows });
    }
    functions
}

pub(crate) fn said<'a, S: UnwindSection<Slice<'a>>>(
    row: &UnwindTableRow<usize, Unbounded>,
    section: &S,
) -> Said {
    let ra = row.register(X86_64::RA);
    if matches!(ra, Some(RegisterRule::Undefined)) {
        return Said::Code(wire::CODE_STOP);
    }
    rule(row, ra, section).map_or(UNSUPPORTED, |rule| {
        inline(&rule).unwrap_or(Said::Rule(rule))
    })
}

/// Every row as a rule, also where an inline code will do.
fn rule<'a, S: UnwindSection<Slice<'a>>>(
    row: &UnwindTableRow<usize, Unbounded>,
    ra: Option<RegisterRule<usize>>,
    section: &S,
) -> Option<Rule> {
    match row.register(X86_64::RSP) {
        None | Some(RegisterRule::ValOffset(0)) => {}
        Some(_) => return None,
    }
    let (cfa_kind, register, cfa, post) = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => match *register {
            X86_64::RSP => (wire::CFA_SP, 0, *offset, 0),
            X86_64::RBP => (wire::CFA_FP, 0, *offset, 0),
            other => (wire::CFA_REGISTER, other.0, *offset, 0),
        },
        CfaRule::Expression(expression) => match operations(expression, section)?.as_slice() {
            [
                Op::Register(7, 8),
                Op::Register(16, 0),
                Op::Constant(15),
                Op::And,
                Op::Constant(byte),
                Op::Ge,
                Op::Constant(3),
                Op::Shl,
                Op::Plus,
            ] => (wire::CFA_PLT, 0, *byte, 0),
            [Op::Register(register, offset)] => match register {
                7 => (wire::CFA_SP, 0, *offset, 0),
                6 => (wire::CFA_FP, 0, *offset, 0),
                _ => (wire::CFA_REGISTER, *register, *offset, 0),
            },
            [Op::Register(register, offset), Op::Deref, rest @ ..] => {
                let post = match rest {
                    [] => 0,
                    [Op::PlusConstant(post)] | [Op::Constant(post), Op::Plus] => *post,
                    _ => return None,
                };
                match register {
                    7 => (wire::CFA_AT_SP, 0, *offset, post),
                    6 => (wire::CFA_AT_FP, 0, *offset, post),
                    _ => (wire::CFA_AT_REGISTER, *register, *offset, post),
                }
            }
            _ => return None,
        },
    };
    if register > 15 {
        return None;
    }
    let (fp_kind, fp) = match row.register(X86_64::RBP) {
        None | Some(RegisterRule::SameValue | RegisterRule::Register(X86_64::RBP)) => {
            (wire::FP_SAME, 0)
        }
        Some(RegisterRule::Offset(offset)) => (wire::FP_AT_CFA, offset),
        Some(RegisterRule::Expression(expression)) => {
            match operations(&expression, section).as_deref() {
                Some([Op::Register(6, offset)]) => (wire::FP_AT_FP, *offset),
                _ => (wire::FP_LOST, 0),
            }
        }
        Some(_) => (wire::FP_LOST, 0),
    };
    let (ra_kind, ra) = match ra? {
        RegisterRule::Offset(-8) => (wire::RA_AT_CFA, 0),
        RegisterRule::Offset(offset) => (wire::RA_AT_CFA_PLUS, offset),
        RegisterRule::Register(Register(number @ ..16)) => (wire::RA_REGISTER, number.into()),
        _ => return None,
    };
    let fp = i32::try_from(fp).ok();
    Some(Rule {
        cfa_kind,
        fp_kind: if fp.is_some() { fp_kind } else { wire::FP_LOST },
        ra_kind,
        register: register as u8,
        cfa: cfa.try_into().ok()?,
        fp: fp.unwrap_or(0),
        post: post.try_into().ok()?,
        ra: ra.try_into().ok()?,
    })
}

/// Word by word as the format is described, rather than by the function that makes codes.
fn inline(rule: &Rule) -> Option<Said> {
    if rule.ra_kind != wire::RA_AT_CFA || rule.cfa % 8 != 0 || !(8..32768).contains(&rule.cfa) {
        return None;
    }
    let base = match rule.cfa_kind {
        wire::CFA_SP => 0,
        wire::CFA_FP => 1 << 18,
        _ => return None,
    };
    let slot = match (rule.fp_kind, rule.fp) {
        (wire::FP_SAME, _) => 0,
        (wire::FP_AT_CFA, fp) => {
            let slot = (1..64).find(|slot| fp == -8 * (slot + 1))?;
            slot as u32
        }
        _ => return None,
    };
    Some(Said::Code(base | (rule.cfa as u32 / 8) << 6 | slot))
}

/// An operation of the few that matter.
#[derive(Debug, PartialEq, Eq)]
enum Op {
    Register(u16, i64),
    Constant(i64),
    PlusConstant(i64),
    Deref,
    And,
    Ge,
    Shl,
    Plus,
}

fn operations<'a, S: UnwindSection<Slice<'a>>>(
    expression: &Expression,
    section: &S,
) -> Option<Vec<Op>> {
    let encoding = gimli::Encoding {
        address_size: 8,
        format: gimli::Format::Dwarf32,
        version: 4,
    };
    let mut operations = expression.get(section).ok()?.operations(encoding);
    let mut found = Vec::new();
    while let Some(operation) = operations.next().ok()? {
        found.push(match operation {
            Operation::RegisterOffset {
                register, offset, ..
            } => Op::Register(register.0, offset),
            Operation::UnsignedConstant { value } => Op::Constant(value.try_into().ok()?),
            Operation::SignedConstant { value } => Op::Constant(value),
            Operation::PlusConstant { value } => Op::PlusConstant(value.try_into().ok()?),
            Operation::Deref { size: 8, .. } => Op::Deref,
            Operation::And => Op::And,
            Operation::Ge => Op::Ge,
            Operation::Shl => Op::Shl,
            Operation::Plus => Op::Plus,
            _ => return None,
        });
    }
    Some(found)
}
