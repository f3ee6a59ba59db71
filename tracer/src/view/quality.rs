//! How many stacks are complete, and why and where the others are cut short.
//!
//! Owns what a file answers for: stacks whose outermost frame is in it. Derives all of it from the
//! stacks themselves, so that it agrees with the other views, and with the account of the same window
//! if the query asks for everything in it.

use std::{cmp::Reverse, collections::BTreeMap};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Query,
    account::share,
    label::file_name,
    select::{Totals, totals},
    truncation::{Place, cause, remedy},
};
use crate::{
    profile::{DsoId, Frame, FrameId, Profile, StackNode, Stop, Truncation},
    symbol::Symbols,
};

/// The quality of the stacks of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// The weight of stacks that reach their root.
    pub complete: u64,
    /// The weight of those that do not.
    pub truncated: u64,
    /// The parts of that, the most first.
    pub reasons: Vec<(Truncation, u64)>,
    /// Where they stop, the most first.
    pub places: Vec<PlaceQuality>,
}

/// Where truncated stacks stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceQuality {
    /// In what.
    pub place: Place,
    /// The weight of stacks that stop here.
    pub truncated: u64,
    /// The parts of that, the most first.
    pub reasons: Vec<(Truncation, u64)>,
    /// Of a file: the weight of stacks that have a frame in it.
    pub through: Option<u64>,
}

/// The quality of the stacks that a query asks for.
pub fn quality(profile: &Profile, symbols: &Symbols, query: &Query) -> Quality {
    let totals = totals(profile, symbols, query);
    let mut complete = 0_u64;
    let mut cuts: FxHashMap<(Truncation, Stop), u64> = FxHashMap::default();
    for row in &totals.rows {
        let sum = match profile.stack(row.stack).last() {
            Some((_, StackNode::Truncated(why, stop))) => cuts.entry((why, stop)).or_default(),
            Some((_, StackNode::Frame(_))) | None => &mut complete,
        };
        *sum = sum.saturating_add(row.weight);
    }
    let stops = cuts.keys().filter_map(|(_, stop)| match stop {
        Stop::File(dso) => Some(file_name(profile.dso(*dso))),
        Stop::Jit | Stop::Unmapped | Stop::Kernel | Stop::Nothing => None,
    });
    let through = through(profile, &totals, stops.collect());

    let mut reasons = BTreeMap::new();
    let mut places: BTreeMap<Place, BTreeMap<Truncation, u64>> = BTreeMap::new();
    for ((why, stop), weight) in cuts {
        let place = places.entry(Place::of(profile, stop)).or_default();
        for sum in [reasons.entry(why), place.entry(why)] {
            let sum = sum.or_default();
            *sum = sum.saturating_add(weight);
        }
    }
    let places = places.into_iter().map(|(place, reasons)| PlaceQuality {
        through: match &place {
            Place::File(name) => through.get(name).copied(),
            Place::Jit | Place::Unmapped | Place::Kernel | Place::Nothing => None,
        },
        place,
        truncated: sum(&reasons),
        reasons: most_first(reasons),
    });
    let mut places: Vec<PlaceQuality> = places.collect();
    places.sort_by_key(|place| Reverse(place.truncated));
    Quality {
        complete,
        truncated: sum(&reasons),
        reasons: most_first(reasons),
        places,
    }
}

/// The weight of stacks with a frame in each of these files, by their names.
fn through(profile: &Profile, totals: &Totals, names: FxHashSet<String>) -> FxHashMap<String, u64> {
    let mut weights: Vec<(String, u64)> = names.into_iter().map(|name| (name, 0)).collect();
    if weights.is_empty() {
        return FxHashMap::default();
    }
    let mut of_file: FxHashMap<DsoId, Option<usize>> = FxHashMap::default();
    let mut of_frame: FxHashMap<FrameId, Option<usize>> = FxHashMap::default();
    let mut here: Vec<usize> = Vec::new();
    for row in &totals.rows {
        here.clear();
        for (_, node) in profile.stack(row.stack) {
            let StackNode::Frame(id) = node else { continue };
            let index = *of_frame.entry(id).or_insert_with(|| {
                let Frame::File { dso, .. } = profile.frame(id) else {
                    return None;
                };
                *of_file.entry(dso).or_insert_with(|| {
                    let of = file_name(profile.dso(dso));
                    weights.iter().position(|(name, _)| *name == of)
                })
            });
            here.extend(index);
        }
        here.sort_unstable();
        here.dedup();
        for index in &here {
            let (_, sum) = &mut weights[*index];
            *sum = sum.saturating_add(row.weight);
        }
    }
    weights.into_iter().collect()
}

