//! How a run of tracer ends when it does not end well.

use std::{fmt, process::ExitCode};

/// Exit statuses, as documented in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Done,
    /// Failed while running.
    Failed,
    /// Wrong usage.
    Usage,
    /// This kernel or this user cannot do it.
    Unable,
    /// Nothing to measure.
    Nothing,
    /// tracer failed with a command of the user's to run, whose statuses are not ours to use.
    CommandNotRun,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::Unable => 3,
            Status::Nothing => 4,
            Status::CommandNotRun => 125,
        })
    }
}

/// An error as its reader wants it: one line that names the cause and the remedy.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    message: String,
}

impl Failure {
    /// A failure with this message.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<crate::kernel::Error> for Failure {
    fn from(error: crate::kernel::Error) -> Self {
        use crate::kernel::Error;
        let status = match error {
            Error::Object(_) | Error::Os { .. } => Status::Failed,
            Error::Denied { .. }
            | Error::Refused { .. }
            | Error::NoBpf
            | Error::TooOld { .. }
            | Error::NoBtf(_)
            | Error::PidNamespace
            | Error::UnknownKernel(_)
            | Error::NoUprobes
            | Error::Silent(_)
            | Error::Verifier { .. }
            | Error::NoEvent(_) => Status::Unable,
        };
        Self::new(status, error.to_string())
    }
}
