//! `tracer hist` in a real terminal.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::busy::Running;
use crate::common::fixture;
use crate::common::guard::kernel;
use crate::common::tmux::{FREE, Terminal};
use crate::common::tracer::tracer;
use crate::xml::problem;

const TRACER: &str = env!("CARGO_BIN_EXE_tracer");

/// Two functions of a program that calls one of them for a long time.
fn command(options: &str) -> String {
    let program = fixture::program("calls");
    let program = program.display();
    format!(
        "{TRACER} hist {options} uprobe:{program}:spin uprobe:{program}:work -- {program} spin 2 1000000"
    )
}

#[test]
fn the_keys_of_hist_lead_from_the_start_to_the_printed_histogram() {
    let Some(_kernel) = kernel("the_keys_of_hist_lead_from_the_start_to_the_printed_histogram")
    else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let terminal = Terminal::start(110, 30, directory.path());
    let before = terminal.modes();
    assert_eq!(before, FREE);
    terminal.command("stty -a > before");
    terminal.command(&format!("{}; echo status $?", command("")));
    // Two functions: the table first.
    let screen = terminal.wait_until("calls", |screen| {
        screen.contains("LIVE") && screen.contains("spin") && screen.contains("µs")
    });
    assert!(screen.contains("Functions"), "{screen}");
    for (key, shown) in [("1", "p99.9"), ("2", "now"), ("4", "fired"), ("3", "p50")] {
        terminal.keys(&[key]);
        terminal.wait_for(shown);
    }
    // What is held, shown and written is the same.
    terminal.keys(&["Enter"]);
    terminal.wait_for("only spin");
    terminal.keys(&["Space"]);
    let screen = terminal.wait_for("PAUSED");
    terminal.keys(&["e", "C-u"]);
    terminal.wait_for("write to:");
    terminal.text("shown.png");
    terminal.keys(&["Enter"]);
    terminal.wait_for("does not end like");
    for name in ["shown.json", "shown.csv", "shown.txt"] {
        terminal.keys(&["C-u"]);
        terminal.text(name);
        terminal.keys(&["Enter"]);
        terminal.wait_for(&format!("wrote {name}"));
        terminal.keys(&["e"]);
        terminal.wait_for("write to:");
    }
    terminal.keys(&["C-u"]);
    terminal.text("shown.csv");
    terminal.keys(&["Enter"]);
    terminal.wait_for("cannot write shown.csv");
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).expect("a file");
    let json: Vec<Value> = read("shown.json")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let [row] = json.as_slice() else {
        panic!("one function was shown: {json:?}");
    };
    assert_eq!(row["function"], "spin");
    let count = row["count"].as_u64().expect("a count");
    assert!(count > 100, "{row}");
    let shown = screen.replace(',', "");
    assert!(shown.contains(&format!(" {count} calls")), "{screen}");
    let rows = read("shown.csv");
    let counted = rows.lines().skip(1).map(|row| {
        let (_, count) = row.rsplit_once(',').expect("columns");
        count.parse::<u64>().expect("a count")
    });
    assert_eq!(counted.sum::<u64>(), count);
    let text = read("shown.txt");
    assert!(text.contains(&format!(": {count} calls, ")), "{text}");
    assert!(text.contains("only spin"), "{text}");

    terminal.keys(&["Escape", "q"]);
    // The command was asked to end, and that is what it ended by.
    let screen = terminal.wait_for("status 143");
    assert!(screen.contains("tracer itself took"), "{screen}");
    assert_eq!(terminal.modes(), before);
    terminal.command("clear; stty -a > after; cmp before after && echo as it was");
    terminal.wait_for("as it was");
}

#[test]
fn hist_of_a_process_ends_with_status_0_and_its_histogram() {
    let Some(_kernel) = kernel("hist_of_a_process_ends_with_status_0_and_its_histogram") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = fixture::program("calls");
    let child = Running::start(Command::new(&program).args(["spin", "1", "1000000"]));
    let terminal = Terminal::start(80, 40, directory.path());
    let pid = child.pid();
    terminal.command(&format!("{TRACER} hist spin -p {pid}; echo status $?"));
    terminal.wait_until("calls", |screen| {
        screen.contains("LIVE") && screen.contains("p99.9")
    });
    terminal.resize(40, 12);
    terminal.wait_until("40 columns", |screen| {
        screen.lines().all(|line| line.chars().count() <= 40) && screen.contains("LIVE")
    });
    terminal.resize(80, 40);
    terminal.wait_for("p99.9");
    terminal.keys(&["q"]);
    let screen = terminal.wait_for("status 0");
    assert!(screen.contains("distribution"), "{screen}");
    assert!(screen.contains("|****"), "{screen}");
    assert_eq!(terminal.modes(), FREE);
}

#[test]
fn every_screen_of_hist_is_pictured() {
    let Some(_kernel) = kernel("every_screen_of_hist_is_pictured") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let into = directory.path().join("new");
    let program = fixture::program("calls");
    let output = tracer()
        .args(["hist", "-d", "2"])
        .arg("--pictures")
        .arg(&into)
        .args(["spin", "work", "--"])
        .arg(&program)
        .args(["spin", "2", "100000000"])
        .output()
        .expect("tracer can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    for (name, expected) in [
        ("histogram", "p99.9"),
        ("heatmap", "now"),
        ("functions", "spin"),
        ("one", "only spin"),
        ("health", "fired"),
        ("help", "take back the last step"),
        ("small", "p99.9"),
        ("light", "now"),
    ] {
        let picture = read(&into.join(name), &said);
        assert!(picture.contains(expected), "{name}: {picture}");
    }
}

fn read(path: &Path, said: &str) -> String {
    let picture = fs::read_to_string(path.with_extension("svg"));
    let picture = picture.unwrap_or_else(|error| panic!("{}: {error}: {said}", path.display()));
    assert_eq!(problem(&picture), None, "{}", path.display());
    picture
}
