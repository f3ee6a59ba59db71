//! Views of the scripted profiles: whatever is asked, each adds up and agrees with the others.

use std::collections::BTreeMap;

use tracer::{
    profile::{Profile, Window},
    symbol::Symbols,
    view::{self, Filter, FunctionKey, Group, Mode, Order, Pattern, Query, Tree},
};

use crate::{
    cases, check_sums, profile_of,
    quality::check_quality,
    trees::{check_call_trees, check_flames},
};

/// A profile with what is asked of it.
pub(crate) struct Asked<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) symbols: &'a Symbols,
    pub(crate) query: Query,
    pub(crate) what: String,
}

#[test]
fn whatever_is_asked_views_add_up_and_agree() {
    for case in cases::all() {
        let (profile, symbols) = profile_of(case.script.batches(), case.names);
        for query in queries(&profile) {
            let what = format!("{}: {query:?}", case.name);
            let asked = Asked {
                profile: &profile,
                symbols: &symbols,
                query,
                what,
            };
            let tree = view::tree(&profile, &symbols, &asked.query);
            check_sums(&tree, &asked.what);
            check_quality(&asked, &tree);
            check_functions(&asked, &tree);
            check_focus(&asked, tree.total());
            check_processes(&asked, tree.total());
            check_call_trees(&asked, &tree);
            check_flames(&asked, &tree);
            check_timeline(&asked, tree.total());
        }
        check_parts(&profile, &symbols, case.name);
    }
}

/// All, each group, each mode, each slice, each process, some filters.
fn queries(profile: &Profile) -> Vec<Query> {
    let of = |change: &dyn Fn(&mut Query)| {
        let mut query = Query::default();
        change(&mut query);
        query
    };
    let mut queries = vec![Query::default()];
    queries.extend([Group::Process, Group::Merged].map(|group| of(&|query| query.group = group)));
    queries.extend([Mode::User, Mode::Kernel].map(|mode| of(&|query| query.mode = mode)));
    queries.extend(profile.slices().map(|slice| {
        of(&|query| {
            query.window = Window {
                start_ns: slice.start_ns,
                end_ns: slice.end_ns,
            };
        })
    }));
    queries.extend(
        profile
            .processes()
            .map(|process| of(&|query| query.processes = Some([process].into()))),
    );
    for (typed, exclude) in [("main", false), ("main", true), ("/^(work|fib)$/", false)] {
        let pattern = Pattern::parse(typed).unwrap();
        queries.push(of(&|query| {
            query.group = Group::Merged;
            query.filters = vec![Filter {
                pattern: pattern.clone(),
                exclude,
            }];
        }));
    }
    queries
}

/// The weight of samples with each name as leaf, and with it anywhere, each counted once.
pub(crate) fn weights_by_name(tree: &Tree) -> BTreeMap<&str, (u64, u64)> {
    let mut weights: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut above: Vec<(usize, &str)> = Vec::new();
    for index in 1..tree.nodes().len() {
        above.retain(|(end, _)| index < *end);
        let name = tree.label(index).unwrap().text.as_str();
        let node = tree.node(index);
        let (own, total) = weights.entry(name).or_default();
        *own += node.self_weight;
        // Those of the first level are no functions, unless they are all there is.
        if above.is_empty() {
            *total += node.self_weight;
        } else if above.iter().skip(1).all(|(_, other)| *other != name) {
            *total += node.total;
        }
        above.push((tree.end(index), name));
    }
    weights.retain(|_, (own, total)| *own + *total > 0);
    weights
}

fn check_functions(asked: &Asked<'_>, tree: &Tree) {
    let what = &asked.what;
    let table = view::functions(asked.profile, asked.symbols, &asked.query, Order::Total);
    assert_eq!(table.total, tree.total(), "{what}");
    let own: u64 = table.rows.iter().map(|row| row.self_weight).sum();
    assert_eq!(own, table.total, "{what}: sum of self");
    let mut by_name: BTreeMap<&str, (u64, u64, usize)> = BTreeMap::new();
    for row in &table.rows {
        assert!(
            row.self_weight <= row.total && row.total <= table.total,
            "{what}: {row:?}"
        );
        let (own, total, files) = by_name.entry(&row.key.symbol).or_default();
        (*own, *total, *files) = (*own + row.self_weight, *total + row.total, *files + 1);
    }
    let expected = weights_by_name(tree);
    assert!(
        by_name.keys().eq(expected.keys()),
        "{what}: {by_name:?} {expected:?}"
    );
    for (name, (own, total, files)) in by_name {
        assert_eq!(own, expected[name].0, "{what}: self of {name}");
        assert!(
            total == expected[name].1 || files > 1 && total > expected[name].1,
            "{what}: total of {name}"
        );
    }
    assert!(
        table
            .rows
            .is_sorted_by_key(|row| std::cmp::Reverse((row.total, row.self_weight)))
    );
    let by_name = view::functions(asked.profile, asked.symbols, &asked.query, Order::Name);
    assert!(by_name.rows.is_sorted_by_key(|row| &row.key), "{what}");
}

