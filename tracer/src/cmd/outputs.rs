//! Writing results.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use crate::{
    export::{Export, Medium},
    plan::{Failure, Output, Status},
};

/// Files that are ready to be written: opened before the measuring, so that one that cannot be
/// written is known before an hour has passed.
pub(super) struct Outputs<'a> {
    files: VecDeque<(&'a Output, Sink)>,
}

enum Sink {
    Standard,
    File {
        file: File,
        path: PathBuf,
        new: bool,
    },
}

impl<'a> Outputs<'a> {
    /// Opens all; what has no place on a terminal does not go there.
    pub(super) fn open(outputs: &'a [Output]) -> Result<Self, Failure> {
        let mut opened = Self {
            files: VecDeque::new(),
        };
        for output in outputs {
            let sink = match &output.path {
                None if output.format.medium == Medium::File && io::stdout().is_terminal() => {
                    let end = output.format.extensions.first().unwrap_or(&"");
                    return Err(Failure::new(
                        Status::Usage,
                        format!(
                            "{} is not for a terminal; write it to a file with '-o profile{end}' or '> profile{end}', or choose '--format folded'",
                            output.format.name
                        ),
                    ));
                }
                None => Sink::Standard,
                Some(path) => {
                    let new = !path.exists();
                    // What is in it stays until there is something to replace it with.
                    let file = File::options()
                        .write(true)
                        .create(true)
                        .truncate(false)
                        .open(path);
                    Sink::File {
                        file: file.map_err(|error| cannot_write(path, &error))?,
                        path: path.clone(),
                        new,
                    }
                }
            };
            opened.files.push_back((output, sink));
        }
        Ok(opened)
    }

    /// Writes all. A pipe whose reader has gone has got what it wanted.
    pub(super) fn write(mut self, export: &Export<'_>) -> Result<(), Failure> {
        while let Some((output, sink)) = self.files.pop_front() {
            match sink {
                Sink::Standard => {
                    let mut out = io::BufWriter::new(io::stdout().lock());
                    let written =
                        (output.format.write)(export, &mut out).and_then(|()| out.flush());
                    unless_closed(written)
                        .map_err(|error| cannot_write(Path::new("standard output"), &error))?;
                }
                Sink::File { file, path, .. } => {
                    let written = write_file(file, |out| (output.format.write)(export, out));
                    written.map_err(|error| cannot_write(&path, &error))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Outputs<'_> {
    /// What was not written leaves no empty file behind.
    fn drop(&mut self) {
        for (_, sink) in &self.files {
            if let Sink::File {
                path, new: true, ..
            } = sink
            {
                _ = std::fs::remove_file(path);
            }
        }
    }
}

fn write_file(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // Devices and pipes have no length to set.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    let mut out = io::BufWriter::new(file);
    let written = write(&mut out).and_then(|()| out.flush());
    unless_closed(written)
}

fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Status::Failed,
        format!("cannot write {}: {error}", path.display()),
    )
}

/// Prints what was asked for.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    unless_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
        .map_err(|error| cannot_write(Path::new("standard output"), &error))
}
