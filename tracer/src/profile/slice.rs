//! Weights by time: who had which stack, how often, in which stretch of time.
//!
//! Owns the bound on memory: the newest slices are as fine as batches, older ones coalesce, and the
//! oldest go when that is asked for. Knows threads and stacks as numbers only.

use super::{Ledger, StackId, ThreadId};

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

/// A stretch of time: the slices that begin in it. Half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// CLOCK_MONOTONIC in nanoseconds.
    pub start_ns: u64,
    /// The first moment after it.
    pub end_ns: u64,
}

/// A slice that is held.
#[derive(Clone, Copy, Debug)]
pub struct SliceRef<'a> {
    /// When its first batch began, CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// When its last batch ended.
    pub end_ns: u64,
    /// The account of its batches.
    pub ledger: &'a Ledger,
    rows: &'a [Weight],
}

/// What one batch, or some in a row, have brought.
#[derive(Debug)]
pub(super) struct Slice {
    /// The numbers of its first and last batch.
    batches: (u32, u32),
    start_ns: u64,
    end_ns: u64,
    ledger: Ledger,
    /// Ordered by thread and stack, each pair once.
    rows: Vec<Weight>,
}

/// Slices in order of their batches.
#[derive(Debug, Default)]
pub(super) struct Slices(Vec<Slice>);

/// Ten minutes of batches at the usual four a second.
const FINE: usize = 2400;
/// The least part of all rows that coalescing must save to be worth the times that it loses.
const WORTH: usize = 8;

impl Default for Window {
    fn default() -> Self {
        Self::ALL
    }
}

impl Window {
    /// All time.
    pub const ALL: Self = Self {
        start_ns: 0,
        end_ns: u64::MAX,
    };

    /// Whether a slice that begins then belongs to it.
    pub fn contains(&self, start_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&start_ns)
    }
}

impl<'a> SliceRef<'a> {
    /// What was observed in it; each pair of thread and stack comes once.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = Weight> + use<'a> {
        self.rows.iter().copied()
    }
}

impl Slice {
    /// The slice of a batch alone.
    pub(super) fn new(batch: u32, time_ns: (u64, u64), ledger: Ledger, rows: Vec<Weight>) -> Self {
        let (start_ns, end_ns) = time_ns;
        let mut slice = Self {
            batches: (batch, batch),
            start_ns,
            end_ns,
            ledger,
            rows,
        };
        slice.settle();
        slice
    }

    fn append(&mut self, next: Self) {
        let Self {
            batches: (_, last),
            start_ns: _,
            end_ns,
            ledger,
            rows,
        } = next;
        self.batches.1 = last;
        self.end_ns = end_ns;
        self.ledger.add(&ledger);
        self.rows.extend(rows);
        self.settle();
    }

