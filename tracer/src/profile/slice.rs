//! Weights by time: who had which stack, how often, in which stretch of time.
//!
//! Owns the bound on memory: the newest slices are as fine as batches, older ones coalesce. Knows
//! threads and stacks as numbers only.

use super::{StackId, ThreadId};

/// How often a thread was seen with a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The thread.
    pub thread: ThreadId,
    /// The stack.
    pub stack: StackId,
    /// How many samples.
    pub weight: u64,
}

/// A stretch of time.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// Ordered by thread and stack, each pair once.
    rows: Vec<Weight>,
}

/// Slices in order of time.
#[derive(Debug, Default)]
pub(super) struct Slices(Vec<Slice>);

/// Ten minutes of batches at the usual four a second.
const FINE: usize = 2400;

impl Slice {
    pub(super) fn new(rows: Vec<Weight>) -> Self {
        let mut slice = Self { rows };
        slice.settle();
        slice
    }

    fn settle(&mut self) {
        self.rows
            .sort_unstable_by_key(|row| (row.thread, row.stack));
        self.rows.dedup_by(|row, kept| {
            let same = (row.thread, row.stack) == (kept.thread, kept.stack);
            if same {
                kept.weight = kept.weight.saturating_add(row.weight);
            }
            same
        });
        self.rows.shrink_to_fit();
    }
}

impl Slices {
    /// Begins a new slice.
    pub(super) fn push(&mut self, slice: Slice) {
        self.0.push(slice);
        if self.0.len() > FINE {
            self.coalesce();
        }
    }

    /// Adds to a slice that is `back` slices before the newest: what could not be told at its time.
    pub(super) fn add(&mut self, back: usize, rows: impl IntoIterator<Item = Weight>) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        let index = self.0.len().saturating_sub(back + 1);
        if self.0.is_empty() {
            self.0.push(Slice::default());
        }
        if let Some(slice) = self.0.get_mut(index) {
            slice.rows.extend(rows);
            slice.settle();
        }
    }

    /// Every weight; a pair of thread and stack comes once per slice.
    pub(super) fn weights(&self) -> impl Iterator<Item = Weight> {
        self.0.iter().flat_map(|slice| slice.rows.iter().copied())
    }

    /// Makes pairs of the older half.
    fn coalesce(&mut self) {
        let recent = self.0.split_off(self.0.len() / 2);
        let mut older = std::mem::take(&mut self.0).into_iter();
        while let Some(mut slice) = older.next() {
            if let Some(next) = older.next() {
                slice.rows.extend(next.rows);
                slice.settle();
            }
            self.0.push(slice);
        }
        self.0.extend(recent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalescing_keeps_every_weight() {
        let mut slices = Slices::default();
        let row = |thread, weight| Weight {
            thread: ThreadId(thread),
            stack: StackId::EMPTY,
            weight,
        };
        let batches = 3 * FINE as u64;
        for n in 0..batches {
            slices.push(Slice::new(vec![row(1, n), row(0, 1), row(0, 1)]));
            slices.add(1, [row(0, 1)]);
        }
        assert!(slices.0.len() <= FINE);
        let of = |thread| {
            slices
                .weights()
                .filter(|row| row.thread.0 == thread)
                .map(|row| row.weight)
                .sum::<u64>()
        };
        assert_eq!(of(0), 3 * batches);
        assert_eq!(of(1), batches * (batches - 1) / 2);
    }
}
