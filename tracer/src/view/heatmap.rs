//! When there were calls of which latency: time × latency.

use super::calls::{Columns, Scale, selection::Accepts};
use crate::profile::Latencies;

/// Counts in rows of latency and columns of time. All cells together are all calls that are held in
/// the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heatmap {
    /// The columns, the oldest first.
    pub columns: Columns,
    /// The rows, the shortest latencies first.
    pub scale: Scale,
    /// How many calls beyond the rows are counted in the first and in the last.
    pub beyond: u64,
    /// Column by column.
    counts: Vec<u64>,
}

impl Heatmap {
    /// How many calls of a row ended in a column.
    pub fn count(&self, column: usize, row: usize) -> u64 {
        if row >= self.scale.rows() {
            return 0;
        }
        let at = column * self.scale.rows() + row;
        self.counts.get(at).copied().unwrap_or(0)
    }

    /// The most in a cell.
    pub fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

pub(super) fn heatmap_of(
    latencies: &Latencies,
    accepts: &mut Accepts<'_>,
    columns: Columns,
    scale: Scale,
) -> Heatmap {
    let mut counts = vec![0u64; columns.count() * scale.rows()];
    let mut beyond = 0u64;
    for column in 0..columns.count() {
        let first = column * scale.rows();
        latencies.each(columns.window(column), |function, key, histogram| {
            if !accepts.call(function, key) {
                return;
            }
            for bucket in histogram.buckets() {
                let (row, is_within) = scale.row_of(bucket.low);
                if let Some(count) = counts.get_mut(first + row) {
                    *count = count.saturating_add(bucket.count);
                }
                if !is_within {
                    beyond = beyond.saturating_add(bucket.count);
                }
            }
        });
    }
    Heatmap {
        columns,
        scale,
        beyond,
        counts,
    }
}
