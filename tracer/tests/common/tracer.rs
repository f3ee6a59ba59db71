//! Running the program that is tested.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::folded::{self, Stack};
use super::ledger::Ledger;

/// Where the files of one run go.
pub(crate) struct Flame {
    directory: TempDir,
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// None where it wrote none.
    pub(crate) stacks: Option<Vec<Stack>>,
    pub(crate) ledger: Option<Ledger>,
}

pub(crate) fn tracer() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tracer"))
}

impl Flame {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `tracer flame` that writes folded stacks and the ledger.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tracer();
        command.arg("flame").arg("-o").arg(self.file("out.folded"));
        command
            .arg("--ledger")
            .arg(self.file("ledger.json"))
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it in the background.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("tracer can be run")
    }

    /// Waits for the end, and reads what was written.
    pub(crate) fn finish(&self, child: Child) -> Ended {
        let output = child.wait_with_output().expect("our own child");
        let read = |name: &str| fs::read_to_string(self.file(name)).ok();
        Ended {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stacks: read("out.folded").map(|text| folded::parse(&text)),
            ledger: read("ledger.json").map(|text| Ledger::parse(&text)),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.finish(self.start(arguments))
    }
}

/// Runs `flame`; it must succeed, and its account must balance and agree with its stacks.
#[track_caller]
pub(crate) fn profile(arguments: &[&str]) -> (Vec<Stack>, Ledger, Ended) {
    Flame::new().run(arguments).profile()
}

impl Ended {
    #[track_caller]
    pub(crate) fn profile(mut self) -> (Vec<Stack>, Ledger, Self) {
        self.assert_code(0);
        let stacks = self.stacks.take().expect("folded stacks were written");
        let ledger = self.ledger.take().expect("the ledger was written");
        assert!(ledger.balances(), "{ledger:?}");
        assert_eq!(
            folded::total(&stacks),
            ledger.recorded,
            "stacks and ledger differ"
        );
        (stacks, ledger, self)
    }

    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        let signal = self.status.signal();
        assert_eq!(
            (self.status.code(), signal),
            (Some(code), None),
            "{}, standard error:\n{}",
            self.status,
            self.stderr
        );
    }
}

/// Long enough for programs to be loaded and attached, on a busy machine too.
pub(crate) const ATTACHED: Duration = Duration::from_millis(1500);

pub(crate) fn wait_until_attached() {
    thread::sleep(ATTACHED);
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("our own child takes signals");
}

/// Polls until it holds. False: it did not within the time.
pub(crate) fn soon(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > within {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
