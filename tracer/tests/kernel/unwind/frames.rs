//! The ways in which compilers and assembly lay out frames.

use super::build;
use super::scene::{Scene, is_late, says};
use super::truth::Truth;
use crate::common::folded::Stack;
use crate::common::guard::kernel;

/// Below `middle` in the fixtures of C.
const INNER: &str = "inner;leaf";

fn every_kind() -> Scene {
    let frames = build::program("frames");
    let mut scene = Scene::default();
    for (name, chain) in [
        ("plain", "plain;outer;middle"),
        ("alloca", "alloca_;allocates"),
        ("vla", "vla;varies"),
        ("drap", "drap;aligns"),
        ("aligned", "aligned;only_aligns"),
        ("large", "large;has_a_large_frame"),
        ("arguments", "arguments;takes_many"),
        ("shrinkwrap", "shrinkwrap;wraps"),
    ] {
        scene.case(&frames, name, &[&format!("{chain};{INNER}")]);
    }
    scene.case(&frames, "cold", &["cold;parts|parts.cold;rarely;leaf"]);
    let noreturn = "noreturn;ends_in_a_call;never_returns;leaf";
    scene.case(&frames, "noreturn", &[noreturn]);
    scene
}

#[test]
fn frames_of_every_kind_are_unwound() {
    let Some(_kernel) = kernel("frames_of_every_kind_are_unwound") else {
        return;
    };
    every_kind().measure("2").check();
}

/// The chains that are expected here are not only ours.
#[test]
fn gdb_sees_the_same_chains() {
    let Some(_kernel) = kernel("gdb_sees_the_same_chains") else {
        return;
    };
    every_kind().check_by_gdb();
    every_rule().check_by_gdb();
}

#[test]
fn a_chain_above_the_kernel_is_whole() {
    let Some(_kernel) = kernel("a_chain_above_the_kernel_is_whole") else {
        return;
    };
    let frames = build::program("frames");
    let mut scene = Scene::default();
    let vdso = "vdso;tells;...";
    scene.case(&frames, "vdso", &[vdso]);
    scene.case(&frames, "getppid", &["getppid_;asks;..."]);
    let read = ["read_;reads;..."];
    scene.case(&frames, "read", &read);
    let mut measured = scene.measure("1");
    for comm in ["getppid", "read"] {
        measured.has(comm, 50.0, "in the kernel", |stack| {
            stack
                .frames
                .last()
                .is_some_and(|frame| frame.ends_with("_[k]"))
        });
    }
    measured.has("vdso", 50.0, "in the kernel's code", |stack| {
        let frames = stack.frames.iter();
        frames
            .filter(|frame| frame.ends_with("clock_gettime"))
            .count()
            == 2
    });
    measured.check();
}

fn every_rule() -> Scene {
    let rules = build::program("rules");
    let mut scene = Scene::default();
    for (name, function) in [
        ("at_sp", "at_sp"),
        ("at_fp", "at_fp"),
        ("fp_by_expr", "fp_by_expression"),
        ("ra_elsewhere", "address_elsewhere"),
        ("far", "far"),
        ("remembers", "remembers"),
        ("long_function", "long_function"),
    ] {
        let chain = format!("{function}_runs;{function}_caller;{function};{INNER}");
        scene.case(&rules, name, &[&chain]);
    }
    for (name, function) in [
        ("by_register", "by_register"),
        ("at_register", "at_register"),
        ("ra_in_register", "address_in_register"),
        ("odd", "odd"),
        ("fp_in_register", "fp_in_register"),
    ] {
        let chain = format!("{function}_runs;{function}_caller;{function}");
        scene.case(&rules, name, &[&chain]);
    }
    scene
}

#[test]
fn every_rule_of_a_table_is_followed() {
    let Some(_kernel) = kernel("every_rule_of_a_table_is_followed") else {
        return;
    };
    every_rule().measure("2").check();
}

/// In its last instructions the registers are the target's already, and so is the caller: that is in no
/// rule that a table can hold.
#[test]
fn longjmp_is_unwound_or_says_so() {
    let Some(_kernel) = kernel("longjmp_is_unwound_or_says_so") else {
        return;
    };
    let mut scene = Scene::default();
    let chains = ["longjmp_;jumps;leaf", "longjmp_;?jumps;..."];
    scene.case(&build::program("frames"), "longjmp", &chains);
    let mut measured = scene.measure("1");
    let unsupported = |stack: &Stack| says(stack, "not supported");
    measured.set_aside("longjmp", 10.0, unsupported);
    measured.check();
}

#[test]
fn deep_stacks_are_whole_and_deeper_ones_say_so() {
    let Some(_kernel) = kernel("deep_stacks_are_whole_and_deeper_ones_say_so") else {
        return;
    };
    let frames = build::program("frames");
    let mut scene = Scene::default();
    // 2,043 are 2,048 in all, and `leaf` is always there.
    for depth in [60_usize, 2000, 2042, 3000] {
        let comm = format!("recurse{depth}");
        scene.start(&frames, &["recurse", &depth.to_string(), &comm]);
        let truth = if depth < 2048 {
            Truth::below_main(&[&format!("deep;recurse{{{depth}}};leaf")])
        } else {
            Truth::new(&[
                "[truncated: too deep];recurse{2048}",
                "[truncated: too deep];recurse{2047};leaf",
            ])
        };
        scene.expect(
            &comm,
            truth.reached(if depth < 2048 { 60.0 } else { 100.0 }),
        );
    }
    let measured = scene.measure("1.5");
    let deep = measured.of("recurse3000").into_iter();
    let deep: u64 = deep
        .filter(|stack| !is_late(stack))
        .map(|stack| stack.count)
        .sum();
    assert_eq!(
        measured.ledger.truncated.get("too deep"),
        Some(&deep),
        "{:?}",
        measured.ledger
    );
    measured.check();
}
