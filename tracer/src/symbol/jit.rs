//! Finding the perf map of a process: a file in a directory where everyone may put files.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use rustix::process::geteuid;

use super::open;
use super::recent::Recent;

/// 256 MiB of perf map is a runtime gone wrong, or somebody who wants our memory.
const MAX_SIZE: u64 = 256 << 20;

/// The most processes that are remembered.
const MAX_PROCESSES: usize = 4096;

/// What is remembered of processes, since it cannot be asked for once they have ended.
#[derive(Debug)]
pub(super) struct PerfMaps {
    processes: Recent<u32, Process>,
}

impl Default for PerfMaps {
    fn default() -> Self {
        Self {
            processes: Recent::new(MAX_PROCESSES),
        }
    }
}

/// How a process sees itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    /// Its PID in its own PID namespace.
    own_pid: u32,
    user: u32,
}

impl PerfMaps {
    /// Opens the perf map that a process has written.
    pub(super) fn open(&mut self, pid: u32) -> Option<File> {
        let alive = Process::read(pid);
        if let Some(process) = alive {
            self.processes.insert(pid, process);
        }
        let known = self.processes.get(&pid).copied();
        // Of a process that nothing is known of, only a file that no other user can have put
        // there is believed.
        let user = known.map_or_else(|| geteuid().as_raw(), |process| process.user);
        let wanted = |metadata: &Metadata| {
            (metadata.uid() == user || metadata.uid() == 0) && metadata.len() <= MAX_SIZE
        };
        let name = |pid| PathBuf::from(format!("tmp/perf-{pid}.map"));
        let in_its_root = || {
            let own_pid = alive?.own_pid;
            let root = File::open(format!("/proc/{pid}/root")).ok()?;
            open::regular_within(root, &name(own_pid), wanted).ok()
        };
        let in_ours = |pid| open::regular(&PathBuf::from("/").join(name(pid)), wanted).ok();
        in_its_root()
            .or_else(|| in_ours(pid))
            .or_else(|| in_ours(known.filter(|known| known.own_pid != pid)?.own_pid))
    }
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(
            &std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
            pid,
        )
    }

    fn parse(status: &str, pid: u32) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let own_pid = field("NSpid:").and_then(|pids| pids.split_whitespace().last());
        let own_pid = own_pid.and_then(|pid| pid.parse().ok()).unwrap_or(pid);
        // Real, effective, saved and file system user: files are created as the last.
        let user = field("Uid:")?.split_whitespace().nth(3)?.parse().ok()?;
        Some(Self { own_pid, user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_a_container_names_its_map_by_its_own_pid() {
        let status = "Name:\tnode\nUid:\t1\t2\t3\t1000\nNSpid:\t4242\t17\n";
        assert_eq!(
            Process::parse(status, 4242),
            Some(Process {
                own_pid: 17,
                user: 1000
            })
        );
        let old_kernel = "Uid:\t0\t0\t0\t0\n";
        assert_eq!(
            Process::parse(old_kernel, 5),
            Some(Process {
                own_pid: 5,
                user: 0
            })
        );
        assert_eq!(Process::parse("", 5), None);
    }
}
