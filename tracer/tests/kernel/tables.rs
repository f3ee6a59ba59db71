//! `tracer top` without a terminal: tables and JSON.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::common::busy::Running;
use crate::common::guard::kernel;
use crate::common::ledger::Ledger;
use crate::common::stats::assert_points;
use crate::common::tracer::tracer;

fn sum(rows: &Value, field: &str) -> u64 {
    let rows = rows.as_array().expect("a list");
    rows.iter()
        .map(|row| row[field].as_u64().expect("a count"))
        .sum()
}

/// What a run prints that must succeed.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = tracer()
        .args(arguments)
        .output()
        .expect("tracer can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn json_has_each_interval_for_itself_and_adds_up() {
    let Some(_kernel) = kernel("json_has_each_interval_for_itself_and_adds_up") else {
        return;
    };
    let burn = Running::burn();
    let arguments = ["top", "--json", "-F", "1999", "-I", "2", "-n", "3"];
    let text = printed(&arguments);
    let intervals: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(intervals.len(), 3);
    let mut ends = None;
    for interval in &intervals {
        let ledger = Ledger::parse(&interval["ledger"].to_string());
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!(sum(&interval["functions"], "self"), ledger.recorded);
        assert_eq!(sum(&interval["processes"], "samples"), ledger.recorded);
        let start = interval["start_ns"].as_u64();
        assert!(ends.is_none() || ends == start, "{ends:?} {start:?}");
        ends = interval["end_ns"].as_u64();
        let processes = interval["processes"].as_array().expect("a list");
        assert!(
            processes
                .iter()
                .any(|row| row["pid"] == burn.pid() && row["comm"] == "burn")
        );
    }
    let functions = intervals[1]["functions"].as_array().expect("a list");
    let of = |name: &str| {
        let row = functions
            .iter()
            .find(|row| row["symbol"] == name && row["dso"] == "burn");
        row.and_then(|row| row["self"].as_f64())
            .expect("it is there")
    };
    let (seventy, thirty) = (of("burn_seventy"), of("burn_thirty"));
    assert_points(
        100.0 * seventy / (seventy + thirty),
        70.0,
        2.0,
        "burn_seventy",
    );
}

#[test]
fn without_a_terminal_tables_are_printed() {
    let Some(_kernel) = kernel("without_a_terminal_tables_are_printed") else {
        return;
    };
    let burn = Running::burn();
    let pid = burn.pid().to_string();
    // No -b: standard output is a pipe.
    let arguments = ["top", "-d", "2", "-I", "500ms", "-p", &pid];
    let text = printed(&arguments);
    let tables = text.matches("Function\n").count();
    assert!((3..=5).contains(&tables), "{text}");
    assert!(text.contains("burn_seventy  (burn)"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_reader_that_has_enough_ends_it() {
    let Some(_kernel) = kernel("a_reader_that_has_enough_ends_it") else {
        return;
    };
    let mut child = tracer()
        .args(["top", "-b", "-I", "200ms"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tracer can be run");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("tables are text");
    assert!(line.starts_with("all processes on "), "{line}");
    drop(output);
    let output = child.wait_with_output().expect("our own child");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_interval_without_samples_is_printed() {
    let Some(_kernel) = kernel("an_interval_without_samples_is_printed") else {
        return;
    };
    let burn = Running::burn();
    burn.pause();
    let pid = burn.pid().to_string();
    let arguments = ["top", "--json", "-n", "1", "-p", &pid];
    let text = printed(&arguments);
    let interval: Value = serde_json::from_str(&text).expect("a line of JSON");
    assert_eq!(interval["ledger"]["recorded"], 0, "{text}");
    assert_eq!(interval["functions"], Value::Array(Vec::new()), "{text}");
}
