//! Where stacks were cut short: in which file, and why.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::{Query, label::dso, select::totals};
use crate::{
    profile::{Profile, StackNode, Truncation},
    symbol::Symbols,
};

/// Truncated stacks of one file, for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncationRow {
    /// The file of the outermost frame that is there; empty where none is.
    pub dso: String,
    /// Why the one above is missing.
    pub why: Truncation,
    /// The weight of samples.
    pub weight: u64,
}

/// Truncated stacks by file and reason, the most first.
pub fn truncation(profile: &Profile, symbols: &Symbols, query: &Query) -> Vec<TruncationRow> {
    let mut weights: FxHashMap<(String, Truncation), u64> = FxHashMap::default();
    for row in totals(profile, symbols, query).rows {
        let mut outermost = None;
        for (_, node) in profile.stack(row.stack) {
            match node {
                StackNode::Frame(frame) => outermost = Some(frame),
                StackNode::Truncated(why) => {
                    let dso = outermost.map(|frame| dso(profile, profile.frame(frame)));
                    let sum = weights.entry((dso.unwrap_or_default(), why)).or_default();
                    *sum = sum.saturating_add(row.weight);
                }
            }
        }
    }
    let rows = weights.into_iter();
    let rows = rows.map(|((dso, why), weight)| TruncationRow { dso, why, weight });
    let mut rows: Vec<TruncationRow> = rows.collect();
    rows.sort_unstable_by(|one, other| {
        (Reverse(one.weight), &one.dso, one.why).cmp(&(
            Reverse(other.weight),
            &other.dso,
            other.why,
        ))
    });
    rows
}
