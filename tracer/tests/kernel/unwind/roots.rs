//! Where stacks begin.

use super::build;
use super::scene::Scene;
use super::truth::{MAIN, Truth};
use crate::common::guard::kernel;

/// In the fixture `roots`.
const OUTER: &str = "outer;inner;leaf";
const THREAD: &str = "clone3|__clone3;start_thread";
/// As `MAIN`, but above what `main` has returned to.
const AFTER_MAIN: &str =
    "_start;__libc_start_main*;__libc_start_call_main;exit|__GI_exit;__run_exit_handlers";

#[test]
fn every_kind_of_root_is_reached() {
    let Some(_kernel) = kernel("every_kind_of_root_is_reached") else {
        return;
    };
    let roots = build::program("roots");
    let mut scene = Scene::default();
    for (name, chain) in [
        ("thread", format!("{THREAD};thread_runs")),
        ("clone", "clone|__clone;clone_runs".to_owned()),
        (
            "constructor",
            "_start;__libc_start_main*;...;constructs".to_owned(),
        ),
        ("destructor", format!("{AFTER_MAIN};...;destroys")),
        ("atexit", format!("{AFTER_MAIN};at_exit")),
    ] {
        scene.start(&roots, &[name]);
        let chain = format!("{chain};{OUTER}");
        scene.expect(name, Truth::new(&[&chain]).reached(20.0));
    }
    scene.measure("1.5").check();
}

#[test]
fn the_loader_is_the_root_of_constructors() {
    let Some(_kernel) = kernel("the_loader_is_the_root_of_constructors") else {
        return;
    };
    let frames = build::program("frames");
    let library = build::library("ctor");
    let mut scene = Scene::default();
    scene.preload(&library).start(&frames, &["constructs"]);
    let loader = "_dl_start_user|_start|ld-linux-x86-64.so.2+*;_dl_init;...";
    let chain = format!("{loader};constructs;ctor_inner;leaf");
    scene.expect("constructs", Truth::new(&[&chain]).reached(20.0));
    scene.measure("0.5").check();
}

#[test]
fn children_that_execute_nothing_have_their_parents_stacks() {
    let Some(_kernel) = kernel("children_that_execute_nothing_have_their_parents_stacks") else {
        return;
    };
    let roots = build::program("roots");
    let mut scene = Scene::default();
    for (name, chains) in [
        ("fork", ["fork_;forks;child_outer;leaf", "fork_;forks;..."]),
        (
            "vfork",
            ["vfork_;vforks;child_works;leaf", "vfork_;vforks;..."],
        ),
    ] {
        scene.start(&roots, &[name]);
        scene.expect(name, Truth::below_main(&chains).reached(20.0));
    }
    let mut measured = scene.measure("1.5");
    for name in ["fork", "vfork"] {
        // Its memory is no longer there when it ends.
        let ends = measured.set_aside(name, 5.0, |stack| {
            stack.truncation() == Some("memory given up")
                && stack.user_leaf().is_some_and(|leaf| leaf.ends_with("xit"))
        });
        measured.has(name, 40.0, "of the child's work", |stack| {
            stack.has("child_outer") || stack.has("child_works")
        });
        eprintln!("{name}: {ends} samples of ends");
    }
    // The page of the stack is being copied, and is not there for a moment.
    measured.set_aside("fork", 2.0, |stack| {
        stack.truncation() == Some("stack not readable") && stack.has("do_wp_page_[k]")
    });
    // See `lazy_binding_is_unwound`.
    measured.set_aside("fork", 5.0, |stack| stack.has("_dl_fixup"));
    measured.check();
}

#[test]
fn rust_and_cxx_are_whole_in_threads_and_in_main() {
    let Some(_kernel) = kernel("rust_and_cxx_are_whole_in_threads_and_in_main") else {
        return;
    };
    let mut scene = Scene::default();
    let rust = build::rust("rust");
    scene.start(&rust, &[] as &[&str]);
    let main = format!("{MAIN};std::rt::lang_start_internal*;...;rust::main");
    let main = [
        format!("{main};rust::outer;rust::inner;rust::leaf"),
        format!("{main};rust::outer;rust::inner;..."),
    ];
    let main = Truth::new(&main.each_ref().map(String::as_str));
    scene.expect("unwind-rust", main.reached(20.0));
    let thread = [
        format!("{THREAD};*thread_start*;...;rust::thread_outer;rust::thread_inner;rust::leaf"),
        format!("{THREAD};*thread_start*;...;rust::thread_outer;rust::thread_inner;..."),
        format!("{THREAD};*thread_start*;...;rust::thread_outer;..."),
    ];
    let thread = Truth::new(&thread.each_ref().map(String::as_str));
    scene.expect("rust_thread", thread.reached(20.0));
    let cxx = build::program("cxx");
    scene.start(&cxx, &["thread"]);
    let thread = format!(
        "{THREAD};execute_native_thread_routine|libstdc++.so.6*;std::thread::*;worker*;inner*;leaf*"
    );
    scene.expect("thread", Truth::new(&[&thread]).reached(20.0));
    scene.measure("1.5").check();
}

#[test]
fn the_unwinder_of_exceptions_is_unwound() {
    let Some(_kernel) = kernel("the_unwinder_of_exceptions_is_unwound") else {
        return;
    };
    let mut scene = Scene::default();
    scene.start(&build::program("cxx"), &["throw"]);
    let throw = Truth::below_main(&[
        "throw_*;catches*;between*;throws*;...",
        "throw_*;catches*;between*;...",
        "throw_*;catches*;between*;Guard::~Guard*",
        "throw_*;catches*;...",
    ]);
    scene.expect("throw", throw.reached(20.0));
    let mut measured = scene.measure("1");
    measured.has("throw", 20.0, "in the unwinder of exceptions", |stack| {
        stack.has("_Unwind_RaiseException")
    });
    // At its end it writes the target's registers and return address over its own: where it came from is
    // not in its frame any more.
    let transfers = measured.set_aside("throw", 5.0, |stack| {
        let unwinds = |frame: &str| frame.starts_with("_Unwind_R") || frame.starts_with("libgcc");
        let why = stack.truncation().unwrap_or_default();
        why.ends_with("outside code") && stack.user_leaf().is_some_and(unwinds)
    });
    eprintln!("{transfers} samples of transfers to where an exception is caught");
    measured.check();
}
