//! Every way in which a measuring ends.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::bpf::{Census, holds_descriptors};
use crate::common::busy::Running;
use crate::common::folded::total;
use crate::common::guard::kernel;
use crate::common::tracer::{Flame, signal, soon, tracer, wait_until_attached};

#[test]
fn an_interrupt_keeps_the_result() {
    let Some(_kernel) = kernel("an_interrupt_keeps_the_result") else {
        return;
    };
    let _busy = Running::burn();
    let flame = Flame::new();
    let child = flame.start(&["-a", "-F", "999"]);
    wait_until_attached();
    thread::sleep(Duration::from_secs(1));
    signal(&child, Signal::INT);
    let interrupted = Instant::now();
    let (stacks, _, ended) = flame.finish(child).profile();
    assert!(
        total(&stacks) > 500,
        "{} samples of a second",
        total(&stacks)
    );
    assert!(
        interrupted.elapsed() < Duration::from_secs(3),
        "{:?}",
        interrupted.elapsed()
    );
    assert!(!ended.stderr.trim().is_empty(), "no summary");
}

#[test]
fn the_status_of_a_command_is_passed_on() {
    let Some(_kernel) = kernel("the_status_of_a_command_is_passed_on") else {
        return;
    };
    for code in [0, 7, 200] {
        Flame::new()
            .run(&["--", "sh", "-c", &format!("exit {code}")])
            .assert_code(code);
    }
    // As a shell tells of a signal.
    Flame::new()
        .run(&["--", "sh", "-c", "kill -TERM $$"])
        .assert_code(128 + 15);
}

#[test]
fn a_command_keeps_its_standard_streams() {
    let Some(_kernel) = kernel("a_command_keeps_its_standard_streams") else {
        return;
    };
    let ended = Flame::new().run(&["--", "sh", "-c", "echo said; echo told >&2"]);
    assert_eq!(ended.stdout, "said\n");
    assert!(ended.stderr.contains("told\n"), "{}", ended.stderr);
}

