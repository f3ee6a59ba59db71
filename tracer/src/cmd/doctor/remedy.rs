//! From what is amiss to what helps, on this very machine.

use super::facts::Facts;
use crate::{
    kernel::Error,
    proc::{Capability, Lockdown},
};

/// For a kernel without type information.
pub(super) const TYPES: &str = "boot a kernel with CONFIG_DEBUG_INFO_BTF=y";
/// For a `/sys` that is empty.
pub(super) const SYSFS: &str = "sudo mount -t sysfs sysfs /sys";
/// For a PID namespace.
pub(super) const PID_NAMESPACE: &str =
    "run it outside of the PID namespace: docker run --pid=host --privileged …";
/// For a user namespace.
pub(super) const USER_NAMESPACE: &str = "run it outside of the user namespace, as root of the host: sudo docker run --pid=host --userns=host --privileged …";
/// For kernel addresses that nobody sees.
pub(super) const POINTERS: &str = "sudo sysctl kernel.kptr_restrict=1";
/// For a kernel that lets nobody read it.
pub(super) const LOCKDOWN: &str = "boot with 'lockdown=integrity' on the kernel's command line instead of 'lockdown=confidentiality'";
const CONTAINER: &str = "start the container with: docker run --pid=host --privileged …";
/// For what nobody foresaw.
pub(super) const REPORT: &str =
    "please report this, with the output of 'tracer doctor --json' and 'uname -a'";

/// What tracer makes use of when it is not root.
const USEFUL: &str =
    "cap_bpf,cap_perfmon,cap_syslog,cap_sys_ptrace,cap_dac_read_search,cap_checkpoint_restore";

/// How to come by a capability that is missing.
pub(super) fn capability(facts: &Facts, wanted: Capability) -> String {
    let privileges = &facts.privileges;
    if facts.user_namespace {
        USER_NAMESPACE.to_owned()
    } else if !privileges.bounding.has(wanted) {
        match facts.container {
            Some(_) => CONTAINER.to_owned(),
            None => format!(
                "start it where {wanted} can be had: in a service, add it to CapabilityBoundingSet="
            ),
        }
    } else if privileges.no_new_privileges {
        "start it as root, and where sudo is not switched off: without NoNewPrivileges= (systemd) or --security-opt no-new-privileges (docker)".to_owned()
    } else if facts.is_root() {
        "start it from a root shell that has given up nothing: sudo -i".to_owned()
    } else {
        let program = &facts.program;
        format!(
            "sudo {program} …, or for every user of this file: sudo setcap {USEFUL}=ep {program}"
        )
    }
}

/// What the kernel said, without what else its error says.
pub(super) fn cause(error: &Error) -> String {
    match error {
        Error::Denied { what } => format!("{what}: permission denied"),
        Error::Refused { what, source } => format!("{what}: refused, {source}"),
        Error::NoBpf => "this kernel has no BPF".to_owned(),
        Error::TooOld {
            what,
            needed: (major, minor),
            running,
        } => format!("{what} needs Linux {major}.{minor} or newer, and this is {running}"),
        Error::NoBtf(why) => format!("no type information of the kernel: {why}"),
        Error::PidNamespace => "in a PID namespace the kernel tells other PIDs".to_owned(),
        Error::UnknownKernel(member) => format!("the kernel's type information has no {member}"),
        Error::Verifier {
            program,
            source,
            log,
        } => {
            let last = log.lines().rfind(|line| !line.trim().is_empty());
            format!(
                "program {program} is refused, {source}: {}",
                last.unwrap_or("without a reason").trim()
            )
        }
        Error::NoUprobes => "this kernel has no probes in user code".to_owned(),
        Error::Silent(why) => format!("probes in tracer itself did not see its calls: {why}"),
        Error::Object(_) | Error::NoEvent(_) | Error::Os { .. } => error.to_string(),
    }
}

/// What helps.
pub(super) fn remedy(error: &Error, facts: &Facts) -> String {
    match error {
        Error::Denied { .. } | Error::Refused { .. } => permission(facts),
        // Filters of containers answer so to calls that they do not know.
        Error::NoBpf if facts.privileges.filtered => CONTAINER.to_owned(),
        Error::NoBpf => {
            "boot a kernel with CONFIG_BPF_SYSCALL=y and CONFIG_BPF_EVENTS=y".to_owned()
        }
        Error::TooOld {
            needed: (major, minor),
            ..
        } => format!("boot Linux {major}.{minor} or newer"),
        Error::NoBtf(_) if !facts.sysfs => SYSFS.to_owned(),
        Error::NoBtf(_) => TYPES.to_owned(),
        Error::NoUprobes if !facts.sysfs => SYSFS.to_owned(),
        Error::NoUprobes => "boot a kernel with CONFIG_UPROBE_EVENTS=y".to_owned(),
        Error::Silent(_) => REPORT.to_owned(),
        Error::PidNamespace => PID_NAMESPACE.to_owned(),
        Error::NoEvent(_) => "use -e cpu-clock".to_owned(),
        Error::Object(_) => "cargo xtask ebpf".to_owned(),
        Error::Os { source, .. } => match source.raw_os_error() {
            Some(libc::EMFILE) => files(facts),
            Some(libc::ENFILE) => "sudo sysctl fs.file-max=9223372036854775807".to_owned(),
            Some(libc::ENOMEM) => {
                "free some memory, or raise the memory limit of the cgroup".to_owned()
            }
            _ if !facts.sysfs => SYSFS.to_owned(),
            _ => REPORT.to_owned(),
        },
        Error::UnknownKernel(_) | Error::Verifier { .. } => match facts.lockdown {
            // Then programs that read the kernel are not valid ones.
            Some(Lockdown::Confidentiality) => LOCKDOWN.to_owned(),
            _ => REPORT.to_owned(),
        },
    }
}

