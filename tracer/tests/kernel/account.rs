//! The ledger, on machines that are too small and too busy for what is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::bpf::{Census, Program, count_runs};
use crate::common::busy::{OtherPrograms, Running};
use crate::common::guard::kernel;
use crate::common::tracer::{Flame, soon};

const ROOMY: &str = "";

/// Frequencies, and maps that are shrunk so that each loss happens.
const SETTINGS: &[(&str, &str)] = &[
    ("99", ROOMY),
    ("999", ROOMY),
    ("4999", ROOMY),
    ("4999", "counts=4"),
    ("4999", "ring=4096"),
    ("4999", "scratch=0"),
    ("999", "counts=4"),
    ("999", "ring=4096"),
    ("999", "scratch=0"),
    ("99", "counts=1,ring=4096"),
    ("4999", "kstacks=1"),
    ("4999", "counts=64,ring=8192,kstacks=4"),
];

const REASONS: [&str; 4] = ["not_run", "ring_full", "map_full", "nested"];

fn runs() -> usize {
    let asked = std::env::var("TRACER_LEDGER_RUNS").ok();
    asked.map_or(SETTINGS.len(), |runs| {
        runs.parse().expect("TRACER_LEDGER_RUNS is a number")
    })
}

#[test]
fn the_account_balances_whatever_is_lost() {
    let Some(_kernel) = kernel("the_account_balances_whatever_is_lost") else {
        return;
    };
    let _children = Running::children();
    let others = OtherPrograms::start();
    let mut lost: BTreeMap<&str, u64> = BTreeMap::new();
    for run in 0..runs() {
        let (hz, shrink) = SETTINGS[run % SETTINGS.len()];
        let mut arguments = vec!["-e", "cpu-clock", "-a", "-F", hz, "-d", "700ms"];
        if shrink != ROOMY {
            arguments.extend(["--shrink", shrink]);
        }
        let ended = Flame::new().run(&arguments);
        ended.assert_code(0);
        let ledger = ended.ledger.as_ref().expect("the ledger was written");
        assert!(
            ledger.balances(),
            "run {run}, {hz} Hz, {shrink:?}: {ledger:?}"
        );
        assert!(
            ledger.fired > 0,
            "run {run}, {hz} Hz, {shrink:?}: {ledger:?}"
        );
        for reason in REASONS {
            *lost.entry(reason).or_default() += ledger.lost(reason);
        }
        ended.profile();
    }
    others.finish();
    if runs() >= SETTINGS.len() {
        for (reason, count) in &lost {
            assert!(*count > 0, "nothing was lost by {reason}: {lost:?}");
        }
    }
}

#[test]
fn fired_is_what_the_kernel_counted() {
    let Some(_kernel) = kernel("fired_is_what_the_kernel_counted") else {
        return;
    };
    let _counting = count_runs();
    let _busy = Running::burn();
    let before = Census::take();
    let flame = Flame::new();
    let tracer = flame.start(&["-e", "cpu-clock", "-a", "-F", "999", "-d", "2"]);
    let mut samplers = Vec::new();
    let found = soon(Duration::from_secs(2), || {
        let programs = Census::take().since(&before).programs;
        let opened = programs
            .into_iter()
            .filter_map(|id| Program::by_id(id).ok());
        // Another one looks before the sampling what is running.
        let samples = |program: &Program| program.is_perf_event() && program.is_named("cpu_sample");
        samplers = opened.filter(samples).collect();
        samplers.iter().any(|program| program.runs() > 0)
    });
    assert!(found, "no program of a perf event runs");
    let (_, ledger, _) = flame.finish(tracer).profile();
    let counted: u64 = samplers.iter().map(Program::runs).sum();
    let entered = ledger.fired - ledger.lost("not_run");
    assert_eq!(
        entered, counted,
        "programs entered, by tracer and by the kernel: {ledger:?}"
    );
}
