//! States as codes, and the rows of each function before they are put in order.

use rustc_hash::FxHashMap;
use tracer_common::Plain as _;
use tracer_common::unwind::{
    CFA_AT_FP, CFA_AT_REGISTER, CFA_AT_SP, CFA_FP, CFA_PLT, CFA_REGISTER, CFA_SP, CODE_STOP,
    CODE_UNSUPPORTED, FIRST_RULE, FP_AT_CFA, FP_AT_FP, FP_LOST, FP_SAME, RA_AT_CFA, RA_AT_CFA_PLUS,
    RA_REGISTER, RULES, Rule, inline_code,
};

use super::NoTable;
use super::cfi::{Cfa, RA, RBP, RSP, Saved, State};
use super::expression::Value;

/// The most rows that are taken from one file, several times as many as the largest programs have.
const MAX_ROWS: usize = 1 << 23;

/// Where the return address is unless something else is said.
const USUAL_RA: i64 = -8;

const NO_RULE: Rule = Rule {
    cfa_kind: 0,
    fp_kind: 0,
    ra_kind: 0,
    register: 0,
    cfa: 0,
    fp: 0,
    post: 0,
    ra: 0,
};

/// The code that one description covers, by file offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) start: u64,
    pub(super) end: u64,
    first: u32,
    count: u32,
}

/// Blocks in the order in which the file has them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) blocks: Vec<Block>,
    /// File offset << 20 | code.
    rows: Vec<u64>,
    pub(super) rules: Rules,
}

impl Rows {
    pub(super) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows.min(MAX_ROWS));
    }

    /// Begins a block; there is code in it.
    pub(super) fn begin(&mut self, start: u64, end: u64) {
        self.blocks.push(Block {
            start,
            end,
            first: self.rows.len() as u32,
            count: 0,
        });
    }

    /// A row of the block that was begun last. One at the same offset gives way to it.
    #[inline]
    pub(super) fn push(&mut self, offset: u64, code: u32) -> Result<(), NoTable> {
        let row = offset << 20 | u64::from(code);
        let Some(block) = self.blocks.last_mut() else {
            return Ok(());
        };
        if let Some(last) = self.rows[block.first as usize..].last_mut() {
            if *last as u32 & 0xf_ffff == code {
                return Ok(());
            }
            if *last >> 20 == offset {
                *last = row;
                return Ok(());
            }
        }
        if self.rows.len() == MAX_ROWS {
            return Err(NoTable::TooLarge);
        }
        self.rows.push(row);
        block.count += 1;
        Ok(())
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Offsets and codes, in order.
    pub(super) fn of(&self, block: &Block) -> impl Iterator<Item = (u64, u32)> {
        let rows = &self.rows[block.first as usize..][..block.count as usize];
        rows.iter().map(|row| (row >> 20, *row as u32 & 0xf_ffff))
    }
}

/// Rules, each once.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    known: FxHashMap<[u8; size_of::<Rule>()], u32>,
}

impl Rules {
    /// The code of a state.
    #[inline]
    pub(super) fn code(&mut self, state: &State) -> u32 {
        if let Cfa::Register(register @ (RBP | RSP), cfa) = state.cfa
            && state.ra == Saved::AtCfa(USUAL_RA)
            && matches!(state.sp, Saved::Unset | Saved::Cfa(0))
            && let Ok(cfa) = i32::try_from(cfa)
        {
            let fp = match state.fp {
                Saved::Unset | Saved::Same | Saved::Register(RBP) => Some(None),
                Saved::AtCfa(offset) => i32::try_from(offset).ok().map(Some),
                _ => None,
            };
            let code = fp.and_then(|fp| inline_code(register == RBP, cfa, fp));
            if let Some(code) = code {
                return code;
            }
        }
        if state.ra == Saved::Undefined {
            return CODE_STOP;
        }
        if let Cfa::Expression(Some(Value::Register(register, offset))) = state.cfa {
            return self.code(&State {
                cfa: Cfa::Register(register.into(), offset),
                ..*state
            });
        }
        rule(state).map_or(CODE_UNSUPPORTED, |rule| self.number(rule))
    }

    /// The code of a rule.
    pub(super) fn number(&mut self, rule: Rule) -> u32 {
        let Ok(key) = rule.bytes().try_into() else {
            return CODE_UNSUPPORTED;
        };
        let next = self.rules.len() as u32;
        if let Some(known) = self.known.get(&key) {
            return FIRST_RULE + known;
        }
        if next == RULES {
            return CODE_UNSUPPORTED;
        }
        self.known.insert(key, next);
        self.rules.push(rule);
        FIRST_RULE + next
    }
}

/// `None`: there is no rule for it.
fn rule(state: &State) -> Option<Rule> {
    // The caller's stack pointer is the CFA, or what follows would be taken for its frame.
    if !matches!(state.sp, Saved::Unset | Saved::Cfa(0)) {
        return None;
    }
    let mut rule = NO_RULE;
    let (register, in_memory) = match state.cfa {
        Cfa::Register(register, offset) => {
            rule.cfa = offset.try_into().ok()?;
            (register, false)
        }
        Cfa::Expression(Some(Value::At(register, offset, post))) => {
            rule.cfa = offset.try_into().ok()?;
            rule.post = post.try_into().ok()?;
            (register.into(), true)
        }
        Cfa::Expression(Some(Value::Plt(byte))) => {
            rule.cfa_kind = CFA_PLT;
            rule.cfa = byte.into();
            (RSP, false)
        }
        _ => return None,
    };
    if rule.cfa_kind != CFA_PLT {
        rule.cfa_kind = match (register, in_memory) {
            (RSP, false) => CFA_SP,
            (RSP, true) => CFA_AT_SP,
            (RBP, false) => CFA_FP,
            (RBP, true) => CFA_AT_FP,
            (..RA, false) => CFA_REGISTER,
            (..RA, true) => CFA_AT_REGISTER,
            _ => return None,
        };
    }
    if matches!(rule.cfa_kind, CFA_REGISTER | CFA_AT_REGISTER) {
        rule.register = register as u8;
    }
    (rule.fp_kind, rule.fp) = match state.fp {
        Saved::Unset | Saved::Same | Saved::Register(RBP) => (FP_SAME, 0),
        Saved::AtCfa(offset) => at(FP_AT_CFA, offset),
        Saved::AtFp(offset) => at(FP_AT_FP, offset),
        _ => (FP_LOST, 0),
    };
    (rule.ra_kind, rule.ra) = match state.ra {
        Saved::AtCfa(USUAL_RA) => (RA_AT_CFA, 0),
        Saved::AtCfa(offset) => (RA_AT_CFA_PLUS, offset.try_into().ok()?),
        Saved::Register(register @ ..RA) => (RA_REGISTER, register as i16),
        _ => return None,
    };
    Some(rule)
}

fn at(kind: u8, offset: i64) -> (u8, i32) {
    i32::try_from(offset).map_or((FP_LOST, 0), |offset| (kind, offset))
}
