//! Who has a file mapped, so that somebody's mapping can be opened to read it.
//!
//! Owns a few entries per file. Whether a holder is still alive is known elsewhere.

use super::{DsoId, mappings::Range};

/// A process that was seen to map a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) life: u32,
    pub(super) range: Range,
}

/// By file, the most recent last.
#[derive(Debug, Default)]
pub(super) struct Holders(Vec<Vec<Holder>>);

impl Holders {
    /// How many are kept of each file.
    pub(super) const MOST: usize = 4;

    /// Enters a holder; one entry per process and file.
    pub(super) fn insert(&mut self, holder: Holder) {
        let index = holder.range.dso.0 as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Vec::new);
        }
        if let Some(holders) = self.0.get_mut(index) {
            holders.retain(|other| other.life != holder.life);
            if holders.len() == Self::MOST {
                holders.remove(0);
            }
            holders.push(holder);
        }
    }

    /// The holders of a file, the most recent last.
    pub(super) fn of(&self, dso: DsoId) -> impl DoubleEndedIterator<Item = &Holder> {
        self.0.get(dso.0 as usize).into_iter().flatten()
    }
}
