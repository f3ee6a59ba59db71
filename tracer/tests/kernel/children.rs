//! Processes and threads that come and go.

use crate::common::fixture;
use crate::common::folded::{percent, total};
use crate::common::guard::kernel;
use crate::common::stats::assert_cpu_time;
use crate::common::tracer::profile;

#[test]
fn twenty_thousand_short_lived_children_are_all_counted() {
    let Some(_kernel) = kernel("twenty_thousand_short_lived_children_are_all_counted") else {
        return;
    };
    let program = fixture::program("shortlived");
    let program = program
        .to_str()
        .expect("temporary directories have plain names");
    let (stacks, ledger, ended) = profile(&[
        "-e",
        "cpu-clock",
        "-F",
        "999",
        "--",
        program,
        "both",
        "20000",
        "1000",
    ]);
    assert_eq!(fixture::number(&ended.stdout, "children"), 20_000);
    for stack in &stacks {
        assert!(!stack.comm.trim().is_empty(), "{stack:?}");
    }
    assert_eq!(total(&stacks), ledger.recorded);
    assert_cpu_time(
        ledger.recorded,
        fixture::number(&ended.stdout, "cpu_ns"),
        999,
    );
    // Half of them are forks and half are programs of their own.
    for function in ["burn_forked", "burn_executed"] {
        let share = percent(&stacks, |stack| stack.has(function));
        assert!(share > 20.0, "{function}: {share:.1} %");
    }
}

#[test]
fn threads_that_come_and_go_are_all_counted() {
    let Some(_kernel) = kernel("threads_that_come_and_go_are_all_counted") else {
        return;
    };
    let program = fixture::program("threads");
    let program = program
        .to_str()
        .expect("temporary directories have plain names");
    let (stacks, ledger, ended) = profile(&[
        "-e",
        "cpu-clock",
        "-F",
        "1999",
        "--",
        program,
        "60",
        "16",
        "4",
    ]);
    assert_cpu_time(
        ledger.recorded,
        fixture::number(&ended.stdout, "cpu_ns"),
        1999,
    );
    let share = percent(&stacks, |stack| stack.has("burn_thread"));
    assert!(share > 80.0, "burn_thread: {share:.1} %");
}
