//! A section of code, and where in it code jumps to.

use std::{cell::OnceCell, fs::File, ops::Range, os::unix::fs::FileExt as _};

use iced_x86::{Decoder, DecoderOptions, Instruction};

use super::{place::target_of, symbols::Symbols};

/// The largest section that is read and searched for jumps as a whole.
const MAX_SEARCHED: u64 = 16 << 20;

/// The most code of one function.
const MAX_FUNCTION: u64 = 1 << 20;

/// A section of code.
pub(super) struct Text {
    address: u64,
    offset: u64,
    size: u64,
    /// Whether it holds nothing but jumps to functions of other files.
    stubs: bool,
    bytes: OnceCell<Vec<u8>>,
    targets: OnceCell<Vec<u64>>,
}

impl Text {
    /// A section at an address, at an offset in the file.
    pub(super) fn new(address: u64, offset: u64, size: u64, stubs: bool) -> Self {
        Self {
            address,
            offset,
            size,
            stubs,
            bytes: OnceCell::new(),
            targets: OnceCell::new(),
        }
    }

    /// Whether it holds nothing but jumps to functions of other files.
    pub(super) fn is_stubs(&self) -> bool {
        self.stubs
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }

    /// Whether an address is in it.
    pub(super) fn holds(&self, address: u64) -> bool {
        (self.address..self.end()).contains(&address)
    }

    /// The code in a range that begins in the section, as far as the section goes.
    pub(super) fn code(&self, file: &File, range: Range<u64>) -> Option<Vec<u8>> {
        let start = range.start.checked_sub(self.address)?;
        let size = range.end.min(self.end()).checked_sub(range.start)?;
        let size = size.min(MAX_FUNCTION);
        if self.size <= MAX_SEARCHED {
            let bytes = self.bytes(file);
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(size).ok()?)?;
            return bytes.get(start..end).map(<[u8]>::to_vec);
        }
        read(file, self.offset.checked_add(start)?, size)
    }

    /// Whether code in the section jumps to an address, as far as that is known.
    pub(super) fn is_jumped_to(&self, file: &File, symbols: &Symbols, address: u64) -> bool {
        if self.size > MAX_SEARCHED || !self.holds(address) {
            return false;
        }
        let targets = self.targets.get_or_init(|| self.search(file, symbols));
        let at = (address - self.address) as usize;
        targets
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn bytes(&self, file: &File) -> &[u8] {
        self.bytes
            .get_or_init(|| read(file, self.offset, self.size).unwrap_or_default())
    }

    /// A bit for each byte. Decoding begins anew with each function, since there is data between
    /// some.
    fn search(&self, file: &File, symbols: &Symbols) -> Vec<u64> {
        let bytes = self.bytes(file);
        let mut targets = vec![0_u64; bytes.len().div_ceil(64)];
        let starts = symbols.starts();
        let starts = starts.iter().filter(|start| self.holds(**start));
        let mut bounds: Vec<usize> = starts
            .map(|start| (start - self.address) as usize)
            .collect();
        bounds.push(bytes.len());
        let mut from = 0;
        let mut instruction = Instruction::default();
        for to in bounds {
            let Some(piece) = bytes.get(from..to) else {
                continue;
            };
            let address = self.address.wrapping_add(from as u64);
            let mut decoder = Decoder::with_ip(64, piece, address, DecoderOptions::NONE);
            while decoder.can_decode() {
                decoder.decode_out(&mut instruction);
                let target = target_of(&instruction).filter(|target| self.holds(*target));
                if let Some(target) = target {
                    let at = (target - self.address) as usize;
                    if let Some(word) = targets.get_mut(at / 64) {
                        *word |= 1 << (at % 64);
                    }
                }
            }
            from = to;
        }
        targets
    }
}

fn read(file: &File, offset: u64, size: u64) -> Option<Vec<u8>> {
    // A size that the file only claims is not reserved.
    let there = file.metadata().ok()?.len().checked_sub(offset)?;
    let mut bytes = vec![0; usize::try_from(size.min(there)).ok()?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}
