//! Where in a function the probe goes.
//!
//! The kernel emulates some instructions and single-steps all others, which takes another trap. A
//! probe is moved forward from the function's beginning to the first that is emulated, as long as
//! every call comes by there exactly once, with the return address still on top of the stack.

use iced_x86::{
    Code as Opcode, Decoder, DecoderOptions, FlowControl, Formatter as _, Instruction,
    InstructionInfoFactory, IntelFormatter, OpAccess, OpKind, Register,
};

use super::Class;

/// How far a probe is moved.
const MAX_BYTES: u64 = 64;
const MAX_INSTRUCTIONS: usize = 12;

/// The longest instruction.
const LONGEST: u64 = 15;

/// A function's code.
pub(super) struct Code<'a> {
    /// From its beginning.
    pub(super) bytes: &'a [u8],
    /// Where it begins.
    pub(super) address: u64,
    /// Whether the bytes are the whole function and nothing else.
    pub(super) whole: bool,
    /// Whether an address is jumped to from elsewhere, or has a name of its own.
    pub(super) is_entered: &'a dyn Fn(u64) -> bool,
}

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// In bytes from the function's beginning.
    pub(super) offset: u64,
    /// How the kernel runs the instruction there.
    pub(super) class: Class,
    /// The instruction, in words.
    pub(super) instruction: String,
}

/// The cheapest place for a probe of entry and return; says why there is none.
pub(super) fn cheapest(code: &Code<'_>) -> Result<Place, &'static str> {
    let first = decode(code, 0).ok_or("there is no instruction where it begins")?;
    match moved(code, &first) {
        Some(place) => Ok(place),
        None => kernel_takes(code, 0, &first).map(|()| place(code, 0, &first)),
    }
}

fn moved(code: &Code<'_>, first: &Instruction) -> Option<Place> {
    if !code.whole || is_emulated(bytes_of(code, 0, first)) {
        return None;
    }
    let body = Body::of(code);
    let mut info = InstructionInfoFactory::new();
    let mut at = 0;
    for _ in 0..MAX_INSTRUCTIONS {
        let instruction = decode(code, at)?;
        let bytes = bytes_of(code, at, &instruction);
        if is_emulated(bytes) && (!body.opaque || is_push(bytes)) {
            return Some(place(code, at, &instruction));
        }
        let passable = match body.opaque {
            // An indirect jump may lead anywhere, but not between these two.
            true => at == 0 && instruction.code() == Opcode::Endbr64,
            false => is_passable(&instruction, &mut info),
        };
        let next = at + instruction.len() as u64;
        let entered = |behind: u64| {
            let address = code.address.wrapping_add(behind);
            body.targets.contains(&address) || (code.is_entered)(address)
        };
        if !passable || next > MAX_BYTES || (at + 1..=next).any(entered) {
            return None;
        }
        at = next;
    }
    None
}

/// The place at an offset that somebody chose; says what is wrong with it.
pub(super) fn at(code: &Code<'_>, name: &str, offset: u64) -> Result<Place, String> {
    let length = code.bytes.len() as u64;
    if offset >= length {
        return Err(format!(
            "{name} is {length} bytes long: there is no {name}+{offset}"
        ));
    }
    let body = Body::of(code);
    let mut info = InstructionInfoFactory::new();
    let mut boundaries = vec![0];
    // Why nothing from here on will do.
    let mut spoiled = None;
    let mut here = 0;
    while here < offset {
        let instruction = decode(code, here).ok_or_else(|| {
            format!("{name}+{here} is no instruction: what follows cannot be decoded")
        })?;
        if spoiled.is_none() && !is_passable(&instruction, &mut info) {
            let why = match instruction.flow_control() {
                FlowControl::Next => {
                    "moves the stack pointer, so that the return address is not on top"
                }
                _ => "leaves the straight line, so that not every call comes by",
            };
            spoiled = Some(format!("{} at +{here} {why}", words(&instruction)));
        }
        here += instruction.len() as u64;
        boundaries.push(here);
    }
    if here != offset {
        let [.., before, after] = boundaries[..] else {
            return Err(format!("{name}+{offset} is inside of an instruction"));
        };
        return Err(format!(
            "{name}+{offset} is inside of an instruction; the nearest that begin are +{before} and +{after}"
        ));
    }
    let address = |behind: u64| code.address.wrapping_add(behind);
    let entered = |behind: &u64| {
        body.targets.contains(&address(*behind)) || (code.is_entered)(address(*behind))
    };
    if spoiled.is_none() && (1..=offset).any(|behind| entered(&behind)) {
        spoiled =
            Some("code jumps to there or before, so that one call may come by twice".to_owned());
    }
    if spoiled.is_none() && body.opaque && offset > 0 {
        spoiled = Some("it has an indirect jump that may lead there".to_owned());
    }
    if let Some(why) = spoiled {
        return Err(format!(
            "{name}+{offset} cannot be timed: {why}; probe {name} itself"
        ));
    }
    let instruction =
        decode(code, offset).ok_or_else(|| format!("{name}+{offset} is no instruction"))?;
    kernel_takes(code, offset, &instruction).map_err(|why| format!("{name}+{offset}: {why}"))?;
    Ok(place(code, offset, &instruction))
}

/// What the whole of a function says about its beginning.
struct Body {
    /// Addresses near the beginning that are jumped to.
    targets: Vec<u64>,
    /// Whether it jumps where only its data say, or cannot be decoded.
    opaque: bool,
}

impl Body {
    fn of(code: &Code<'_>) -> Self {
        let mut body = Self {
            targets: Vec::new(),
            opaque: false,
        };
        let near = code.address..code.address.saturating_add(MAX_BYTES + LONGEST);
        let mut decoder = Decoder::with_ip(64, code.bytes, code.address, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            body.opaque |= instruction.is_invalid()
                || instruction.flow_control() == FlowControl::IndirectBranch;
            body.targets
                .extend(target_of(&instruction).filter(|target| near.contains(target)));
        }
        body
    }
}

/// Where an instruction jumps to or takes the address of.
pub(super) fn target_of(instruction: &Instruction) -> Option<u64> {
    if instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64 {
        return Some(instruction.near_branch64());
    }
    let takes_address = instruction.code() == Opcode::Lea_r64_m;
    (takes_address && instruction.is_ip_rel_memory_operand())
        .then(|| instruction.ip_rel_memory_address())
}

fn decode(code: &Code<'_>, at: u64) -> Option<Instruction> {
    let bytes = code.bytes.get(usize::try_from(at).ok()?..)?;
    let address = code.address.wrapping_add(at);
    let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

fn bytes_of<'a>(code: &Code<'a>, at: u64, instruction: &Instruction) -> &'a [u8] {
    let at = at as usize;
    code.bytes
        .get(at..at + instruction.len())
        .unwrap_or_default()
}

