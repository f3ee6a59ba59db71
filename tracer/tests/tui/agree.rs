//! What is on the screen and what is written agree to the last count.

use std::collections::BTreeMap;

use serde_json::Value;
use tracer::{
    export::{self, Export, Header, Overhead},
    profile::Window,
    view::{Content, Query},
};

use crate::{driver::Driver, profiles};

/// Keys that lead to a query, and whether it selects time alone.
const QUERIES: [(&str, bool); 16] = [
    ("Space", true),
    ("] ] ] ] Space", true),
    ("[ [ Space", true),
    ("v Left Left v Left Left Left Enter", true),
    ("v Home Enter", true),
    ("r Space", true),
    ("2 j Enter Space", false),
    ("2 j Right j j Enter Space", false),
    ("f \"libc\" Enter Space", false),
    ("x \"gzip\" Enter Space", false),
    ("f \"/^_|fib/\" Enter x \"0x90\" Enter Space", false),
    ("f \"no such thing\" Enter Space", false),
    ("m Space", false),
    ("m m Space", false),
    ("3 p p Space", true),
    ("3 p 2 j Enter m f \"nginx\" Enter v S-Left v Enter", false),
];

#[test]
fn screens_and_files_agree() {
    for (keys, only_time) in QUERIES {
        let mut driver = profiles::busy((80, 24));
        driver.press(keys).press("1");
        assert_eq!(driver.app.place.query.is_only_time(), only_time, "{keys}");
        check(&driver, keys);
        for make in [profiles::lossy, profiles::idle] {
            let mut driver = make((80, 24));
            driver.press(keys).press("1");
            check(&driver, keys);
        }
    }
}

fn check(driver: &Driver, keys: &str) {
    let shown = driver.app.shown.as_ref().unwrap();
    let Content::Functions(table, ..) = &shown.answer.content else {
        panic!("{keys}: no functions");
    };
    let (query, total) = (&shown.answer.query, table.total);
    assert_eq!(total, shown.answer.total, "{keys}");
    if query.is_only_time() {
        assert_eq!(
            total,
            driver.profile.ledger_of(query.window).recorded,
            "{keys}"
        );
    }
    let bars = shown.answer.timeline.iter();
    let within = bars.filter(|bar| query.window.contains(bar.start_ns));
    assert_eq!(
        within.map(|bar| bar.weight).sum::<u64>(),
        total,
        "{keys}: timeline"
    );

    let json: Value = serde_json::from_str(&write(driver, query, "json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let functions = json["functions"].as_array().unwrap().iter().map(|row| {
        let name = (text(&row["symbol"]), text(&row["dso"]));
        (
            name,
            row["self"].as_u64().unwrap(),
            row["total"].as_u64().unwrap(),
        )
    });
    let rows = table.rows.iter().map(|row| {
        let name = (row.key.symbol.clone(), row.key.dso.clone());
        (name, row.self_weight, row.total)
    });
    assert_eq!(
        functions.collect::<Vec<_>>(),
        rows.collect::<Vec<_>>(),
        "{keys}"
    );
    let processes = json["processes"].as_array().unwrap().iter();
    let sum: u64 = processes.map(|row| row["samples"].as_u64().unwrap()).sum();
    assert_eq!(sum, total, "{keys}: processes");
    let ledger = shown.answer.ledger.clone();
    assert_eq!(json["ledger"]["recorded"], ledger.recorded, "{keys}");
    assert_eq!(json["ledger"]["fired"], ledger.fired, "{keys}");

    // Files do not tell functions of one name apart by where they are.
    let mut own: BTreeMap<&str, u64> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| row.self_weight > 0) {
        *own.entry(&row.key.symbol).or_default() += row.self_weight;
    }
    let folded = write(driver, query, "folded");
    let mut leaves: BTreeMap<&str, u64> = BTreeMap::new();
    for line in folded.lines() {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        let leaf = stack.rsplit(';').next().unwrap();
        *leaves.entry(leaf).or_default() += count.parse::<u64>().unwrap();
    }
    assert_eq!(leaves, own, "{keys}");
    assert_eq!(leaves.values().sum::<u64>(), total, "{keys}");

    if total > 0 {
        let svg = write(driver, query, "svg");
        let drawn = format!("total_samples=\"{total}\"");
        assert!(svg.contains(&drawn), "{keys}: no {drawn}");
    }
}

/// As the answer to [`tracer::tui::Request::Export`] would be written.
fn write(driver: &Driver, query: &Query, format: &str) -> String {
    let header = Header::default();
    let export = Export {
        profile: &driver.profile,
        symbols: &driver.symbols,
        query,
        header: &header,
        overhead: Overhead::default(),
    };
    let mut out = Vec::new();
    (export::by_name(format).unwrap().write)(&export, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_screen_shows_the_same_total() {
    for (keys, _) in QUERIES {
        let mut driver = profiles::busy((80, 24));
        driver.press(keys);
        let totals = ["1", "2", "3", "4", "i", "5"].map(|screen| {
            driver.press(screen);
            let shown = driver.app.shown.as_ref().unwrap();
            (shown.answer.query.window, shown.answer.total)
        });
        let [(window, _), ..] = totals;
        assert_ne!(window, Window::ALL, "{keys}");
        assert_eq!(totals, [totals[0]; 6], "{keys}");
    }
}
