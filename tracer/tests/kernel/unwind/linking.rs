//! The ways in which programs are linked, and what is taken out of them afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::build;
use super::scene::{Scene, says};
use super::truth::{MAIN, Truth};
use crate::common::folded::Stack;
use crate::common::guard::kernel;

const PLAIN: &str = "plain;outer;middle;inner;leaf";

#[test]
fn programs_of_every_linker_are_unwound() {
    let Some(_kernel) = kernel("programs_of_every_linker_are_unwound") else {
        return;
    };
    let mut scene = Scene::default();
    for (name, compiler, flags) in [
        ("static", "cc", &["-static"][..]),
        ("static-pie", "cc", &["-static-pie"]),
        ("no-pie", "cc", &["-no-pie"]),
        ("lld", "cc", &["-fuse-ld=lld"]),
        (
            "lld-rosegment",
            "cc",
            &["-fuse-ld=lld", "-Wl,--no-rosegment"],
        ),
        ("mold", "cc", &["-fuse-ld=mold"]),
        ("gold", "cc", &["-fuse-ld=gold"]),
        ("joint-code", "cc", &["-Wl,-z,noseparate-code"]),
        ("no-index", "cc", &["-Wl,--no-eh-frame-hdr"]),
        ("no-build-id", "cc", &["-Wl,--build-id=none"]),
        ("large-model", "cc", &["-mcmodel=large"]),
        ("clang", "/usr/lib/llvm-22/bin/clang", &[]),
    ] {
        let program = build::variant(name, "frames", compiler, flags);
        plain(&mut scene, &program, name, &format!("{MAIN};{PLAIN}"));
    }
    scene.measure("2").check();
}

fn plain(scene: &mut Scene, program: &Path, comm: &str, chain: &str) {
    scene.start(program, &["plain", "0", comm]);
    scene.expect(comm, Truth::new(&[chain]).reached(20.0));
}

/// The program has rows of its own only for debuggers, and a few of the compiler's for all.
#[test]
fn tables_for_debuggers_are_used_as_well() {
    let Some(_kernel) = kernel("tables_for_debuggers_are_used_as_well") else {
        return;
    };
    let flags = ["-fno-asynchronous-unwind-tables", "-g"];
    let program = build::variant("debug-frame", "frames", "cc", &flags);
    let mut scene = Scene::default();
    plain(
        &mut scene,
        &program,
        "debug-frame",
        &format!("{MAIN};{PLAIN}"),
    );
    scene.measure("0.5").check();
}

/// Without names there are offsets: the names are those of the program that it was made from.
#[test]
fn stripped_programs_are_unwound() {
    let Some(_kernel) = kernel("stripped_programs_are_unwound") else {
        return;
    };
    let whole = build::program("frames");
    let stripped = build::build("stripped", |output| {
        let mut command = Command::new("strip");
        command.arg("-o").arg(output).arg(&whole);
        command
    });
    let no_sections = build::build("no-sections", |output| {
        fs::copy(&stripped, output).expect("a stripped program");
        let mut bytes = fs::read(output).expect("a copy");
        // `e_shoff`, then `e_shentsize`, `e_shnum` and `e_shstrndx`.
        bytes[0x28..0x30].fill(0);
        bytes[0x3a..0x40].fill(0);
        fs::write(output, bytes).expect("a copy");
        Command::new("true")
    });
    let mut scene = Scene::default();
    for (comm, program) in [("stripped", &stripped), ("no-sections", &no_sections)] {
        plain(&mut scene, program, comm, &format!("{MAIN};{PLAIN}"));
    }
    let mut measured = scene.measure("1");
    for comm in ["stripped", "no-sections"] {
        let names = build::names(&whole);
        measured.rename(comm, |frame| {
            let offset = frame.strip_prefix(&format!("unwind-{comm}+0x"))?;
            let offset = u64::from_str_radix(offset, 16).ok()?;
            names.at(offset)
        });
    }
    measured.check();
}

/// Its library has tables for a part of it, and its start has none.
#[test]
fn musl_is_unwound_as_far_as_its_tables_go() {
    let Some(_kernel) = kernel("musl_is_unwound_as_far_as_its_tables_go") else {
        return;
    };
    let mut scene = Scene::default();
    for (name, flags) in [("musl", &[][..]), ("musl-static", &["-static"])] {
        let program = build::variant(name, "frames", "musl-gcc", flags);
        plain(&mut scene, &program, name, &format!("...;main;{PLAIN}"));
    }
    scene.measure("1").check();
}

/// What a handler returns to has no table, and is known by its instructions.
#[test]
fn signals_of_musl_are_unwound() {
    let Some(_kernel) = kernel("signals_of_musl_are_unwound") else {
        return;
    };
    let mut scene = Scene::default();
    let program = build::variant("musl-signals", "signals", "musl-gcc", &[]);
    scene.start(&program, &["handler"]);
    let restorer = "__restore_rt|__restore|libc.so+*|ld-musl-x86_64.so.1+*";
    let chain = format!("...;main;handler;interrupted;{restorer};on_alarm;handler_inner;leaf");
    scene.expect("handler", Truth::new(&[&chain]).reached(10.0));
    scene.measure("1").check();
}

