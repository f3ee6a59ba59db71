//! Why nothing can be probed, in one line with the remedy.

use std::fmt;

use crate::plan::{Failure, Status};

/// What is wrong with a probe, or why it matches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    /// The probe is not as it must be written.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Status::Usage, message)
    }

    /// There is nothing to probe.
    pub(super) fn nothing(message: impl Into<String>) -> Self {
        Self::new(Status::Nothing, message)
    }

    fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The exit status that it means.
    pub fn status(&self) -> Status {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.status, error.message)
    }
}
