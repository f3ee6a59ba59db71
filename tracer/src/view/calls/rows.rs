//! The table: a row for each function, or for each function and whoever called it.

use std::collections::BTreeMap;

use super::selection::Accepts;
use crate::{
    profile::{Bucket, CallKey, FunctionId, Histogram, KeyId, Latencies, Window},
    view::{Pattern, clean_bytes, printable},
};

/// What tells rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Call {
    /// What was called.
    pub function: FunctionId,
    /// By whom.
    pub key: KeyId,
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub call: Call,
    /// The function's name.
    pub name: String,
    /// The file that it is in.
    pub dso: String,
    /// Who called it; nothing where calls are not told apart by that.
    pub by: String,
    /// How many calls.
    pub count: u64,
    /// How long they took together.
    pub sum: u64,
    /// How long one took on average.
    pub mean: u64,
    /// Buckets of the median, the 90th, the 99th and the 99.9th percentile.
    pub percentiles: [Bucket; 4],
    /// The longest.
    pub max: u64,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// In the order that was asked for.
    pub rows: Vec<Row>,
    /// Those that the search marks.
    pub marks: Vec<usize>,
    /// Rows that are too many to be handed on.
    pub left_out: usize,
    /// Functions that were asked for and not called.
    pub uncalled: usize,
    /// The sum of all rows' sums.
    pub sum: u64,
}

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// How long calls took together.
    #[default]
    Sum,
    /// How many there were.
    Count,
    /// How long one took on average.
    Mean,
    /// The median.
    P50,
    /// The 99th percentile.
    P99,
    /// The longest.
    Max,
    /// The name.
    Name,
}

/// Percentiles of a row.
const PARTS: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Rows that are handed on.
const MOST: usize = 10_000;

impl Order {
    /// The one that follows, in a circle.
    pub const fn next(self) -> Self {
        match self {
            Self::Sum => Self::Count,
            Self::Count => Self::Mean,
            Self::Mean => Self::P50,
            Self::P50 => Self::P99,
            Self::P99 => Self::Max,
            Self::Max => Self::Name,
            Self::Name => Self::Sum,
        }
    }
}

pub(super) fn rows(
    latencies: &Latencies,
    accepts: &mut Accepts<'_>,
    window: Window,
    order: Order,
    search: Option<&Pattern>,
) -> Rows {
    let mut merged: BTreeMap<Call, Histogram> = BTreeMap::new();
    latencies.each(window, |function, key, histogram| {
        if accepts.call(function, key) {
            let call = Call { function, key };
            merged.entry(call).or_default().merge(histogram);
        }
    });
    let functions = accepts.functions();
    let mut called: Vec<FunctionId> = merged.keys().map(|call| call.function).collect();
    called.dedup();
    let names = &accepts.names;
    let mut rows: Vec<Row> = merged
        .into_iter()
        .filter_map(|(call, calls)| row(names, call, &calls))
        .collect();
    let sum = rows
        .iter()
        .fold(0u64, |sum, row| sum.saturating_add(row.sum));
    sort(&mut rows, order);
    let left_out = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    let marked = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| search.is_some_and(|search| row.matches(search)));
    Rows {
        marks: marked.map(|(index, _)| index).collect(),
        uncalled: functions.len().saturating_sub(called.len()),
        rows,
        left_out,
        sum,
    }
}

fn row(names: &Names<'_>, call: Call, calls: &Histogram) -> Option<Row> {
    let mut percentiles = [Bucket {
        low: 0,
        high: 0,
        count: 0,
    }; 4];
    for (bucket, part) in percentiles.iter_mut().zip(PARTS) {
        *bucket = calls.percentile(part)?;
        // No call took longer than the longest.
        bucket.high = bucket.high.min(calls.max()?);
    }
    let (name, dso) = names.function(call.function);
    Some(Row {
        call,
        name: printable(name),
        dso: printable(dso),
        by: names.key(call.key),
        count: calls.count(),
        sum: calls.sum(),
        mean: calls.mean()? as u64,
        percentiles,
        max: calls.max()?,
    })
}

/// By the order, then by what tells rows apart: rows that are equal do not change places.
fn sort(rows: &mut [Row], order: Order) {
    use std::cmp::Reverse;
    let [p50, _, p99, _] = [0, 1, 2, 3];
    match order {
        Order::Sum => rows.sort_by_key(|row| (Reverse(row.sum), row.call)),
        Order::Count => rows.sort_by_key(|row| (Reverse(row.count), row.call)),
        Order::Mean => rows.sort_by_key(|row| (Reverse(row.mean), row.call)),
        Order::P50 => rows.sort_by_key(|row| (Reverse(row.percentiles[p50].high), row.call)),
        Order::P99 => rows.sort_by_key(|row| (Reverse(row.percentiles[p99].high), row.call)),
        Order::Max => rows.sort_by_key(|row| (Reverse(row.max), row.call)),
        Order::Name => rows.sort_by(|one, other| {
            (&one.name, &one.dso, &one.by, one.call).cmp(&(
                &other.name,
                &other.dso,
                &other.by,
                other.call,
            ))
        }),
    }
}

impl Row {
    /// Whether a search marks it.
    pub fn matches(&self, search: &Pattern) -> bool {
        [&self.name, &self.dso, &self.by]
            .into_iter()
            .any(|text| search.matches(text))
    }

    /// Function and caller in words.
    pub fn title(&self) -> String {
        if self.by.is_empty() {
            self.name.clone()
        } else {
            format!("{} by {}", self.name, self.by)
        }
    }
}

/// The names of functions and of whoever calls them.
pub(super) struct Names<'a> {
    latencies: &'a Latencies,
}

impl<'a> Names<'a> {
    pub(super) fn new(latencies: &'a Latencies) -> Self {
        Self { latencies }
    }

    /// How many functions there are.
    pub(super) fn functions(&self) -> u32 {
        u32::try_from(self.latencies.functions().len()).unwrap_or(u32::MAX)
    }

    /// A function's name and its file.
    fn function(&self, id: FunctionId) -> (&'a str, &'a str) {
        let function = self.latencies.function(id);
        function.map_or(("?", ""), |function| (&function.name, &function.dso))
    }

    /// Who calls, in words.
    fn key(&self, id: KeyId) -> String {
        let Some((key, name)) = self.latencies.key_of(id) else {
            return String::new();
        };
        let numbered = |number: u32| match name {
            "" => number.to_string(),
            name => format!("{} ({number})", printable(name)),
        };
        match key {
            CallKey::All => String::new(),
            CallKey::Process(pid) => numbered(pid),
            CallKey::Thread(tid) => numbered(tid),
            CallKey::Comm(comm) => clean_bytes(comm.as_bytes()),
        }
    }

    pub(super) fn function_matches(&self, id: FunctionId, pattern: &Pattern) -> bool {
        let (name, dso) = self.function(id);
        pattern.matches(name) || pattern.matches(dso)
    }

    pub(super) fn match_any(&self, call: Call, pattern: &Pattern) -> bool {
        self.function_matches(call.function, pattern) || pattern.matches(&self.key(call.key))
    }
}
