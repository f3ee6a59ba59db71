//! How much of a profile has no names, and why.

use std::collections::hash_map::Entry;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Query, select::totals};
use crate::{
    profile::{Frame, FrameId, NoMapping, Profile, StackNode},
    symbol::{NoName, Symbols},
};

/// Frames without a name, and the samples that have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unnamed {
    /// Distinct frames that were looked at.
    pub frames: u64,
    /// Samples that were looked at.
    pub samples: u64,
    /// Those without a name.
    pub all: UnnamedCount,
    /// Those without a name by reason, the most frames first. A sample can have several reasons.
    pub by_reason: Vec<(&'static str, UnnamedCount)>,
}

/// How many have no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnnamedCount {
    /// Distinct frames without a name.
    pub frames: u64,
    /// Samples whose leaf has none.
    pub leaf_samples: u64,
    /// Samples with such a frame anywhere.
    pub samples: u64,
}

/// Counts what has no name among what a query asks for.
pub fn unnamed(profile: &Profile, symbols: &Symbols, query: &Query) -> Unnamed {
    let mut unnamed = Unnamed::default();
    let mut reasons: FxHashMap<FrameId, Option<&'static str>> = FxHashMap::default();
    let mut counts: FxHashMap<&'static str, UnnamedCount> = FxHashMap::default();
    let mut here: FxHashSet<&'static str> = FxHashSet::default();
    for row in totals(profile, symbols, query).rows {
        let (stack, weight) = (row.stack, row.weight);
        unnamed.samples = unnamed.samples.saturating_add(weight);
        here.clear();
        for (depth, (_, node)) in profile.stack(stack).enumerate() {
            let StackNode::Frame(frame) = node else {
                continue;
            };
            let reason = match reasons.entry(frame) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(vacant) => {
                    let reason = reason(profile, symbols, frame);
                    unnamed.frames += 1;
                    if let Some(why) = reason {
                        unnamed.all.frames += 1;
                        counts.entry(why).or_default().frames += 1;
                    }
                    *vacant.insert(reason)
                }
            };
            let Some(why) = reason else { continue };
            here.insert(why);
            if depth == 0 {
                for count in [&mut unnamed.all, counts.entry(why).or_default()] {
                    count.leaf_samples = count.leaf_samples.saturating_add(weight);
                }
            }
        }
        if !here.is_empty() {
            unnamed.all.samples = unnamed.all.samples.saturating_add(weight);
        }
        for why in &here {
            let count = counts.entry(why).or_default();
            count.samples = count.samples.saturating_add(weight);
        }
    }
    unnamed.by_reason = counts.into_iter().collect();
    unnamed
        .by_reason
        .sort_unstable_by_key(|(why, count)| (std::cmp::Reverse(count.frames), *why));
    unnamed
}

/// Why a frame has no name; `None`: it has one.
fn reason(profile: &Profile, symbols: &Symbols, frame: FrameId) -> Option<&'static str> {
    let why = match (symbols.get(frame), profile.frame(frame)) {
        (Some(Ok(_)), _) => return None,
        (Some(Err(why)), _) => why,
        // Nobody need be asked for the name of what has no mapping.
        (
            None,
            Frame::Unmapped {
                why: NoMapping::ProcessGone,
                ..
            },
        ) => NoName::ProcessGone,
        (
            None,
            Frame::Unmapped {
                why: NoMapping::OutsideMappings,
                ..
            },
        ) => NoName::Unmapped,
        (None, _) => return Some("not looked up"),
    };
    Some(why.reason())
}
