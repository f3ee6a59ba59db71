//! What this user may do, and what for.

use super::{
    check::{Check, Group, Outcome},
    facts::Facts,
    remedy,
};
use crate::proc::Capability;

/// What tracer asks of a user: the capability, the name of its check, what is lost without it, and
/// how much that matters.
const WANTED: [(Capability, &str, &str, Outcome); 6] = [
    (
        Capability::Bpf,
        "CAP_BPF",
        "no BPF program can be loaded",
        Outcome::Fail,
    ),
    (
        Capability::Perfmon,
        "CAP_PERFMON",
        "no perf event can be opened, no function probed",
        Outcome::Fail,
    ),
    (
        Capability::Syslog,
        "CAP_SYSLOG",
        "functions of the kernel have no names",
        Outcome::Warn,
    ),
    (
        Capability::SysPtrace,
        "CAP_SYS_PTRACE",
        "functions of programs in containers have no names",
        Outcome::Warn,
    ),
    (
        Capability::DacReadSearch,
        "CAP_DAC_READ_SEARCH",
        "functions of files that this user may not read have no names",
        Outcome::Warn,
    ),
    (
        Capability::CheckpointRestore,
        "CAP_CHECKPOINT_RESTORE",
        "functions of files that were deleted or replaced have no names",
        Outcome::Warn,
    ),
];

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![user(facts)];
    checks.extend(WANTED.map(|wanted| capability(facts, wanted)));
    checks.push(mappings(facts));
    checks.push(seccomp(facts));
    checks
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check::ok(Group::Privileges, name, found)
}

fn user(facts: &Facts) -> Check {
    let found = match facts.privileges.user {
        0 => "root".to_owned(),
        user => format!("{user}, not root"),
    };
    ok("user", found)
}

fn capability(
    facts: &Facts,
    (wanted, name, without, outcome): (Capability, &'static str, &str, Outcome),
) -> Check {
    if facts.privileges.effective.has(wanted) {
        return ok(name, "held");
    }
    if remedy::holds(facts, wanted) {
        return ok(name, "not held, and CAP_SYS_ADMIN is as good");
    }
    // A setting can show them to everybody.
    if wanted == Capability::Syslog && facts.kernel_functions_shown == Ok(true) {
        return ok(name, "not held, and not needed on this machine");
    }
    ok(name, format!("not held: {without}")).but(outcome, remedy::capability(facts, wanted))
}

/// Without its mappings nothing of a process has a name. Newer kernels show them to CAP_PERFMON.
fn mappings(facts: &Facts) -> Check {
    let (readable, all) = facts.mappings;
    let check = ok(
        "mappings of other users",
        match all {
            0 => "nobody else's process runs".to_owned(),
            _ => format!("can be read of {readable} of {all} processes"),
        },
    );
    // Some programs hide from everybody.
    if all == 0 || readable > all / 2 {
        check
    } else {
        check.but(
            Outcome::Warn,
            remedy::capability(facts, Capability::SysPtrace),
        )
    }
}

/// What a filter refuses shows where it is tried.
fn seccomp(facts: &Facts) -> Check {
    let found = if facts.privileges.filtered {
        "a filter looks at system calls"
    } else {
        "no filter"
    };
    ok("seccomp", found)
}

#[cfg(test)]
mod tests {
    use super::{
        super::facts::tests::{healthy, nobody},
        *,
    };
    use crate::proc::Capabilities;

    fn outcomes(facts: &Facts) -> Vec<(&'static str, Outcome)> {
        let amiss = checks(facts).into_iter().filter(|check| {
            assert_eq!(check.remedy.is_some(), check.outcome != Outcome::Ok);
            check.outcome != Outcome::Ok
        });
        amiss.map(|check| (check.name, check.outcome)).collect()
    }

    #[test]
    fn root_lacks_nothing() {
        assert_eq!(outcomes(&healthy()), []);
        let mut hidden = healthy();
        hidden.mappings = (39, 40);
        assert_eq!(outcomes(&hidden), []);
    }

    #[test]
    fn a_user_without_privileges_hears_of_each() {
        use Outcome::{Fail, Warn};
        assert_eq!(
            outcomes(&nobody()),
            [
                ("CAP_BPF", Fail),
                ("CAP_PERFMON", Fail),
                ("CAP_SYSLOG", Warn),
                ("CAP_SYS_PTRACE", Warn),
                ("CAP_DAC_READ_SEARCH", Warn),
                ("CAP_CHECKPOINT_RESTORE", Warn),
                ("mappings of other users", Warn),
            ]
        );
    }

    #[test]
    fn what_is_not_needed_is_not_missed() {
        let mut facts = nobody();
        facts.privileges.effective = Capabilities::ALL
            .without(Capability::Syslog)
            .without(Capability::SysPtrace)
            .without(Capability::Bpf);
        facts.kernel_functions_shown = Ok(true);
        facts.mappings = (35, 40);
        assert_eq!(outcomes(&facts), [("CAP_SYS_PTRACE", Outcome::Warn)]);
    }
}
