//! Processes as they live: what they load, make, execute, and how soon they end.

use std::fs;
use std::process::Stdio;

use super::build;
use super::scene::{HZ, Scene, says};
use super::truth::{MAIN, Truth};
use crate::common::folded::Stack;
use crate::common::guard::kernel;
use crate::common::tracer::{Flame, tracer, wait_until_attached};

/// The dynamic linker before the program.
const LOADER: &str = "_start|_dl_start_user|ld-linux-x86-64.so.2+*;...";

#[test]
fn libraries_that_come_late_are_unwound() {
    let Some(_kernel) = kernel("libraries_that_come_late_are_unwound") else {
        return;
    };
    let (loads, late) = (build::program("loads"), build::library("late"));
    let mut scene = Scene::default();
    scene.start(&loads, &[&late]);
    scene.expect(
        "loads",
        Truth::below_main(&[
            "calls_late;late_outer;late_middle;late_inner;leaf",
            "...",
            "opens;...",
        ])
        .reached(20.0),
    );
    let pids = scene.pids();
    let flame = Flame::new();
    let child = flame.start(&["-e", "cpu-clock", "-F", HZ, "-d", "2.5", "-p", &pids]);
    wait_until_attached();
    scene.tell("\n");
    let (stacks, ledger, _) = flame.finish(child).profile();
    let mut measured = scene.measured(stacks, ledger);
    measured.has("loads", 90.0, "of the library", |stack| {
        stack.has("late_outer")
    });
    measured.check();
}

#[test]
fn code_made_at_run_time_is_unwound_and_so_is_what_it_calls() {
    let Some(_kernel) = kernel("code_made_at_run_time_is_unwound_and_so_is_what_it_calls") else {
        return;
    };
    let mut scene = Scene::default();
    let made = "jit;enters;made_outer_[j];between;made_inner_[j];back;back_inner;leaf";
    scene.start(&build::program("jit"), &["jit"]);
    scene.expect("jit", Truth::below_main(&[made]).reached(5.0));
    let names = format!("/tmp/perf-{}.map", scene.pids());
    let mut measured = scene.measure("1");
    fs::remove_file(names).expect("the fixture names its functions");
    measured.has("jit", 10.0, "in that code", |stack| {
        stack.user_leaf() == Some("made_inner_[j]")
    });
    // Which keeps frame pointers, but not at its first and last instructions.
    let edges = measured.set_aside("jit", 2.0, |stack| {
        stack.truncation().is_none()
            && stack.user_leaf().is_some_and(|leaf| leaf.ends_with("_[j]"))
            && !stack.has("between")
            && stack.has("main")
    });
    eprintln!("jit: {edges} samples of first and last instructions");
    measured.check();
}

#[test]
fn files_that_are_gone_or_replaced_are_unwound() {
    let Some(_kernel) = kernel("files_that_are_gone_or_replaced_are_unwound") else {
        return;
    };
    let frames = build::program("frames");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut scene = Scene::default();
    for comm in ["deleted", "replaced"] {
        let copy = directory.path().join(comm);
        fs::copy(&frames, &copy).expect("a copy of a fixture");
        scene.start(&copy, &["plain", "0", comm]);
        let chain = "plain;outer;middle;inner;leaf";
        scene.expect(comm, Truth::below_main(&[chain]).reached(20.0));
    }
    fs::remove_file(directory.path().join("deleted")).expect("our own file");
    let new = directory.path().join("new");
    fs::copy(build::program("signals"), &new).expect("a copy of a fixture");
    fs::rename(&new, directory.path().join("replaced")).expect("our own file");
    scene.measure("1").check();
}

fn path(name: &'static str) -> String {
    let prefix = format!("-DPREFIX={name}");
    let program = build::variant(name, "short", "cc", &[&prefix]);
    let program = program
        .to_str()
        .expect("temporary directories have plain names");
    program.to_owned()
}

/// A program's chain, or that of its start.
fn short(prefix: &str) -> Truth {
    Truth::new(&[
        &format!("{MAIN};{prefix}_outer;{prefix}_inner;leaf"),
        &format!("{MAIN};{prefix}_outer;used;..."),
        &format!("{MAIN};executes;..."),
        &format!("{MAIN};..."),
        // Before `main` and after it.
        "_start;__libc_start_main*;?__libc_start_call_main;...",
        LOADER,
    ])
    .reached(50.0)
}

