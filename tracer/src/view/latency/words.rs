//! Latencies and their account in words.

use std::fmt::Write;

use crate::{
    profile::{Bucket, Histogram, SpanLedger},
    view::account::part,
};

/// The percentiles that are shown.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];
const MICROSECOND: f64 = 1e3;
const MILLISECOND: f64 = 1e6;
const SECOND: f64 = 1e9;
const HOUR: f64 = 3600e9;

/// The percentiles, each as the bucket that it is in; `None`: of nothing.
pub fn percentiles(histogram: &Histogram) -> [(&'static str, Option<Bucket>); 5] {
    PERCENTILES.map(|(name, part)| (name, histogram.percentile(part)))
}

/// A bucket as one number: its upper bound, or the longest latency that there was if that is less.
pub fn reached(histogram: &Histogram, bucket: Bucket) -> u64 {
    histogram
        .max()
        .map_or(bucket.high, |max| bucket.high.min(max))
}

/// Nanoseconds as people read them, with three digits that count: `812 ns`, `1.23 µs`, `45.6 ms`.
pub fn nanoseconds(ns: f64) -> String {
    if ns < 999.5 {
        return if ns.fract() == 0.0 {
            format!("{ns} ns")
        } else {
            three_digits(ns, "ns")
        };
    }
    for (unit, name) in [(MICROSECOND, "µs"), (MILLISECOND, "ms"), (SECOND, "s")] {
        if ns / unit < 999.5 {
            return three_digits(ns / unit, name);
        }
    }
    if ns < HOUR {
        format!("{:.0} s", ns / SECOND)
    } else {
        three_digits(ns / HOUR, "h")
    }
}

fn three_digits(value: f64, unit: &str) -> String {
    let decimals = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

/// How many a second.
pub fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// So many calls.
pub fn call_count(count: u64) -> String {
    match count {
        1 => "1 call".to_owned(),
        _ => format!("{count} calls"),
    }
}

/// The account in one line: how many calls were measured, of how many that began, and what has become
/// of the others.
pub fn span_account(ledger: &SpanLedger) -> String {
    let SpanLedger {
        fired,
        recorded,
        filtered,
        thinned,
        open,
        lost,
    } = ledger;
    let mut text = format!("{recorded} of {} measured", call_count(*fired));
    let reasons = lost.iter().map(|(why, count)| (why.name(), *count));
    part(&mut text, "lost", ledger.lost_total(), *fired, reasons);
    for (what, count) in [("filtered", filtered), ("thinned", thinned)] {
        if *count > 0 {
            // Writing to a string cannot fail.
            write!(text, " · {what} {count}").unwrap_or_default();
        }
    }
    if *open != 0 {
        write!(text, " · open {open}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Loss;

    #[test]
    fn times_have_three_digits() {
        for (ns, expected) in [
            (0.0, "0 ns"),
            (7.0, "7 ns"),
            (7.25, "7.25 ns"),
            (999.0, "999 ns"),
            (999.7, "1.00 µs"),
            (1024.0, "1.02 µs"),
            (9_996.0, "10.0 µs"),
            (65_536.0, "65.5 µs"),
            (999_499.0, "999 µs"),
            (999_999.0, "1.00 ms"),
            (45_600_000.0, "45.6 ms"),
            (2_100_000_000.0, "2.10 s"),
            (999.9e9, "1000 s"),
            (3599.0e9, "3599 s"),
            (3600.0e9, "1.00 h"),
            (u64::MAX as f64, "5124096 h"),
        ] {
            assert_eq!(nanoseconds(ns), expected, "{ns}");
        }
    }

    #[test]
    fn a_percentile_is_no_more_than_the_longest() {
        let mut histogram = Histogram::default();
        histogram.add(1000, 99);
        histogram.add(5000, 1);
        let shown = percentiles(&histogram)
            .map(|(name, bucket)| (name, bucket.map(|bucket| reached(&histogram, bucket))));
        assert_eq!(
            shown,
            [
                ("p50", Some(1007)),
                ("p90", Some(1007)),
                ("p99", Some(1007)),
                ("p99.9", Some(5000)),
                ("p99.99", Some(5000)),
            ]
        );
        assert!(
            percentiles(&Histogram::default())
                .iter()
                .all(|(_, bucket)| bucket.is_none())
        );
    }

    #[test]
    fn the_account_says_what_has_become_of_each_call() {
        let whole = SpanLedger {
            fired: 5,
            recorded: 5,
            ..SpanLedger::default()
        };
        assert_eq!(span_account(&whole), "5 of 5 calls measured · lost 0");
        let holed = SpanLedger {
            fired: 1000,
            recorded: 900,
            filtered: 57,
            thinned: 10,
            open: 3,
            lost: [(Loss::NoReturn, 20), (Loss::MapFull, 10)].into(),
        };
        assert!(holed.balances());
        assert_eq!(
            span_account(&holed),
            "900 of 1000 calls measured · lost 30 (3.0 %): map_full 10, no_return 20 · \
             filtered 57 · thinned 10 · open 3"
        );
    }
}
