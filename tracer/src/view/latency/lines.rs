//! A histogram as lines: powers of two, or parts of them where that is little to show.

use std::iter;

use crate::profile::Histogram;

/// More lines than this are only shown of what spans as many powers of two.
const LINES: u32 = 16;
/// The finest line is a bucket.
const FINEST: u32 = 5;

/// A line, and how many calls it stands for. Both bounds belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyLine {
    /// The shortest latency, in nanoseconds.
    pub low: u64,
    /// The longest.
    pub high: u64,
    /// How many.
    pub count: u64,
}

/// The lines from the shortest latency to the longest, also the empty ones between; their counts
/// add up to that of the histogram.
pub fn latency_lines(histogram: &Histogram) -> Vec<LatencyLine> {
    let mut buckets = histogram.buckets().peekable();
    let (Some(first), Some(last)) = (buckets.peek().copied(), histogram.buckets().next_back())
    else {
        return Vec::new();
    };
    let parts = parts(first.low, last.low);
    let lines = iter::successors(Some(line_of(first.low, parts)), |(_, high)| {
        (*high < last.high).then(|| line_of(*high + 1, parts))
    });
    let lines = lines.map(|(low, high)| {
        let mut count = 0u64;
        while let Some(bucket) = buckets.next_if(|bucket| bucket.low <= high) {
            count = count.saturating_add(bucket.count);
        }
        LatencyLine { low, high, count }
    });
    lines.collect()
}

/// How wide a bar is, of `width` at most: anything is more than nothing.
pub fn stars(count: u64, most: u64, width: usize) -> usize {
    if count == 0 {
        return 0;
    }
    let share = count as f64 / most.max(1) as f64;
    ((share * width as f64).round() as usize).clamp(1, width.max(1))
}

/// Into how many parts a power of two is divided, as a power of two.
fn parts(least: u64, most: u64) -> u32 {
    let powers = power(most) - power(least) + 1;
    (0..=FINEST)
        .rev()
        .find(|parts| powers << parts <= LINES)
        .unwrap_or(0)
}

/// The line that a value is in. Below a certain power there is a line for each value.
fn line_of(value: u64, parts: u32) -> (u64, u64) {
    if value == 0 {
        return (0, 0);
    }
    let width = 1 << power(value).saturating_sub(parts);
    let low = value / width * width;
    (low, low + (width - 1))
}

fn power(value: u64) -> u32 {
    value.checked_ilog2().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[(u64, u64)], expected: &[(u64, u64, u64)]) {
        let mut histogram = Histogram::default();
        for (value, count) in values {
            histogram.add(*value, *count);
        }
        let lines = latency_lines(&histogram);
        let found: Vec<_> = lines
            .iter()
            .map(|line| (line.low, line.high, line.count))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_narrow_range_has_fine_lines() {
        check(&[], &[]);
        check(&[(0, 7)], &[(0, 0, 7)]);
        check(
            &[(0, 1), (1, 2), (3, 4)],
            &[(0, 0, 1), (1, 1, 2), (2, 2, 0), (3, 3, 4)],
        );
        check(&[(1024, 1), (1100, 2)], &[(1024, 1087, 1), (1088, 1151, 2)]);
        check(&[(u64::MAX, 3)], &[(u64::MAX - (1 << 59) + 1, u64::MAX, 3)]);
    }

    #[test]
    fn a_wide_range_has_powers_of_two() {
        let mut histogram = Histogram::default();
        histogram.add(0, 1);
        histogram.add(u64::MAX, 1);
        let lines = latency_lines(&histogram);
        assert_eq!(lines.len(), 65);
        assert_eq!(lines[11].low, 1024);
        assert_eq!(lines[11].high, 2047);
        assert_eq!(lines[64].high, u64::MAX);
    }

    #[test]
    fn lines_join_and_add_up() {
        let mut value = 1u64;
        for round in 0..500 {
            let mut histogram = Histogram::default();
            for _ in 0..=round % 40 {
                // A generator of pseudo-random numbers, by Knuth.
                value = value
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                histogram.add(value >> (value % 64), 1 + value % 3);
            }
            let lines = latency_lines(&histogram);
            let sum: u64 = lines.iter().map(|line| line.count).sum();
            assert_eq!(sum, histogram.count());
            assert!(lines.len() <= 65);
            for pair in lines.windows(2) {
                assert_eq!(pair[0].high + 1, pair[1].low);
            }
            for end in [lines.first(), lines.last()] {
                assert!(end.is_some_and(|line| line.count > 0));
            }
        }
    }

    #[test]
    fn bars_are_in_proportion() {
        for (count, most, expected) in [
            (0, 10, 0),
            (1, 1_000_000, 1),
            (5, 10, 20),
            (10, 10, 40),
            (0, 0, 0),
            (u64::MAX, u64::MAX, 40),
        ] {
            assert_eq!(stars(count, most, 40), expected, "{count} of {most}");
        }
    }
}
