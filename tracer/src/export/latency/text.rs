//! Latencies as plain text: histograms with their percentiles, and a table where there are many.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
};

use super::{LatencyExport, LatencyFormat, Pace};
use crate::{
    profile::{Histogram, Window},
    view::{self, LatencyLine, LatencyRow, LatencyRows, nanoseconds},
};

pub(super) const FORMAT: LatencyFormat = LatencyFormat {
    name: "text",
    extensions: &[".txt"],
    doc: "histograms with percentiles, as plain text",
    pace: Pace::End,
    write,
};

/// Rows that are shown as histograms; the others are lines of a table.
const HISTOGRAMS: usize = 8;
/// The longest bar.
const BAR: usize = 40;

fn write(export: &LatencyExport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let LatencyExport {
        latencies,
        window,
        query,
        title,
        first,
    } = *export;
    let rows = view::latency_rows(latencies, window, query);
    let mut out = BufWriter::new(out);
    if !first {
        writeln!(out)?;
    }
    let title = view::printable(title);
    let account = view::span_account(&rows.ledger);
    if window == Window::ALL {
        let seconds = rows.span_ns() as f64 / 1e9;
        writeln!(out, "{title}, {seconds:.1} s: {account}")?;
    } else {
        let since = |ns: u64| ns.saturating_sub(latencies.first_ns().unwrap_or(ns)) as f64 / 1e9;
        let (start, end) = (since(rows.start_ns), since(rows.end_ns));
        writeln!(out, "{title}, {start:.1} s to {end:.1} s: {account}")?;
    }
    let groups: BTreeSet<_> = rows
        .rows
        .iter()
        .map(|row| (row.place.probe, row.place.function))
        .collect();
    for row in rows.rows.iter().take(HISTOGRAMS) {
        writeln!(out)?;
        write_row(row, &mut out)?;
        // Keys of one probe share its account, and a single one is that of the title.
        if groups.len() > 1 && row.place.key.is_none() {
            writeln!(out, "     {}", view::span_account(&row.ledger))?;
        }
    }
    write_rest(&rows, &mut out)?;
    out.flush()
}

fn write_row(row: &LatencyRow, out: &mut dyn Write) -> io::Result<()> {
    let LatencyRow {
        place: _,
        label,
        histogram,
        ledger: _,
        rate,
    } = row;
    let label = label.line();
    if histogram.count() == 0 {
        return writeln!(out, "{label}: 0 calls");
    }
    writeln!(
        out,
        "{label}: {}, {rate:.1}/s, {} in all",
        view::call_count(histogram.count()),
        nanoseconds(histogram.sum() as f64)
    )?;
    let lines = view::latency_lines(histogram);
    let most = lines.iter().map(|line| line.count).max().unwrap_or(0);
    writeln!(out, "     {:<22} : {:<8} distribution", "latency", "count")?;
    for LatencyLine { low, high, count } in lines {
        let low = nanoseconds(low as f64);
        let high = nanoseconds(high as f64 + 1.0);
        let bar = "*".repeat(view::stars(count, most, BAR));
        writeln!(out, "     [{low:>9}, {high:>9}) : {count:<8} |{bar:<BAR$}|")?;
    }
    writeln!(out, "     {}", summary(histogram))
}

fn summary(histogram: &Histogram) -> String {
    let exact = |value: Option<u64>| value.map(|value| value as f64);
    let reached = |(name, bucket): (&'static str, Option<_>)| {
        let bucket = bucket.map(|bucket| view::reached(histogram, bucket));
        (name, exact(bucket))
    };
    let percentiles = view::percentiles(histogram).map(reached);
    [("min", exact(histogram.min())), ("mean", histogram.mean())]
        .into_iter()
        .chain(percentiles)
        .chain([("max", exact(histogram.max()))])
        .filter_map(|(name, value)| Some(format!("{name} {}", nanoseconds(value?))))
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Those that have no histogram: a line each.
fn write_rest(rows: &LatencyRows, out: &mut dyn Write) -> io::Result<()> {
    let mut rest = rows.rows.iter().skip(HISTOGRAMS).peekable();
    if rest.peek().is_none() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:>10} {:>10} {:>9} {:>9} {:>9} {:>9} {:>9}  The others",
        "Calls", "per s", "In all", "Mean", "p50", "p99", "Max"
    )?;
    for row in rest {
        let histogram = &row.histogram;
        let [p50, _, p99, ..] = view::percentiles(histogram)
            .map(|(_, bucket)| bucket.map(|bucket| view::reached(histogram, bucket) as f64));
        let max = histogram.max().map(|max| max as f64);
        let [mean, p50, p99, max] = [histogram.mean(), p50, p99, max]
            .map(|ns| ns.map_or_else(|| "-".to_owned(), nanoseconds));
        writeln!(
            out,
            "{:>10} {:>10.1} {:>9} {mean:>9} {p50:>9} {p99:>9} {max:>9}  {}",
            histogram.count(),
            row.rate,
            nanoseconds(histogram.sum() as f64),
            row.label.line(),
        )?;
    }
    Ok(())
}
