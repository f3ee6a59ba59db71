//! Columns of time: what calls were like in each.
//!
//! A column begins at a multiple of its length, so that what has happened stays in its column while
//! time goes on.

use super::selection::Accepts;
use crate::profile::{Bucket, Histogram, Latencies, Window};

/// Columns of equal length that cover a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// How long each is.
    pub length_ns: u64,
    /// The first, counted in columns from time 0.
    first: u64,
    /// How many there are.
    count: usize,
    /// What they show; the columns at its ends stand out of it.
    window: Window,
}

/// What calls were like in a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// How long was measured in it.
    pub measured_ns: u64,
    /// How many calls ended in it.
    pub count: u64,
    /// The bucket of the median, if there were calls.
    pub p50: Option<Bucket>,
    /// That of the 99th percentile.
    pub p99: Option<Bucket>,
    /// The longest.
    pub max: Option<u64>,
}

const QUARTER: u64 = 250_000_000;
/// Lengths of columns in quarters of a second; on from the last, they double.
const LENGTHS: [u64; 28] = [
    2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 60, 80, 120, 180, 240, 360, 480, 720, 1200,
    2400, 3600, 4800, 7200, 14_400,
];

impl Columns {
    /// The shortest of which at most so many cover a window, and that slices fit into.
    pub(super) fn of(latencies: &Latencies, window: Window, most: usize) -> Self {
        let window = held(latencies, window);
        let slice = typical_slice(latencies);
        let over = |length_ns: u64| {
            let first = window.start_ns / length_ns;
            let last = window.end_ns.max(window.start_ns + 1) - 1;
            let count = (last / length_ns).saturating_sub(first) + 1;
            Self {
                length_ns,
                first,
                count: usize::try_from(count).unwrap_or(usize::MAX),
                window,
            }
        };
        let fits = |columns: &Self| columns.length_ns >= slice && columns.count <= most.max(1);
        lengths()
            .map(over)
            .find(fits)
            .unwrap_or_else(|| over(window.end_ns.max(1)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// When a column begins.
    pub fn start_ns(&self, column: usize) -> u64 {
        (self.first + column as u64).saturating_mul(self.length_ns)
    }

    /// The column that a moment is in, if it is in one.
    pub fn column_of(&self, at_ns: u64) -> Option<usize> {
        let column = (at_ns / self.length_ns.max(1)).checked_sub(self.first)?;
        let column = usize::try_from(column).ok()?;
        (column < self.count).then_some(column)
    }

    /// The part of the window that is in a column.
    pub(in crate::view) fn window(&self, column: usize) -> Window {
        let start_ns = self.start_ns(column);
        Window {
            start_ns: start_ns.max(self.window.start_ns),
            end_ns: start_ns
                .saturating_add(self.length_ns)
                .min(self.window.end_ns),
        }
    }

    /// What calls were like in each.
    pub(super) fn moments(&self, latencies: &Latencies, accepts: &mut Accepts<'_>) -> Vec<Moment> {
        let moment = |column| {
            let mut calls = Histogram::default();
            latencies.each(self.window(column), |function, key, histogram| {
                if accepts.call(function, key) {
                    calls.merge(histogram);
                }
            });
            let percentile = |part| {
                let mut bucket = calls.percentile(part)?;
                // No call took longer than the longest.
                bucket.high = bucket.high.min(calls.max()?);
                Some(bucket)
            };
            Moment {
                measured_ns: 0,
                count: calls.count(),
                p50: percentile(0.5),
                p99: percentile(0.99),
                max: calls.max(),
            }
        };
        let mut moments: Vec<Moment> = (0..self.count).map(moment).collect();
        for (start, end) in latencies.slices() {
            let is_within = (self.window.start_ns..self.window.end_ns).contains(&start);
            let column = self.column_of(start).filter(|_| is_within);
            if let Some(moment) = column.and_then(|column| moments.get_mut(column)) {
                moment.measured_ns += end.saturating_sub(start);
            }
        }
        moments
    }
}

impl Moment {
    /// Calls in a second.
    pub fn rate(&self) -> Option<f64> {
        (self.measured_ns > 0).then(|| self.count as f64 * 1e9 / self.measured_ns as f64)
    }
}

/// A window; where it has no bounds of its own, what is held.
fn held(latencies: &Latencies, window: Window) -> Window {
    let mut slices = latencies.slices();
    let first = slices
        .next()
        .map_or(latencies.settled_ns(), |(start, _)| start);
    let end_ns = window.end_ns.min(latencies.settled_ns());
    let start_ns = match window.start_ns {
        0 => first,
        start => start,
    };
    Window {
        start_ns: start_ns.min(end_ns),
        end_ns,
    }
}

/// The middle one of the lengths of the newest slices.
fn typical_slice(latencies: &Latencies) -> u64 {
    let newest = latencies.slices().rev().take(31);
    let mut lengths: Vec<u64> = newest
        .map(|(start, end)| end.saturating_sub(start))
        .collect();
    lengths.sort_unstable();
    // Timers are late at times, and no more than that.
    lengths
        .get(lengths.len() / 2)
        .map_or(0, |length| length / 5 * 4)
}

fn lengths() -> impl Iterator<Item = u64> {
    let last = LENGTHS[LENGTHS.len() - 1];
    let quarters = LENGTHS
        .into_iter()
        .chain((1..40).map(move |power| last << power));
    quarters.map(|quarters| quarters.saturating_mul(QUARTER))
}
