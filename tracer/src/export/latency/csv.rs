//! Latencies as comma-separated values: one row for each bucket that is not empty.

use std::{
    borrow::Cow,
    io::{self, BufWriter, Write},
};

use super::{LatencyExport, LatencyFormat, Pace};
use crate::view::{self, LatencyLabel, LatencyRow};

pub(super) const FORMAT: LatencyFormat = LatencyFormat {
    name: "csv",
    extensions: &[".csv"],
    doc: "a row for each bucket that is not empty, by interval, probe and key",
    pace: Pace::Interval,
    write,
};

fn write(export: &LatencyExport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let LatencyExport {
        latencies,
        window,
        query,
        title: _,
        first,
    } = *export;
    let rows = view::latency_rows(latencies, window, query);
    let mut out = BufWriter::new(out);
    if first {
        writeln!(
            out,
            "probe,function,key,start_ns,end_ns,low_ns,high_ns,count"
        )?;
    }
    for row in &rows.rows {
        let LatencyRow {
            place: _,
            label,
            histogram,
            ledger: _,
            rate: _,
        } = row;
        let LatencyLabel {
            probe,
            function,
            dso: _,
            key,
            name: _,
            kind: _,
        } = label;
        let function = function.as_deref().unwrap_or_default();
        let key = key.as_deref().unwrap_or_default();
        let [probe, function, key] = [probe, function, key].map(field);
        let (start_ns, end_ns) = (rows.start_ns, rows.end_ns);
        for bucket in histogram.buckets() {
            writeln!(
                out,
                "{probe},{function},{key},{start_ns},{end_ns},{},{},{}",
                bucket.low, bucket.high, bucket.count
            )?;
        }
    }
    out.flush()
}

/// Quoted where it has to be.
fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}
