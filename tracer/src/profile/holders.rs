//! Who has a file mapped, so that somebody's mapping can be opened to read it.
//!
//! Owns a few entries per file. Whether a holder is still alive is known elsewhere.

use rustc_hash::FxHashMap;

use super::{DsoId, mappings::Range, slots::table_bytes};

/// A process that was seen to map a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) life: u32,
    pub(super) range: Range,
}

/// By file, the most recent last.
#[derive(Debug, Default)]
pub(super) struct Holders(FxHashMap<DsoId, Vec<Holder>>);

impl Holders {
    /// How many are kept of each file.
    pub(super) const MOST: usize = 4;

    /// Enters a holder; one entry per process and file.
    pub(super) fn insert(&mut self, holder: Holder) {
        let holders = self.0.entry(holder.range.dso).or_default();
        holders.retain(|other| other.life != holder.life);
        if holders.len() == Self::MOST {
            holders.remove(0);
        }
        holders.push(holder);
    }

    /// The holders of a file, the most recent last.
    pub(super) fn of(&self, dso: DsoId) -> impl DoubleEndedIterator<Item = &Holder> {
        self.0.get(&dso).into_iter().flatten()
    }

    /// Forgets those of files that there are no more.
    pub(super) fn retain(&mut self, is_live: impl Fn(DsoId) -> bool) {
        self.0.retain(|dso, _| is_live(*dso));
    }

    pub(super) fn bytes(&self) -> usize {
        let lists = self.0.values().map(Vec::capacity).sum::<usize>() * size_of::<Holder>();
        lists + table_bytes(self.0.capacity(), size_of::<(DsoId, Vec<Holder>)>())
    }
}
