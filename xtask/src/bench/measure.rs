//! What one command and its children used.
//!
//! The kernel keeps the account of a process's ended children for all of them together, so that
//! each command gets a process of its own to be accounted in: this task, run again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::run;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the JSON goes
    out: PathBuf,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// What a command used, its children included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    /// User and system time.
    pub(crate) cpu_s: f64,
    /// Sum of the peaks of resident memory of all its processes: at least what it held at once.
    pub(crate) peak_mib: f64,
}

/// The hidden task: runs the command and writes what it used.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (program, arguments) = args.command.split_first().context("no command")?;
    let start = Instant::now();
    let mut child = Command::new(program).args(arguments).spawn()?;
    let mut peaks = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        note_peaks(child.id(), &mut peaks);
        thread::sleep(Duration::from_millis(10));
    };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let json = serde_json::json!({
        "status": status.code(),
        "wall_s": start.elapsed().as_secs_f64(),
        "user_us": usage.user_time().num_microseconds(),
        "system_us": usage.system_time().num_microseconds(),
        "largest_process_kib": usage.max_rss(),
        "peaks_kib": peaks.values().sum::<u64>(),
    });
    fs::write(&args.out, json.to_string())?;
    Ok(())
}

/// Runs a command in a process of its own.
pub(crate) fn command(scratch: &Path, command: &Command) -> Result<Used> {
    let out = scratch.join("used.json");
    let mut measured = Command::new(std::env::current_exe()?);
    measured.arg("measure").arg(&out).arg("--");
    measured.arg(command.get_program()).args(command.get_args());
    run::status(measured.stdout(Stdio::null()))?;
    let used: serde_json::Value = serde_json::from_str(&fs::read_to_string(&out)?)?;
    if used["status"] != 0 {
        bail!("{} ended with {}", run::shown(command), used["status"]);
    }
    let number = |name: &str| used[name].as_f64().with_context(|| format!("no {name}"));
    let peak_kib = number("peaks_kib")?.max(number("largest_process_kib")?);
    Ok(Used {
        cpu_s: (number("user_us")? + number("system_us")?) / 1e6,
        peak_mib: peak_kib / 1024.0,
    })
}

/// The highest that the kernel remembers of each process of the tree.
fn note_peaks(pid: u32, peaks: &mut BTreeMap<u32, u64>) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    if let Some(peak) = peak_kib(&status) {
        peaks.insert(pid, peak);
    }
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    for task in tasks {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            note_peaks(child, peaks);
        }
    }
}

fn peak_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_status() {
        assert_eq!(peak_kib("Name:\ta\nVmHWM:\t    2048 kB\n"), Some(2048));
        assert_eq!(peak_kib("Name:\tkthreadd\n"), None);
    }
}