fn linked(scene: &mut Scene, name: &'static str, flags: &[&str]) {
    let tiny = build::library("tiny");
    let tiny = tiny
        .to_str()
        .expect("temporary directories have plain names");
    let program = build::variant(name, "plt", "cc", &[flags, &[tiny]].concat());
    scene.start(&program, &["bound", "0", name]);
    let stub = format!("unwind-{name}+*|tiny@plt|tiny$plt");
    let chain = format!("bound;calls;?{stub};tiny");
    let truth = Truth::below_main(&[&chain, &format!("bound;calls;?{stub}")]);
    scene.expect(name, truth.reached(30.0));
}

#[test]
fn linkage_tables_are_unwound() {
    let Some(_kernel) = kernel("linkage_tables_are_unwound") else {
        return;
    };
    let mut scene = Scene::default();
    for (name, flags) in [
        ("plt", &["-Wl,-z,lazy"][..]),
        ("plt-now", &["-Wl,-z,now"]),
        ("plt-got", &["-fno-plt"]),
        ("plt-ibt", &["-fcf-protection", "-Wl,-z,ibtplt"]),
    ] {
        linked(&mut scene, name, flags);
    }
    let frames = build::program("frames");
    scene.case(&frames, "ifunc", &["ifunc;searches;..."]);
    let mut measured = scene.measure("2");
    for name in ["plt", "plt-ibt"] {
        measured.has(name, 3.0, "in the linkage table", |stack| {
            let leaf = stack.user_leaf().unwrap_or_default();
            !["bound", "calls", "tiny"].contains(&leaf)
        });
    }
    measured.check();
}

/// LLD and mold make no rows for their linkage tables, and no linker does for that of a static program.
#[test]
fn linkage_tables_without_rows_are_unwound() {
    let Some(_kernel) = kernel("linkage_tables_without_rows_are_unwound") else {
        return;
    };
    let mut scene = Scene::default();
    linked(&mut scene, "plt-lld", &["-fuse-ld=lld", "-Wl,-z,lazy"]);
    linked(&mut scene, "plt-mold", &["-fuse-ld=mold", "-Wl,-z,lazy"]);
    let program = build::variant("static", "frames", "cc", &["-static"]);
    scene.start(&program, &["ifunc", "0", "ifunc-static"]);
    scene.expect("ifunc-static", Truth::below_main(&["ifunc;searches;..."]));
    scene.measure("1").check();
}

/// The linker's frame is found by a register that those whom it calls have saved, which tables do not
/// hold.
#[test]
fn lazy_binding_is_unwound_or_says_so() {
    let Some(_kernel) = kernel("lazy_binding_is_unwound_or_says_so") else {
        return;
    };
    let tiny = build::library("tiny");
    let tiny = tiny
        .to_str()
        .expect("temporary directories have plain names");
    let program = build::variant("plt", "plt", "cc", &["-Wl,-z,lazy", tiny]);
    let mut scene = Scene::default();
    scene.case(&program, "lazy", &["lazy;binds;...", "lazy;binds;...;tiny"]);
    let mut measured = scene.measure("1");
    measured.has("lazy", 30.0, "in the linker", |stack| {
        stack.has("_dl_fixup")
    });
    let unsupported = |stack: &Stack| {
        says(stack, "unwind rule of ld-linux") && stack.has("_dl_runtime_resolve_xsavec")
    };
    measured.set_aside("lazy", 70.0, unsupported);
    measured.check();
}

#[test]
fn foreign_processes_are_unwound_by_frame_pointers() {
    let Some(_kernel) = kernel("foreign_processes_are_unwound_by_frame_pointers") else {
        return;
    };
    let mut scene = Scene::default();
    let flags = [
        "-m32",
        "-O0",
        "-fno-omit-frame-pointer",
        "-DFRAME_POINTERS",
        "-fno-pie",
        "-no-pie",
    ];
    let program = build::variant("m32-fp", "frames", "cc", &flags);
    scene.start(&program, &["plain", "0", "m32-fp"]);
    // In the first and last instructions of a function its caller has no frame pointer to be found by.
    scene.expect(
        "m32-fp",
        Truth::new(&[
            &format!("...;main;{PLAIN}"),
            "...;main;plain;outer;middle;leaf",
            "...;main;plain;outer;inner",
            "...;main;plain;middle",
            "...;main;outer",
        ])
        .reached(60.0),
    );
    let program = build::variant("m32", "frames", "cc", &["-m32"]);
    let cut = "[truncated: 32-bit process*";
    scene.start(&program, &["plain", "0", "m32"]);
    let leaves = ["plain", "outer", "middle", "inner", "leaf"];
    let chains = leaves.map(|leaf| format!("{cut};...;{leaf}"));
    scene.expect("m32", Truth::new(&chains.each_ref().map(String::as_str)));
    scene.measure("1").check();
}
