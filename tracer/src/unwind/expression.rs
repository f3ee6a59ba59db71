//! DWARF expressions, as far as rules can stand for them.

use super::reader::Reader;

/// What an expression comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Constant(i64),
    /// Offset from the CFA.
    Cfa(i64),
    /// Offset from a register.
    Register(u8, i64),
    /// What is in memory at an offset from a register, and an offset from that.
    At(u8, i64, i64),
    /// Stack pointer + 8, and 8 more from this byte of 16 on.
    Plt(u8),
}

/// The deepest stack of an expression that comes to one of these.
const DEPTH: usize = 4;

const DEREF: u8 = 0x06;
const CONST1U: u8 = 0x08;
const CONST1S: u8 = 0x09;
const CONST2U: u8 = 0x0a;
const CONST2S: u8 = 0x0b;
const CONST4U: u8 = 0x0c;
const CONST4S: u8 = 0x0d;
const CONST8U: u8 = 0x0e;
const CONST8S: u8 = 0x0f;
const CONSTU: u8 = 0x10;
const CONSTS: u8 = 0x11;
const MINUS: u8 = 0x1c;
const PLUS: u8 = 0x22;
const PLUS_UCONST: u8 = 0x23;
const LIT0: u8 = 0x30;
const LIT31: u8 = 0x4f;
const BREG0: u8 = 0x70;
const BREG31: u8 = 0x8f;
const NOP: u8 = 0x96;

/// `first`: what is on the stack at the start.
pub(super) fn evaluate(expression: &[u8], first: Option<Value>) -> Option<Value> {
    if let Some(byte) = plt(expression) {
        return Some(Value::Plt(byte));
    }
    let mut reader = Reader::new(expression);
    let mut stack = [Value::Constant(0); DEPTH];
    let mut depth = 0;
    if let Some(first) = first {
        stack[0] = first;
        depth = 1;
    }
    while !reader.is_empty() {
        let operation = reader.u8()?;
        let value = match operation {
            NOP => continue,
            DEREF | PLUS | MINUS | PLUS_UCONST => {
                depth = usize::checked_sub(depth, 1)?;
                let top = stack[depth];
                if operation == DEREF {
                    dereference(top)?
                } else if operation == PLUS_UCONST {
                    plus(top, reader.uleb()?.try_into().ok()?)?
                } else {
                    depth = depth.checked_sub(1)?;
                    combine(stack[depth], top, operation == MINUS)?
                }
            }
            BREG0..=BREG31 => Value::Register(operation - BREG0, reader.sleb()?),
            _ => Value::Constant(constant(operation, &mut reader)?),
        };
        *stack.get_mut(depth)? = value;
        depth += 1;
    }
    stack[..depth].last().copied()
}

fn constant(operation: u8, reader: &mut Reader<'_>) -> Option<i64> {
    Some(match operation {
        LIT0..=LIT31 => (operation - LIT0).into(),
        CONST1U => reader.u8()?.into(),
        CONST1S => (reader.u8()? as i8).into(),
        CONST2U => reader.u16()?.into(),
        CONST2S => (reader.u16()? as i16).into(),
        CONST4U => reader.u32()?.into(),
        CONST4S => (reader.u32()? as i32).into(),
        CONST8U | CONST8S => reader.u64()? as i64,
        CONSTU => reader.uleb()?.try_into().ok()?,
        CONSTS => reader.sleb()?,
        _ => return None,
    })
}

fn plus(value: Value, addend: i64) -> Option<Value> {
    Some(match value {
        Value::Constant(value) => Value::Constant(value.checked_add(addend)?),
        Value::Cfa(offset) => Value::Cfa(offset.checked_add(addend)?),
        Value::Register(register, offset) => Value::Register(register, offset.checked_add(addend)?),
        Value::At(register, offset, post) => Value::At(register, offset, post.checked_add(addend)?),
        Value::Plt(_) => return None,
    })
}

fn combine(below: Value, top: Value, minus: bool) -> Option<Value> {
    match (below, top, minus) {
        (below, Value::Constant(top), true) => plus(below, top.checked_neg()?),
        (below, Value::Constant(top), false) => plus(below, top),
        (Value::Constant(below), top, false) => plus(top, below),
        _ => None,
    }
}

fn dereference(value: Value) -> Option<Value> {
    match value {
        Value::Register(register, offset) => Some(Value::At(register, offset, 0)),
        _ => None,
    }
}

/// `rsp + 8 + ((rip & 15 >= N) << 3)`: what linkers say of PLT entries.
fn plt(expression: &[u8]) -> Option<u8> {
    match expression {
        [
            0x77,
            0x08,
            0x80,
            0x00,
            0x3f,
            0x1a,
            byte @ LIT0..=LIT31,
            0x2a,
            0x33,
            0x24,
            0x22,
        ] => Some(byte - LIT0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_a_register_or_what_it_points_at_and_an_offset() {
        let check = |expression: &[u8], expected| {
            assert_eq!(evaluate(expression, None), expected, "{expression:x?}");
        };
        check(&[0x77, 0x10], Some(Value::Register(7, 16)));
        check(&[0x76, 0x78, 0x06], Some(Value::At(6, -8, 0)));
        check(
            &[0x77, 0x08, 0x06, 0x23, 0x90, 0x01],
            Some(Value::At(7, 8, 144)),
        );
        check(&[0x77, 0x08, 0x06, 0x38, 0x1c], Some(Value::At(7, 8, -8)));
        check(&[0x38, 0x77, 0x00, 0x22], Some(Value::Register(7, 8)));
        let plt = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        check(&plt, Some(Value::Plt(11)));
        check(&plt[..10], None);
        check(&[], None);
        check(&[0x06], None);
        check(&[0x22], None);
        check(&[0x77], None);
        check(&[0x77, 0x08, 0x06, 0x06], None);
        check(&[0x30; 5], None);
        let in_frame = evaluate(&[0x40, 0x1c], Some(Value::Cfa(0)));
        assert_eq!(in_frame, Some(Value::Cfa(-16)));
    }
}
