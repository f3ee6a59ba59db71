//! Latencies as lines of JSON: one object for each row.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{LatencyExport, LatencyFormat, Pace};
use crate::{
    export::ledger::Counts,
    profile::{Bucket, Loss, SpanLedger},
    view::{self, LatencyRow, LatencyRows},
};

pub(super) const FORMAT: LatencyFormat = LatencyFormat {
    name: "json",
    extensions: &[".json"],
    doc: "a line of JSON for each interval, probe and key",
    pace: Pace::Interval,
    write,
};

#[derive(Serialize)]
struct Document<'a> {
    probe: &'a str,
    function: Option<&'a str>,
    dso: Option<&'a str>,
    key: Option<&'a str>,
    name: Option<&'a str>,
    /// CLOCK_MONOTONIC.
    start_ns: u64,
    end_ns: u64,
    unit: &'static str,
    count: u64,
    sum: u64,
    min: Option<u64>,
    max: Option<u64>,
    mean: Option<f64>,
    /// The upper bound of its bucket, or the maximum if that is less.
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
    p999: Option<u64>,
    p9999: Option<u64>,
    p50_bounds: Option<[u64; 2]>,
    p90_bounds: Option<[u64; 2]>,
    p99_bounds: Option<[u64; 2]>,
    p999_bounds: Option<[u64; 2]>,
    p9999_bounds: Option<[u64; 2]>,
    buckets: Vec<Held>,
    ledger: Account,
}

#[derive(Serialize)]
struct Held {
    low: u64,
    high: u64,
    count: u64,
}

/// Every reason has its place, also those that did not occur.
#[derive(Serialize)]
struct Account {
    fired: u64,
    recorded: u64,
    filtered: u64,
    thinned: u64,
    open: i64,
    lost: Counts,
}

fn write(export: &LatencyExport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let LatencyExport {
        latencies,
        window,
        query,
        title: _,
        first: _,
    } = *export;
    let rows = view::latency_rows(latencies, window, query);
    let mut out = BufWriter::new(out);
    for row in &rows.rows {
        serde_json::to_writer(&mut out, &document(&rows, row))?;
        writeln!(out)?;
    }
    out.flush()
}

fn document<'a>(rows: &LatencyRows, row: &'a LatencyRow) -> Document<'a> {
    let LatencyRow {
        place: _,
        label,
        histogram,
        ledger,
        rate: _,
    } = row;
    let buckets = view::percentiles(histogram).map(|(_, bucket)| bucket);
    let [p50, p90, p99, p999, p9999] =
        buckets.map(|bucket| bucket.map(|bucket| view::reached(histogram, bucket)));
    let bounds = buckets.map(|bucket| bucket.map(|bucket| [bucket.low, bucket.high]));
    let [
        p50_bounds,
        p90_bounds,
        p99_bounds,
        p999_bounds,
        p9999_bounds,
    ] = bounds;
    Document {
        probe: &label.probe,
        function: label.function.as_deref(),
        dso: label.dso.as_deref(),
        key: label.key.as_deref(),
        name: label.name.as_deref(),
        start_ns: rows.start_ns,
        end_ns: rows.end_ns,
        unit: "ns",
        count: histogram.count(),
        sum: histogram.sum(),
        min: histogram.min(),
        max: histogram.max(),
        mean: histogram.mean(),
        p50,
        p90,
        p99,
        p999,
        p9999,
        p50_bounds,
        p90_bounds,
        p99_bounds,
        p999_bounds,
        p9999_bounds,
        buckets: histogram.buckets().map(held).collect(),
        ledger: account(ledger),
    }
}

fn held(bucket: Bucket) -> Held {
    let Bucket { low, high, count } = bucket;
    Held { low, high, count }
}

fn account(ledger: &SpanLedger) -> Account {
    let SpanLedger {
        fired,
        recorded,
        filtered,
        thinned,
        open,
        lost,
    } = ledger;
    let lost = Loss::OF_CALLS.map(|why| (why.name(), lost.get(&why).copied().unwrap_or(0)));
    Account {
        fired: *fired,
        recorded: *recorded,
        filtered: *filtered,
        thinned: *thinned,
        open: *open,
        lost: Counts(lost.into()),
    }
}
