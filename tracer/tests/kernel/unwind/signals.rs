//! Stacks that go on below a signal's handler.

use super::build;
use super::scene::{Measured, Scene};
use super::truth::Truth;
use crate::common::guard::kernel;

/// What the kernel lets the handler return to, and the handler.
const ALARM: &str = "__restore_rt|libc.so.6+*;on_alarm;handler_inner;leaf";
const THREAD: &str = "clone3|__clone3;start_thread";

/// Judges what was measured, but for samples of a handler's end in which the kernel was about to restore
/// the registers: some of them are the old ones.
#[track_caller]
fn check(mut measured: Measured, names: &[&str]) {
    for name in names {
        measured.set_aside(name, 1.0, |stack| {
            stack.truncation().is_some() && stack.has("restore_sigcontext_[k]")
        });
    }
    measured.check();
}

#[test]
fn what_a_handler_has_interrupted_is_below_it() {
    let Some(_kernel) = kernel("what_a_handler_has_interrupted_is_below_it") else {
        return;
    };
    let signals = build::program("signals");
    let mut scene = Scene::default();
    scene.case(
        &signals,
        "handler",
        &[&format!("handler;interrupted;{ALARM}")],
    );
    for name in ["below", "above"] {
        scene.start(&signals, &[name]);
        let chain = format!("{THREAD};thread;in_thread;interrupted;{ALARM}");
        scene.expect(name, Truth::new(&[&chain]).reached(10.0));
    }
    let trap = "trap;calls_traps;traps;__restore_rt|libc.so.6+*;on_trap;leaf";
    scene.case(&signals, "trap", &[trap]);
    check(scene.measure("1.5"), &["handler", "below", "above", "trap"]);
}

#[test]
fn handlers_in_the_middle_of_the_library_are_unwound() {
    let Some(_kernel) = kernel("handlers_in_the_middle_of_the_library_are_unwound") else {
        return;
    };
    let signals = build::program("signals");
    let mut scene = Scene::default();
    scene.case(
        &signals,
        "memcpy",
        &[&format!("memcpy_;copies;...;{ALARM}")],
    );
    let qsort = [
        format!("qsort_;sorts;...;{ALARM}"),
        format!("qsort_;sorts;...;compares;{ALARM}"),
        format!("qsort_;sorts;...;compares;leaf;{ALARM}"),
    ];
    scene.case(&signals, "qsort", &qsort.each_ref().map(String::as_str));
    scene.case(&signals, "pause", &[&format!("pause_;waits;...;{ALARM}")]);
    let nested = [
        format!("nested;?raises;...;{ALARM}"),
        format!("nested;raises;...;__restore_rt|libc.so.6+*;on_user;{ALARM}"),
    ];
    scene.case(&signals, "nested", &nested.each_ref().map(String::as_str));
    let names = ["memcpy", "qsort", "pause", "nested"];
    check(scene.measure("1.5"), &names);
}
