//! Where the time of one program goes.

use crate::common::fixture;
use crate::common::folded::{percent, total};
use crate::common::guard::kernel;
use crate::common::stats::{assert_cpu_time, assert_points};
use crate::common::tracer::profile;

/// Not a divisor of anything that the machine does by itself.
const HZ: u32 = 1999;

/// Profiles a fixture from its start to its end.
fn fixture_profile(name: &'static str, arguments: &[&str]) -> crate::common::tracer::Ended {
    let program = fixture::program(name);
    let hz = HZ.to_string();
    let mut all = vec!["-e", "cpu-clock", "-F", &hz, "--"];
    all.push(
        program
            .to_str()
            .expect("temporary directories have plain names"),
    );
    all.extend(arguments);
    crate::common::tracer::Flame::new().run(&all)
}

#[test]
fn seventy_and_thirty_percent_are_seen_as_such() {
    let Some(_kernel) = kernel("seventy_and_thirty_percent_are_seen_as_such") else {
        return;
    };
    let (stacks, ledger, ended) = fixture_profile("burn", &["4"]).profile();
    for (function, expected) in [("burn_seventy", 70.0), ("burn_thirty", 30.0)] {
        let found = percent(&stacks, |stack| stack.user_leaf() == Some(function));
        assert_points(found, expected, 2.0, function);
    }
    assert_cpu_time(
        ledger.recorded,
        fixture::number(&ended.stdout, "cpu_ns"),
        HZ,
    );
}

#[test]
fn every_frame_of_a_recursion_is_there() {
    let Some(_kernel) = kernel("every_frame_of_a_recursion_is_there") else {
        return;
    };
    for depth in [10, 50] {
        let run = fixture_profile("recurse", &[&depth.to_string(), "0.5"]);
        let (stacks, _, _) = run.profile();
        let at_bottom = |stack: &&_| crate::common::folded::Stack::has(stack, "burn_bottom");
        let mut seen = 0;
        for stack in stacks.iter().filter(at_bottom) {
            let frames = stack
                .frames
                .iter()
                .filter(|frame| *frame == "recurse")
                .count();
            assert_eq!(frames, depth, "{:?}", stack.frames);
            assert!(stack.has("main"), "{:?}", stack.frames);
            seen += stack.count;
        }
        assert!(
            seen * 10 > total(&stacks) * 9,
            "{seen} of {} samples",
            total(&stacks)
        );
    }
}

#[test]
fn a_stack_that_is_too_deep_says_so() {
    let Some(_kernel) = kernel("a_stack_that_is_too_deep_says_so") else {
        return;
    };
    let (stacks, ledger, _) = fixture_profile("recurse", &["3000", "0.5"]).profile();
    let bottom: Vec<_> = stacks
        .iter()
        .filter(|stack| stack.has("burn_bottom"))
        .collect();
    assert!(!bottom.is_empty());
    let mut late = 0;
    for stack in bottom {
        // Before there is a table, a part of the stack is copied, which has less than that.
        if stack
            .truncation()
            .is_some_and(|why| why.starts_with("table of"))
        {
            late += stack.count;
            continue;
        }
        assert_eq!(stack.truncation(), Some("too deep"), "{:?}", stack.frames);
        assert!(!stack.has("main"), "{:?}", stack.frames);
    }
    // The ledger says so, and how many is a matter of how busy the machine is.
    println!("{late} before there was a table");
    assert!(
        ledger
            .truncated
            .get("too deep")
            .is_some_and(|count| *count > 0),
        "{ledger:?}"
    );
}

#[test]
fn each_level_of_a_fork_tree_has_its_share() {
    let Some(_kernel) = kernel("each_level_of_a_fork_tree_has_its_share") else {
        return;
    };
    let (stacks, ledger, ended) = fixture_profile("forktree", &["3", "60"]).profile();
    // 1, 3, 9 and 27 processes.
    for (level, processes) in [1, 3, 9, 27].into_iter().enumerate() {
        let function = format!("burn_level_{level}");
        let found = percent(&stacks, |stack| stack.user_leaf() == Some(&function));
        assert_points(found, 100.0 * f64::from(processes) / 40.0, 3.0, &function);
    }
    assert_cpu_time(
        ledger.recorded,
        fixture::number(&ended.stdout, "cpu_ns"),
        HZ,
    );
}

#[test]
fn children_are_left_out_on_request() {
    let Some(_kernel) = kernel("children_are_left_out_on_request") else {
        return;
    };
    let program = fixture::program("forktree");
    let program = program
        .to_str()
        .expect("temporary directories have plain names");
    let flags = [
        "-e",
        "cpu-clock",
        "-F",
        "999",
        "--no-children",
        "--",
        program,
        "2",
        "100",
    ];
    let (stacks, _, _) = profile(&flags);
    assert!(stacks.iter().any(|stack| stack.has("burn_level_0")));
    for level in ["burn_level_1", "burn_level_2", "burn_level_3"] {
        assert!(!stacks.iter().any(|stack| stack.has(level)), "{level}");
    }
}
