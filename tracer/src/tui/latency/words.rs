//! Latencies, rates and times as they are shown.

use crate::{
    profile::Bucket,
    tui::text::{count, duration},
};

/// Units of latencies: the least for which each is used, and how much it is.
const UNITS: [(&str, f64); 5] = [
    ("ns", 1.0),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("h", 3.6e12),
];

/// A latency with three digits, no wider than seven columns.
pub(super) fn latency(ns: u64) -> String {
    let unit = unit_of(ns);
    format!("{} {}", digits(ns, unit), UNITS[unit].0)
}

/// Least and most of a bucket.
pub(super) fn range(low: u64, high: u64) -> String {
    let (one, other) = (unit_of(low), unit_of(high));
    if one != other {
        return format!("{}–{}", latency(low), latency(high));
    }
    let (low, high) = (digits(low, one), digits(high, one));
    let unit = UNITS[one].0;
    if low == high {
        format!("{high} {unit}")
    } else {
        format!("{low}–{high} {unit}")
    }
}

/// The bounds of a bucket.
pub(super) fn bounds(bucket: Bucket) -> String {
    range(bucket.low, bucket.high)
}

fn unit_of(ns: u64) -> usize {
    // 999.5 is shown as 1000, which is one of the next unit.
    match ns {
        0..1_000 => 0,
        1_000..999_500 => 1,
        999_500..999_500_000 => 2,
        999_500_000..10_000_000_000_000 => 3,
        _ => 4,
    }
}

fn digits(ns: u64, unit: usize) -> String {
    let value = ns as f64 / UNITS[unit].1;
    match value {
        _ if unit == 0 || value >= 99.95 => format!("{value:.0}"),
        _ if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A number of calls in little room.
pub(super) fn short(number: f64) -> String {
    match number {
        _ if number < 9.95 && number.fract() != 0.0 => format!("{number:.1}"),
        _ if number < 9_999.5 => count(number.round() as u64),
        _ if number < 999_500.0 => format!("{:.0}k", number / 1e3),
        _ if number < 99.95e6 => format!("{:.1}M", number / 1e6),
        _ if number < 999.5e6 => format!("{:.0}M", number / 1e6),
        _ => format!("{:.1}G", number / 1e9),
    }
}

/// Calls in a second.
pub(super) fn rate(count: u64, measured_ns: u64) -> Option<String> {
    let rate = (measured_ns > 0).then(|| count as f64 * 1e9 / measured_ns as f64)?;
    Some(format!("{}/s", short(rate)))
}

/// How long ago something was, to a quarter of a second.
pub(super) fn ago(ns: u64) -> String {
    match ns {
        0..250_000_000 => "now".to_owned(),
        _ => format!("{} ago", duration(ns / 250_000_000 * 250_000_000)),
    }
}

/// `1 thing`, `2 things`.
pub(super) fn some(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits_and_seven_columns() {
        for (ns, expected) in [
            (0, "0 ns"),
            (7, "7 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (3_427, "3.43 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (999_999_999, "1.00 s"),
            (4_000_000_000_000, "4000 s"),
            (36_000_000_000_000, "10.0 h"),
        ] {
            assert_eq!(latency(ns), expected);
        }
        for power in 0..46 {
            for ns in [(1u64 << power) - 1, 1 << power] {
                assert!(latency(ns).chars().count() <= 7, "{}", latency(ns));
            }
        }
    }

    #[test]
    fn ranges_say_their_unit_once() {
        assert_eq!(range(3_200, 3_263), "3.20–3.26 µs");
        assert_eq!(range(992, 1_023), "992 ns–1.02 µs");
        assert_eq!(range(12, 12), "12 ns");
    }

    #[test]
    fn large_numbers_take_little_room() {
        for (number, expected) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (9.0, "9"),
            (1_234.0, "1,234"),
            (20_576.0, "21k"),
            (1_234_567.0, "1.2M"),
            (3e9, "3.0G"),
        ] {
            assert_eq!(short(number), expected);
        }
        assert_eq!(rate(10, 4_000_000_000).as_deref(), Some("2.5/s"));
        assert_eq!(rate(10, 0), None);
        assert_eq!(
            [ago(100_000_000), ago(14_300_000_000)],
            ["now", "14.2 s ago"]
        );
        assert_eq!(
            [some(1, "call"), some(2_000, "call")],
            ["1 call", "2,000 calls"]
        );
    }
}
