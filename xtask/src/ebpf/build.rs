//! From sources to the bytes that are committed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::stamp::{self, Stamp};
use super::toolchain::{Kind, TARGET, Toolchain};
use crate::{paths, run};

/// Builds in `scratch` and returns the object as it is committed.
///
/// The bytes do not depend on where the checkout, the registry's cache or `scratch` are.
pub(crate) fn object(toolchain: &Toolchain, scratch: &Path) -> Result<Vec<u8>> {
    let root = paths::root();
    // Where crates are unpacked to is known, and can be mapped, once they are fetched.
    run::status(cargo(toolchain, root).args(["fetch", "--locked", "--quiet"]))?;
    let mut build = cargo(toolchain, root);
    build
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            rustflags(toolchain, root, scratch)?,
        )
        .env("CARGO_TARGET_DIR", scratch)
        .env("RUSTC_WRAPPER", std::env::current_exe()?)
        .env(super::wrapper::MARK, "1")
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target",
            TARGET,
        ]);
    if matches!(toolchain.kind, Kind::Nightly) {
        build.args(["-Z", "build-std=core"]);
    }
    run::status(&mut build)?;

    let linked = scratch.join(TARGET).join("release").join(binary(root)?);
    let text = scratch.join("stamp.txt");
    let versions = toolchain.versions.clone();
    fs::write(
        &text,
        Stamp {
            sources: stamp::sources(root)?,
            versions,
        }
        .to_string(),
    )?;
    let stripped = scratch.join("tracer.bpf.o");
    // Debug information goes; BTF stays, without which nothing loads.
    let mut section = OsString::from(format!("{}=", stamp::SECTION));
    section.push(&text);
    run::status(
        Command::new(&toolchain.objcopy)
            .arg("--strip-debug")
            .arg("--add-section")
            .arg(section)
            .args([&linked, &stripped]),
    )?;
    fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}

fn cargo(toolchain: &Toolchain, root: &Path) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    run::forget_outer_toolchain(&mut command)
        .current_dir(root.join("tracer-ebpf"))
        .env("RUSTC", &toolchain.rustc)
        // The stable compiler of a distribution builds `no_std` intrinsics too, if asked.
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

fn rustflags(toolchain: &Toolchain, root: &Path, scratch: &Path) -> Result<OsString> {
    let mut linker = OsString::from("linker=");
    linker.push(&toolchain.linker);
    // cpu v3 has the atomic operations that return the old value.
    let mut flags: Vec<OsString> = [
        "-C",
        "debuginfo=2",
        "-C",
        "target-cpu=v3",
        "-C",
        "link-arg=--btf",
        "-C",
    ]
    .map(OsString::from)
    .to_vec();
    flags.push(linker);
    // Where several prefixes fit, the last one wins.
    flags.push(remap(root, "/tracer"));
    for unpacked in registries()? {
        flags.push(remap(&unpacked, "/cargo"));
    }
    flags.push(remap(scratch, "/target"));
    Ok(flags.join(&OsString::from("\x1f")))
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// Directories that hold unpacked crates: one for each registry, named after its address.
fn registries() -> Result<Vec<PathBuf>> {
    let unpacked = paths::cargo_home()
        .context("no CARGO_HOME and no HOME")?
        .join("registry/src");
    let mut found: Vec<PathBuf> = fs::read_dir(&unpacked)
        .with_context(|| format!("cannot read {}", unpacked.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    found.sort();
    Ok(found)
}

/// The name of the crate's one binary.
fn binary(root: &Path) -> Result<String> {
    let manifest = fs::read_to_string(root.join("tracer-ebpf/Cargo.toml"))?;
    binary_name(&manifest).context("tracer-ebpf/Cargo.toml names no package")
}

/// `[[bin]]`'s name, else the package's.
fn binary_name(manifest: &str) -> Option<String> {
    let name_in = |table: &str| {
        let body = manifest.split_once(table)?.1;
        body.lines()
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .find_map(|line| {
                let value = line.strip_prefix("name")?.trim_start().strip_prefix('=')?;
                Some(value.trim().trim_matches('"').to_owned())
            })
    };
    name_in("[[bin]]").or_else(|| name_in("[package]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_is_named_by_its_table_or_by_its_package() {
        let package = "[package]\nname = \"a\"\n[dependencies]\nname = \"x\"\n";
        assert_eq!(binary_name(package).as_deref(), Some("a"));
        let both = format!("{package}[[bin]]\npath = \"src/main.rs\"\nname = \"b\"\n");
        assert_eq!(binary_name(&both).as_deref(), Some("b"));
        assert_eq!(binary_name("[dependencies]\n"), None);
    }
}
