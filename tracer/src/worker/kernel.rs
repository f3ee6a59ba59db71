//! The kernel's symbols, those of its modules and of BPF programs, from `/proc/kallsyms`.
//!
//! blazesym can read it too, but allocates for each of the 120,000 symbols and has no notion of
//! where code ends. Measured: reading the file costs the kernel 50 to 60 ms of CPU; with this table
//! it is 70 to 87 ms in all and 5 MiB, with blazesym's 109 to 123 ms and 8 MiB. So it is read once,
//! when the first kernel address is asked for.

use std::fs::File;
use std::io::Read as _;

use super::protocol::Answer;
use crate::symbol::{Function, NoName, Symbol};

/// kallsyms has no sizes: farther from a symbol than this, an address is not in it. The longest
/// functions of a kernel have tens of KiB.
const MAX_LENGTH: u64 = 1 << 20;

/// BPF programs lie close together, and one that was loaded after the table was read must not be
/// taken for its neighbour.
const MAX_BPF_LENGTH: u64 = 64 << 10;

/// Bounds the table; a distribution's kernel with all its modules has 300,000.
const MAX_SYMBOLS: usize = 4_000_000;

/// Text symbols by address.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols {
    symbols: Vec<Entry>,
    /// Type and name of each, ended by a newline.
    names: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u64,
    name: u32,
    bpf: bool,
}

impl KernelSymbols {
    /// Reads what `/proc/kallsyms` says. An error in the middle leaves what came before.
    pub(super) fn read(mut file: &File) -> Self {
        // Growing step by step would copy, and touch, as much again.
        let mut table = Self {
            symbols: Vec::with_capacity(1 << 17),
            names: Vec::with_capacity(4 << 20),
        };
        let mut buffer = vec![0; 1 << 16];
        let mut filled = 0;
        while let Ok(length) = file.read(&mut buffer[filled..]) {
            if length == 0 {
                break;
            }
            filled += length;
            let end = buffer[..filled]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            for line in buffer[..end].split(|byte| *byte == b'\n') {
                table.add(line);
            }
            // A line that fills the buffer is no symbol.
            let end = if end == 0 && filled == buffer.len() {
                filled
            } else {
                end
            };
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
        // The kernel's own come sorted, those of modules and programs after them do not.
        table.symbols.sort_by_key(|symbol| symbol.address);
        table.symbols.shrink_to_fit();
        table.names.shrink_to_fit();
        table
    }

    /// Takes a line: address, type, name, and the module if it is in one.
    fn add(&mut self, line: &[u8]) {
        let Some((address, rest)) = hexadecimal(line) else {
            return;
        };
        let [b' ', kind @ (b't' | b'T' | b'w' | b'W'), b' ', name @ ..] = rest else {
            return;
        };
        // To those who may not see addresses, all of them are 0.
        let Some(at) = u32::try_from(self.names.len())
            .ok()
            .filter(|_| address != 0)
        else {
            return;
        };
        if self.symbols.len() >= MAX_SYMBOLS {
            return;
        }
        let end = name.iter().position(|byte| *byte == b'\t');
        let (name, module) = name.split_at(end.unwrap_or(name.len()));
        let bpf = module == b"\t[bpf]";
        self.symbols.push(Entry {
            address,
            name: at,
            bpf,
        });
        self.names.push(*kind);
        self.names.extend_from_slice(name);
        self.names.push(b'\n');
    }

    /// The name at an address.
    pub(super) fn name(&self, address: u64) -> Answer {
        if self.symbols.is_empty() {
            return Err(NoName::KernelHidden);
        }
        let after = self
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let last = self.symbols[..after].last().ok_or(NoName::NotInKernel)?;
        let longest = if last.bpf { MAX_BPF_LENGTH } else { MAX_LENGTH };
        if address - last.address > longest {
            return Err(NoName::NotInKernel);
        }
        let first = self.symbols[..after].partition_point(|symbol| symbol.address < last.address);
        let names = self.symbols[first..after]
            .iter()
            .map(|symbol| self.typed_name(symbol));
        // `_etext` and the like mark the end of code: nothing begins there.
        let names = names.filter(|(_, name)| !matches!(*name, b"_etext" | b"_einittext"));
        let (_, name) = names
            .min_by_key(|(kind, name)| rank(*kind, name))
            .ok_or(NoName::NotInKernel)?;
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Symbol {
            functions: vec![Function {
                name,
                location: None,
            }],
        })
    }

