//! Histograms with log-linear buckets.

use std::collections::BTreeMap;

use tracer_common::{bucket_high, bucket_low, bucket_of};

/// How long calls took: exact count, sum, least and most, and how many fell into each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By the number of the bucket; none is empty.
    buckets: BTreeMap<u32, u64>,
    count: u64,
    sum: u64,
    /// Least and most; `None`: of nothing.
    range: Option<(u64, u64)>,
}

/// A bucket, and how many fell into it. Both bounds belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The smallest value that it holds.
    pub low: u64,
    /// The largest.
    pub high: u64,
    /// How many it holds.
    pub count: u64,
}

impl Histogram {
    /// Adds `count` times the same value.
    pub fn add(&mut self, value: u64, count: u64) {
        self.add_bucket(
            bucket_of(value),
            count,
            value.saturating_mul(count),
            (value, value),
        );
    }

    /// Adds what a bucket holds: how many, their sum, the least and the most of them.
    pub fn add_bucket(&mut self, bucket: u32, count: u64, sum: u64, range: (u64, u64)) {
        if count == 0 {
            return;
        }
        let held = self.buckets.entry(bucket).or_default();
        *held = held.saturating_add(count);
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(sum);
        self.widen(range);
    }

    fn widen(&mut self, (least, most): (u64, u64)) {
        self.range = Some(match self.range {
            None => (least, most),
            Some((low, high)) => (low.min(least), high.max(most)),
        });
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            let held = self.buckets.entry(*bucket).or_default();
            *held = held.saturating_add(*count);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        if let Some(range) = other.range {
            self.widen(range);
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The least; `None`: of nothing.
    pub fn min(&self) -> Option<u64> {
        self.range.map(|(least, _)| least)
    }

    /// The most.
    pub fn max(&self) -> Option<u64> {
        self.range.map(|(_, most)| most)
    }

    /// The mean.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The bucket that holds the value that `part` of all (0 to 1) do not exceed: the nearest rank.
    pub fn percentile(&self, part: f64) -> Option<Bucket> {
        let rank = (part * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0u64;
        self.buckets().find(|bucket| {
            seen = seen.saturating_add(bucket.count);
            seen >= rank
        })
    }

    /// The buckets that are not empty, in order.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> {
        self.buckets.iter().map(|(bucket, count)| Bucket {
            low: bucket_low(*bucket),
            high: bucket_high(*bucket),
            count: *count,
        })
    }

    /// Buckets that take memory.
    pub(super) fn held(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.add(value * 1000, 1));
        let holds = |part: f64, value: u64| {
            let bucket = histogram.percentile(part).unwrap();
            assert!(bucket.low <= value && value <= bucket.high, "{bucket:?}");
        };
        holds(0.0, 1000);
        holds(0.5, 50_000);
        holds(0.9, 90_000);
        holds(0.99, 99_000);
        holds(0.9999, 100_000);
        holds(1.0, 100_000);
        assert_eq!(histogram.mean(), Some(50_500.0));
        assert_eq!(
            (histogram.min(), histogram.max()),
            (Some(1000), Some(100_000))
        );
        assert_eq!(Histogram::default().percentile(0.5), None);
    }

    #[test]
    fn merging_is_adding() {
        let (mut one, mut other, mut both) = <(Histogram, Histogram, Histogram)>::default();
        for value in 0..1000 {
            if value % 3 == 0 { &mut one } else { &mut other }.add(value * value, 2);
            both.add(value * value, 2);
        }
        one.merge(&other);
        assert_eq!(one, both);
        assert_eq!(one.count(), 2000);
    }
}
