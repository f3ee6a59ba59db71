//! The functions and labels of a file, by address.

/// Longer names are no names.
const MAX_NAME: usize = 64 << 10;

/// What a symbol is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A function.
    Function,
    /// A function that chooses a function when the program is loaded.
    Ifunc,
    /// A place in code.
    Label,
}

/// A symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) kind: Kind,
    pub(super) global: bool,
}

/// Symbols in ascending order, and their names.
#[derive(Default)]
pub(super) struct Symbols {
    names: Vec<u8>,
    rows: Vec<(Symbol, std::ops::Range<usize>)>,
}

impl Symbols {
    /// Adds one; a version behind its name is left out.
    pub(super) fn push(&mut self, name: &[u8], symbol: Symbol) {
        let bare = match name.iter().position(|byte| *byte == b'@') {
            Some(at) if at > 0 => &name[..at],
            _ => name,
        };
        let start = self.names.len();
        self.names.extend(&bare[..bare.len().min(MAX_NAME)]);
        self.rows.push((symbol, start..self.names.len()));
    }

    /// In ascending order.
    pub(super) fn sorted(mut self) -> Self {
        self.rows.sort_by_key(|(symbol, _)| symbol.address);
        self
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The functions with their names.
    pub(super) fn functions(&self) -> impl Iterator<Item = (&str, Symbol)> {
        let named = self.rows.iter().filter_map(|(symbol, name)| {
            let name = std::str::from_utf8(self.names.get(name.clone())?).ok()?;
            Some((name, *symbol))
        });
        named.filter(|(name, symbol)| symbol.kind != Kind::Label && !name.is_empty())
    }

    /// Where functions begin, each once.
    pub(super) fn starts(&self) -> Vec<u64> {
        let functions = self.rows.iter();
        let functions = functions.filter(|(symbol, _)| symbol.kind != Kind::Label);
        let mut starts: Vec<u64> = functions.map(|(symbol, _)| symbol.address).collect();
        starts.dedup();
        starts
    }

    /// Whether an address has a symbol.
    pub(super) fn has(&self, address: u64) -> bool {
        let rows = &self.rows;
        rows.binary_search_by_key(&address, |(symbol, _)| symbol.address)
            .is_ok()
    }

    /// The first address behind one that has a symbol.
    pub(super) fn next(&self, address: u64) -> Option<u64> {
        let after = self
            .rows
            .partition_point(|(symbol, _)| symbol.address <= address);
        self.rows.get(after).map(|(symbol, _)| symbol.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(address: u64, kind: Kind) -> Symbol {
        Symbol {
            address,
            size: 1,
            kind,
            global: true,
        }
    }

    #[test]
    fn by_address_without_versions() {
        let mut symbols = Symbols::default();
        symbols.push(b"b@@GLIBC_2.2", symbol(20, Kind::Function));
        symbols.push(b"a", symbol(10, Kind::Ifunc));
        symbols.push(b"label", symbol(15, Kind::Label));
        symbols.push(b"\xff", symbol(30, Kind::Function));
        symbols.push(b"", symbol(31, Kind::Function));
        let symbols = symbols.sorted();
        let names: Vec<&str> = symbols.functions().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(symbols.starts(), [10, 20, 30, 31]);
        assert_eq!(symbols.next(10), Some(15));
        assert_eq!(symbols.next(31), None);
    }
}
