//! The names in one DSO: from its own file and from its debug file.

use std::borrow::Cow;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};

use super::debug_info::{Budget, Depth, DwarfSize};
use super::demangle::demangle;
use super::identity::Identity;
use super::protocol::{Answer, Wanted};
use crate::symbol::{Function, Location, NoName, Symbol};

/// Bounds for what a hostile file can make of one answer.
const MAX_TEXT: usize = 8192;
const MAX_INLINED: usize = 64;

/// Why a file was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may not be opened again with these privileges.
    Denied,
    /// It is not a readable ELF file.
    Unreadable,
    /// It is the debug file of another DSO.
    Wrong,
}

/// A DSO that is open.
pub(super) struct Dso {
    identity: Identity,
    main: Reader,
    debug: Option<Reader>,
}

/// One ELF file, with the look-up tables of it that have been made so far.
struct Reader {
    file: File,
    depth: Depth,
    /// What was taken from the budget.
    size: DwarfSize,
    granted: Depth,
    // One each: all that is known of a file goes with it, and a descriptor that is used again
    // cannot be taken for the file that it was before.
    symbolizer: Symbolizer,
}

impl Dso {
    pub(super) fn open(file: File, budget: &mut Budget) -> Result<Self, Refusal> {
        reopen(&file)?;
        let identity = Identity::read(&file).ok_or(Refusal::Unreadable)?;
        let main = Reader::new(file, identity.dwarf, budget);
        Ok(Self {
            identity,
            main,
            debug: None,
        })
    }

    pub(super) fn wants(&self) -> Option<Wanted> {
        self.identity.wants()
    }

    pub(super) fn add_debug_file(
        &mut self,
        file: File,
        budget: &mut Budget,
    ) -> Result<(), Refusal> {
        reopen(&file)?;
        let identity = Identity::read(&file).ok_or(Refusal::Unreadable)?;
        if !self.identity.matches(&identity, &file) {
            return Err(Refusal::Wrong);
        }
        self.debug = Some(Reader::new(file, identity.dwarf, budget));
        Ok(())
    }

    pub(super) fn close(self, budget: &mut Budget) {
        for reader in [Some(self.main), self.debug].into_iter().flatten() {
            budget.give_back(reader.size, reader.granted);
        }
    }

    /// The names at offsets in the file.
    pub(super) fn names(&mut self, offsets: &[u64]) -> Vec<Answer> {
        let addresses: Vec<Option<u64>> = offsets
            .iter()
            .map(|offset| self.identity.segments.address(*offset))
            .collect();
        let known: Vec<u64> = addresses.iter().copied().flatten().collect();
        let main = self.main.look_up(&known);
        let mut found = match &mut self.debug {
            Some(debug) => debug
                .look_up(&known)
                .into_iter()
                .zip(main)
                .map(merge)
                .collect(),
            None => main,
        }
        .into_iter();
        let mut next = || found.next().flatten().map(|found| found.symbol);
        addresses
            .iter()
            .map(|address| address.and_then(|_| next()).ok_or(NoName::Stripped))
            .collect()
    }
}

/// Prefers what the debug file says. But where the file itself exports a function that begins at
/// the same address, that is its public name: `malloc`, not `__GI___libc_malloc`.
fn merge((debug, main): (Option<Found>, Option<Found>)) -> Option<Found> {
    match (debug, main) {
        (Some(mut debug), Some(mut main)) => {
            if debug.start == main.start {
                std::mem::swap(
                    &mut debug.symbol.functions[0].name,
                    &mut main.symbol.functions[0].name,
                );
            }
            Some(debug)
        }
        (debug, main) => debug.or(main),
    }
}

/// blazesym opens files by path. Only what it can open is worth giving to it.
fn reopen(file: &File) -> Result<(), Refusal> {
    File::open(path(file))
        .map(drop)
        .map_err(|_| Refusal::Denied)
}

fn path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

struct Found {
    start: u64,
    symbol: Symbol,
}

impl Reader {
    fn new(file: File, size: DwarfSize, budget: &mut Budget) -> Self {
        let granted = budget.take(size);
        let symbolizer = Symbolizer::builder()
            .enable_auto_reload(false)
            .enable_code_info(true)
            .enable_inlined_fns(true)
            .build();
        Self {
            file,
            depth: granted,
            size,
            granted,
            symbolizer,
        }
    }

    /// One result for each address.
    fn look_up(&mut self, addresses: &[u64]) -> Vec<Option<Found>> {
        if addresses.is_empty() {
            return Vec::new();
        }
        if self.depth == Depth::Dwarf {
            if let Some(mut found) = self.look_up_in(Depth::Dwarf, addresses) {
                self.fill_gaps(&mut found, addresses);
                return found;
            }
            // Damaged DWARF; the symbol tables may be sound.
            self.depth = Depth::Symbols;
        }
        self.look_up_in(Depth::Symbols, addresses)
            .unwrap_or_else(|| addresses.iter().map(|_| None).collect())
    }

    /// One damaged unit of DWARF must not cost its addresses the names in the symbol tables.
    fn fill_gaps(&self, found: &mut [Option<Found>], addresses: &[u64]) {
        let gaps: Vec<usize> = (0..found.len())
            .filter(|index| found[*index].is_none())
            .collect();
        if gaps.is_empty() {
            return;
        }
        let missing: Vec<u64> = gaps.iter().map(|index| addresses[*index]).collect();
        let filled = self
            .look_up_in(Depth::Symbols, &missing)
            .unwrap_or_default();
        for (index, filled) in gaps.into_iter().zip(filled) {
            found[index] = filled;
        }
    }

    /// `None`: the file cannot be read to that depth.
    fn look_up_in(&self, depth: Depth, addresses: &[u64]) -> Option<Vec<Option<Found>>> {
        let mut elf = Elf::new(path(&self.file));
        elf.debug_syms = depth == Depth::Dwarf;
        let found = self
            .symbolizer
            .symbolize(&Source::Elf(elf), Input::VirtOffset(addresses))
            .ok()?;
        let found = found.into_iter().map(|found| match found {
            Symbolized::Sym(found) => convert(&found),
            Symbolized::Unknown(_) => None,
        });
        Some(found.collect())
    }
}

fn convert(found: &Sym<'_>) -> Option<Found> {
    if found.name.is_empty() || is_beyond(found) {
        return None;
    }
    let function = |name: &str, place: Option<&CodeInfo<'_>>| Function {
        name: bounded(demangle(name).map_or(name.into(), Cow::Owned)),
        location: place.and_then(location),
    };
    let mut functions = vec![function(&found.name, found.code_info.as_deref())];
    for inlined in found.inlined.iter().take(MAX_INLINED) {
        functions.push(function(&inlined.name, inlined.code_info.as_ref()));
    }
    Some(Found {
        start: found.addr,
        symbol: Symbol { functions },
    })
}

/// Whether an address lies behind its symbol. Symbols of hand-written assembly have no size, and
/// reach to the next one; these two do not: in most files PLT entries follow `_init`.
fn is_beyond(found: &Sym<'_>) -> bool {
    let most = match &*found.name {
        "_init" => 32,
        "_fini" => 16,
        _ => return false,
    };
    found.size.is_none_or(|size| size == 0) && found.offset >= most
}

fn location(place: &CodeInfo<'_>) -> Option<Location> {
    let line = place.line.filter(|line| *line > 0)?;
    Some(Location {
        file: bounded(place.to_path().to_string_lossy()),
        line,
    })
}

fn bounded(text: Cow<'_, str>) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}
