//! What there is to know of a machine and of the rights here before anything is tried.

use std::{fs, path::PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::proc::{self, Container, Lockdown, Privileges};

/// Other users' processes that are looked at.
const MOST_PROCESSES: usize = 200;
const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) release: String,
    pub(super) version: Option<(u32, u32)>,
    /// The size of the kernel's type information, or why there is none.
    pub(super) types: Result<u64, String>,
    /// Whether `/sys` shows the kernel.
    pub(super) sysfs: bool,
    pub(super) lockdown: Option<Lockdown>,
    pub(super) pid_namespace: bool,
    pub(super) user_namespace: bool,
    pub(super) container: Option<Container>,
    /// Where cgroups of version 2 are mounted.
    pub(super) cgroups: Option<PathBuf>,
    pub(super) privileges: Privileges,
    /// This very program, for remedies.
    pub(super) program: String,
    /// Of other users' processes: how many show their mappings, and how many there are.
    pub(super) mappings: (usize, usize),
    pub(super) kernel_functions_shown: Result<bool, String>,
    pub(super) settings: Settings,
    pub(super) limits: Limits,
}

/// Settings of the kernel; `None`: there is none, or it may not be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) perf_event_paranoid: Option<i64>,
    pub(super) unprivileged_bpf_disabled: Option<i64>,
    pub(super) kptr_restrict: Option<i64>,
    pub(super) perf_event_max_stack: Option<i64>,
    pub(super) perf_event_max_sample_rate: Option<i64>,
    pub(super) bpf_jit_enable: Option<i64>,
}

/// Limits of this process; `None`: unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Files that it may open, at most.
    pub(super) files: Option<u64>,
    /// Bytes that it may lock.
    pub(super) locked: Option<u64>,
    /// CPUs that are online.
    pub(super) cpus: usize,
}

impl Facts {
    /// As they are.
    pub(super) fn gather() -> Self {
        let program = std::env::current_exe().map(|path| path.display().to_string());
        Self {
            release: proc::kernel_release(),
            version: proc::kernel_version(),
            types: fs::File::open(TYPES)
                .and_then(|file| file.metadata())
                .map(|metadata| metadata.len())
                .map_err(|error| error.to_string()),
            sysfs: fs::exists("/sys/kernel").unwrap_or(false),
            lockdown: proc::lockdown(),
            pid_namespace: proc::in_pid_namespace(),
            user_namespace: proc::in_user_namespace(),
            container: proc::container(),
            cgroups: proc::cgroup_root().ok(),
            privileges: proc::privileges(),
            program: program.unwrap_or_else(|_| "tracer".to_owned()),
            mappings: proc::readable_mappings(MOST_PROCESSES).unwrap_or((0, 0)),
            kernel_functions_shown: proc::kernel_functions_shown()
                .map_err(|error| error.to_string()),
            settings: Settings::gather(),
            limits: Limits::gather(),
        }
    }

    /// Whether this is root, as the kernel understands it.
    pub(super) fn is_root(&self) -> bool {
        self.privileges.user == 0
    }
}

impl Settings {
    fn gather() -> Self {
        Self {
            perf_event_paranoid: proc::setting("kernel.perf_event_paranoid"),
            unprivileged_bpf_disabled: proc::setting("kernel.unprivileged_bpf_disabled"),
            kptr_restrict: proc::setting("kernel.kptr_restrict"),
            perf_event_max_stack: proc::setting("kernel.perf_event_max_stack"),
            perf_event_max_sample_rate: proc::setting("kernel.perf_event_max_sample_rate"),
            bpf_jit_enable: proc::setting("net.core.bpf_jit_enable"),
        }
    }
}

impl Limits {
    fn gather() -> Self {
        Self {
            // tracer raises its own as far as it may.
            files: getrlimit(Resource::Nofile).maximum,
            locked: getrlimit(Resource::Memlock).current,
            cpus: proc::cpus("online").map_or(1, |cpus| cpus.len()),
        }
    }

    /// Files that sampling every CPU opens: two for each, and what there is one of.
    pub(super) fn files_needed(&self) -> u64 {
        const OTHERS: u64 = 64;
        OTHERS.saturating_add(2 * self.cpus as u64)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::proc::Capabilities;

    /// A machine on which nothing is amiss, seen by root.
    pub(in crate::cmd::doctor) fn healthy() -> Facts {
        Facts {
            release: "6.1.0-18-amd64".to_owned(),
            version: Some((6, 1)),
            types: Ok(4_718_592),
            sysfs: true,
            lockdown: Some(Lockdown::None),
            pid_namespace: false,
            user_namespace: false,
            container: None,
            cgroups: Some("/sys/fs/cgroup".into()),
            privileges: Privileges {
                user: 0,
                effective: Capabilities::ALL,
                bounding: Capabilities::ALL,
                filtered: false,
                no_new_privileges: false,
            },
            program: "/usr/bin/tracer".to_owned(),
            mappings: (40, 40),
            kernel_functions_shown: Ok(true),
            settings: Settings {
                perf_event_paranoid: Some(2),
                unprivileged_bpf_disabled: Some(2),
                kptr_restrict: Some(1),
                perf_event_max_stack: Some(127),
                perf_event_max_sample_rate: Some(100_000),
                bpf_jit_enable: Some(1),
            },
            limits: Limits {
                files: Some(524_288),
                locked: Some(8 << 20),
                cpus: 4,
            },
        }
    }

    /// The same, seen by a user without privileges.
    pub(in crate::cmd::doctor) fn nobody() -> Facts {
        let mut facts = healthy();
        facts.privileges.user = 65534;
        facts.privileges.effective = Capabilities::default();
        facts.mappings = (0, 40);
        facts.kernel_functions_shown = Ok(false);
        facts
    }
}