    fn typed_name(&self, symbol: &Entry) -> (u8, &[u8]) {
        let name = &self.names[symbol.name as usize..];
        let end = name
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(name.len());
        (name[0], &name[1..end])
    }
}

/// The number that a line begins with, and the rest of it.
fn hexadecimal(line: &[u8]) -> Option<(u64, &[u8])> {
    let length = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(length.count());
    let number = digits.iter().fold(0, |number: u64, digit| {
        let digit = (digit & 15) + if *digit > b'9' { 9 } else { 0 };
        number << 4 | u64::from(digit)
    });
    (1..=16).contains(&digits.len()).then_some((number, rest))
}

/// Of several names for one address: not one that marks the beginning of a section, rather a
/// global one than a local than a weak one, rather with fewer underscores.
fn rank(kind: u8, name: &[u8]) -> (bool, u8, usize) {
    let mark = matches!(name, b"_text" | b"_stext" | b"_sinittext");
    let kind = match kind {
        b'T' => 0,
        b't' => 1,
        _ => 2,
    };
    (
        mark,
        kind,
        name.iter().take_while(|byte| **byte == b'_').count(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn table(text: &str) -> KernelSymbols {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        KernelSymbols::read(&file)
    }

    fn name(table: &KernelSymbols, address: u64) -> Result<String, NoName> {
        table
            .name(address)
            .map(|symbol| symbol.functions[0].name.clone())
    }

    const KALLSYMS: &str = "\
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000000 W also_weak
ffffffff81001000 t __helper
ffffffff81001000 T __x64_sys_read
ffffffff81001800 d not_code
ffffffff81002000 T _etext
ffffffffc0a00000 t in_module\t[xfs]
ffffffffc0000000 t bpf_prog_6deef7357e7b4530_count\t[bpf]
";

    #[test]
    fn finds_the_function_that_holds_the_address() {
        let table = table(KALLSYMS);
        assert_eq!(name(&table, 0xffff_ffff_8100_0004), Ok("startup_64".into()));
        assert_eq!(
            name(&table, 0xffff_ffff_8100_1900),
            Ok("__x64_sys_read".into())
        );
        assert_eq!(name(&table, 0xffff_ffff_c0a0_0010), Ok("in_module".into()));
        let program = name(&table, 0xffff_ffff_c000_0123);
        assert_eq!(program, Ok("bpf_prog_6deef7357e7b4530_count".into()));
    }

    #[test]
    fn what_is_in_no_function_has_no_name() {
        let table = table(KALLSYMS);
        for address in [
            1,
            0xffff_ffff_8100_2001,
            0xffff_ffff_9000_0000,
            0xffff_ffff_c002_0000,
        ] {
            assert_eq!(
                name(&table, address),
                Err(NoName::NotInKernel),
                "{address:#x}"
            );
        }
    }

    #[test]
    fn addresses_of_zero_are_hidden_ones() {
        let table = table("0000000000000000 T _stext\n0000000000000000 T schedule\n");
        assert_eq!(
            name(&table, 0xffff_ffff_8100_0000),
            Err(NoName::KernelHidden)
        );
    }

    #[test]
    fn garbage_and_lines_across_reads_do_no_harm() {
        let mut text = String::from("\n \nffff\nzzzz T what\nffffffff81000000\u{0} T x\n");
        text.push_str(&"x".repeat(200_000));
        text.push('\n');
        for number in 0..20_000_u64 {
            text.push_str(&format!(
                "{:016x} t f{number}\n",
                0xffff_ffff_8100_0000 + number * 16
            ));
        }
        let table = table(&text);
        for number in 0..20_000_u64 {
            let address = 0xffff_ffff_8100_0000 + number * 16 + 3;
            assert_eq!(name(&table, address), Ok(format!("f{number}")));
        }
    }
}
