//! Functions and processes as plain tables: for a terminal, a pipe or a ticket.

use std::io::{self, BufWriter, Write};

use super::{Export, Format, Medium};
use crate::view::{self, Order, Quality};

pub(super) const FORMAT: Format = Format {
    name: "text",
    extensions: &[".txt"],
    doc: "the widest functions and the busiest processes as plain tables",
    medium: Medium::Text,
    write,
};

/// Rows of each table.
const ROWS: usize = 20;

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Export {
        profile,
        symbols,
        query,
        header,
        overhead,
    } = *export;
    let functions = view::functions(profile, symbols, query, Order::SelfWeight);
    let processes = view::processes(profile, symbols, query, Order::SelfWeight);
    let percent = |part: u64, of: u64| 100.0 * part as f64 / of.max(1) as f64;
    let mut out = BufWriter::new(out);
    let frequency = header
        .frequency_hz
        .map(|hz| format!(" at {hz} Hz"))
        .unwrap_or_default();
    writeln!(
        out,
        "{} on {}, {:.1} s{frequency} ({}): {}; {overhead}",
        view::printable(&header.target),
        view::printable(&header.host),
        header.duration_ns as f64 / 1e9,
        header.source,
        view::account(&export.ledger()),
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "{:>8} {:>7} {:>8} {:>7}  Function",
        "Self", "%", "Total", "%"
    )?;
    for row in functions.rows.iter().take(ROWS) {
        let dso = match row.key.dso.as_str() {
            "" => String::new(),
            dso => format!("  ({dso})"),
        };
        writeln!(
            out,
            "{:>8} {:>6.2}% {:>8} {:>6.2}%  {}{dso}",
            row.self_weight,
            percent(row.self_weight, functions.total),
            row.total,
            percent(row.total, functions.total),
            row.key.symbol,
        )?;
    }
    let rest = functions.rows.iter().skip(ROWS).map(|row| row.self_weight);
    more(&mut out, rest, functions.total)?;
    writeln!(out)?;
    writeln!(out, "{:>8} {:>7} {:>8}  Process", "Samples", "%", "PID")?;
    for row in processes.rows.iter().take(ROWS) {
        let hottest = row.hottest.as_ref().map(|(function, weight)| {
            let share = percent(*weight, row.weight);
            format!("  {share:.0}% in {}", function.symbol)
        });
        writeln!(
            out,
            "{:>8} {:>6.2}% {:>8}  {}{}",
            row.weight,
            percent(row.weight, processes.total),
            row.pid,
            row.comm,
            hottest.unwrap_or_default(),
        )?;
    }
    more(
        &mut out,
        processes.rows.iter().skip(ROWS).map(|row| row.weight),
        processes.total,
    )?;
    stacks(&mut out, &view::quality(profile, symbols, query))?;
    writeln!(out)?;
    out.flush()
}

/// How many stacks are complete, and where the others stop.
fn stacks(out: &mut dyn Write, quality: &Quality) -> io::Result<()> {
    let total = quality.total();
    if total == 0 {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "Stacks: {}", quality.line())?;
    if quality.truncated == 0 {
        return Ok(());
    }
    writeln!(out, "{:>8} {:>7}  Truncated in", "Samples", "%")?;
    for place in quality.places.iter().take(ROWS) {
        let share = 100.0 * place.truncated as f64 / total as f64;
        writeln!(
            out,
            "{:>8} {share:>6.2}%  {}",
            place.truncated,
            place.line()
        )?;
    }
    let rest = quality.places.iter().skip(ROWS);
    more(out, rest.map(|place| place.truncated), total)
}

/// What is below the last row.
fn more(
    out: &mut dyn Write,
    weights: impl ExactSizeIterator<Item = u64>,
    total: u64,
) -> io::Result<()> {
    let count = weights.len();
    let weight = weights.fold(0, u64::saturating_add);
    if count > 0 {
        let share = 100.0 * weight as f64 / total.max(1) as f64;
        writeln!(out, "{weight:>8} {share:>6.2}%  in {count} more")?;
    }
    Ok(())
}
