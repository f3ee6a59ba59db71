//! How much DWARF the worker can afford to read.
//!
//! Measured on libc with its debug file (4.2 MB, 10 MB inflated), six addresses, cold: symbol
//! table 5 ms and 0.2 MiB, DWARF with lines and inlined functions 54 ms and 11 MiB, of which the
//! inflating of compressed sections is all but a few ms. An uncompressed 6 MB of DWARF costs
//! 27 ms for forty addresses: only the units that are asked for are read. So inflating is what is
//! rationed; a file beyond the ration still gets its names from its symbol table, without lines
//! and inlined functions.

/// The most that one file may inflate to.
const MAX_INFLATED: u64 = 16 << 20;

/// The most that all open files together may inflate to.
const MAX_INFLATED_TOTAL: u64 = 32 << 20;

/// The most DWARF that is walked where it lies: one page for each unit is touched.
const MAX_PLAIN: u64 = 512 << 20;

/// How much DWARF a file holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DwarfSize {
    /// There is a `.debug_info`.
    pub(super) present: bool,
    /// In sections that can be read where they lie.
    pub(super) plain: u64,
    /// In compressed sections, after inflating.
    pub(super) compressed: u64,
}

/// How far the names of a file are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// In the symbol tables.
    Symbols,
    /// In DWARF, with lines and inlined functions, else in the symbol tables.
    Dwarf,
}

/// Hands out the ration.
#[derive(Debug, Default)]
pub(super) struct Budget {
    inflated: u64,
}

impl Budget {
    /// How far the names of a file of that size may be looked up.
    pub(super) fn take(&mut self, size: DwarfSize) -> Depth {
        let total = self.inflated.saturating_add(size.compressed);
        let affordable = size.compressed <= MAX_INFLATED
            && total <= MAX_INFLATED_TOTAL
            && size.plain <= MAX_PLAIN;
        if !size.present || !affordable {
            return Depth::Symbols;
        }
        self.inflated = total;
        Depth::Dwarf
    }

    /// Takes back what a file had been given.
    pub(super) fn give_back(&mut self, size: DwarfSize, depth: Depth) {
        if depth == Depth::Dwarf {
            self.inflated = self.inflated.saturating_sub(size.compressed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflating_is_rationed_by_file_and_in_total() {
        let compressed = |compressed| DwarfSize {
            present: true,
            plain: 0,
            compressed,
        };
        let mut budget = Budget::default();
        assert_eq!(budget.take(compressed(17 << 20)), Depth::Symbols);
        assert_eq!(budget.take(compressed(15 << 20)), Depth::Dwarf);
        assert_eq!(budget.take(compressed(15 << 20)), Depth::Dwarf);
        assert_eq!(budget.take(compressed(15 << 20)), Depth::Symbols);
        budget.give_back(compressed(15 << 20), Depth::Dwarf);
        assert_eq!(budget.take(compressed(15 << 20)), Depth::Dwarf);
        assert_eq!(budget.take(DwarfSize::default()), Depth::Symbols);
    }
}
