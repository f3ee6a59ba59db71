//! What the doctor makes of what it tried.

use std::time::Duration;

use super::{
    super::{
        facts::tests::{healthy, nobody},
        trial::Lives,
    },
    *,
};
use crate::{
    kernel::CallCost,
    profile::{Batch, Ledger, Profile},
};

fn seen(samples: u64) -> Observed {
    let mut profile = Profile::new();
    profile.apply(Batch {
        ledger: Ledger {
            fired: samples,
            recorded: samples,
            ..Ledger::default()
        },
        ..Batch::default()
    });
    Observed {
        profile,
        lives: Lives {
            forks: true,
            execs: true,
            images: true,
            exits: true,
        },
        wall: Duration::from_millis(152),
    }
}

fn costs(emulated_ns: f64) -> kernel::Result<ProbeCosts> {
    let cost = |ns| CallCost { ns, empty_ns: None };
    Ok(ProbeCosts {
        emulated: cost(emulated_ns),
        stepped: cost(33_400.0),
        at_exit: cost(34_400.0),
    })
}

fn denied<T>() -> kernel::Result<T> {
    Err(Error::Denied {
        what: "load a BPF program",
    })
}

fn all_well() -> Tried {
    Tried {
        no_shell: None,
        clock: Ok(Some(seen(74))),
        cycles: Ok(Some(seen(75))),
        names: Ok(Some(Unnamed::default())),
        multi: costs(2_400.0),
        single: costs(2_600.0),
    }
}

/// What is amiss: names, outcomes, and a part of the remedies.
#[track_caller]
fn check(facts: &Facts, tried: &Tried, amiss: &[(&str, Outcome, &str)], works: [bool; 3]) {
    let (checks, judged) = judge(facts, tried);
    assert_eq!(judged.commands().map(|(_, works)| works), works);
    let found: Vec<&Check> = checks
        .iter()
        .filter(|check| check.outcome != Outcome::Ok)
        .collect();
    assert_eq!(found.len(), amiss.len(), "{found:?}");
    for (check, (name, outcome, part)) in found.iter().zip(amiss) {
        assert_eq!((check.name, check.outcome), (*name, *outcome));
        let remedy = check.remedy.as_deref().unwrap_or_default();
        assert!(remedy.contains(part), "{check:?}");
    }
}

#[test]
fn what_works_is_told_with_numbers() {
    let (checks, works) = judge(&healthy(), &all_well());
    assert!(works.all());
    let found = |name: &str| {
        let check = checks.iter().find(|check| check.name == name);
        check.map_or("", |check| check.found.as_str())
    };
    assert_eq!(
        found("samples by the CPU clock"),
        "74 of a busy process in 0.15 s at 999 Hz, 0 lost on all CPUs"
    );
    assert_eq!(
        found("function probes, all at once"),
        "2.4 µs a call where the kernel emulates the instruction, 33 µs where it single-steps it, 34 µs in C++ and Rust"
    );
    check(&healthy(), &all_well(), &[], [true; 3]);
}

#[test]
fn an_older_kernel_or_a_virtual_machine_can_do_with_less() {
    use Outcome::Warn;
    let mut tried = all_well();
    tried.cycles = Err(Error::NoEvent("cycles"));
    tried.multi = Err(Error::Os {
        what: "attach",
        source: io::Error::from_raw_os_error(libc::EINVAL),
    });
    check(
        &healthy(),
        &tried,
        &[
            ("samples by hardware cycles", Warn, "PMU"),
            ("function probes, all at once", Warn, "boot Linux 6.6"),
        ],
        [true; 3],
    );
    let mut newer = healthy();
    newer.version = Some((6, 18));
    tried.cycles = Ok(Some(seen(0)));
    check(
        &newer,
        &tried,
        &[
            ("samples by hardware cycles", Warn, "-e cpu-clock"),
            ("function probes, all at once", Warn, "report"),
        ],
        [true; 3],
    );
}

#[test]
fn what_does_not_come_does_not_work() {
    use Outcome::{Fail, Warn};
    let mut tried = all_well();
    tried.clock = Ok(Some(seen(0)));
    let none = [("samples by the CPU clock", Fail, "try again")];
    check(&healthy(), &tried, &none, [false, false, true]);

    let mut tried = all_well();
    tried.multi = costs(3.0);
    tried.single = denied();
    let none = [
        ("function probes, all at once", Fail, "report"),
        ("function probes, one by one", Fail, "security module"),
    ];
    check(&healthy(), &tried, &none, [true, true, false]);

    let mut tried = all_well();
    tried.names = Err(io::ErrorKind::TimedOut.into());
    let none = [("names of functions", Fail, "/proc")];
    check(&healthy(), &tried, &none, [false, false, true]);

    let mut tried = all_well();
    tried.no_shell = Some(io::ErrorKind::NotFound.into());
    (tried.clock, tried.cycles, tried.names) = (Ok(None), Ok(None), Ok(None));
    let none = [
        ("process tracking", Warn, "/bin/sh"),
        ("samples by the CPU clock", Warn, "/bin/sh"),
    ];
    check(&healthy(), &tried, &none, [true; 3]);
}

#[test]
fn a_user_without_privileges_hears_what_it_takes() {
    use Outcome::{Fail, Warn};
    let tried = Tried {
        no_shell: None,
        clock: denied(),
        cycles: denied(),
        names: Ok(None),
        multi: denied(),
        single: denied(),
    };
    check(
        &nobody(),
        &tried,
        &[
            ("BPF programs", Fail, "sudo"),
            ("process tracking", Fail, "sudo"),
            ("samples by the CPU clock", Fail, "sudo"),
            ("samples by hardware cycles", Warn, "sudo"),
            ("names of kernel functions", Warn, "cap_syslog"),
            ("function probes, all at once", Fail, "sudo"),
            ("function probes, one by one", Fail, "sudo"),
        ],
        [false; 3],
    );
    let mut root = healthy();
    root.kernel_functions_shown = Ok(false);
    root.settings.kptr_restrict = Some(2);
    let hidden = [("names of kernel functions", Warn, "kptr_restrict=1")];
    check(&root, &all_well(), &hidden, [true; 3]);
}
