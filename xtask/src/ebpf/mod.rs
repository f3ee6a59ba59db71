//! The BPF object: built by its own toolchain, committed, and checked against its sources.

mod build;
mod stamp;
mod toolchain;
mod wrapper;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::paths;
use stamp::Stamp;
use toolchain::Toolchain;
pub(crate) use wrapper::run_if_asked;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build nothing into the checkout; fail if the committed object is not what the sources give
    #[arg(long)]
    pub(crate) check: bool,
}

/// The committed object.
fn object() -> PathBuf {
    paths::root().join("tracer/bpf/tracer.x86_64.bpf.o")
}

pub(crate) fn run(args: Args) -> Result<()> {
    if args.check { check() } else { build() }
}

fn build() -> Result<()> {
    let toolchain = Toolchain::detect()?;
    println!("ebpf: building with {toolchain}");
    let bytes = build::object(&toolchain, &paths::target().join("ebpf"))?;
    let path = object();
    fs::create_dir_all(path.parent().context("the object lies in a directory")?)?;
    let same = fs::read(&path).is_ok_and(|before| before == bytes);
    if !same {
        fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let verdict = if same { "unchanged" } else { "written" };
    println!("ebpf: {} {verdict}, {} bytes", path.display(), bytes.len());
    Ok(())
}

fn check() -> Result<()> {
    let path = object();
    let committed = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let recorded = Stamp::of_object(&committed)?;
    let sources = stamp::sources(paths::root())?;
    if recorded.sources != sources {
        bail!(
            "{} was built from other sources (it records {}, they are {sources}): \
             run `cargo xtask ebpf` and commit the result",
            path.display(),
            recorded.sources
        );
    }
    let toolchain = match Toolchain::detect() {
        Ok(toolchain) => toolchain,
        Err(absent) => {
            println!("ebpf: compared the hash of the sources only: {absent:#}");
            return Ok(());
        }
    };
    if toolchain.versions != recorded.versions {
        println!(
            "ebpf: compared the hash of the sources only: the object was built with {}, here is {toolchain}",
            recorded.versions.join(", ")
        );
        return Ok(());
    }
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    if build::object(&toolchain, scratch.path())? != committed {
        bail!(
            "{} is not what its sources give with the toolchain that it records ({toolchain}): \
             run `cargo xtask ebpf` and commit the result",
            path.display()
        );
    }
    println!("ebpf: rebuilt with the recorded toolchain ({toolchain}): byte-identical");
    Ok(())
}