fn sum(reasons: &BTreeMap<Truncation, u64>) -> u64 {
    reasons.values().copied().fold(0, u64::saturating_add)
}

fn most_first(reasons: BTreeMap<Truncation, u64>) -> Vec<(Truncation, u64)> {
    let mut reasons: Vec<(Truncation, u64)> = reasons.into_iter().collect();
    // The order of the reasons decides among equals.
    reasons.sort_by_key(|(_, weight)| Reverse(*weight));
    reasons
}

/// Truncated stacks that are worth a word, one in so many.
const WORTH: u64 = 100;
/// How many places are worth one.
const CULPRITS: usize = 3;

impl Quality {
    /// All stacks.
    pub fn total(&self) -> u64 {
        self.complete.saturating_add(self.truncated)
    }

    /// In one line: how many are complete, and why the others are not.
    pub fn line(&self) -> String {
        let total = self.total();
        let [complete, truncated] = [self.complete, self.truncated].map(|part| share(part, total));
        let reasons = words(&self.reasons);
        let colon = if reasons.is_empty() { "" } else { ": " };
        format!("complete {complete} · truncated {truncated}{colon}{reasons}")
    }

    /// Where most of the truncated stacks stop, why, and what would help, a line for each; none if
    /// there are few of them.
    pub fn advice(&self) -> Vec<String> {
        if self.truncated == 0 || self.truncated.saturating_mul(WORTH) < self.total() {
            return Vec::new();
        }
        let culprits = self.places.iter().flat_map(|of| {
            let reasons = of.reasons.iter();
            reasons.map(|(why, weight)| (&of.place, *why, *weight))
        });
        let mut culprits: Vec<(&Place, Truncation, u64)> = culprits.collect();
        culprits.sort_by_key(|(.., weight)| Reverse(*weight));
        culprits.truncate(CULPRITS);
        let lines = culprits.into_iter().map(|(place, why, weight)| {
            let stop = match place {
                Place::Nothing => "have no frame".to_owned(),
                _ => format!("stop in {}", place.name()),
            };
            let (share, cause) = (share(weight, self.total()), cause(why, place));
            let remedy = remedy(why, place).map(|remedy| format!("; {remedy}"));
            format!(
                "{share} of the stacks {stop}: {cause}{}",
                remedy.unwrap_or_default()
            )
        });
        lines.collect()
    }
}

impl PlaceQuality {
    /// In words: what, the part of the stacks with a frame in it that stop there, and why.
    pub fn line(&self) -> String {
        let reasons = match self.reasons.as_slice() {
            [(why, _)] => why.name().to_owned(),
            reasons => words(reasons),
        };
        let through = self.through.map(|through| {
            let share = share(self.truncated, through);
            format!(" ({share} of its stacks)")
        });
        let through = through.unwrap_or_default();
        format!("{}{through}: {reasons}", self.place.name())
    }

    /// What would help against the first of the reasons.
    pub fn remedy(&self) -> Option<&'static str> {
        let (why, _) = self.reasons.first()?;
        remedy(*why, &self.place)
    }
}

/// Reasons with their counts.
fn words(reasons: &[(Truncation, u64)]) -> String {
    let words = reasons
        .iter()
        .map(|(why, weight)| format!("{} {weight}", why.name()));
    words.collect::<Vec<_>>().join(", ")
}
