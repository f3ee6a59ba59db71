//! All that a change must pass.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{ebpf, paths, run, setup, test, tidy};

/// A step: what it is called, and what it does.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("setup is complete", setup_is_complete),
    ("format", || {
        run::status(run::cargo().args(["fmt", "--all", "--check"]))
    }),
    ("lints", || {
        let command = ["clippy", "--workspace", "--all-targets", "--locked"];
        run::status(run::cargo().args(command).args(["--", "-D", "warnings"]))
    }),
    ("tidy", tidy::run),
    ("the BPF object is current", || {
        ebpf::run(ebpf::Args { check: true })
    }),
    ("tests", test::run_with_kernel),
    ("documentation", || {
        let command = ["doc", "--workspace", "--no-deps", "--locked"];
        run::status(
            run::cargo()
                .args(command)
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }),
    ("release build without BPF tools", build_as_a_stranger),
];

pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    for (name, step) in STEPS {
        println!("== {name}");
        let begun = Instant::now();
        if let Err(error) = step() {
            eprintln!(
                "== FAILED: {name}, after {:.1} s",
                begun.elapsed().as_secs_f64()
            );
            return Err(error);
        }
        times.push((name, begun.elapsed()));
    }
    println!("== all passed");
    for (name, time) in times {
        println!("{:8.1} s  {name}", time.as_secs_f64());
    }
    println!("{:8.1} s  in all", start.elapsed().as_secs_f64());
    Ok(())
}

fn setup_is_complete() -> Result<()> {
    match setup::missing()?.as_slice() {
        [] => Ok(()),
        missing => bail!("run `cargo xtask setup`; missing: {}", missing.join(", ")),
    }
}

/// What a C toolchain consists of, and what build scripts may take for granted.
const ORDINARY: &[&str] = &["cc", "gcc", "ld", "ld.bfd", "as", "ar", "sh", "uname"];

/// Stable Rust and a C linker must be enough: the search path holds nothing else.
///
/// rustup's proxies put cargo's own bin directory on the path, and bpf-linker with it, so that the
/// toolchain's binaries are called themselves.
fn build_as_a_stranger() -> Result<()> {
    let mut ask = Command::new("rustc");
    let sysroot = run::output(ask.current_dir(paths::root()).args(["--print", "sysroot"]))?;
    let toolchain = PathBuf::from(sysroot.trim()).join("bin");
    let tools = tempfile::tempdir().context("cannot make a temporary directory")?;
    for name in ORDINARY {
        if let Some(tool) = paths::find(name) {
            symlink(tool, tools.path().join(name))?;
        }
    }
    let kept = |name: &str| std::env::var_os(name).map(|value| (name.to_owned(), value));
    let mut build = Command::new(toolchain.join("cargo"));
    build
        .env_clear()
        .envs(["HOME", "CARGO_HOME"].into_iter().filter_map(kept))
        .env("PATH", search_path(&toolchain, tools.path())?)
        .env("CARGO_TARGET_DIR", paths::target())
        .current_dir(paths::root())
        .args(["build", "--release", "--locked"]);
    run::status(&mut build)
}

fn search_path(toolchain: &Path, tools: &Path) -> Result<impl AsRef<OsStr> + use<>> {
    Ok(std::env::join_paths([toolchain, tools])?)
}
