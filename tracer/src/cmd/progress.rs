//! What a person is told on standard error.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

/// Says a line. That nobody can hear it is no failure.
pub(super) fn say(line: &str) {
    _ = writeln!(stderr(), "{line}");
}

/// A line that is written over itself while something goes on; nothing where standard error is not
/// a terminal.
pub(super) struct Progress {
    terminal: bool,
    written: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            terminal: stderr().is_terminal(),
            written: None,
            shown: false,
        }
    }

    /// Shows a line, at most five times a second.
    pub(super) fn show(&mut self, line: impl FnOnce() -> String) {
        const PAUSE: Duration = Duration::from_millis(200);
        if !self.terminal || self.written.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.written = Some(Instant::now());
        self.shown = true;
        let mut out = stderr();
        // Back to the first column, and what was there is erased. Failing to show is no failure.
        _ = write!(out, "\r\x1b[K{}", line());
        _ = out.flush();
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            _ = write!(stderr(), "\r\x1b[K");
        }
        self.written = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
