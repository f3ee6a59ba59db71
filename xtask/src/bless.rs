//! Golden files, written anew from what the code does now.

use anyhow::Result;

use crate::{run, test};

pub(crate) fn run() -> Result<()> {
    test::bless()?;
    let changed = run::output(
        std::process::Command::new("git")
            .current_dir(crate::paths::root())
            .args(["status", "--short", "--", "tracer/tests", "tracer/src"]),
    )?;
    match changed.trim_end() {
        "" => println!("bless: nothing changed"),
        changed => println!("bless: look at these before committing them:\n{changed}"),
    }
    Ok(())
}