/// For more open files.
pub(super) fn files(facts: &Facts) -> String {
    let needed = facts.limits.files_needed().next_power_of_two().max(65_536);
    format!("sudo prlimit --pid $$ --nofile={needed}:{needed}")
}

/// Something was not permitted: the likeliest reason first.
fn permission(facts: &Facts) -> String {
    let lacking = [Capability::Bpf, Capability::Perfmon]
        .into_iter()
        .find(|wanted| !holds(facts, *wanted));
    let paranoid = facts.settings.perf_event_paranoid.unwrap_or(0);
    let full = facts.privileges.effective.has(Capability::SysAdmin);
    match lacking {
        _ if facts.user_namespace => USER_NAMESPACE.to_owned(),
        Some(wanted) => capability(facts, wanted),
        None if facts.lockdown == Some(Lockdown::Confidentiality) => LOCKDOWN.to_owned(),
        None if paranoid > 2 && !full => PARANOID.to_owned(),
        None if facts.container.is_some() || facts.privileges.filtered => CONTAINER.to_owned(),
        None => {
            "a security module (SELinux, AppArmor, BPF) forbids it; which one: sudo dmesg | grep -i denied".to_owned()
        }
    }
}

/// For kernels that are more careful than the kernel's authors.
pub(super) const PARANOID: &str = "sudo sysctl kernel.perf_event_paranoid=2";

/// Whether it is held, or CAP_SYS_ADMIN where that is as good, because it was split from it.
pub(super) fn holds(facts: &Facts, wanted: Capability) -> bool {
    let held = facts.privileges.effective;
    let split = matches!(
        wanted,
        Capability::Bpf | Capability::Perfmon | Capability::CheckpointRestore
    );
    held.has(wanted) || (split && held.has(Capability::SysAdmin))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        super::facts::tests::{healthy, nobody},
        *,
    };
    use crate::proc::{Capabilities, Container};

    fn denied() -> Error {
        Error::Denied {
            what: "load a BPF program",
        }
    }

    #[track_caller]
    fn check(facts: &Facts, error: &Error, expected: &str) {
        let said = remedy(error, facts);
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains('\n') && !cause(error).contains('\n'));
    }

    #[test]
    fn what_is_not_permitted_has_the_likeliest_remedy() {
        let docker = Some(Container {
            maker: "docker".to_owned(),
            told_by: "/.dockerenv",
        });
        let mut facts = nobody();
        check(&facts, &denied(), "sudo setcap cap_bpf,cap_perfmon");
        facts.privileges.no_new_privileges = true;
        check(&facts, &denied(), "without NoNewPrivileges=");
        facts.user_namespace = true;
        check(&facts, &denied(), "--userns=host");

        let mut facts = nobody();
        facts.privileges.bounding = Capabilities::ALL.without(Capability::Bpf);
        check(&facts, &denied(), "CapabilityBoundingSet=");
        facts.container = docker.clone();
        check(&facts, &denied(), "--privileged");

        let mut facts = healthy();
        check(&facts, &denied(), "security module");
        facts.container = docker;
        check(&facts, &denied(), "--privileged");
        facts.lockdown = Some(Lockdown::Confidentiality);
        check(&facts, &denied(), "lockdown=integrity");
        let mut facts = healthy();
        facts.privileges.effective = Capabilities::ALL.without(Capability::SysAdmin);
        facts.settings.perf_event_paranoid = Some(4);
        check(&facts, &denied(), PARANOID);
        facts.privileges.effective = facts.privileges.effective.without(Capability::Perfmon);
        check(&facts, &denied(), "sudo -i");
    }

    #[test]
    fn what_the_kernel_lacks_has_a_remedy() {
        let mut facts = healthy();
        let os = |code| Error::Os {
            what: "open a perf event",
            source: io::Error::from_raw_os_error(code),
        };
        let old = Error::TooOld {
            what: "on-CPU",
            needed: (5, 17),
            running: "5.10.0".to_owned(),
        };
        let verifier = Error::Verifier {
            program: "cpu_sample".to_owned(),
            source: io::Error::from_raw_os_error(libc::EINVAL),
            log: "0: r1 = 1\nunknown func bpf_probe_read_kernel#113\n\n".to_owned(),
        };
        check(&facts, &old, "boot Linux 5.17 or newer");
        check(&facts, &Error::NoBtf("gone".to_owned()), TYPES);
        check(&facts, &Error::PidNamespace, "--pid=host");
        check(&facts, &Error::NoBpf, "CONFIG_BPF_SYSCALL");
        check(
            &facts,
            &os(libc::EMFILE),
            "prlimit --pid $$ --nofile=65536:65536",
        );
        check(&facts, &os(libc::EIO), "please report");
        check(&facts, &verifier, "please report");
        assert!(cause(&verifier).ends_with("unknown func bpf_probe_read_kernel#113"));
        facts.lockdown = Some(Lockdown::Confidentiality);
        check(&facts, &verifier, "lockdown=integrity");
        facts.sysfs = false;
        check(&facts, &Error::NoBtf("gone".to_owned()), SYSFS);
        check(&facts, &os(libc::ENOENT), SYSFS);
        facts.privileges.filtered = true;
        check(&facts, &Error::NoBpf, "--privileged");
    }

    #[test]
    fn the_old_capability_stands_for_the_new_ones() {
        let mut facts = nobody();
        facts.privileges.effective = Capabilities::ALL
            .without(Capability::Bpf)
            .without(Capability::Syslog);
        assert!(holds(&facts, Capability::Bpf));
        assert!(!holds(&facts, Capability::Syslog));
    }
}
