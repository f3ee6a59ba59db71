//! The interface as pictures: what it shows of a real run, without a terminal.

use std::{fs, io, path::Path, process::ExitCode};

use super::live;
use crate::{
    plan::{Failure, Pictures, Top},
    tui,
};

/// Measures, and writes a picture of each screen.
pub(super) fn run(plan: &Top, pictures: &Pictures) -> Result<ExitCode, Failure> {
    let Pictures { directory, after } = pictures;
    live::run(plan, |facts, port, news| {
        tui::take_pictures(facts, *after, port, news, keep(directory))
    })
}

/// Writes pictures to a directory, each under its name.
pub(in crate::cmd) fn keep(directory: &Path) -> impl FnMut(&str, &str) -> io::Result<()> {
    move |name, picture| {
        let path = directory.join(name).with_extension("svg");
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&path, picture))
            .map_err(|error| io::Error::other(format!("cannot write {}: {error}", path.display())))
    }
}
