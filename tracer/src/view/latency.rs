//! Latencies as rows: one for each probe or function, and for each process, thread or name where calls
//! are told apart by that.

mod lines;
mod words;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

pub use lines::{LatencyLine, latency_lines, stars};
pub use words::{call_count, nanoseconds, percentiles, rate, reached, span_account};

use super::{calls::Selection, clean_bytes, printable};
use crate::profile::{CallKey, FunctionId, Histogram, KeyId, Latencies, SpanLedger, Window};

/// What calls are put together by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LatencyGroup {
    /// The probe as it was typed, however many functions it matched.
    #[default]
    Probe,
    /// The function.
    Function,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyQuery {
    /// Which calls.
    pub selection: Selection,
    /// What calls are put together by.
    pub group: LatencyGroup,
    /// Put together who called, too.
    pub all_keys: bool,
}

/// What a row is about; stays the same from one window to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LatencyPlace {
    /// The place in [`Latencies::probes`].
    pub probe: usize,
    /// The function; `None`: all of the probe.
    pub function: Option<FunctionId>,
    /// Who called; `None`: everybody.
    pub key: Option<KeyId>,
}

/// What a row is called, fit to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyLabel {
    /// The probe as it was typed.
    pub probe: String,
    /// The function; `None`: all of the probe.
    pub function: Option<String>,
    /// The function's file.
    pub dso: Option<String>,
    /// The PID, the TID or the comm; `None`: everybody.
    pub key: Option<String>,
    /// The name of the process or thread, where it is known.
    pub name: Option<String>,
    /// What kind of number the key is: `PID` or `TID`.
    pub kind: Option<&'static str>,
}

/// Latencies of one probe or function, and of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyRow {
    /// What it is about.
    pub place: LatencyPlace,
    /// What that is called.
    pub label: LatencyLabel,
    /// How long the calls took.
    pub histogram: Histogram,
    /// The account of the probe or function, whoever called.
    pub ledger: SpanLedger,
    /// Recorded calls a second.
    pub rate: f64,
}

/// The rows of a window, those that took the most time first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatencyRows {
    /// At least one for each probe.
    pub rows: Vec<LatencyRow>,
    /// All calls.
    pub total: Histogram,
    /// The account of all of them.
    pub ledger: SpanLedger,
    /// When what was observed begins, CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// When it ends.
    pub end_ns: u64,
}

impl LatencyRows {
    /// How long that is.
    pub fn span_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }
}

/// A probe or a function.
type Group = (usize, Option<FunctionId>);

impl LatencyPlace {
    /// Whether calls of this function by this key belong to the row.
    pub fn holds(&self, latencies: &Latencies, function: FunctionId, key: KeyId) -> bool {
        let Self {
            probe,
            function: own,
            key: wanted,
        } = *self;
        own.map_or_else(
            || probe_of(latencies, function) == probe,
            |own| own == function,
        ) && wanted.is_none_or(|wanted| wanted == key)
    }

    fn group(&self) -> Group {
        (self.probe, self.function)
    }
}

impl LatencyLabel {
    /// Everything in one line.
    pub fn line(&self) -> String {
        let Self {
            probe,
            function,
            dso,
            key,
            name,
            kind,
        } = self;
        let mut line = match (function, dso) {
            (Some(function), Some(dso)) => format!("{function} ({dso})"),
            (Some(function), None) => function.clone(),
            (None, _) => probe.clone(),
        };
        if let Some(key) = key {
            line += ", ";
            if let Some(kind) = kind {
                line += kind;
                line += " ";
            }
            line += key;
        }
        if let Some(name) = name {
            line += " (";
            line += name;
            line += ")";
        }
        line
    }
}

