//! Lives that are out of the ordinary: threads that exec, leaders that leave, ends that are long,
//! clocks that are not the machine's.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::fixture::{self, Gated};
use crate::common::folded::{Stack, percent, total};
use crate::common::guard::kernel;
use crate::common::stats::assert_cpu_time;
use crate::common::tracer::{Ended, Flame, profile, soon, wait_until_attached};

const HZ: u32 = 1999;

fn path(name: &'static str) -> String {
    let program = fixture::program(name);
    let program = program.to_str();
    program
        .expect("temporary directories have plain names")
        .to_owned()
}

/// Panics where code has no name. Of stacks that libraries without frame pointers have spoilt only
/// the leaf is known; of our functions' stacks every frame is.
#[track_caller]
fn assert_named<'a>(stacks: impl IntoIterator<Item = &'a Stack>) {
    let unknown = |frame: &str| frame.starts_with("[unknown");
    let unnamed = |stack: &&Stack| {
        let ours = stack.frames.iter().any(|frame| frame.starts_with("burn_"));
        stack.user_leaf().is_some_and(unknown)
            || (ours && stack.frames.iter().any(|frame| unknown(frame)))
    };
    let unnamed: Vec<_> = stacks.into_iter().filter(unnamed).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
}

/// Starts a profile of a process, and lets it go on when that has begun.
fn attach(flame: &Flame, target: &mut Gated) -> Child {
    let (hz, pid) = (HZ.to_string(), target.pid().to_string());
    let tracer = flame.start(&["-e", "cpu-clock", "-F", &hz, "-p", &pid]);
    wait_until_attached();
    target.release();
    tracer
}

/// What a run that must end by itself has found.
#[track_caller]
fn ended(flame: &Flame, mut tracer: Child) -> Ended {
    let ends = soon(Duration::from_secs(5), || {
        matches!(tracer.try_wait(), Ok(Some(_)))
    });
    if !ends {
        tracer.kill().expect("our own child, not waited for");
    }
    let run = flame.finish(tracer);
    assert!(ends, "tracer goes on: {}", run.stderr);
    run
}

/// `flame` on a command, with another program before it.
fn run_within(before: &[&str], arguments: &[&str]) -> Ended {
    let flame = Flame::new();
    let inner = flame.command(arguments);
    let child = Command::new(before[0])
        .args(&before[1..])
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    flame.finish(child.expect("it can be run"))
}

#[track_caller]
fn assert_executed(stacks: &[Stack]) {
    // What came before the exec has another name; within it the registers are still the old ones.
    let within = |stack: &Stack| stack.has("bprm_execve_[k]");
    let after = |stack: &&Stack| stack.comm == "threadexec" && !within(stack);
    assert_named(stacks.iter().filter(after));
    let share = percent(stacks, |stack| {
        stack.comm == "threadexec" && stack.user_leaf() == Some("burn_executed")
    });
    // 400 ms of 550.
    assert!((65.0..80.0).contains(&share), "burn_executed: {share:.1} %");
}

#[test]
fn a_thread_that_executes_a_program_is_that_program() {
    let Some(_kernel) = kernel("a_thread_that_executes_a_program_is_that_program") else {
        return;
    };
    let (program, hz) = (path("threadexec"), HZ.to_string());
    let (stacks, _, _) = profile(&["-e", "cpu-clock", "-F", &hz, "--", &program, "400"]);
    assert_executed(&stacks);
    // It had another image when the profile began.
    let mut target = Gated::start("threadexec", &["400"]);
    let flame = Flame::new();
    let tracer = attach(&flame, &mut target);
    target.finish();
    let (stacks, _, _) = ended(&flame, tracer).profile();
    assert_executed(&stacks);
}

#[test]
fn a_process_that_has_lost_its_leader_is_profiled() {
    let Some(_kernel) = kernel("a_process_that_has_lost_its_leader_is_profiled") else {
        return;
    };
    let mut target = Gated::start("leaderless", &["1500"]);
    let flame = Flame::new();
    let tracer = attach(&flame, &mut target);
    let said = target.finish();
    let (stacks, ledger, _) = ended(&flame, tracer).profile();
    assert_named(&stacks);
    let share = percent(&stacks, |stack| stack.user_leaf() == Some("burn_follower"));
    assert!(share > 95.0, "burn_follower: {share:.1} %");
    assert_cpu_time(ledger.recorded, fixture::number(&said, "cpu_ns"), HZ);
}

