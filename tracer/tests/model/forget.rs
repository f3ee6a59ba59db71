//! A profile that stays open: windows add up, and what is forgotten is gone.

use std::collections::BTreeSet;

use tracer::{
    profile::{Frame, FrameId, Profile, StackId, StackNode, Stop, Window},
    symbol::{NoName, Symbols},
};

use crate::storm::{Storm, TICK_NS};

/// Every window that ends where all is settled and that is made of whole slices.
fn check_windows(profile: &Profile, what: &str) {
    let sum = |window| profile.weights(window).map(|row| row.weight).sum::<u64>();
    let settled = profile.settled_ns();
    let starts: Vec<u64> = profile.slices().map(|slice| slice.start_ns).collect();
    let mut ends: Vec<u64> = profile.slices().map(|slice| slice.end_ns).collect();
    assert!(
        starts.is_sorted() && ends.is_sorted(),
        "{what}: order of slices"
    );
    let held = ends.len();
    ends.retain(|end| *end <= settled);
    assert!(held - ends.len() <= 3, "{what}: settled at {settled}");
    // All that end there, of these lengths.
    for &end_ns in ends.iter().rev().step_by(7) {
        for back in [1, 2, 10, starts.len()] {
            let before = starts.partition_point(|start| *start < end_ns);
            let window = Window {
                start_ns: starts[before.saturating_sub(back)],
                end_ns,
            };
            let ledger = profile.ledger_of(window);
            assert!(ledger.balances(), "{what}: {ledger:?}");
            assert_eq!(sum(window), ledger.recorded, "{what}: {window:?}");
        }
    }
    let all = profile.ledger_of(Window::ALL);
    assert_eq!(
        sum(Window::ALL) + profile.pending(),
        all.recorded,
        "{what}: all"
    );
}

/// All that a slice leads to is there.
fn check_live(profile: &Profile) {
    let processes: BTreeSet<_> = profile.processes().collect();
    for row in profile.weights(Window::ALL) {
        let thread = profile.thread(row.thread);
        assert!(processes.contains(&thread.process) && thread.tid >= 1_000);
        let mut depth = 0;
        for (_, node) in profile.stack(row.stack) {
            depth += 1;
            let StackNode::Frame(id) = node else { continue };
            assert!(profile.is_live_frame(id));
            match profile.frame(id) {
                Frame::File { dso, .. } => assert!(!profile.dso(dso).path.is_empty()),
                Frame::Unmapped { process, .. } => assert!(processes.contains(&process)),
                frame => panic!("{frame:?}"),
            }
        }
        assert!(depth >= 2, "a stack of {depth}");
    }
}

/// What is forgotten after a batch that ends at a time.
type Policy = fn(&mut Profile, u64);

#[test]
fn windows_add_up_while_samples_wait_and_slices_go() {
    let tame: Policy = |_: &mut Profile, _: u64| {};
    let bounded: Policy = |profile: &mut Profile, _: u64| {
        profile.bound_rows(2_000);
        assert!(profile.held().rows <= 2_000);
    };
    let forgetful: Policy =
        |profile: &mut Profile, now_ns: u64| profile.forget_before(now_ns.saturating_sub(TICK_NS));
    let collected: Policy = |profile: &mut Profile, now_ns: u64| {
        profile.bound_rows(3_000);
        profile.forget_before(now_ns.saturating_sub(60 * TICK_NS));
        profile.collect_garbage();
        check_live(profile);
    };
    let policies: [(&str, u64, Policy); 4] = [
        // Longer than slices are as fine as batches.
        ("tame", 2_500, tame),
        ("bounded", 300, bounded),
        ("forgetful", 100, forgetful),
        ("collected", 150, collected),
    ];
    for (name, batches, policy) in policies {
        let mut storm = Storm::default();
        let mut profile = Profile::new();
        let mut recorded = 0;
        for number in 1..=batches {
            let batch = storm.next();
            recorded += batch.ledger.recorded;
            profile.apply(batch);
            policy(&mut profile, number * TICK_NS);
            if number % 9 == 0 {
                check_windows(&profile, name);
            }
        }
        assert_eq!(profile.ledger().recorded, recorded);
        profile.finish();
        assert_eq!(
            (profile.pending(), profile.settled_ns()),
            (0, profile.end_ns())
        );
        check_windows(&profile, name);
    }
}

#[test]
fn collecting_changes_nothing_that_is_held() {
    let mut storm = Storm::default();
    let mut profile = Profile::new();
    let mut other = Profile::new();
    for number in 0..200 {
        let batch = storm.next();
        profile.apply(batch.clone());
        other.apply(batch);
        let before = (number * TICK_NS).saturating_sub(20 * TICK_NS);
        profile.forget_before(before);
        other.forget_before(before);
        if number % 10 == 0 {
            profile.collect_garbage();
        }
        let shown = |profile: &Profile| {
            let mut rows: Vec<_> = profile
                .weights(Window::ALL)
                .map(|row| (shown_stack(profile, row.stack), row.weight))
                .collect();
            rows.sort();
            rows
        };
        if number % 25 == 0 {
            assert_eq!(shown(&profile), shown(&other), "{number}");
        }
    }
    assert!(profile.held().frames < other.held().frames / 2);
}

fn shown_stack(profile: &Profile, stack: StackId) -> String {
    let nodes = profile.stack(stack).map(|(_, node)| match node {
        StackNode::Truncated(why, Stop::File(dso)) => {
            format!("{} in {:?}", why.name(), profile.dso(dso).path)
        }
        StackNode::Truncated(why, stop) => format!("{} in {stop:?}", why.name()),
        StackNode::Frame(id) => match profile.frame(id) {
            Frame::File { dso, offset } => format!("{:?}+{offset}", profile.dso(dso).path),
            Frame::Unmapped {
                process,
                address,
                why,
            } => format!("{:?}+{address} {why:?}", profile.process(process)),
            frame => format!("{frame:?}"),
        },
    });
    nodes.collect::<Vec<_>>().join(";")
}

#[test]
fn a_storm_of_processes_takes_no_more_memory_the_longer_it_lasts() {
    const BATCHES: u64 = 4_000;
    let mut storm = Storm::default();
    let mut profile = Profile::new();
    let mut symbols = Symbols::default();
    let mut recorded = 0;
    let mut first: Option<FrameId> = None;
    let mut sizes = Vec::new();
    for number in 1..=BATCHES {
        let batch = storm.next();
        recorded += batch.ledger.recorded;
        profile.apply(batch);
        for id in profile.new_frames() {
            symbols.insert(id, Err(NoName::Stripped));
            if matches!(profile.frame(id), Frame::Unmapped { .. }) {
                first.get_or_insert(id);
            }
        }
        let now_ns = number * TICK_NS;
        profile.forget_before(now_ns.saturating_sub(60_000_000_000));
        if number % 100 == 0 {
            profile.collect_garbage();
            symbols.retain(|frame| profile.is_live_frame(frame));
            sizes.push(profile.held());
            check_windows(&profile, "storm");
        }
    }
    check_live(&profile);
    let (quarter, end) = (sizes[sizes.len() / 4 - 1], sizes[sizes.len() - 1]);
    assert!(
        quarter.bytes.abs_diff(end.bytes) * 5 < quarter.bytes,
        "{quarter:?}\n{end:?}"
    );
    assert_eq!(end.slices, 240);
    assert_eq!(profile.ledger().recorded, recorded);
    let gone = first.unwrap();
    assert!(!profile.is_live_frame(gone) && symbols.get(gone).is_none());
}
