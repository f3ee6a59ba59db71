//! Call frame instructions: how the CFA and the caller's registers are found, address by address.
//!
//! Only the frame pointer, the stack pointer and the return address are followed. What the others do
//! is skipped: nothing that a table can say depends on it.

use super::expression::{Value, evaluate};
use super::reader::{Bases, Reader};

/// DWARF number of the frame pointer.
pub(super) const RBP: u64 = 6;
/// DWARF number of the stack pointer.
pub(super) const RSP: u64 = 7;
/// DWARF number of the return address.
pub(super) const RA: u64 = 16;

/// States that may be remembered at once; compilers nest two or three.
const REMEMBERED: usize = 32;

/// Where the CFA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cfa {
    Unset,
    Register(u64, i64),
    /// `None`: nothing that a table can say.
    Expression(Option<Value>),
}

/// Where the caller's value of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    Unset,
    Undefined,
    Same,
    /// At this offset from the CFA.
    AtCfa(i64),
    /// At this offset from the frame pointer.
    AtFp(i64),
    /// It is the CFA and this offset.
    Cfa(i64),
    Register(u64),
    /// Nowhere that a table can say.
    Elsewhere,
}

/// What holds at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) cfa: Cfa,
    pub(super) fp: Saved,
    pub(super) sp: Saved,
    pub(super) ra: Saved,
}

impl State {
    pub(super) const START: Self = Self {
        cfa: Cfa::Unset,
        fp: Saved::Unset,
        sp: Saved::Unset,
        ra: Saved::Unset,
    };

    fn register(&mut self, number: u64) -> Option<&mut Saved> {
        match number {
            RBP => Some(&mut self.fp),
            RSP => Some(&mut self.sp),
            RA => Some(&mut self.ra),
            _ => None,
        }
    }

    #[inline]
    fn save(&mut self, number: u64, saved: Saved) {
        if let Some(register) = self.register(number) {
            *register = saved;
        }
    }
}

/// How a program's numbers are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) code_align: u64,
    pub(super) data_align: i64,
    /// Of addresses.
    pub(super) encoding: u8,
    pub(super) bases: Bases,
}

/// A program and how far it has run.
pub(super) struct Run<'a, 's> {
    pub(super) program: Reader<'a>,
    pub(super) terms: Terms,
    /// What registers are restored to; `None`: this is the program that says it.
    pub(super) initial: Option<&'s State>,
    pub(super) state: State,
    /// The address that `state` holds from.
    pub(super) address: u64,
    /// Scratch space.
    pub(super) remembered: &'s mut Vec<State>,
}

/// The program cannot be understood.
#[derive(Debug)]
pub(super) struct Fault;