/// The rows of a window. A probe of which nothing was seen has a row too, unless it is not asked for;
/// of functions only those that something happened to.
pub fn latency_rows(latencies: &Latencies, window: Window, query: &LatencyQuery) -> LatencyRows {
    let group = |function: FunctionId| -> Group {
        let own = (query.group == LatencyGroup::Function).then_some(function);
        (probe_of(latencies, function), own)
    };
    let mut total = Histogram::default();
    let mut merged: BTreeMap<LatencyPlace, Histogram> = BTreeMap::new();
    let mut accepts = query.selection.on(latencies);
    latencies.each(window, |function, key, histogram| {
        if !accepts.call(function, key) {
            return;
        }
        let told_apart = !query.all_keys
            && latencies
                .key_of(key)
                .is_some_and(|(key, _)| key != CallKey::All);
        let (probe, function) = group(function);
        let place = LatencyPlace {
            probe,
            function,
            key: told_apart.then_some(key),
        };
        merged.entry(place).or_default().merge(histogram);
        total.merge(histogram);
    });
    let functions = accepts.functions();
    let mut ledgers: BTreeMap<Group, SpanLedger> = BTreeMap::new();
    let mut ledger = SpanLedger::default();
    latencies.each_ledger(window, |function, own| {
        if !functions.contains(&function) {
            return;
        }
        ledgers.entry(group(function)).or_default().add(own);
        ledger.add(own);
    });
    let probes: BTreeSet<usize> = if query.selection.is_everything() {
        (0..latencies.probes().len()).collect()
    } else {
        let functions = functions.iter();
        functions.map(|id| probe_of(latencies, *id)).collect()
    };
    add_empty(latencies, query.group, &probes, &ledgers, &mut merged);
    let (start_ns, end_ns) = extent(latencies, window);
    let seconds = end_ns.saturating_sub(start_ns) as f64 / 1e9;
    let row = |(place, histogram): (LatencyPlace, Histogram)| LatencyRow {
        label: label(latencies, &place),
        rate: rate(histogram.count(), seconds),
        ledger: ledgers.get(&place.group()).cloned().unwrap_or_default(),
        place,
        histogram,
    };
    let mut rows: Vec<LatencyRow> = merged.into_iter().map(row).collect();
    rows.sort_by_key(|row| Reverse((row.histogram.sum(), row.histogram.count())));
    LatencyRows {
        rows,
        total,
        ledger,
        start_ns,
        end_ns,
    }
}

/// Adds rows for what has an account and no calls, and for those of these probes that have neither.
fn add_empty(
    latencies: &Latencies,
    by: LatencyGroup,
    probes: &BTreeSet<usize>,
    ledgers: &BTreeMap<Group, SpanLedger>,
    merged: &mut BTreeMap<LatencyPlace, Histogram>,
) {
    let mut empty: Vec<Group> = ledgers
        .iter()
        .filter(|(_, ledger)| !ledger.is_empty())
        .map(|(group, _)| *group)
        .collect();
    let seen = |probe: usize| {
        let called = merged.keys().map(LatencyPlace::group);
        called
            .chain(empty.iter().copied())
            .any(|(of, _)| of == probe)
    };
    let probes = probes.iter().copied();
    let unseen: Vec<usize> = probes.filter(|probe| !seen(*probe)).collect();
    for probe in unseen {
        let only = match by {
            LatencyGroup::Probe => None,
            LatencyGroup::Function => only_function(latencies, probe),
        };
        empty.push((probe, only));
    }
    for (probe, function) in empty {
        let place = LatencyPlace {
            probe,
            function,
            key: None,
        };
        let next = merged.range(place..).next();
        if next.is_none_or(|(next, _)| next.group() != place.group()) {
            merged.insert(place, Histogram::default());
        }
    }
}

/// The function that a probe matched, if it is a single one.
fn only_function(latencies: &Latencies, probe: usize) -> Option<FunctionId> {
    let ids = (0..).map(FunctionId).zip(latencies.functions());
    let mut own = ids.filter(|(_, function)| function.probe == probe);
    let (first, _) = own.next()?;
    own.next().is_none().then_some(first)
}

fn probe_of(latencies: &Latencies, function: FunctionId) -> usize {
    latencies
        .function(function)
        .map_or(0, |function| function.probe)
}

/// From when to when a window was observed.
fn extent(latencies: &Latencies, window: Window) -> (u64, u64) {
    if window == Window::ALL {
        let settled = latencies.settled_ns();
        return (latencies.first_ns().unwrap_or(settled), settled);
    }
    let inside = |(start, _): &(u64, u64)| (window.start_ns..window.end_ns).contains(start);
    let mut slices = latencies.slices().filter(inside);
    let Some((start, end)) = slices.next() else {
        return (window.start_ns, window.start_ns);
    };
    (start, slices.next_back().map_or(end, |(_, end)| end))
}

fn label(latencies: &Latencies, place: &LatencyPlace) -> LatencyLabel {
    let function = place.function.and_then(|id| latencies.function(id));
    let key = place.key.and_then(|id| latencies.key_of(id));
    let (text, kind) = match key.map(|(key, _)| key) {
        None | Some(CallKey::All) => (None, None),
        Some(CallKey::Process(pid)) => (Some(pid.to_string()), Some("PID")),
        Some(CallKey::Thread(tid)) => (Some(tid.to_string()), Some("TID")),
        Some(CallKey::Comm(comm)) => (Some(clean_bytes(comm.as_bytes())), None),
    };
    let probe = latencies.probes().get(place.probe);
    LatencyLabel {
        probe: probe.map(|probe| printable(probe)).unwrap_or_default(),
        function: function.map(|function| printable(&function.name)),
        dso: function.map(|function| printable(&function.dso)),
        key: text,
        name: key
            .map(|(_, name)| printable(name))
            .filter(|name| !name.is_empty()),
        kind,
    }
}