fn check_focus(asked: &Asked<'_>, total: u64) {
    let what = &asked.what;
    let (profile, symbols, query) = (asked.profile, asked.symbols, &asked.query);
    for row in view::functions(profile, symbols, query, Order::SelfWeight).rows {
        let focus = view::focus(profile, symbols, query, &row.key, Order::Total);
        assert_eq!(focus.total, total, "{what}");
        if focus.function.total == 0 {
            // A thread without a stack has no function.
            assert_eq!(row.key.dso, "", "{what}: {row:?}");
            continue;
        }
        assert_eq!(focus.function, row, "{what}");
        let callers: u64 = focus.callers.iter().map(|row| row.total).sum();
        let callees: u64 = focus.callees.iter().map(|row| row.total).sum();
        let below = row.total - row.self_weight;
        assert!(
            callers >= row.total && callees >= below,
            "{what}: {focus:?}"
        );
        // Who calls itself is among its own neighbours.
        let recurs = |rows: &[view::FunctionRow]| rows.iter().any(|other| other.key == row.key);
        assert_eq!(recurs(&focus.callers), recurs(&focus.callees), "{what}");
        if !recurs(&focus.callers) {
            assert_eq!((callers, callees), (row.total, below), "{what}: {focus:?}");
        }
        for other in focus.callers.iter().chain(&focus.callees) {
            assert!(
                other.self_weight <= other.total && other.total <= row.total,
                "{what}: {other:?} next to {row:?}"
            );
        }
    }
    let nobody = FunctionKey {
        symbol: "nobody".to_owned(),
        dso: "nowhere".to_owned(),
    };
    let focus = view::focus(profile, symbols, query, &nobody, Order::Total);
    assert_eq!((focus.function.total, focus.total), (0, total), "{what}");
    assert!(
        focus.callers.is_empty() && focus.callees.is_empty(),
        "{what}"
    );
}

fn check_processes(asked: &Asked<'_>, total: u64) {
    let what = &asked.what;
    let table = view::processes(asked.profile, asked.symbols, &asked.query, Order::Total);
    assert_eq!(table.total, total, "{what}");
    let sum: u64 = table.rows.iter().map(|row| row.weight).sum();
    assert_eq!(sum, total, "{what}: sum of processes");
    for row in &table.rows {
        let threads: u64 = row.threads.iter().map(|thread| thread.weight).sum();
        assert_eq!(threads, row.weight, "{what}: {row:?}");
        let hottest = row.hottest.as_ref().unwrap();
        assert!((1..=row.weight).contains(&hottest.1), "{what}: {row:?}");
        assert_eq!(row.pid, asked.profile.process(row.process).0, "{what}");
        let query = Query {
            processes: Some([row.process].into()),
            ..asked.query.clone()
        };
        let alone = view::tree(asked.profile, asked.symbols, &query).total();
        assert_eq!(alone, row.weight, "{what}: {row:?} alone");
        for thread in &row.threads {
            let query = Query {
                thread: Some((row.process, thread.tid)),
                ..query.clone()
            };
            let alone = view::tree(asked.profile, asked.symbols, &query).total();
            assert_eq!(alone, thread.weight, "{what}: {thread:?} alone");
        }
    }
}

fn check_timeline(asked: &Asked<'_>, total: u64) {
    let what = &asked.what;
    let bars = view::timeline(asked.profile, asked.symbols, &asked.query);
    let within = bars
        .iter()
        .filter(|bar| asked.query.window.contains(bar.start_ns));
    assert_eq!(
        within.map(|bar| bar.weight).sum::<u64>(),
        total,
        "{what}: timeline"
    );
    let lost: u64 = bars.iter().map(|bar| bar.lost).sum();
    assert_eq!(lost, asked.profile.ledger().lost_total(), "{what}: lost");
    assert_eq!(bars.len(), asked.profile.slices().count(), "{what}");
}

/// What is split into parts that are told apart by one thing is the sum of the parts.
fn check_parts(profile: &Profile, symbols: &Symbols, name: &str) {
    let total = |query: &Query| view::tree(profile, symbols, query).total();
    let all = total(&Query::default());
    let mode = |mode| {
        total(&Query {
            mode,
            ..Query::default()
        })
    };
    assert_eq!(mode(Mode::User) + mode(Mode::Kernel), all, "{name}: modes");
    let slices = profile.slices().map(|slice| {
        let window = Window {
            start_ns: slice.start_ns,
            end_ns: slice.end_ns,
        };
        assert_eq!(
            slice.ledger,
            &profile.ledger_of(window),
            "{name}: {window:?}"
        );
        total(&Query {
            window,
            ..Query::default()
        })
    });
    assert_eq!(slices.sum::<u64>(), all, "{name}: windows");
    for typed in [
        "main",
        "app",
        "/^[a-m]/",
        "kernel",
        "no such thing",
        "",
        "/[/]/",
    ] {
        let part = |exclude| {
            let pattern = Pattern::parse(typed).unwrap();
            total(&Query {
                filters: vec![Filter { pattern, exclude }],
                ..Query::default()
            })
        };
        assert_eq!(part(false) + part(true), all, "{name}: {typed:?}");
    }
}
