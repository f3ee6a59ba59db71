//! The whole path with no kernel: scripted batches → profile → names → files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod forget;
mod golden;
mod latency;
mod names;
mod naming;
mod quality;
mod script;
mod storm;
mod trees;
mod views;
mod xml;

use std::collections::BTreeSet;

use tracer::{
    export::{self, Export, Header, Overhead, Script},
    profile::{Batch, Profile, Window},
    symbol::Symbols,
    view::{self, Query, Tree},
};

use cases::{Case, Name};
use naming::symbolize;

#[test]
fn every_case_agrees_with_its_goldens_and_adds_up() {
    let mut failures = Vec::new();
    for case in cases::all() {
        check(&case, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(case: &Case, failures: &mut Vec<String>) {
    let Case {
        name,
        script,
        names,
    } = case;
    let batches = script.batches();
    let (profile, symbols) = profile_of(batches.clone(), names);
    let folded = write(&profile, &symbols, "folded");
    let svg = picture(&profile, &symbols);
    golden::compare(&format!("{name}.folded"), &folded, failures);
    golden::compare(&format!("{name}.svg"), &svg, failures);
    for svg in [svg.clone(), write(&profile, &symbols, "svg")] {
        failures.extend(xml::problem(&svg).map(|problem| format!("{name}.svg: {problem}")));
    }

    let ledger = profile.ledger();
    assert!(ledger.balances(), "{name}: {ledger:?}");
    assert_eq!(
        sum_of(&folded),
        ledger.recorded,
        "{name}: sum of the folded stacks"
    );
    assert!(folded.lines().is_sorted(), "{name}: order of\n{folded}");
    if ledger.recorded > 0 {
        let drawn = format!("total_samples=\"{}\"", ledger.recorded);
        assert!(svg.contains(&drawn), "{name}: no {drawn}");
    }
    let tree = view::tree(&profile, &symbols, &Query::default());
    check_sums(&tree, name);
    assert_eq!(tree.total(), ledger.recorded, "{name}: total at the root");
    let unnamed = view::unnamed(&profile, &symbols, &Query::default());
    assert_eq!(unnamed.samples, ledger.recorded, "{name}: {unnamed:?}");

    for order in [<[_]>::reverse, |samples: &mut [_]| {
        samples.rotate_left(samples.len() / 2)
    }] {
        let mut batches = batches.clone();
        for batch in &mut batches {
            order(&mut batch.samples);
        }
        let (profile, symbols) = profile_of(batches, names);
        assert_eq!(
            write(&profile, &symbols, "folded"),
            folded,
            "{name}: another order"
        );
        assert!(
            picture(&profile, &symbols) == svg,
            "{name}: another order, another picture"
        );
    }

    // Each process alone: together they are everything.
    let alone = profile.processes().map(|process| {
        let query = Query {
            processes: Some(BTreeSet::from([process])),
            ..Query::default()
        };
        let tree = view::tree(&profile, &symbols, &query);
        check_sums(&tree, name);
        tree.total()
    });
    assert_eq!(
        alone.sum::<u64>(),
        ledger.recorded,
        "{name}: sum over processes"
    );
}

/// The profile of some batches, and names for its frames, asked for as they become known.
fn profile_of(batches: Vec<Batch>, names: &[Name]) -> (Profile, Symbols) {
    let mut profile = Profile::new();
    let mut symbols = Symbols::default();
    for batch in batches {
        profile.apply(batch);
        let resolved: u64 = profile.weights(Window::ALL).map(|row| row.weight).sum();
        assert_eq!(resolved + profile.pending(), profile.ledger().recorded);
        symbolize(&mut profile, &mut symbols, names);
    }
    profile.finish();
    symbolize(&mut profile, &mut symbols, names);
    assert_eq!(profile.pending(), 0);
    assert_eq!(profile.new_frames(), []);
    (profile, symbols)
}

fn header() -> Header {
    Header {
        host: "box".to_owned(),
        target: "scripted <batches>".to_owned(),
        source: "on-CPU, cpu-clock".to_owned(),
        unit: "samples".to_owned(),
        frequency_hz: Some(99),
        duration_ns: 1_500_000_000,
    }
}

fn export<'a>(
    profile: &'a Profile,
    symbols: &'a Symbols,
    query: &'a Query,
    header: &'a Header,
) -> Export<'a> {
    let overhead = Overhead {
        bpf_ns: Some(1_000_000),
        user_cpu_ns: 2_000_000,
        wall_ns: 1_500_000_000,
    };
    Export {
        profile,
        symbols,
        query,
        header,
        overhead,
    }
}

fn write(profile: &Profile, symbols: &Symbols, format: &str) -> String {
    let mut out = Vec::new();
    let (query, header) = (Query::default(), header());
    let format = export::by_name(format).unwrap();
    (format.write)(&export(profile, symbols, &query, &header), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn picture(profile: &Profile, symbols: &Symbols) -> String {
    let mut out = Vec::new();
    let (query, header) = (Query::default(), header());
    let export = export(profile, symbols, &query, &header);
    export::write_svg(&export, Script::Omitted, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// As other tools read folded stacks.
fn sum_of(folded: &str) -> u64 {
    let counts = folded.lines().map(|line| {
        let (stack, count) = line.trim().rsplit_once(' ').unwrap();
        assert!(!stack.is_empty() && !stack.starts_with("# "), "{line:?}");
        count.parse::<u64>().unwrap()
    });
    counts.sum()
}

fn check_sums(tree: &Tree, name: &str) {
    let own: u64 = tree.nodes().iter().map(|node| node.self_weight).sum();
    assert_eq!(own, tree.total(), "{name}: sum of self");
    for (index, node) in tree.nodes().iter().enumerate() {
        let below: u64 = tree
            .children(index)
            .map(|child| tree.node(child).total)
            .sum();
        assert_eq!(node.total, node.self_weight + below, "{name}: node {index}");
    }
}