#[test]
fn the_work_of_ending_is_counted() {
    let Some(_kernel) = kernel("the_work_of_ending_is_counted") else {
        return;
    };
    let (program, hz) = (path("exits"), HZ.to_string());
    let flags = ["-e", "cpu-clock", "-F", &hz, "--", &program, "8", "150"];
    let (stacks, ledger, run) = profile(&flags);
    assert_cpu_time(ledger.recorded, fixture::number(&run.stdout, "cpu_ns"), HZ);
    let ending = percent(&stacks, |stack| stack.has("do_exit_[k]"));
    assert!(ending > 7.0, "{ending:.1} % are of ends, nothing is tested");
}

#[test]
fn clocks_of_a_time_namespace_do_no_harm() {
    let test = "clocks_of_a_time_namespace_do_no_harm";
    let Some(_kernel) = kernel(test) else {
        return;
    };
    let unshare = ["unshare", "-T", "--boottime", "100000", "-f"];
    let tried = Command::new(unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        eprintln!("{test}: skipped: needs `unshare -T` and a kernel with time namespaces");
        return;
    }
    let (program, hz) = (path("burn"), HZ.to_string());
    let mut flags = vec!["-e", "cpu-clock", "-F", &hz, "--"];
    let inside = run_within(&unshare, &[&flags[..], &[&program, "0.5"]].concat());
    flags.extend(unshare);
    let around = Flame::new().run(&[&flags[..], &[&program, "0.5"]].concat());
    for run in [inside, around] {
        let (stacks, ledger, _) = run.profile();
        let share = percent(&stacks, |stack| stack.user_leaf() == Some("burn_seventy"));
        assert!((60.0..75.0).contains(&share), "burn_seventy: {share:.1} %");
        // Half a second of CPU time; how exactly is for longer tests.
        assert!(ledger.recorded > 800, "{} samples", ledger.recorded);
    }
}

#[test]
fn a_pid_namespace_is_refused_with_a_remedy() {
    let Some(_kernel) = kernel("a_pid_namespace_is_refused_with_a_remedy") else {
        return;
    };
    let run = run_within(&["unshare", "-pf", "--mount-proc"], &["-a", "-d", "0.3"]);
    run.assert_code(3);
    assert!(run.stderr.contains("PID namespace"), "{}", run.stderr);
    assert!(run.stderr.contains("--pid=host"), "{}", run.stderr);
    assert!(run.stacks.is_none() && run.ledger.is_none());
}

#[test]
fn a_target_that_nobody_waits_for_has_ended() {
    let Some(_kernel) = kernel("a_target_that_nobody_waits_for_has_ended") else {
        return;
    };
    let mut target = Gated::start("burn", &["0.3"]);
    let flame = Flame::new();
    let tracer = attach(&flame, &mut target);
    let (stacks, _, _) = ended(&flame, tracer).profile();
    assert!(stacks.iter().any(|stack| stack.has("burn_seventy")));
    let status = std::fs::read_to_string(format!("/proc/{}/status", target.pid()));
    assert!(
        status.is_ok_and(|status| status.contains("State:\tZ")),
        "it was waited for, nothing is tested"
    );
    // There is nothing to wait for from the start.
    let again = Flame::new();
    let tracer = again.start(&["-p", &target.pid().to_string()]);
    ended(&again, tracer);
    target.finish();
}

#[test]
fn what_starts_the_command_is_not_in_its_profile() {
    let Some(_kernel) = kernel("what_starts_the_command_is_not_in_its_profile") else {
        return;
    };
    let mut all = Vec::new();
    for _ in 0..8 {
        let (stacks, _, _) = profile(&["-e", "cpu-clock", "-F", "4999", "--", "/bin/true"]);
        all.extend(stacks);
    }
    let ours: Vec<_> = all.iter().filter(|stack| stack.comm != "true").collect();
    assert!(ours.is_empty(), "{ours:?}");
    assert!(
        total(&all) > 3,
        "{} samples, nothing is tested",
        total(&all)
    );
}
