//! The ledger as JSON: for scripts that must know how much to trust the rest.

use std::io::{self, Write};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Export, Format, Medium, Overhead};
use crate::{
    profile::{Ledger, Loss, Truncation},
    view::Quality,
};

pub(super) const FORMAT: Format = Format {
    name: "ledger",
    extensions: &[".ledger.json"],
    doc: "how many samples there are and how many are missing, and why, as JSON",
    medium: Medium::Text,
    write,
};

/// The ledger as it is written: every reason has its place, also those that did not occur.
#[derive(Serialize)]
pub(super) struct Document {
    fired: u64,
    recorded: u64,
    filtered: u64,
    thinned: u64,
    open: u64,
    lost: Counts,
    stacks: Stacks,
    overhead: Cost,
}

#[derive(Serialize)]
struct Stacks {
    complete: u64,
    truncated: Counts,
    /// Where the truncated ones stop, the most first: only what occurred.
    by_dso: Vec<Stopped>,
}

#[derive(Serialize)]
struct Stopped {
    /// As functions have it; empty where no frame was found.
    dso: String,
    reason: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Cost {
    bpf_ns: Option<u64>,
    user_cpu_ns: u64,
    wall_ns: u64,
}

/// Counts by reason, in the order of the reasons.
pub(super) struct Counts(pub(super) Vec<(&'static str, u64)>);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (reason, count) in &self.0 {
            map.serialize_entry(reason, count)?;
        }
        map.end()
    }
}

impl Document {
    pub(super) fn new(ledger: &Ledger, quality: &Quality, overhead: Overhead) -> Self {
        let Ledger {
            fired,
            recorded,
            filtered,
            thinned,
            open,
            lost,
            complete,
            truncated,
        } = ledger;
        let lost = Loss::OF_SAMPLES.map(|why| (why.name(), lost.get(&why).copied().unwrap_or(0)));
        let truncated =
            Truncation::ALL.map(|why| (why.name(), truncated.get(&why).copied().unwrap_or(0)));
        let by_dso = quality.places.iter().flat_map(|place| {
            let reasons = place.reasons.iter();
            reasons.map(|(why, count)| Stopped {
                dso: place.place.dso().to_owned(),
                reason: why.name(),
                count: *count,
            })
        });
        let Overhead {
            bpf_ns,
            user_cpu_ns,
            wall_ns,
        } = overhead;
        Self {
            fired: *fired,
            recorded: *recorded,
            filtered: *filtered,
            thinned: *thinned,
            open: *open,
            lost: Counts(lost.into()),
            stacks: Stacks {
                complete: *complete,
                truncated: Counts(truncated.into()),
                by_dso: by_dso.collect(),
            },
            overhead: Cost {
                bpf_ns,
                user_cpu_ns,
                wall_ns,
            },
        }
    }
}

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    let document = Document::new(&export.ledger(), &export.quality(), export.overhead);
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Place, PlaceQuality};

    #[test]
    fn every_reason_is_listed() {
        let ledger = Ledger {
            fired: 12,
            recorded: 7,
            filtered: 3,
            lost: [(Loss::RingFull, 2)].into(),
            complete: 6,
            truncated: [(Truncation::TooDeep, 1)].into(),
            ..Ledger::default()
        };
        let reasons = vec![(Truncation::TooDeep, 1)];
        let quality = Quality {
            complete: 6,
            truncated: 1,
            reasons: reasons.clone(),
            places: vec![PlaceQuality {
                place: Place::File("libfoo.so".to_owned()),
                truncated: 1,
                reasons,
                through: Some(7),
            }],
        };
        let overhead = Overhead {
            bpf_ns: None,
            user_cpu_ns: 5,
            wall_ns: 6,
        };
        let json = serde_json::to_string(&Document::new(&ledger, &quality, overhead)).unwrap();
        assert_eq!(
            json,
            r#"{"fired":12,"recorded":7,"filtered":3,"thinned":0,"open":0,"#.to_owned()
                + r#""lost":{"not_run":0,"ring_full":2,"map_full":0,"nested":0},"#
                + r#""stacks":{"complete":6,"truncated":{"no frame pointer":0,"#
                + r#""stack not readable":0,"too deep":1,"32-bit process":0,"#
                + r#""no table":0,"table not loaded yet":0,"no room for table":0,"#
                + r#""not in table":0,"unwind rule not supported":0,"#
                + r#""return address outside code":0,"frame below its callee":0,"#
                + r#""memory given up":0,"#
                + r#""kernel stack too deep":0,"kernel stack not readable":0},"#
                + r#""by_dso":[{"dso":"libfoo.so","reason":"too deep","count":1}]},"#
                + r#""overhead":{"bpf_ns":null,"user_cpu_ns":5,"wall_ns":6}}"#
        );
    }
}
