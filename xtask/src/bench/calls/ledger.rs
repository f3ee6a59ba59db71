//! A million calls that end in every way that a call can end: is each accounted for, each time?

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use serde_json::Value;

use super::{Bench, lines, tell};
use crate::run;

/// The fixture's functions: how many calls of each begin, return, find no room for a return probe,
/// are left by a jump, and are not over at the end.
const CALLS: [(&str, [u64; 5]); 5] = [
    ("work", [600_000, 600_000, 0, 0, 0]),
    ("descend", [200_000, 128_000, 72_000, 0, 0]),
    ("leave", [100_000, 0, 0, 100_000, 0]),
    ("around", [100_000, 100_000, 0, 0, 0]),
    ("hold", [2, 0, 0, 0, 2]),
];

/// What is done to a run besides, and what becomes of some of the calls that return.
const FORCED: [(&[&str], &str); 3] = [
    (&[], "recorded"),
    (&["--slower-than", "3us"], "filtered"),
    (&["--shrink", "calls=1"], "map_full"),
];

pub(in crate::bench) fn run(bench: &Bench, runs: u32) -> Result<bool> {
    let flags = ["-O0", "-g", "-fno-omit-frame-pointer", "-pthread"];
    let program = bench.fixture("cc", "account.c", "account", &flags)?;
    println!(
        "a million calls in two threads, {runs} runs: recursion too deep, longjmp and an exit in the \
         middle in each; in turn nothing more, --slower-than 3us, --shrink calls=1"
    );
    let mut balanced = 0;
    for (number, (options, forced)) in (1..=runs).zip(FORCED.iter().cycle()) {
        match round(bench, &program, options, forced)? {
            None => balanced += 1,
            Some(wrong) => println!("  run {number}, {}: {wrong}", options.join(" ")),
        }
    }
    tell("runs that balance and agree", f64::from(balanced), "");
    let met = balanced == runs;
    println!(
        "  target {runs} of {runs}: {}",
        if met { "met" } else { "MISSED" }
    );
    Ok(met)
}

/// What is wrong with the account of one run.
fn round(bench: &Bench, program: &Path, options: &[&str], forced: &str) -> Result<Option<String>> {
    let out = bench.file("ledger.json");
    let mut command = bench.hist(&out);
    command.args(options);
    for (function, _) in CALLS {
        command.arg(format!("uprobe:{}:{function}", program.display()));
    }
    command.arg("--").arg(program);
    run::status(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let lines = lines(&out)?;
    let mut forced_calls = 0;
    for (function, expected) in CALLS {
        let mut sum = Account::default();
        for line in lines.iter().filter(|line| is_of(line, function)) {
            let Some(account) = Account::of(line) else {
                return Ok(Some(format!("{function}: no account in {line}")));
            };
            if !account.balances() {
                return Ok(Some(format!("{function}: does not balance: {line}")));
            }
            sum.add(&account);
        }
        let ended = [
            sum.fired,
            sum.recorded + sum.filtered + sum.map_full,
            sum.depth,
            sum.no_return,
            sum.open,
        ];
        if ended != expected.map(i128::from) {
            return Ok(Some(format!("{function}: {sum:?}, not {expected:?}")));
        }
        forced_calls += match forced {
            "filtered" => sum.filtered,
            "map_full" => sum.map_full,
            _ => sum.recorded,
        };
        let left = sum.filtered + sum.map_full;
        if forced == "recorded" && left > 0 {
            return Ok(Some(format!("{function}: {sum:?}, and nothing was forced")));
        }
    }
    Ok((forced_calls == 0).then(|| format!("no call was {forced}")))
}

fn is_of(line: &Value, function: &str) -> bool {
    line["probe"]
        .as_str()
        .and_then(|probe| probe.rsplit_once(':'))
        .is_some_and(|(_, name)| name == function)
}

/// What became of the calls of one function.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) fired: i128,
    pub(super) recorded: i128,
    filtered: i128,
    thinned: i128,
    open: i128,
    map_full: i128,
    depth: i128,
    no_return: i128,
    /// For every reason.
    pub(super) lost: i128,
    /// Calls in the histogram's buckets.
    held: i128,
}

impl Account {
    pub(super) fn of(line: &Value) -> Option<Self> {
        let number = |value: &Value| value.as_i64().map(i128::from);
        let ledger = &line["ledger"];
        let lost = ledger["lost"].as_object()?;
        let buckets = line["buckets"].as_array()?;
        Some(Self {
            fired: number(&ledger["fired"])?,
            recorded: number(&ledger["recorded"])?,
            filtered: number(&ledger["filtered"])?,
            thinned: number(&ledger["thinned"])?,
            open: number(&ledger["open"])?,
            map_full: number(lost.get("map_full")?)?,
            depth: number(lost.get("uretprobe_depth")?)?,
            no_return: number(lost.get("no_return")?)?,
            lost: lost.values().map(number).sum::<Option<i128>>()?,
            held: buckets
                .iter()
                .map(|bucket| number(&bucket["count"]))
                .sum::<Option<i128>>()?,
        })
    }

    pub(super) fn balances(&self) -> bool {
        let ended = self.recorded + self.filtered + self.thinned + self.lost + self.open;
        self.fired == ended && self.held == self.recorded
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.fired += other.fired;
        self.recorded += other.recorded;
        self.filtered += other.filtered;
        self.thinned += other.thinned;
        self.open += other.open;
        self.map_full += other.map_full;
        self.depth += other.depth;
        self.no_return += other.no_return;
        self.lost += other.lost;
        self.held += other.held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_noticed() {
        let line = |recorded: u64| {
            serde_json::json!({
                "buckets": [{ "low": 1, "high": 2, "count": 3 }],
                "ledger": {
                    "fired": 10, "recorded": recorded, "filtered": 1, "thinned": 0, "open": -1,
                    "lost": { "map_full": 2, "no_return": 2, "uretprobe_depth": 3 },
                },
            })
        };
        assert!(Account::of(&line(3)).unwrap().balances());
        assert!(!Account::of(&line(2)).unwrap().balances());
        assert!(Account::of(&serde_json::json!({ "ledger": {} })).is_none());
    }
}
