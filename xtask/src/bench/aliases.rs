//! Names of the same code: perf and tracer may choose different ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSymbol as _, SymbolKind};

/// From each name to the one that stands for all names of the same address.
pub(super) struct Aliases(BTreeMap<String, String>);

impl Aliases {
    /// Of what these processes have mapped, and of the kernel.
    pub(super) fn of(pids: &[u32]) -> Self {
        let mut aliases = Self(BTreeMap::new());
        let mut objects = BTreeSet::new();
        for pid in pids {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            let code = maps.lines().filter(|line| line.contains(" r-xp "));
            objects.extend(code.filter_map(|line| Some(line[line.find('/')?..].to_owned())));
        }
        for object in objects {
            // A mapped file that cannot be read has no names here, and so none in a profile.
            aliases.read(Path::new(&object));
        }
        let kernel = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
        aliases.add(kernel.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            Some((address, words.nth(1)?.to_owned()))
        }));
        aliases
    }

    pub(super) fn resolve(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn read(&mut self, path: &Path) {
        let Ok(bytes) = fs::read(path) else { return };
        let Ok(file) = object::File::parse(&*bytes) else {
            return;
        };
        let debug = file.build_id().ok().flatten().and_then(debug_file);
        let separate = debug
            .and_then(|path| fs::read(path).ok())
            .unwrap_or_default();
        let mut symbols = functions(&file);
        if let Ok(debug) = object::File::parse(&*separate) {
            symbols.extend(functions(&debug));
        }
        self.add(symbols);
    }

    fn add(&mut self, symbols: impl IntoIterator<Item = (u64, String)>) {
        let mut by_address: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for (address, name) in symbols {
            by_address.entry(address).or_default().insert(name);
        }
        for mut names in by_address.into_values().filter(|names| names.len() > 1) {
            let Some(first) = names.pop_first() else {
                continue;
            };
            for name in names {
                self.0.entry(name).or_insert_with(|| first.clone());
            }
        }
    }
}

fn functions(file: &object::File<'_>) -> Vec<(u64, String)> {
    file.symbols()
        .chain(file.dynamic_symbols())
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .filter_map(|symbol| {
            let name = symbol.name().ok()?.split('@').next()?.to_owned();
            Some((symbol.address(), name))
        })
        .collect()
}

/// Where distributions put the symbols that they strip.
fn debug_file(build_id: &[u8]) -> Option<PathBuf> {
    let digits: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = digits.split_at_checked(2)?;
    Some(PathBuf::from(format!(
        "/usr/lib/debug/.build-id/{first}/{rest}.debug"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_address_are_one() {
        let mut aliases = Aliases(BTreeMap::new());
        let symbols = [(1, "memcpy"), (1, "__memcpy"), (2, "strlen")];
        aliases.add(symbols.map(|(address, name)| (address, name.to_owned())));
        assert_eq!(aliases.resolve("memcpy"), aliases.resolve("__memcpy"));
        assert_eq!(aliases.resolve("strlen"), "strlen");
    }
}