    /// How many rows it has in common with another.
    fn shared(&self, other: &Self) -> usize {
        let mut rest = other.rows.iter().peekable();
        let mut is_shared = |row: &&Weight| {
            let place = (row.thread, row.stack);
            let of = |other: &Weight| (other.thread, other.stack);
            while rest.next_if(|other| of(other) < place).is_some() {}
            rest.peek().is_some_and(|other| of(other) == place)
        };
        self.rows.iter().filter(|row| is_shared(row)).count()
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

    /// Adds to the slice of a batch what could not be told at its time.
    pub(super) fn add(&mut self, batch: u32, rows: impl IntoIterator<Item = Weight>) {
        if let Some(index) = self.find(batch)
            && let Some(slice) = self.0.get_mut(index)
        {
            slice.rows.extend(rows);
            slice.settle();
        }
    }

    /// Whether the slice of a batch is held.
    pub(super) fn holds(&self, batch: u32) -> bool {
        self.find(batch).is_some()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = SliceRef<'_>> {
        self.0.iter().map(|slice| {
            let Slice {
                batches: _,
                start_ns,
                end_ns,
                ledger,
                rows,
            } = slice;
            SliceRef {
                start_ns: *start_ns,
                end_ns: *end_ns,
                ledger,
                rows,
            }
        })
    }

    /// How many slices are held, and how many rows in them.
    pub(super) fn size(&self) -> (usize, usize) {
        let rows = self.0.iter().map(|slice| slice.rows.len());
        (self.0.len(), rows.sum())
    }

    /// The end of the slices before the one of a batch for which samples wait; `None`: of all.
    pub(super) fn settled_ns(&self, waiting: Option<u32>) -> u64 {
        let first = waiting.and_then(|batch| self.find(batch));
        let (settled, rest) = self.0.split_at(first.unwrap_or(self.0.len()));
        // Nothing that a recording says keeps a slice from beginning before another has ended.
        let begun = rest.iter().map(|slice| slice.start_ns).min();
        let end = settled.last().map(|slice| slice.end_ns);
        match (end, begun) {
            (Some(end), Some(begun)) => end.min(begun),
            (end, begun) => end.or(begun).unwrap_or(0),
        }
    }

    /// Drops slices that begin before a time, but never the newest.
    pub(super) fn forget_before(&mut self, start_ns: u64) {
        let newest = self.0.last().map(|slice| slice.batches.1);
        self.0
            .retain(|slice| slice.start_ns >= start_ns || Some(slice.batches.1) == newest);
    }

    /// Coalesces older slices until there are no more rows than `most`, and drops the oldest if
    /// that does not do, but never the newest.
    pub(super) fn bound_rows(&mut self, most: usize) {
        let (_, mut rows) = self.size();
        while rows > most {
            let saved = self.saved_by_coalescing();
            if rows - saved > most && saved <= rows / WORTH {
                break;
            }
            self.coalesce();
            rows -= saved;
        }
        let mut gone = 0;
        let older = self.0.len().saturating_sub(1);
        for slice in self.0.iter().take(older) {
            if rows <= most {
                break;
            }
            rows -= slice.rows.len();
            gone += 1;
        }
        self.0.drain(..gone);
    }

    /// What it takes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let slices = self.0.iter().map(|slice| {
            let reasons = [
                slice.ledger.lost.is_empty(),
                slice.ledger.truncated.is_empty(),
            ];
            let trees = reasons.iter().filter(|none| !**none).count();
            slice.rows.capacity() * size_of::<Weight>() + trees * REASONS
        });
        slices.sum::<usize>() + self.0.capacity() * size_of::<Slice>()
    }

    fn find(&self, batch: u32) -> Option<usize> {
        let index = self.0.partition_point(|slice| slice.batches.1 < batch);
        let slice = self.0.get(index)?;
        (slice.batches.0 <= batch).then_some(index)
    }

    fn saved_by_coalescing(&self) -> usize {
        let pairs = self.0[..self.0.len() / 2].chunks_exact(2);
        pairs.map(|pair| pair[0].shared(&pair[1])).sum()
    }

    /// Makes pairs of the older half.
    fn coalesce(&mut self) {
        let recent = self.0.split_off(self.0.len() / 2);
        let mut older = std::mem::take(&mut self.0).into_iter();
        while let Some(mut slice) = older.next() {
            if let Some(next) = older.next() {
                slice.append(next);
            }
            self.0.push(slice);
        }
        self.0.extend(recent);
    }
}

