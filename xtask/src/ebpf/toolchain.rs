//! The toolchain for BPF: Debian's, or rustup's nightly with the sources of the library.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{paths, run, setup};

pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Which cargo and rustc, and what is needed to make them build for BPF.
pub(crate) enum Kind {
    /// Debian's: the core library for BPF is precompiled.
    Debian,
    /// rustup's nightly: the core library is built as well.
    Nightly,
}

pub(crate) struct Toolchain {
    pub(crate) kind: Kind,
    pub(crate) cargo: PathBuf,
    pub(crate) rustc: PathBuf,
    pub(crate) linker: PathBuf,
    pub(crate) objcopy: PathBuf,
    /// What the object depends on, one line for each tool.
    pub(crate) versions: Vec<String>,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.versions.join(", "))
    }
}

impl Toolchain {
    /// Debian's where it is installed, else rustup's.
    pub(crate) fn detect() -> Result<Self> {
        let (kind, cargo, rustc) = debian().or_else(nightly).context(
            "no toolchain for BPF: `cargo xtask setup` installs Debian's; elsewhere \
             `rustup toolchain install nightly --component rust-src`",
        )?;
        let linker = setup::bpf_linker()
            .context("no bpf-linker: `cargo xtask setup`, or `cargo install bpf-linker`")?;
        let objcopy = objcopy(&rustc).context("no llvm-objcopy: install LLVM")?;
        let versions = vec![
            first_line(&rustc, &|line| line.starts_with("rustc "))?,
            first_line(&linker, &|line| line.starts_with("bpf-linker "))?,
            first_line(&objcopy, &|line| line.contains("LLVM version"))?.replace("version ", ""),
        ];
        Ok(Self {
            kind,
            cargo,
            rustc,
            linker,
            objcopy,
            versions,
        })
    }
}

fn debian() -> Option<(Kind, PathBuf, PathBuf)> {
    let (cargo, rustc) = (
        PathBuf::from("/usr/bin/cargo"),
        PathBuf::from("/usr/bin/rustc"),
    );
    let core = sysroot(Command::new(&rustc))?
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib");
    (cargo.is_file() && core.is_dir()).then_some((Kind::Debian, cargo, rustc))
}

fn nightly() -> Option<(Kind, PathBuf, PathBuf)> {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", "nightly", "rustc"]);
    let sysroot = sysroot(rustc)?;
    let library = sysroot.join("lib/rustlib/src/rust/library/core");
    library.is_dir().then(|| {
        (
            Kind::Nightly,
            sysroot.join("bin/cargo"),
            sysroot.join("bin/rustc"),
        )
    })
}

/// Asks a rustc; none where it cannot be run.
fn sysroot(mut rustc: Command) -> Option<PathBuf> {
    let output = run::forget_outer_toolchain(&mut rustc)
        .args(["--print", "sysroot"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The newest of Debian's LLVM packages, else rustup's llvm-tools, else the search path's.
fn objcopy(rustc: &Path) -> Option<PathBuf> {
    let packaged = (18..=30)
        .rev()
        .map(|major| format!("/usr/lib/llvm-{major}/bin/llvm-objcopy"));
    let component = sysroot(Command::new(rustc)).map(|sysroot| {
        let host = std::env::consts::ARCH;
        sysroot.join(format!(
            "lib/rustlib/{host}-unknown-linux-gnu/bin/llvm-objcopy"
        ))
    });
    packaged
        .map(PathBuf::from)
        .chain(component)
        .find(|path| path.is_file())
        .or_else(|| paths::find("llvm-objcopy"))
}

fn first_line(tool: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<String> {
    let mut command = Command::new(tool);
    let shown = run::output(run::forget_outer_toolchain(&mut command).arg("--version"))?;
    match shown.lines().map(str::trim).find(|line| wanted(line)) {
        Some(line) => Ok(line.to_owned()),
        None => bail!("{} does not say its version", tool.display()),
    }
}