fn place(code: &Code<'_>, offset: u64, instruction: &Instruction) -> Place {
    Place {
        offset,
        class: match is_emulated(bytes_of(code, offset, instruction)) {
            true => Class::Emulated,
            false => Class::Stepped,
        },
        instruction: words(instruction),
    }
}

fn words(instruction: &Instruction) -> String {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_small_hex_numbers_in_decimal(true);
    options.set_show_branch_size(false);
    options.set_branch_leading_zeros(false);
    options.set_uppercase_hex(false);
    let mut words = String::new();
    formatter.format(instruction, &mut words);
    words
}

/// Whether the kernel emulates an instruction, by its bytes (`arch/x86/kernel/uprobes.c`).
fn is_emulated(bytes: &[u8]) -> bool {
    is_push(bytes)
        || matches!(
            *bytes,
            [0x90]
                | [0x66, 0x90]
                | [0xe8 | 0xe9, _, _, _, _]
                | [0xeb | 0x70..=0x7f, _]
                | [0x0f, 0x80..=0x8f, _, _, _, _]
        )
}

fn is_push(bytes: &[u8]) -> bool {
    matches!(*bytes, [0x50..=0x57] | [0x41, 0x50..=0x57])
}

/// Whether a probe may be behind an instruction rather than before it.
fn is_passable(instruction: &Instruction, info: &mut InstructionInfoFactory) -> bool {
    let plain = instruction.flow_control() == FlowControl::Next
        && !instruction.has_lock_prefix()
        && !instruction.has_rep_prefix()
        && !instruction.has_repne_prefix()
        && !instruction.is_privileged();
    let writes = |access| {
        !matches!(
            access,
            OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
        )
    };
    plain
        && !info
            .info(instruction)
            .used_registers()
            .iter()
            .any(|used| used.register().full_register() == Register::RSP && writes(used.access()))
}

