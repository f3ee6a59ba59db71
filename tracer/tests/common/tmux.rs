//! A real terminal: a tmux server of our own, with a shell in it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A terminal. Its server ends with it.
pub(crate) struct Terminal {
    socket: String,
}

/// How long the screen may take to show what it must, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

impl Terminal {
    /// A shell in a directory.
    pub(crate) fn start(columns: u16, rows: u16, directory: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            socket: format!("tracer-test-{}-{number}", std::process::id()),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "-e",
            "PS1=ready$ ",
            "-e",
            "TERM=xterm-256color",
            "-e",
            "NO_COLOR=",
            "-c",
            directory
                .to_str()
                .expect("temporary directories have plain names"),
            // Words of its own: no other shell comes between, which would take PS1 away.
            "bash",
            "--norc",
            "--noprofile",
        ]);
        terminal.wait_for("ready$");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output()
            .expect("tmux is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys, by tmux's names.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types text.
    pub(crate) fn text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Types a command and Enter.
    pub(crate) fn command(&self, command: &str) {
        self.text(command);
        self.keys(&["Enter"]);
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Waits until the screen shows a text, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until something holds of the screen, and gives it.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no {what} on the screen:\n{screen}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether a program has the terminal: the other screen, no cursor, the mouse.
    pub(crate) fn modes(&self) -> (bool, bool, bool) {
        let modes = "#{alternate_on}#{cursor_flag}#{mouse_any_flag}";
        let modes = self.tmux(&["display-message", "-p", modes]);
        let mut flags = modes.trim().chars().map(|flag| flag == '1');
        let mut next = || flags.next().expect("three flags");
        (next(), next(), next())
    }

    /// A mouse event as a terminal sends it: button, column and row from 0, whether it went down.
    pub(crate) fn mouse(&self, button: u8, column: u16, row: u16, down: bool) {
        let end = if down { 'M' } else { 'm' };
        self.text(&format!("\u{1b}[<{button};{};{}{end}", column + 1, row + 1));
    }
}

/// The modes of a terminal that no program has.
pub(crate) const FREE: (bool, bool, bool) = (false, true, false);

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended with its last shell.
        let ended = Command::new("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
        drop(ended);
    }
}
