//! Settings of the kernel and limits of this process that tracer feels.

use tracer_common::MAX_KERNEL_FRAMES;

use super::{
    check::{Check, Group, Outcome},
    facts::Facts,
    remedy,
};
use crate::proc::Capability;

/// Samples a second on a CPU below which the kernel's limit is felt.
const LOW_RATE: i64 = 1000;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        paranoid(facts),
        unprivileged(facts),
        pointers(facts),
        stacks(facts),
        rate(facts),
        compiler(facts),
        files(facts),
        memory(facts),
    ]
}

/// A setting: its value if it is told, and in words what that means.
fn ok(name: &'static str, value: Option<i64>, meaning: &str) -> Check {
    let found = match value {
        None => "not told".to_owned(),
        Some(value) if meaning.is_empty() => value.to_string(),
        Some(value) => format!("{value}, {meaning}"),
    };
    Check::ok(Group::Settings, name, found)
}

/// Debian and Ubuntu have more than the 2 of the kernel's authors, and then ask for more than
/// CAP_PERFMON.
fn paranoid(facts: &Facts) -> Check {
    const NAME: &str = "kernel.perf_event_paranoid";
    let value = facts.settings.perf_event_paranoid;
    let full = facts.privileges.effective.has(Capability::SysAdmin);
    if value.is_some_and(|value| value > 2) && !full {
        return ok(NAME, value, "and so CAP_PERFMON may not be enough")
            .but(Outcome::Warn, remedy::PARANOID);
    }
    ok(NAME, value, "which binds only users without CAP_PERFMON")
}

fn unprivileged(facts: &Facts) -> Check {
    ok(
        "kernel.unprivileged_bpf_disabled",
        facts.settings.unprivileged_bpf_disabled,
        "which binds only users without CAP_BPF",
    )
}

fn pointers(facts: &Facts) -> Check {
    const NAME: &str = "kernel.kptr_restrict";
    match facts.settings.kptr_restrict {
        value @ Some(2..) => ok(
            NAME,
            value,
            "and so functions of the kernel have no names, for root too",
        )
        .but(Outcome::Warn, remedy::POINTERS),
        value @ Some(1) => ok(NAME, value, "which shows kernel addresses to CAP_SYSLOG"),
        value => ok(NAME, value, ""),
    }
}

fn stacks(facts: &Facts) -> Check {
    const NAME: &str = "kernel.perf_event_max_stack";
    let value = facts.settings.perf_event_max_stack;
    let wanted = i64::try_from(MAX_KERNEL_FRAMES).unwrap_or(i64::MAX);
    if value.is_some_and(|value| value < wanted) {
        return ok(NAME, value, "and so deeper kernel stacks are cut short").but(
            Outcome::Warn,
            format!("sudo sysctl kernel.perf_event_max_stack={wanted}"),
        );
    }
    ok(NAME, value, "")
}

fn rate(facts: &Facts) -> Check {
    const NAME: &str = "kernel.perf_event_max_sample_rate";
    let value = facts.settings.perf_event_max_sample_rate;
    if value.is_some_and(|value| value < LOW_RATE) {
        return ok(NAME, value, "and so a higher -F loses samples").but(
            Outcome::Warn,
            "sudo sysctl kernel.perf_event_max_sample_rate=100000",
        );
    }
    ok(NAME, value, "")
}

fn compiler(facts: &Facts) -> Check {
    const NAME: &str = "net.core.bpf_jit_enable";
    let value = facts.settings.bpf_jit_enable;
    let amiss = match value {
        Some(0) => "and so BPF programs are interpreted, which is slow",
        Some(2) => "and so each BPF program is written to the kernel's log",
        _ => return ok(NAME, value, ""),
    };
    ok(NAME, value, amiss).but(Outcome::Warn, "sudo sysctl net.core.bpf_jit_enable=1")
}

fn files(facts: &Facts) -> Check {
    let (limit, needed) = (facts.limits.files, facts.limits.files_needed());
    let found = match limit {
        None => "unlimited".to_owned(),
        Some(limit) => format!("at most {limit}; {needed} are needed"),
    };
    let check = Check::ok(Group::Settings, "open files", found);
    if limit.is_some_and(|limit| limit < needed) {
        check.but(Outcome::Fail, remedy::files(facts))
    } else {
        check
    }
}

/// BPF has not been counted there since Linux 5.11, and buffers of perf take what they are given.
fn memory(facts: &Facts) -> Check {
    let found = match facts.limits.locked {
        None => "unlimited".to_owned(),
        Some(bytes) => format!("at most {} KiB; little is needed", bytes / 1024),
    };
    Check::ok(Group::Settings, "locked memory", found)
}

#[cfg(test)]
mod tests {
    use super::{super::facts::tests::healthy, *};
    use crate::proc::Capabilities;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Facts), expected: Option<(&str, Outcome, &str)>) {
        let mut facts = healthy();
        change(&mut facts);
        let checks = checks(&facts);
        let amiss = checks.iter().filter(|check| check.outcome != Outcome::Ok);
        let amiss: Vec<_> = amiss
            .map(|check| {
                (
                    check.name,
                    check.outcome,
                    check.remedy.as_deref().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(amiss, Vec::from_iter(expected));
    }

    #[test]
    fn settings_that_hinder_have_remedies() {
        use Outcome::{Fail, Warn};
        check(|_| (), None);
        check(|facts| facts.settings = Default::default(), None);
        check(
            |facts| facts.settings.kptr_restrict = Some(2),
            Some((
                "kernel.kptr_restrict",
                Warn,
                "sudo sysctl kernel.kptr_restrict=1",
            )),
        );
        check(
            |facts| facts.settings.perf_event_max_stack = Some(64),
            Some((
                "kernel.perf_event_max_stack",
                Warn,
                "sudo sysctl kernel.perf_event_max_stack=127",
            )),
        );
        check(
            |facts| facts.settings.perf_event_max_sample_rate = Some(250),
            Some((
                "kernel.perf_event_max_sample_rate",
                Warn,
                "sudo sysctl kernel.perf_event_max_sample_rate=100000",
            )),
        );
        check(
            |facts| facts.settings.bpf_jit_enable = Some(0),
            Some((
                "net.core.bpf_jit_enable",
                Warn,
                "sudo sysctl net.core.bpf_jit_enable=1",
            )),
        );
        check(|facts| facts.limits.files = None, None);
        check(
            |facts| facts.limits.files = Some(71),
            Some((
                "open files",
                Fail,
                "sudo prlimit --pid $$ --nofile=65536:65536",
            )),
        );
    }

    #[test]
    fn a_paranoid_kernel_matters_to_those_who_are_not_root() {
        let paranoid = |facts: &mut Facts| facts.settings.perf_event_paranoid = Some(4);
        check(paranoid, None);
        let mut facts = healthy();
        paranoid(&mut facts);
        facts.privileges.effective = Capabilities::ALL.without(Capability::SysAdmin);
        assert_eq!(super::paranoid(&facts).outcome, Outcome::Warn);
    }
}