/// While a program is replaced or ends, its memory is taken away from under its stack.
fn is_changing(stack: &Stack) -> bool {
    let within = ["bprm_execve_[k]", "do_exit_[k]", "exit_mmap_[k]"];
    within.iter().any(|function| stack.has(function))
        || stack.truncation() == Some("memory given up")
}

#[test]
fn processes_that_live_for_milliseconds_are_unwound() {
    let Some(_kernel) = kernel("processes_that_live_for_milliseconds_are_unwound") else {
        return;
    };
    let program = path("short");
    let script = format!("i=0; while [ $i -lt 100 ]; do {program} 5000; i=$((i+1)); done");
    let flags = ["-e", "cpu-clock", "-F", HZ, "--", "sh", "-c", &script];
    let (stacks, ledger, _) = Flame::new().run(&flags).profile();
    let ours = stacks
        .into_iter()
        .filter(|stack| stack.comm == "unwind-short");
    let mut scene = Scene::default();
    scene.expect("unwind-short", short("short"));
    let mut measured = scene.measured(ours.collect(), ledger);
    let changing = measured.set_aside("unwind-short", 30.0, is_changing);
    eprintln!("{changing} samples of beginnings and ends");
    // See `lazy_binding_is_unwound_or_says_so`.
    measured.set_aside("unwind-short", 2.0, |stack| stack.has("_dl_fixup"));
    // What compilers bring along to begin and end programs, and the dynamic linker's first instructions,
    // have no rows.
    measured.set_aside("unwind-short", 1.0, |stack| says(stack, "not in table"));
    measured.check();
}

#[test]
fn a_process_that_executes_others_is_unwound_as_each() {
    let Some(_kernel) = kernel("a_process_that_executes_others_is_unwound_as_each") else {
        return;
    };
    let (ping, pong) = (path("ping"), path("pong"));
    let mut scene = Scene::default();
    scene.start(ping.as_ref(), &["20000", &pong, "ready"]);
    for name in ["ping", "pong"] {
        scene.expect(&format!("unwind-{name}"), short(name));
    }
    let mut measured = scene.measure("1.5");
    for name in ["unwind-ping", "unwind-pong"] {
        let changing = measured.set_aside(name, 15.0, is_changing);
        eprintln!("{name}: {changing} samples of beginnings and ends");
        measured.set_aside(name, 2.0, |stack| stack.has("_dl_fixup"));
        measured.set_aside(name, 1.0, |stack| says(stack, "not in table"));
    }
    measured.check();
}

/// The kernel puts its own code where a probed function returns to.
#[test]
fn return_probes_do_not_end_stacks() {
    let Some(_kernel) = kernel("return_probes_do_not_end_stacks") else {
        return;
    };
    let frames = build::program("frames");
    let mut scene = Scene::default();
    let probes = "?[uprobes]*";
    let functions = ["plain", "outer", "middle", "inner", "leaf"];
    let chain = functions.join(&format!(";{probes};"));
    scene.start(&frames, &["plain"]);
    let truth = Truth::below_main(&[&format!("{chain};{probes}")]);
    scene.expect("plain", truth.reached(1.0));
    let mut command = tracer();
    command.args(["hist", "--json", "-d", "5"]);
    for function in ["middle", "inner"] {
        command.arg(format!("uprobe:{}:{function}", frames.display()));
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut hist = command.spawn().expect("tracer can be run");
    wait_until_attached();
    let measured = scene.measure("1");
    let goes_on = matches!(hist.try_wait(), Ok(None));
    hist.kill().expect("our own child, not waited for");
    hist.wait().expect("our own child");
    assert!(goes_on, "tracer hist has ended");
    let mut measured = measured;
    // While the kernel handles the probe, the return address is already its own, but it has not noted yet
    // what that was; and it emulates the probed instruction in two steps.
    measured.set_aside("plain", 10.0, |stack| {
        let handles =
            |frame: &String| frame == "uprobe_notify_resume_[k]" || frame == "asm_exc_int3_[k]";
        stack.truncation().is_some() && stack.frames.iter().any(handles)
    });
    measured.set_aside("plain", 5.0, |stack| stack.truncation().is_some());
    measured.has("plain", 1.0, "in probes of functions", |stack| {
        stack.frames.iter().any(|frame| frame.contains("uprobe"))
    });
    measured.check();
}
