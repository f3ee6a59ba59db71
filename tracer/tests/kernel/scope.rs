//! Whom a profile is of.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::busy::Running;
use crate::common::fixture::{self, Gated};
use crate::common::folded::{percent, total};
use crate::common::guard::kernel;
use crate::common::stats::{assert_cpu_time, assert_points};
use crate::common::tracer::{Flame, profile, wait_until_attached};

const HZ: u32 = 1999;

#[test]
fn a_running_process_is_profiled_with_all_its_threads() {
    let Some(_kernel) = kernel("a_running_process_is_profiled_with_all_its_threads") else {
        return;
    };
    // The first round's threads are older than the profile, the others younger.
    let mut target = Gated::start("threads", &["3", "4", "200"]);
    let flame = Flame::new();
    let pid = target.pid().to_string();
    let tracer = flame.start(&["-e", "cpu-clock", "-F", &HZ.to_string(), "-p", &pid]);
    wait_until_attached();
    target.release();
    let said = target.finish();
    // No duration: it ends with its target.
    let (_, ledger, _) = flame.finish(tracer).profile();
    assert_cpu_time(ledger.recorded, fixture::number(&said, "cpu_ns"), HZ);
}

#[test]
fn a_process_is_found_by_its_name() {
    let Some(_kernel) = kernel("a_process_is_found_by_its_name") else {
        return;
    };
    let _busy = Running::burn();
    let (stacks, _, _) = profile(&["-F", "999", "-d", "500ms", "-p", "burn"]);
    assert!(total(&stacks) > 100, "{} samples", total(&stacks));
    assert!(stacks.iter().all(|stack| stack.comm == "burn"));
}

#[test]
fn one_thread_alone_is_profiled() {
    let Some(_kernel) = kernel("one_thread_alone_is_profiled") else {
        return;
    };
    let mut target = Gated::start("threads", &["1", "4", "300"]);
    let tid = fixture::number(&target.said, "tid").to_string();
    let flame = Flame::new();
    let tracer = flame.start(&["-e", "cpu-clock", "-F", &HZ.to_string(), "-t", &tid]);
    wait_until_attached();
    target.release();
    target.finish();
    let (stacks, ledger, _) = flame.finish(tracer).profile();
    assert_cpu_time(ledger.recorded, 300_000_000, HZ);
    assert!(percent(&stacks, |stack| stack.has("burn_thread")) > 95.0);
}

#[test]
fn one_cpu_alone_is_profiled() {
    let Some(_kernel) = kernel("one_cpu_alone_is_profiled") else {
        return;
    };
    let _busy = Running::burn();
    let (_, ledger, _) = profile(&[
        "-e",
        "cpu-clock",
        "-a",
        "-C",
        "0",
        "--idle",
        "-F",
        "499",
        "-d",
        "2",
    ]);
    // Idle or not, a CPU has 499 ticks a second; whom they are of is another matter.
    let ticks = ledger.fired as f64;
    assert!(
        (ticks - 998.0).abs() < 998.0 * 0.15,
        "{ticks} ticks of one CPU in 2 s at 499 Hz"
    );
}

/// A control group of our own, removed at the end.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Self {
        let mounts = fs::read_to_string("/proc/mounts").expect("/proc is mounted");
        let root = mounts.lines().find_map(|line| {
            let mut words = line.split(' ');
            let path = words.nth(1)?;
            (words.next()? == "cgroup2").then_some(path)
        });
        let root = root.expect("version 2 of control groups is mounted");
        let path = PathBuf::from(root).join(format!("tracer-test-{}", std::process::id()));
        fs::create_dir(&path).expect("root may create control groups");
        Self(path)
    }

    fn add(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).expect("the process is there");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let removed = crate::common::tracer::soon(std::time::Duration::from_secs(2), || {
            fs::remove_dir(&self.0).is_ok()
        });
        assert!(
            removed || std::thread::panicking(),
            "{} is left behind",
            self.0.display()
        );
    }
}

#[test]
fn a_control_group_is_profiled() {
    let Some(_kernel) = kernel("a_control_group_is_profiled") else {
        return;
    };
    let group = Cgroup::new();
    let mut inside = Gated::start("burn", &["1.5"]);
    group.add(inside.pid());
    let _outside = Running::children();
    let flame = Flame::new();
    let path = group.0.to_str().expect("a plain name");
    let hz = HZ.to_string();
    let tracer = flame.start(&["-e", "cpu-clock", "-F", &hz, "-G", path, "-d", "5"]);
    wait_until_attached();
    inside.release();
    let said = inside.finish();
    let (stacks, ledger, _) = flame.finish(tracer).profile();
    assert!(
        stacks.iter().all(|stack| stack.comm == "burn"),
        "others than the group's are there"
    );
    let seventy = percent(&stacks, |stack| stack.user_leaf() == Some("burn_seventy"));
    assert_points(seventy, 70.0, 4.0, "burn_seventy");
    assert_cpu_time(ledger.recorded, fixture::number(&said, "cpu_ns"), HZ);
}

#[test]
fn everything_is_profiled() {
    let Some(_kernel) = kernel("everything_is_profiled") else {
        return;
    };
    let busy = Running::burn();
    let mut other = Command::new(fixture::program("recurse"));
    let mut other = other
        .args(["20", "3600"])
        .spawn()
        .expect("a fixture can be run");
    let run = Flame::new().run(&["-a", "-F", "499", "-d", "2"]);
    other.kill().expect("our own child, not waited for");
    other.wait().expect("our own child");
    drop(busy);
    let (stacks, _, _) = run.profile();
    for comm in ["burn", "recurse"] {
        let share = percent(&stacks, |stack| stack.comm == comm);
        assert!(share > 20.0, "{comm}: {share:.1} %");
    }
    assert!(
        stacks
            .iter()
            .all(|stack| !stack.comm.starts_with("swapper")),
        "idle is left out"
    );
}
