//! The log: what goes wrong, in a file, because the screen is taken.

use std::{fs::File, path::Path};

use simplelog::{ConfigBuilder, LevelFilter, WriteLogger};

use crate::plan::{Failure, Status};

/// Writes the log to a file from now on, behind what is in it.
pub(in crate::cmd) fn start(path: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("cannot write the log {}: {error}", path.display());
        Failure::new(Status::Failed, message)
    };
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| failed(&error))?;
    let config = ConfigBuilder::new()
        .set_time_format_rfc3339()
        // Libraries say much about every program that they load.
        .add_filter_allow_str("tracer")
        .build();
    WriteLogger::init(LevelFilter::Debug, config, file).map_err(|error| failed(&error))
}
