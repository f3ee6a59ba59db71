//! Where a function ends.
//!
//! A return probe puts the kernel's address in place of the return address on the stack. Who unwinds the
//! stack by return addresses, to find the handler of an exception or of a panic, does not know what to do
//! with that, and ends the program. Functions through which that may happen are watched at the
//! instructions that leave them instead.

use iced_x86::{
    Code as Opcode, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register,
};

use super::place::Code;

/// The prefix of jumps by a table, in functions that begin with `endbr64`: there, other indirect jumps
/// leave for another function.
const NOTRACK: u8 = 0x3e;

/// How the end of a call is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returns {
    /// At the instructions that leave it where exceptions may pass through the function, else by a
    /// return probe.
    #[default]
    Auto,
    /// By a return probe: it costs the least.
    Probe,
    /// At the instructions that leave it.
    Instruction,
}

/// Whether an exception or a panic may pass through a function, by its symbol: C++ and Rust have them.
pub(super) fn may_unwind(symbol: &str) -> bool {
    symbol.starts_with("_Z") || symbol.starts_with("_R")
}

/// The instructions that leave a function, in bytes from its beginning: returns, and jumps to another
/// function or to what leads there. `None`: they are not to be found out, or there is none.
///
/// A jump to code that has no name is not among them: it may go to a part of the same function.
pub(super) fn exits(code: &Code<'_>, is_elsewhere: impl Fn(u64) -> bool) -> Option<Vec<u64>> {
    if !code.whole {
        return None;
    }
    let own = code.address..code.address.saturating_add(code.bytes.len() as u64);
    let mut exits = Vec::new();
    let mut decoder = Decoder::with_ip(64, code.bytes, code.address, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut marked = false;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            return None;
        }
        let at = instruction.ip() - code.address;
        marked |= at == 0 && instruction.code() == Opcode::Endbr64;
        let leaves = match instruction.flow_control() {
            FlowControl::Return => {
                matches!(instruction.code(), Opcode::Retnq | Opcode::Retnq_imm16)
            }
            FlowControl::UnconditionalBranch if instruction.op0_kind() == OpKind::NearBranch64 => {
                let target = instruction.near_branch64();
                !own.contains(&target) && is_elsewhere(target)
            }
            FlowControl::IndirectBranch => {
                let untracked = code.bytes.get(at as usize) == Some(&NOTRACK);
                match marked {
                    true => !untracked,
                    false => is_by_pointer(&instruction),
                }
            }
            _ => false,
        };
        if leaves {
            exits.push(at);
        }
    }
    (!exits.is_empty()).then_some(exits)
}

/// Whether a jump is to what a pointer in memory says, such as one in a virtual table; the table of a
/// switch has an index.
fn is_by_pointer(jump: &Instruction) -> bool {
    jump.op0_kind() == OpKind::Memory
        && jump.memory_index() == Register::None
        && jump.memory_base() != Register::None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    #[track_caller]
    fn check(bytes: &[u8], whole: bool, expected: Option<&[u64]>) {
        let code = Code {
            bytes,
            address: BASE,
            whole,
            is_entered: &|_| false,
        };
        let found = exits(&code, |address| address == BASE + 0x100);
        assert_eq!(found.as_deref(), expected, "{bytes:x?}");
    }

    #[test]
    fn returns_and_tail_calls_leave() {
        // test edi, edi; je +1; ret; ret
        check(&[0x85, 0xff, 0x74, 0x01, 0xc3, 0xc3], true, Some(&[4, 5]));
        // nop; jmp BASE + 0x100
        check(&[0x90, 0xe9, 0xfa, 0, 0, 0], true, Some(&[1]));
        // jmp to nothing that is known
        check(&[0x90, 0xe9, 0xf0, 0, 0, 0], true, None);
        // repz ret
        check(&[0xf3, 0xc3], true, Some(&[0]));
        // jmp [rax+16], as by a virtual table; jmp [rax*8+16], jmp rax: as by the table of a switch
        check(&[0x90, 0xff, 0x60, 0x10], true, Some(&[1]));
        check(&[0x90, 0xff, 0x24, 0xc5, 0x10, 0, 0, 0], true, None);
        check(&[0x90, 0xff, 0xe0], true, None);
        // endbr64; jmp rax, and with notrack
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0xe0], true, Some(&[4]));
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0x3e, 0xff, 0xe0], true, None);
        // Data, and a function whose end is not known.
        check(&[0x06, 0xc3], true, None);
        check(&[0xc3], false, None);
    }

    #[test]
    fn languages_with_exceptions() {
        for (symbol, expected) in [
            ("_ZN3app5serveEv", true),
            ("_RNvC3app5serve", true),
            ("malloc", false),
        ] {
            assert_eq!(may_unwind(symbol), expected, "{symbol}");
        }
    }
}
