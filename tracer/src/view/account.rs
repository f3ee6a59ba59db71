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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Loss, Truncation};

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