#[test]
fn a_closed_pipe_is_success() {
    let Some(_kernel) = kernel("a_closed_pipe_is_success") else {
        return;
    };
    let _busy = Running::burn();
    for format in ["svg", "folded"] {
        let mut child = tracer()
            .args(["flame", "-a", "-d", "500ms", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracer can be run");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("our own child");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{format}: {}: {said}",
            output.status
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_picture_goes_to_standard_output() {
    let Some(_kernel) = kernel("a_picture_goes_to_standard_output") else {
        return;
    };
    let _busy = Running::burn();
    let output = tracer()
        .args(["flame", "-a", "-d", "500ms"])
        .output()
        .expect("tracer can be run");
    let picture = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(picture.contains("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!(picture.contains("burn_seventy"), "no name of what was busy");
}

#[test]
fn a_killed_tracer_leaves_nothing_behind() {
    let Some(_kernel) = kernel("a_killed_tracer_leaves_nothing_behind") else {
        return;
    };
    let before = Census::take();
    let flame = Flame::new();
    let mut child = flame
        .command(&["-a", "-F", "999"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("tracer");
    let attached = soon(Duration::from_secs(5), || {
        let new = Census::take().since(&before);
        !new.programs.is_empty() && !new.maps.is_empty()
    });
    assert!(attached, "no program and no map was loaded");
    wait_until_attached();
    assert!(holds_descriptors(child.id()));
    child.kill().expect("our own child, not waited for");
    let status = child.wait().expect("our own child");
    assert_eq!(status.signal(), Some(9));
    let gone = soon(Duration::from_secs(2), || {
        Census::take().since(&before).is_empty()
    });
    assert!(gone, "left behind: {:?}", Census::take().since(&before));
    // Its worker holds the other end of a socket pair, and ends with it.
    let mut said = String::new();
    let mut errors = child.stderr.take().expect("a pipe");
    let reader = thread::spawn(move || errors.read_to_string(&mut said));
    assert!(
        soon(Duration::from_secs(2), || reader.is_finished()),
        "a child outlives it"
    );
}

#[test]
fn a_command_that_outlives_the_measuring_keeps_its_status() {
    let Some(_kernel) = kernel("a_command_that_outlives_the_measuring_keeps_its_status") else {
        return;
    };
    let started = Instant::now();
    let script = "sleep 1; exit 7";
    let run = Flame::new().run(&["-d", "300ms", "--", "sh", "-c", script]);
    assert!(started.elapsed() > Duration::from_secs(1));
    run.assert_code(7);
    let ledger = run.ledger.expect("the ledger was written");
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(total(&run.stacks.expect("stacks")), ledger.recorded);
    assert!(run.stderr.contains(" in 0.3 s "), "{}", run.stderr);
}

/// Starts a profile of a shell's script, and waits until that says `ready`.
fn start_script(flame: &Flame, script: &str) -> Child {
    let mut child = flame.start(&["--", "sh", "-c", &format!("echo ready; {script}")]);
    let mut said = [0; 6];
    let output = child.stdout.as_mut().expect("a pipe");
    output.read_exact(&mut said).expect("the script runs");
    assert_eq!(&said, b"ready\n");
    child
}

#[test]
fn a_command_is_told_to_terminate_too() {
    let Some(_kernel) = kernel("a_command_is_told_to_terminate_too") else {
        return;
    };
    let trapped =
        "trap 'echo told; exit 9' TERM; echo set; for i in $(seq 100); do sleep 0.05; done";
    for (script, code) in [("exec sleep 5", 128 + 15), (trapped, 9)] {
        let flame = Flame::new();
        let child = start_script(&flame, script);
        // Until the shell has done what follows.
        thread::sleep(Duration::from_millis(200));
        let told = Instant::now();
        signal(&child, Signal::TERM);
        let run = flame.finish(child);
        run.assert_code(code);
        assert!(
            told.elapsed() < Duration::from_secs(3),
            "{:?}",
            told.elapsed()
        );
        assert_eq!(run.stdout.contains("told\n"), code == 9, "{}", run.stdout);
        assert!(run.stacks.is_some() && run.ledger.is_some());
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_command() {
    let Some(_kernel) = kernel("a_second_interrupt_does_not_wait_for_the_command") else {
        return;
    };
    let flame = Flame::new();
    let mut child = start_script(&flame, "exec sleep 5 >&- 2>&-");
    signal(&child, Signal::INT);
    // The command was not told, and is waited for.
    let ends = |child: &mut Child, within| {
        soon(Duration::from_millis(within), || {
            matches!(child.try_wait(), Ok(Some(_)))
        })
    };
    assert!(
        !ends(&mut child, 700),
        "the first interrupt left the command"
    );
    signal(&child, Signal::INT);
    let ended = ends(&mut child, 700);
    let run = flame.finish(child);
    assert!(ended, "the second interrupt was not heeded");
    run.assert_code(128 + 2);
    assert!(
        run.stacks.is_some() && run.ledger.is_some(),
        "{}",
        run.stderr
    );
}

#[test]
fn what_was_not_written_leaves_no_empty_file() {
    let Some(_kernel) = kernel("what_was_not_written_leaves_no_empty_file") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (new, old) = ("new.folded", "old.folded");
    std::fs::write(directory.path().join(old), "kept").expect("our own directory");
    let output = tracer()
        .args(["flame", "-a", "-d", "300ms", "--format", "svg"])
        .args(["-o", "/dev/full", "-o", new, "-o", old])
        .current_dir(&directory)
        .output()
        .expect("tracer can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("/dev/full"), "{said}");
    assert!(
        !directory.path().join(new).exists(),
        "an empty file is left"
    );
    let kept = std::fs::read_to_string(directory.path().join(old));
    assert_eq!(kept.ok().as_deref(), Some("kept"));
}