impl Run<'_, '_> {
    /// Runs up to the next address, which is returned. `None`: this was the last row.
    #[inline]
    pub(super) fn row(&mut self) -> Result<Option<u64>, Fault> {
        while !self.program.is_empty() {
            if let Some(next) = self.instruction().ok_or(Fault)? {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    #[inline]
    fn advance(&self, delta: u64) -> Option<Option<u64>> {
        let delta = delta.checked_mul(self.terms.code_align)?;
        self.address.checked_add(delta).map(Some)
    }

    fn scaled(&self, offset: i64) -> Option<i64> {
        offset.checked_mul(self.terms.data_align)
    }

    /// `None`: it cannot be understood. `Some(None)`: the row goes on.
    #[inline]
    fn instruction(&mut self) -> Option<Option<u64>> {
        let code = self.program.u8()?;
        let operand = code & 0x3f;
        match code >> 6 {
            1 => return self.advance(operand.into()),
            2 => {
                let offset = self.program.uleb()?;
                self.offset(operand.into(), offset.try_into().ok()?)?;
            }
            3 => self.restore(operand.into())?,
            _ => return self.extended(code),
        }
        Some(None)
    }

    fn extended(&mut self, code: u8) -> Option<Option<u64>> {
        match code {
            0x00 => {}
            0x01 => {
                let Terms {
                    encoding, bases, ..
                } = self.terms;
                let address = self.program.pointer(encoding, bases)?;
                return (address >= self.address).then_some(Some(address));
            }
            0x02 => {
                let delta = self.program.u8()?;
                return self.advance(delta.into());
            }
            0x03 => {
                let delta = self.program.u16()?;
                return self.advance(delta.into());
            }
            0x04 => {
                let delta = self.program.u32()?;
                return self.advance(delta.into());
            }
            // DW_CFA_offset_extended, and its signed form
            0x05 => {
                let (register, offset) = (self.program.uleb()?, self.program.uleb()?);
                self.offset(register, offset.try_into().ok()?)?;
            }
            0x11 => {
                let (register, offset) = (self.program.uleb()?, self.program.sleb()?);
                self.offset(register, offset)?;
            }
            // DW_CFA_GNU_negative_offset_extended
            0x2f => {
                let (register, offset) = (self.program.uleb()?, self.program.uleb()?);
                self.offset(register, i64::try_from(offset).ok()?.checked_neg()?)?;
            }
            0x06 => {
                let register = self.program.uleb()?;
                self.restore(register)?;
            }
            0x07 => {
                let register = self.program.uleb()?;
                self.state.save(register, Saved::Undefined);
            }
            0x08 => {
                let register = self.program.uleb()?;
                self.state.save(register, Saved::Same);
            }
            0x09 => {
                let (register, other) = (self.program.uleb()?, self.program.uleb()?);
                self.state.save(register, Saved::Register(other));
            }
            0x0a => {
                if self.remembered.len() == REMEMBERED {
                    return None;
                }
                self.remembered.push(self.state);
            }
            0x0b => self.state = self.remembered.pop()?,
            0x0c..=0x0f | 0x12 | 0x13 => self.state.cfa = self.cfa(code)?,
            0x10 | 0x16 => {
                let register = self.program.uleb()?;
                let length = self.program.uleb()?;
                let expression = self.program.bytes(length)?;
                self.state.save(register, saved(expression, code == 0x10));
            }
            // DW_CFA_val_offset, and its signed form
            0x14 => {
                let (register, offset) = (self.program.uleb()?, self.program.uleb()?);
                let offset = self.scaled(offset.try_into().ok()?)?;
                self.state.save(register, Saved::Cfa(offset));
            }
            0x15 => {
                let (register, offset) = (self.program.uleb()?, self.program.sleb()?);
                let offset = self.scaled(offset)?;
                self.state.save(register, Saved::Cfa(offset));
            }
            // DW_CFA_GNU_args_size
            0x2e => {
                self.program.uleb()?;
            }
            _ => return None,
        }
        Some(None)
    }

    #[inline]
    fn offset(&mut self, register: u64, offset: i64) -> Option<()> {
        let offset = self.scaled(offset)?;
        self.state.save(register, Saved::AtCfa(offset));
        Some(())
    }

    fn restore(&mut self, register: u64) -> Option<()> {
        let mut initial = *self.initial?;
        if let Some(saved) = initial.register(register) {
            self.state.save(register, *saved);
        }
        Some(())
    }

    #[inline]
    fn cfa(&mut self, code: u8) -> Option<Cfa> {
        let program = &mut self.program;
        if code == 0x0f {
            let length = program.uleb()?;
            return Some(Cfa::Expression(evaluate(program.bytes(length)?, None)));
        }
        let known = match self.state.cfa {
            Cfa::Register(register, offset) => Some((register, offset)),
            _ => None,
        };
        let register = match code {
            0x0c | 0x0d | 0x12 => program.uleb()?,
            _ => known?.0,
        };
        let offset = match code {
            0x0c | 0x0e => program.uleb()?.try_into().ok()?,
            0x12 | 0x13 => {
                let offset = program.sleb()?;
                self.scaled(offset)?
            }
            _ => known?.1,
        };
        Some(Cfa::Register(register, offset))
    }
}

/// What an expression says, that is for the address of the value or for the value itself.
fn saved(expression: &[u8], address: bool) -> Saved {
    match evaluate(expression, Some(Value::Cfa(0))) {
        Some(Value::Cfa(offset)) if address => Saved::AtCfa(offset),
        Some(Value::Cfa(offset)) => Saved::Cfa(offset),
        Some(Value::Register(register, offset)) if address && u64::from(register) == RBP => {
            Saved::AtFp(offset)
        }
        _ => Saved::Elsewhere,
    }
}
