//! The kernel, and where in it this runs.

use super::{
    check::{Check, Group, Outcome},
    facts::Facts,
    remedy,
};
use crate::{proc::Lockdown, source::Cpu};

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        kernel(facts),
        types(facts),
        lockdown(facts),
        pid_namespace(facts),
        user_namespace(facts),
        container(facts),
        cgroups(facts),
    ]
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check::ok(Group::System, name, found)
}

fn kernel(facts: &Facts) -> Check {
    let (major, minor) = Cpu::SPEC.kernel;
    let found = format!("Linux {}, {}", facts.release, std::env::consts::ARCH);
    let check = ok("kernel", found);
    match facts.version {
        Some(version) if version < Cpu::SPEC.kernel => check.but(
            Outcome::Fail,
            format!("boot Linux {major}.{minor} or newer"),
        ),
        _ => check,
    }
}

fn types(facts: &Facts) -> Check {
    const NAME: &str = "type information (BTF)";
    match &facts.types {
        Ok(size) => ok(
            NAME,
            format!(
                "/sys/kernel/btf/vmlinux, {:.1} MiB",
                *size as f64 / f64::from(1 << 20)
            ),
        ),
        Err(why) => {
            let remedy = if facts.sysfs {
                remedy::TYPES
            } else {
                remedy::SYSFS
            };
            ok(NAME, format!("/sys/kernel/btf/vmlinux: {why}")).but(Outcome::Fail, remedy)
        }
    }
}

fn lockdown(facts: &Facts) -> Check {
    let check = |found| ok("lockdown", found);
    match facts.lockdown {
        None => check("none that shows"),
        Some(Lockdown::None) => check("none"),
        Some(Lockdown::Integrity) => check("integrity, which does not hinder tracer"),
        Some(Lockdown::Confidentiality) => {
            check("confidentiality: no program may read the kernel's memory")
                .but(Outcome::Fail, remedy::LOCKDOWN)
        }
    }
}

fn pid_namespace(facts: &Facts) -> Check {
    let check = |found| ok("PID namespace", found);
    if facts.pid_namespace {
        check("another than the kernel's: PIDs here are not those that it tells")
            .but(Outcome::Fail, remedy::PID_NAMESPACE)
    } else {
        check("the kernel's own")
    }
}

fn user_namespace(facts: &Facts) -> Check {
    let check = |found| ok("user namespace", found);
    if facts.user_namespace {
        check("another than the kernel's: capabilities here count for nothing outside")
            .but(Outcome::Fail, remedy::USER_NAMESPACE)
    } else {
        check("the kernel's own")
    }
}

/// What matters of one is checked on its own.
fn container(facts: &Facts) -> Check {
    let found = match &facts.container {
        None => "none that shows".to_owned(),
        Some(container) => format!("{} ({})", container.maker, container.told_by),
    };
    ok("container", found)
}

fn cgroups(facts: &Facts) -> Check {
    let check = |found: String| ok("cgroups (version 2)", found);
    match &facts.cgroups {
        Some(root) => check(root.display().to_string()),
        None => check("not mounted: -G cannot be used".to_owned()).but(
            Outcome::Warn,
            "sudo mkdir -p /mnt/cgroup2 && sudo mount -t cgroup2 none /mnt/cgroup2",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::facts::tests::healthy, *};
    use crate::proc::Container;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Facts), name: &str, outcome: Outcome, remedy: &str) {
        let mut facts = healthy();
        change(&mut facts);
        let checks = checks(&facts);
        let amiss: Vec<_> = checks
            .iter()
            .filter(|check| check.outcome != Outcome::Ok)
            .collect();
        let [one] = amiss.as_slice() else {
            panic!("{amiss:?}");
        };
        assert_eq!((one.name, one.outcome), (name, outcome));
        assert!(
            one.remedy
                .as_ref()
                .is_some_and(|said| said.contains(remedy)),
            "{one:?}"
        );
    }

    #[test]
    fn nothing_is_amiss_with_a_healthy_machine() {
        let mut facts = healthy();
        facts.lockdown = Some(Lockdown::Integrity);
        facts.container = Some(Container {
            maker: "docker".to_owned(),
            told_by: "/.dockerenv",
        });
        facts.version = None;
        for check in checks(&facts) {
            assert_eq!(
                (check.outcome, &check.remedy),
                (Outcome::Ok, &None),
                "{check:?}"
            );
        }
    }

    #[test]
    fn each_thing_that_is_amiss_has_its_remedy() {
        use Outcome::{Fail, Warn};
        let old = |facts: &mut Facts| facts.version = Some((5, 10));
        check(old, "kernel", Fail, "Linux 5.17");
        let without = |facts: &mut Facts| facts.types = Err("No such file".to_owned());
        check(
            without,
            "type information (BTF)",
            Fail,
            "CONFIG_DEBUG_INFO_BTF",
        );
        let unmounted = |facts: &mut Facts| {
            facts.types = Err("No such file".to_owned());
            facts.sysfs = false;
        };
        check(unmounted, "type information (BTF)", Fail, "mount -t sysfs");
        let locked = |facts: &mut Facts| facts.lockdown = Some(Lockdown::Confidentiality);
        check(locked, "lockdown", Fail, "lockdown=integrity");
        let inside = |facts: &mut Facts| facts.pid_namespace = true;
        check(
            inside,
            "PID namespace",
            Fail,
            "docker run --pid=host --privileged",
        );
        let inside = |facts: &mut Facts| facts.user_namespace = true;
        check(inside, "user namespace", Fail, "--userns=host");
        let bare = |facts: &mut Facts| facts.cgroups = None;
        check(bare, "cgroups (version 2)", Warn, "mount -t cgroup2");
    }
}