/// Whether the kernel puts probes on such an instruction at all.
fn kernel_takes(code: &Code<'_>, at: u64, instruction: &Instruction) -> Result<(), &'static str> {
    const REFUSED: &str = "the kernel refuses probes on its first instruction";
    let bytes = bytes_of(code, at, instruction);
    let is_prefix = |byte: &u8| {
        matches!(
            byte,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3
        )
    };
    let prefixes = bytes.iter().take_while(|byte| is_prefix(byte)).count();
    let (prefixes, opcode) = bytes.split_at(prefixes);
    let bad_prefix = |byte: &u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0xf0);
    let bad_opcode = matches!(
        *opcode,
        [0xcc | 0xcd | 0xf1 | 0xf4 | 0xfa | 0xfb | 0x6c..=0x6f | 0xe4..=0xe7 | 0xec..=0xef, ..]
            | [0x0f, 0x0b, ..]
    );
    let branch = matches!(
        *opcode,
        [0xe8 | 0xe9 | 0xeb | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..]
    );
    match bad_opcode || prefixes.iter().any(bad_prefix) || (branch && prefixes.contains(&0x66)) {
        true => Err(REFUSED),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1000;

    fn code<'a>(bytes: &'a [u8], is_entered: &'a dyn Fn(u64) -> bool) -> Code<'a> {
        Code {
            bytes,
            address: BASE,
            whole: true,
            is_entered,
        }
    }

    fn found(bytes: &[u8]) -> Result<Place, &'static str> {
        cheapest(&code(bytes, &|_| false))
    }

    #[track_caller]
    fn check(bytes: &[u8], offset: u64, class: Class, instruction: &str) {
        let place = found(bytes).unwrap_or_else(|why| panic!("{bytes:x?}: {why}"));
        let expected = Place {
            offset,
            class,
            instruction: instruction.to_owned(),
        };
        assert_eq!(place, expected, "{bytes:x?}");
    }

    #[test]
    fn goes_to_the_first_that_is_emulated() {
        use Class::{Emulated, Stepped};
        // push rbp; ret
        check(&[0x55, 0xc3], 0, Emulated, "push rbp");
        // endbr64; push rbp; ret
        check(
            &[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3],
            4,
            Emulated,
            "push rbp",
        );
        // endbr64; push r12; ret
        check(
            &[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x54, 0xc3],
            4,
            Emulated,
            "push r12",
        );
        // mov eax,1; test edi,edi; je +0; ret
        check(
            &[0xb8, 1, 0, 0, 0, 0x85, 0xff, 0x74, 0x00, 0xc3],
            7,
            Emulated,
            "je 0x1009",
        );
        // endbr64; xor eax,eax; call +0; ret
        check(
            &[0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0, 0xe8, 0, 0, 0, 0, 0xc3],
            6,
            Emulated,
            "call 0x100b",
        );
        // lea rax,[rdi]; jmp +0
        check(&[0x48, 0x8d, 0x07, 0xeb, 0x00], 3, Emulated, "jmp 0x1005");
        // nop; ret, and with a prefix
        check(&[0x90, 0xc3], 0, Emulated, "nop");
        // endbr64; xor eax,eax; ret
        check(
            &[0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0, 0xc3],
            0,
            Stepped,
            "endbr64",
        );
        check(&[0xc3], 0, Stepped, "ret");
        // sub rsp,8; call +0; ret
        check(
            &[0x48, 0x83, 0xec, 8, 0xe8, 0, 0, 0, 0, 0xc3],
            0,
            Stepped,
            "sub rsp,8",
        );
        // xchg rax,r8 is no nop; endbr64; it; ret
        check(&[0x49, 0x90, 0xc3], 0, Stepped, "xchg r8,rax");
        // push imm, push mem: single-stepped, and they move the stack pointer.
        check(&[0x6a, 1, 0x55, 0xc3], 0, Stepped, "push 1");
        check(
            &[0xff, 0x37, 0x55, 0xc3],
            0,
            Stepped,
            "push qword ptr [rdi]",
        );
    }

    #[test]
    fn does_not_pass_what_it_must_not() {
        for (what, first) in [
            ("pop", &[0x58][..]),
            ("leave", &[0xc9]),
            ("mov rsp,rax", &[0x48, 0x89, 0xc4]),
            ("xchg rsp,rax", &[0x48, 0x94]),
            ("mov esp,eax", &[0x89, 0xc4]),
            ("lea rsp,[rax]", &[0x48, 0x8d, 0x20]),
            ("and rsp,-16", &[0x48, 0x83, 0xe4, 0xf0]),
            ("syscall", &[0x0f, 0x05]),
            ("rep movsb", &[0xf3, 0xa4]),
            ("lock inc", &[0x48, 0xff, 0x07]),
            ("call rax", &[0xff, 0xd0]),
            ("xbegin", &[0xc7, 0xf8, 0, 0, 0, 0]),
        ] {
            let mut bytes = first.to_vec();
            if what == "lock inc" {
                bytes.insert(0, 0xf0);
            }
            bytes.extend([0x55, 0xc3]);
            let offset = found(&bytes).map(|place| place.offset);
            // The kernel refuses the lock prefix.
            let expected = match what {
                "lock inc" => Err("the kernel refuses probes on its first instruction"),
                _ => Ok(0),
            };
            assert_eq!(offset, expected, "{what}");
        }
    }

    #[test]
    fn never_past_a_place_that_is_jumped_to() {
        // endbr64; xor eax,eax; push rbp; jmp there, for each of these places.
        let with_jump = |to: i8| {
            let mut bytes = vec![0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0, 0x55, 0xeb];
            bytes.push((to - 9) as u8);
            found(&bytes).unwrap().offset
        };
        assert_eq!(with_jump(0), 6, "a call of itself");
        assert_eq!(with_jump(4), 0);
        assert_eq!(with_jump(5), 0, "into the middle of an instruction");
        assert_eq!(with_jump(6), 0, "onto it");
        assert_eq!(with_jump(7), 6, "behind it");
        let bytes = [0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3];
        let entered = |address: u64| address == BASE + 4;
        assert_eq!(cheapest(&code(&bytes, &entered)).unwrap().offset, 0);
        let elsewhere = |address: u64| address == BASE || address == BASE + 5;
        assert_eq!(cheapest(&code(&bytes, &elsewhere)).unwrap().offset, 4);
    }

    #[test]
    fn an_indirect_jump_allows_little() {
        let jump = [0xff, 0xe0];
        let offset = |before: &[u8]| found(&[before, &jump].concat()).unwrap().offset;
        let endbr64 = [0xf3, 0x0f, 0x1e, 0xfa];
        assert_eq!(offset(&[&endbr64[..], &[0x55]].concat()), 4);
        assert_eq!(offset(&[&endbr64[..], &[0x31, 0xc0, 0x55]].concat()), 0);
        assert_eq!(offset(&[&endbr64[..], &[0xeb, 0x00]].concat()), 0);
        assert_eq!(offset(&[0x31, 0xc0, 0x55]), 0);
        // What cannot be decoded may be a table.
        let data = [0x06, 0x06];
        let opaque = found(&[0x31, 0xc0, 0x55, 0xc3, data[0], data[1]]).unwrap();
        assert_eq!(opaque.offset, 0);
    }

    #[test]
    fn bounds() {
        // More than twelve instructions, more than 64 bytes.
        let many = [[0x31, 0xc0].repeat(12), vec![0x55, 0xc3]].concat();
        assert_eq!(found(&many).unwrap().offset, 0);
        let fewer = [[0x31, 0xc0].repeat(11), vec![0x55, 0xc3]].concat();
        assert_eq!(found(&fewer).unwrap().offset, 22);
        let long = [[0x48, 0xb8, 1, 1, 1, 1, 1, 1, 1, 1].repeat(7), vec![0x55]].concat();
        assert_eq!(found(&long).unwrap().offset, 0);
        assert!(found(&[]).is_err());
        assert!(found(&[0x06]).is_err());
        assert!(found(&[0xcc]).is_err(), "int3");
        assert!(found(&[0x0f, 0x0b]).is_err(), "ud2");
        assert!(found(&[0x2e, 0x31, 0xc0]).is_err(), "cs xor");
        let part = Code {
            whole: false,
            ..code(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3], &|_| false)
        };
        assert_eq!(cheapest(&part).unwrap().offset, 0);
    }

    #[track_caller]
    fn check_at(bytes: &[u8], offset: u64, expected: Result<&str, &str>) {
        match (at(&code(bytes, &|_| false), "f", offset), expected) {
            (Ok(place), Ok(instruction)) => {
                assert_eq!(
                    (place.offset, place.instruction.as_str()),
                    (offset, instruction)
                );
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (got, _) => panic!("{got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn offsets_that_somebody_chose() {
        // endbr64; xor eax,eax; push rbp; mov eax,[rdi]; je -8; ret
        let bytes = [
            0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0, 0x55, 0x8b, 0x07, 0x74, 0x00, 0xc3,
        ];
        check_at(&bytes, 0, Ok("endbr64"));
        check_at(&bytes, 4, Ok("xor eax,eax"));
        check_at(&bytes, 6, Ok("push rbp"));
        check_at(&bytes, 5, Err("the nearest that begin are +4 and +6"));
        check_at(&bytes, 1, Err("the nearest that begin are +0 and +4"));
        check_at(&bytes, 7, Err("push rbp at +6 moves the stack pointer"));
        check_at(&bytes, 12, Err("f is 12 bytes long"));
        check_at(&[0x74, 0x00, 0xc3], 2, Err("leaves the straight line"));
        check_at(&[0x31, 0xc0, 0xeb, 0xfe], 2, Err("may come by twice"));
        check_at(&[0x31, 0xc0, 0xff, 0xe0], 2, Err("indirect jump"));
        check_at(&[0x06, 0xc3], 1, Err("no instruction"));
    }
}