/// What a ledger has on the heap for a few reasons: a node of a tree.
const REASONS: usize = 144;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(thread: u32, weight: u64) -> Weight {
        Weight {
            thread: ThreadId(thread),
            stack: StackId::EMPTY,
            weight,
        }
    }

    /// A batch of ten nanoseconds.
    fn slice(batch: u32, rows: Vec<Weight>) -> Slice {
        let start_ns = u64::from(batch) * 10;
        let ledger = Ledger {
            recorded: rows.iter().map(|row| row.weight).sum(),
            ..Ledger::default()
        };
        Slice::new(batch, (start_ns, start_ns + 10), ledger, rows)
    }

    /// Slices as `start-end:rows`, each of which has what its ledger says.
    fn shown(slices: &Slices) -> String {
        let shown = slices.iter().map(|slice| {
            let sum: u64 = slice.weights().map(|row| row.weight).sum();
            assert_eq!(sum, slice.ledger.recorded);
            format!(
                "{}-{}:{}",
                slice.start_ns,
                slice.end_ns,
                slice.weights().len()
            )
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn coalescing_keeps_every_weight() {
        let mut slices = Slices::default();
        let batches = 3 * FINE as u32;
        for n in 0..batches {
            slices.push(slice(n, vec![row(1, n.into()), row(0, 1), row(0, 1)]));
            slices.add(n.saturating_sub(FINE as u32), [row(0, 1)]);
        }
        assert!(slices.0.len() <= FINE);
        let of = |thread| {
            let rows = slices.iter().flat_map(|slice| slice.weights());
            let rows = rows.filter(|row| row.thread.0 == thread);
            rows.map(|row| row.weight).sum::<u64>()
        };
        let batches = u64::from(batches);
        assert_eq!(of(0), 3 * batches);
        assert_eq!(of(1), batches * (batches - 1) / 2);
        let recorded: u64 = slices.iter().map(|slice| slice.ledger.recorded).sum();
        assert_eq!(recorded, 2 * batches + of(1));
        let times: Vec<_> = slices
            .iter()
            .map(|slice| (slice.start_ns, slice.end_ns))
            .collect();
        assert!(times.is_sorted_by(|one, next| one.1 == next.0));
        assert_eq!((times[0].0, slices.settled_ns(None)), (0, batches * 10));
    }

    #[test]
    fn rows_are_bounded_by_coalescing_and_then_by_forgetting() {
        let check = |distinct: bool, most: usize, expected: &str| {
            let mut slices = Slices::default();
            for n in 0..8 {
                let thread = if distinct { n } else { 0 };
                slices.push(slice(n, vec![row(thread, 1), row(thread + 100, 2)]));
            }
            slices.bound_rows(most);
            assert_eq!(shown(&slices), expected, "{distinct} {most}");
        };
        check(
            false,
            16,
            "0-10:2 10-20:2 20-30:2 30-40:2 40-50:2 50-60:2 60-70:2 70-80:2",
        );
        check(false, 15, "0-20:2 20-40:2 40-50:2 50-60:2 60-70:2 70-80:2");
        check(false, 10, "0-40:2 40-50:2 50-60:2 60-70:2 70-80:2");
        check(false, 0, "70-80:2");
        check(
            true,
            15,
            "10-20:2 20-30:2 30-40:2 40-50:2 50-60:2 60-70:2 70-80:2",
        );
        check(true, 5, "60-70:2 70-80:2");
        check(true, 0, "70-80:2");
    }

    #[test]
    fn late_rows_go_to_their_own_slice() {
        let mut slices = Slices::default();
        (0..6).for_each(|n| slices.push(slice(n, vec![row(0, 0)])));
        slices.coalesce();
        slices.forget_before(15);
        assert_eq!(slices.size(), (4, 4));
        let held = [0, 1, 2, 3, 5, 6].map(|batch| slices.holds(batch));
        assert_eq!(held, [false, false, true, true, true, false]);
        slices.add(1, [row(1, 1)]);
        slices.add(3, [row(3, 1), row(2, 1)]);
        let lengths: Vec<usize> = slices.iter().map(|slice| slice.weights().len()).collect();
        assert_eq!(lengths, [1, 3, 1, 1]);
        let settled = [None, Some(2), Some(3), Some(5)].map(|batch| slices.settled_ns(batch));
        assert_eq!(settled, [60, 20, 30, 50]);
        slices.forget_before(u64::MAX);
        assert_eq!(slices.size(), (1, 1));
        assert_eq!(slices.settled_ns(Some(5)), 50);
        assert_eq!(Slices::default().settled_ns(None), 0);
    }

    #[test]
    fn a_window_is_half_open() {
        let window = Window {
            start_ns: 10,
            end_ns: 20,
        };
        let contained = [9, 10, 19, 20].map(|start_ns| window.contains(start_ns));
        assert_eq!(contained, [false, true, true, false]);
        assert!(Window::ALL.contains(0));
    }
}
