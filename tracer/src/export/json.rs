//! Functions, processes and the ledger as one line of JSON: for scripts.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{Export, Format, Medium, ledger::Document as Ledger};
use crate::view::{self, Order};

pub(super) const FORMAT: Format = Format {
    name: "json",
    extensions: &[".json"],
    doc: "functions and processes with their weights, and the ledger, as a line of JSON",
    medium: Medium::Text,
    write,
};

#[derive(Serialize)]
struct Document {
    functions: Vec<Function>,
    processes: Vec<Process>,
    ledger: Ledger,
    /// CLOCK_MONOTONIC.
    start_ns: u64,
    end_ns: u64,
}

#[derive(Serialize)]
struct Function {
    symbol: String,
    dso: String,
    #[serde(rename = "self")]
    self_weight: u64,
    total: u64,
    self_pct: f64,
    total_pct: f64,
}

#[derive(Serialize)]
struct Process {
    pid: u32,
    comm: String,
    samples: u64,
    pct: f64,
}

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Export {
        profile,
        symbols,
        query,
        header: _,
        overhead,
    } = *export;
    let functions = view::functions(profile, symbols, query, Order::SelfWeight);
    let processes = view::processes(profile, symbols, query, Order::SelfWeight);
    let percent = |part: u64, of: u64| 100.0 * part as f64 / of.max(1) as f64;
    let whole = functions.total;
    let rows = functions.rows.into_iter().map(|row| Function {
        symbol: row.key.symbol,
        dso: row.key.dso,
        self_weight: row.self_weight,
        total: row.total,
        self_pct: percent(row.self_weight, whole),
        total_pct: percent(row.total, whole),
    });
    let document = Document {
        functions: rows.collect(),
        processes: processes
            .rows
            .into_iter()
            .map(|row| Process {
                pid: row.pid,
                comm: row.comm,
                samples: row.weight,
                pct: percent(row.weight, processes.total),
            })
            .collect(),
        ledger: Ledger::new(&export.ledger(), &export.quality(), overhead),
        start_ns: query.window.start_ns.max(profile.start_ns()),
        end_ns: query.window.end_ns.min(profile.end_ns()),
    };
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, &document)?;
    writeln!(out)?;
    out.flush()
}
