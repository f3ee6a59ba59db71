//! What CI needs beyond stable Rust and a C linker, on Debian 12.
//!
//! Nothing is done, and nothing is fetched, when all of it is there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{paths, run};

/// Debian packages, and what each is for.
const PACKAGES: &[(&str, &str)] = &[
    ("rustc-web", "compiles the BPF object"),
    ("cargo-web", "compiles the BPF object"),
    ("libstd-rust-web-dev-bpf", "the core library for BPF"),
    ("llvm-22-dev", "bpf-linker links with it; llvm-objcopy"),
    ("libpolly-22-dev", "bpf-linker links with it"),
    ("clang-22", "bpf-linker's build needs libclang"),
    ("gcc", "fixture programs"),
    ("g++", "bpf-linker links with LLVM's C++ libraries"),
    ("libc6-dev", "fixture programs"),
    ("gcc-multilib", "fixture programs of 32 bits"),
    ("lld", "links fixture programs"),
    ("mold", "links fixture programs"),
    ("musl-tools", "fixture programs with another C library"),
    ("gdb", "what fixtures' stacks are compared with"),
    ("libc6-dbg", "separate debug files by build ID"),
    ("binutils", "fixture programs with split debug files"),
    (
        "util-linux",
        "setpriv: tests without privileges; runuser, setsid: the benchmark",
    ),
    ("tmux", "drives the interface in a real terminal"),
    ("procps", "finds tracer's processes in tests"),
    ("python3", "a workload"),
    ("linux-perf", "the peer in the benchmark"),
    ("bpftrace", "a peer in the benchmark of calls"),
    (
        "libbpf-tools",
        "funclatency: a peer in the benchmark of calls",
    ),
    ("sqlite3", "a workload"),
    ("redis-server", "a workload"),
    ("redis-tools", "redis-benchmark"),
    ("postgresql", "a workload, and pgbench"),
    ("python3", "what is pictured"),
    (
        "libpython3.11-testsuite",
        "python3's own tests, which pass while tracer probes below them",
    ),
];

/// The release that the committed object is linked with.
const BPF_LINKER: &str = "0.13.0";
const LLVM: &str = "/usr/lib/llvm-22";
const POLICY: &str = "/usr/sbin/policy-rc.d";

pub(crate) fn run() -> Result<()> {
    let packages = missing_packages()?;
    if !packages.is_empty() {
        install(&packages)?;
    }
    if !has_bpf_linker() {
        install_bpf_linker()?;
    }
    for component in missing_components() {
        run::status(Command::new("rustup").args(["component", "add", component]))?;
    }
    match missing()?.as_slice() {
        [] => println!("setup: all there"),
        left => bail!("still missing after the installation: {}", left.join(", ")),
    }
    Ok(())
}

/// What `setup` would install.
pub(crate) fn missing() -> Result<Vec<String>> {
    let mut missing: Vec<String> = missing_packages()?.into_iter().map(str::to_owned).collect();
    if !has_bpf_linker() {
        missing.push(format!("bpf-linker {BPF_LINKER}"));
    }
    missing.extend(missing_components().into_iter().map(str::to_owned));
    Ok(missing)
}

fn missing_packages() -> Result<Vec<&'static str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(PACKAGES.iter().map(|(name, _)| name))
        .output()
        .context("cannot run dpkg-query: setup knows Debian only")?;
    let shown = String::from_utf8_lossy(&output.stdout);
    Ok(absent(&shown))
}

/// The packages that dpkg-query's answer does not call installed.
fn absent(answer: &str) -> Vec<&'static str> {
    let installed: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect();
    PACKAGES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !installed.contains(name))
        .collect()
}

fn install(packages: &[&str]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "installing needs root: apt-get install {}",
            packages.join(" ")
        );
    }
    println!("setup: installing {}", packages.join(" "));
    // Servers of the workloads must not run beside what is measured: each test and benchmark
    // starts its own.
    let _policy = NoServices::new()?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        command
    };
    run::status(apt().arg("update"))?;
    run::status(
        apt()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

/// Tells the packages' scripts to start no service, unless the machine has a policy of its own.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn new() -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n")
                .and_then(|()| fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)))
                .with_context(|| format!("cannot write {POLICY}"))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!("setup: {POLICY} is left behind: remove it, or no service will start");
        }
    }
}

/// bpf-linker from the search path, or from where cargo installs.
pub(crate) fn bpf_linker() -> Option<PathBuf> {
    paths::find("bpf-linker").or_else(|| {
        let installed = paths::cargo_home()?.join("bin/bpf-linker");
        installed.is_file().then_some(installed)
    })
}

fn has_bpf_linker() -> bool {
    bpf_linker().is_some_and(|path| {
        run::output(Command::new(path).arg("--version"))
            .is_ok_and(|version| version.split_whitespace().any(|word| word == BPF_LINKER))
    })
}

fn install_bpf_linker() -> Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("cargo");
    run::forget_outer_toolchain(&mut command)
        .current_dir("/")
        .env("LLVM_PREFIX", LLVM)
        .env("PATH", format!("{LLVM}/bin:{path}"))
        .args([
            "install",
            "bpf-linker",
            "--version",
            BPF_LINKER,
            "--locked",
            "--force",
        ])
        .args(["--no-default-features", "--features", "llvm-22"]);
    run::status(&mut command)
}

fn missing_components() -> Vec<&'static str> {
    [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(verb, _)| !run::succeeds(run::cargo().args([verb, "--version"])))
        .map(|(_, component)| component)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dpkg_calls_installed_is_there() {
        let mut answer = String::new();
        for (name, _) in PACKAGES {
            let state = if *name == "sqlite3" {
                "config-files"
            } else {
                "installed"
            };
            answer.push_str(&format!("{name} {state}\n"));
        }
        assert_eq!(absent(&answer), ["sqlite3"]);
        assert_eq!(absent("").len(), PACKAGES.len());
    }
}
