//! Facts from `/proc` and `/sys`: CPUs, processes, their threads and mappings, cgroups, what this
//! process may do.
//!
//! What a process can write there (its name, its paths) is taken as bytes and not interpreted.

mod cgroup;
mod container;
mod maps;
mod process;
mod system;

use std::{collections::HashMap, fs, io};

pub use cgroup::{Cgroup, cgroup, cgroup_root};
pub use container::{Container, container};
pub use maps::{executable_mappings, parse_maps};
pub use process::{
    cpu_time, has_ended, process_of, processes_named, readable_mappings, start_ticks,
    thread_start_ticks,
};
pub use system::{
    Capabilities, Capability, Lockdown, Privileges, in_user_namespace, kernel_functions_shown,
    lockdown, privileges, setting,
};

/// The CPUs of a list under `/sys/devices/system/cpu`: `online`, `possible`, …
pub fn cpus(list: &str) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/sys/devices/system/cpu/{list}"))?;
    parse_cpu_list(&text).ok_or_else(|| io::Error::other(format!("malformed list of CPUs: {text}")))
}

/// Reads `0-3,8` (the kernel's and `taskset`'s way to write it), in ascending order.
pub fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last < first || last - first > 1 << 16 {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// How long each CPU has been idle since boot, waiting for disks included; rounded down to 10 ms.
pub fn idle_ns() -> io::Result<HashMap<u32, u64>> {
    Ok(fs::read_to_string("/proc/stat")?
        .lines()
        .filter_map(idle_line)
        .collect())
}

/// `cpuN user nice system idle iowait …`, in ticks.
fn idle_line(line: &str) -> Option<(u32, u64)> {
    let (cpu, fields) = line.strip_prefix("cpu")?.split_once(' ')?;
    let cpu = cpu.parse().ok()?;
    let fields = fields.split_ascii_whitespace();
    let mut fields = fields.skip(3).map(|field| field.parse::<u64>());
    let (idle, waiting) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((cpu, (idle + waiting) * tracer_common::START_TICK_NS))
}

/// Whether PIDs here are others than the kernel's own.
pub fn in_pid_namespace() -> bool {
    // `PROC_PID_INIT_INO` of the kernel: the first namespace always has this inode.
    const FIRST: &str = "pid:[4026531836]";
    fs::read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace.as_os_str() != FIRST)
}

/// By how many ticks `/proc` shifts start times: the offset of this time namespace.
pub fn boot_time_shift_ticks() -> i64 {
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    parse_boot_time_shift(&offsets).unwrap_or(0)
}

/// `boottime SECONDS NANOSECONDS`.
fn parse_boot_time_shift(offsets: &str) -> Option<i64> {
    let line = offsets
        .lines()
        .find_map(|line| line.strip_prefix("boottime"))?;
    let mut fields = line.split_ascii_whitespace().map(str::parse::<i64>);
    let (seconds, nanoseconds) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(seconds * 100 + nanoseconds / tracer_common::START_TICK_NS.cast_signed())
}

/// CLOCK_MONOTONIC.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The kernel's release, such as `6.1.0-18-amd64`.
pub fn kernel_release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// The kernel's version, from its release.
pub fn kernel_version() -> Option<(u32, u32)> {
    parse_version(&kernel_release())
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The host's name.
pub fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_namespaces() {
        let offsets = "monotonic           0         0\nboottime       -100000 250000000\n";
        assert_eq!(parse_boot_time_shift(offsets), Some(-10_000_000 + 25));
        assert_eq!(parse_boot_time_shift(""), None);
    }

    #[test]
    fn versions() {
        assert_eq!(parse_version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse_version("5.17-rc3"), Some((5, 17)));
        assert_eq!(parse_version("unknown"), None);
    }

    #[test]
    fn idle_lines() {
        assert_eq!(idle_line("cpu0 1 2 3 40 5 0 0"), Some((0, 450_000_000)));
        // The sum over all CPUs, and what is no CPU.
        assert_eq!(idle_line("cpu  1 2 3 40 5 0 0"), None);
        assert_eq!(idle_line("intr 1 2 3"), None);
    }

    #[test]
    fn cpu_lists() {
        for (text, cpus) in [
            ("0\n", Some(vec![0])),
            ("0-2", Some(vec![0, 1, 2])),
            ("8,0-1,1", Some(vec![0, 1, 8])),
            ("", None),
            ("2-1", None),
            ("0-4294967295", None),
            ("a", None),
            ("1,,2", None),
        ] {
            assert_eq!(parse_cpu_list(text), cpus, "{text:?}");
        }
    }
}
