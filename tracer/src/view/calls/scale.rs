//! Rows of latencies: neighbouring buckets put together so that they fit into a place.
//!
//! A row holds whole buckets, so that its count is exact.

use tracer_common::{BUCKETS, bucket_high, bucket_low, bucket_of};

use crate::profile::{Bucket, Histogram};

/// Rows of equally many buckets, the shortest latencies first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// The first row, counted in rows from 0.
    first: u32,
    /// How many there are.
    rows: u32,
    /// Buckets in each.
    width: u32,
}

/// Buckets of a power of two.
const OCTAVE: u32 = 32;
/// Buckets in the narrowest row of a scale that fills a place: narrower ones show nothing but noise.
const NARROWEST: u32 = 4;

impl Scale {
    /// The narrowest rows of which at most so many hold all buckets from one to another; `finer` times
    /// narrower than that, though not all fit then.
    pub fn fitting(range: Option<(u32, u32)>, rows: usize, finer: i8) -> Self {
        let Some(range) = range else {
            return Self::default();
        };
        let fits = |width: &u32| Self::over(range, *width).rows() <= rows.max(1);
        let fitting = widths().position(|width| fits(&width)).unwrap_or(0);
        let wanted = fitting.saturating_add_signed(-isize::from(finer));
        let width = widths().nth(wanted).unwrap_or(BUCKETS);
        Self::over(range, width)
    }

    /// Exactly so many rows; what is asked for is in the middle of them.
    pub fn filling(range: Option<(u32, u32)>, rows: usize) -> Self {
        let range = range.unwrap_or((bucket_of(1_000), bucket_of(1_000_000)));
        let wanted = u32::try_from(rows.max(1)).unwrap_or(1);
        let fits = |width: &u32| Self::over(range, *width).rows <= wanted;
        let width = widths()
            .skip_while(|width| *width < NARROWEST)
            .find(fits)
            .unwrap_or(BUCKETS);
        let fitting = Self::over(range, width);
        let all = BUCKETS.div_ceil(width);
        let rows = wanted.min(all);
        let above = rows.saturating_sub(fitting.rows) / 2;
        Self {
            first: fitting.first.saturating_sub(above).min(all - rows),
            rows,
            width,
        }
    }

    fn over((first, last): (u32, u32), width: u32) -> Self {
        Self {
            first: first / width,
            rows: last / width - first / width + 1,
            width,
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The row of a latency, and whether it is within that row's bounds: what is beyond the last row
    /// counts there.
    pub fn row_of(&self, ns: u64) -> (usize, bool) {
        let row = i64::from(bucket_of(ns) / self.width.max(1)) - i64::from(self.first);
        let held = row.clamp(0, i64::from(self.rows.max(1)) - 1);
        (held as usize, held == row)
    }

    /// The least and the most that a row holds.
    pub fn bounds(&self, row: usize) -> (u64, u64) {
        let row = self.first + u32::try_from(row).unwrap_or(u32::MAX).min(self.rows);
        let last = (row + 1) * self.width.max(1) - 1;
        let low = bucket_low((row * self.width).min(BUCKETS - 1));
        (low, bucket_high(last.min(BUCKETS - 1)))
    }
}

/// Widths of rows: parts of a power of two, and then whole powers.
fn widths() -> impl Iterator<Item = u32> {
    [1, 2, 4, 8, 16]
        .into_iter()
        .chain((1..=BUCKETS / OCTAVE).map(|octaves| octaves * OCTAVE))
}

/// The histogram in at most so many bars, also those that are empty; `finer` times narrower than that.
pub fn bars(calls: &Histogram, rows: usize, finer: i8) -> Vec<Bucket> {
    let scale = Scale::fitting(super::range(calls), rows, finer);
    let mut bars: Vec<Bucket> = (0..scale.rows())
        .map(|row| {
            let (low, high) = scale.bounds(row);
            let count = 0;
            Bucket { low, high, count }
        })
        .collect();
    for bucket in calls.buckets() {
        if let Some(bar) = bars.get_mut(scale.row_of(bucket.low).0) {
            bar.count = bar.count.saturating_add(bucket.count);
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: (u64, u64), rows: usize, finer: i8, expected: usize) {
        let range = (bucket_of(range.0), bucket_of(range.1));
        let scale = Scale::fitting(Some(range), rows, finer);
        assert_eq!(scale.rows(), expected, "{scale:?}");
        // Rows join, and cover what was asked for.
        let bounds: Vec<_> = (0..scale.rows()).map(|row| scale.bounds(row)).collect();
        for pair in bounds.windows(2) {
            assert_eq!(pair[0].1.wrapping_add(1), pair[1].0, "{scale:?}");
        }
        assert!(bounds[0].0 <= bucket_low(range.0));
        assert!(bounds[bounds.len() - 1].1 >= bucket_high(range.1));
        for (row, (low, high)) in bounds.into_iter().enumerate() {
            assert_eq!(scale.row_of(low), (row, true));
            assert_eq!(scale.row_of(high), (row, true));
        }
        let filling = Scale::filling(Some(range), rows);
        assert_eq!(filling.rows(), rows, "{filling:?}");
        assert!(filling.row_of(bucket_low(range.0)).1);
        assert!(filling.row_of(bucket_high(range.1)).1);
    }

    #[test]
    fn rows_fit_and_hold_everything() {
        check((1000, 1000), 10, 0, 1);
        check((1024, 2047), 10, 0, 8);
        check((1024, 2047), 10, 1, 16);
        check((1024, 2047), 10, 9, 32);
        check((1024, 2047), 10, -3, 1);
        check((0, 63), 4, 0, 4);
        check((500, 5_000_000), 12, 0, 8);
        check((500, 5_000_000), 20, 0, 15);
        check((0, u64::MAX), 5, 0, 5);
        check((0, u64::MAX), 1, 0, 1);
    }

    #[test]
    fn bars_add_up() {
        let mut calls = Histogram::default();
        assert_eq!(bars(&calls, 10, 0), Vec::new());
        (0..10_000).for_each(|value| calls.add(value * value, 3));
        for rows in 1..60 {
            let bars = bars(&calls, rows, 0);
            assert!(bars.len() <= rows, "{rows}");
            assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 30_000);
        }
    }

    #[test]
    fn what_is_beyond_the_rows_is_at_their_edge() {
        let scale = Scale::filling(Some((bucket_of(1000), bucket_of(2000))), 12);
        assert_eq!(scale.row_of(u64::MAX), (11, false));
        assert_eq!(scale.row_of(0), (0, false));
    }
}
