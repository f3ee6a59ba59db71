//! The ledger in words, the same everywhere.

use std::fmt::Write;

use crate::profile::Ledger;

/// The account in one line: how many samples there are, and how many are known to be missing or
/// cut short, with the reasons.
pub fn account(ledger: &Ledger) -> String {
    let mut text = format!("{} samples", ledger.recorded);
    let lost = ledger.lost.iter().map(|(why, count)| (why.name(), *count));
    part(&mut text, "lost", ledger.lost_total(), ledger.fired, lost);
    let truncated = ledger
        .truncated
        .iter()
        .map(|(why, count)| (why.name(), *count));
    part(
        &mut text,
        "truncated",
        ledger.truncated_total(),
        ledger.recorded,
        truncated,
    );
    text
}

/// Adds how many of something there are, as a part of what, and why.
pub(super) fn part<'a>(
    text: &mut String,
    what: &str,
    count: u64,
    of: u64,
    reasons: impl Iterator<Item = (&'a str, u64)>,
) {
    // Writing to a string cannot fail.
    write!(text, " · {what} {count}").unwrap_or_default();
    if count == 0 {
        return;
    }
    write!(text, " ({:.1} %):", 100.0 * count as f64 / of as f64).unwrap_or_default();
    let reasons = reasons.filter(|(_, count)| *count > 0);
    for (why, separator) in reasons.zip(std::iter::once("").chain(std::iter::repeat(","))) {
        write!(text, "{separator} {} {}", why.0, why.1).unwrap_or_default();
    }
}

/// A part of a whole in percent: neither nothing nor all of it unless that is so.
pub(super) fn share(part: u64, whole: u64) -> String {
    let tenths = (1000.0 * part as f64 / whole.max(1) as f64).round();
    match part {
        1.. if tenths < 1.0 => "<0.1 %".to_owned(),
        _ if part < whole && tenths > 999.0 => ">99.9 %".to_owned(),
        _ => format!("{:.1} %", tenths / 10.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Loss, Truncation};

    #[test]
    fn what_is_little_is_not_nothing() {
        for (part, whole, expected) in [
            (0, 0, "0.0 %"),
            (0, 7, "0.0 %"),
            (7, 7, "100.0 %"),
            (1, 3, "33.3 %"),
            (1, 1_000_000, "<0.1 %"),
            (999_999, 1_000_000, ">99.9 %"),
            (998, 1000, "99.8 %"),
            (1, 1000, "0.1 %"),
            (u64::MAX, u64::MAX, "100.0 %"),
        ] {
            assert_eq!(share(part, whole), expected, "{part} of {whole}");
        }
    }

    #[test]
    fn losses_come_with_their_reasons() {
        let whole = Ledger {
            fired: 5,
            recorded: 5,
            complete: 5,
            ..Ledger::default()
        };
        assert_eq!(account(&whole), "5 samples · lost 0 · truncated 0");
        let holed = Ledger {
            fired: 1000,
            recorded: 960,
            filtered: 37,
            lost: [(Loss::RingFull, 2), (Loss::NotRun, 1), (Loss::Nested, 0)].into(),
            complete: 840,
            truncated: [(Truncation::NoFramePointer, 120)].into(),
            ..Ledger::default()
        };
        assert!(holed.balances());
        assert_eq!(
            account(&holed),
            "960 samples · lost 3 (0.3 %): not_run 1, ring_full 2 · \
             truncated 120 (12.5 %): no frame pointer 120"
        );
    }
}
