//! Where latencies go while they are measured: standard output and files, each in its own format and
//! at its own pace.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    export::{LatencyExport, LatencyFormat, Pace},
    plan::{Failure, LatencyOutput, Status},
    profile::{Latencies, Window},
    view::LatencyQuery,
};

/// Everything that is written to. Files are opened before the measuring, so that one that cannot be
/// written is known before an hour has passed.
pub(super) struct Sinks {
    sinks: Vec<Sink>,
}

struct Sink {
    format: &'static LatencyFormat,
    pace: Pace,
    to: Destination,
    written: bool,
    /// Whoever read it has gone, and has got what he wanted.
    closed: bool,
}

enum Destination {
    Standard,
    File {
        file: File,
        path: PathBuf,
        new: bool,
    },
}

/// What is written, in whatever format.
pub(super) struct Contents<'a> {
    pub(super) latencies: &'a Latencies,
    pub(super) window: Window,
    pub(super) query: &'a LatencyQuery,
    pub(super) title: &'a str,
}

impl Sinks {
    /// Opens all. `pace`: that of all of them; `None`: each has its own.
    pub(super) fn open(outputs: &[LatencyOutput], pace: Option<Pace>) -> Result<Self, Failure> {
        let mut opened = Self { sinks: Vec::new() };
        for LatencyOutput { path, format } in outputs {
            let to = match path {
                None => Destination::Standard,
                Some(path) => Destination::open(path)?,
            };
            opened.sinks.push(Sink {
                format,
                pace: pace.unwrap_or(format.pace),
                to,
                written: false,
                closed: false,
            });
        }
        Ok(opened)
    }

    /// Writes to those that want it now; whether anybody listens still.
    pub(super) fn write(&mut self, pace: Pace, contents: &Contents<'_>) -> Result<bool, Failure> {
        for sink in &mut self.sinks {
            if sink.pace == pace && !sink.closed {
                sink.write(contents)?;
            }
        }
        Ok(self.sinks.iter().any(|sink| !sink.closed))
    }

    /// Whether something is written after each interval.
    pub(super) fn has(&self, pace: Pace) -> bool {
        self.sinks.iter().any(|sink| sink.pace == pace)
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.sinks.iter().filter_map(|sink| match &sink.to {
            Destination::Standard => None,
            Destination::File { path, .. } => Some(path.as_path()),
        })
    }
}

impl Sink {
    fn write(&mut self, contents: &Contents<'_>) -> Result<(), Failure> {
        let Contents {
            latencies,
            window,
            query,
            title,
        } = *contents;
        let export = LatencyExport {
            latencies,
            window,
            query,
            title,
            first: !self.written,
        };
        let result = match &mut self.to {
            Destination::Standard => {
                let mut out = io::stdout().lock();
                (self.format.write)(&export, &mut out).and_then(|()| out.flush())
            }
            Destination::File { file, .. } => {
                let emptied = if self.written { Ok(()) } else { empty(file) };
                emptied.and_then(|()| (self.format.write)(&export, file))
            }
        };
        self.written = true;
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(cannot_write(self.to.name(), &error)),
        }
    }
}

impl Drop for Sinks {
    /// What was not written leaves no empty file behind.
    fn drop(&mut self) {
        for sink in &self.sinks {
            if let (
                false,
                Destination::File {
                    path, new: true, ..
                },
            ) = (sink.written, &sink.to)
            {
                _ = std::fs::remove_file(path);
            }
        }
    }
}

impl Destination {
    fn open(path: &Path) -> Result<Self, Failure> {
        let new = !path.exists();
        // What is in it stays until there is something to replace it with.
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Ok(Self::File {
            file: file.map_err(|error| cannot_write(path, &error))?,
            path: path.to_owned(),
            new,
        })
    }

    fn name(&self) -> &Path {
        match self {
            Self::Standard => Path::new("standard output"),
            Self::File { path, .. } => path,
        }
    }
}

/// Devices and pipes have no length to set.
fn empty(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Status::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
}
