//! Fixtures that run side by side for ever, measured together.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::oracle;
use super::truth::{Truth, user_frames};
use crate::common::folded::{self, Stack};
use crate::common::ledger::Ledger;
use crate::common::tracer::{Flame, signal};

/// Not a divisor of anything that the machine does by itself.
pub(super) const HZ: &str = "3989";

/// How long it may take at most, in milliseconds, until all tables are there.
const MOST_LATE_MS: u64 = 50;

/// Whether a stack was cut short for a reason with these words.
pub(super) fn says(stack: &Stack, words: &str) -> bool {
    stack
        .truncation()
        .is_some_and(|reason| reason.contains(words))
}

/// Whether a stack was cut short because a table had not been made yet.
pub(super) fn is_late(stack: &Stack) -> bool {
    stack
        .truncation()
        .is_some_and(|reason| reason.ends_with("not loaded yet"))
}

struct Case {
    comm: String,
    truth: Truth,
}

/// What runs, and the truth of it by the threads' names.
#[derive(Default)]
pub(super) struct Scene {
    processes: Vec<Child>,
    cases: Vec<Case>,
    preload: Option<PathBuf>,
}

/// What was measured.
pub(super) struct Measured {
    pub(super) stacks: Vec<Stack>,
    pub(super) ledger: Ledger,
    cases: Vec<Case>,
    faults: String,
}

impl Scene {
    /// Starts `program`, and returns when it says that it is ready.
    pub(super) fn start<S: AsRef<OsStr>>(&mut self, program: &Path, arguments: &[S]) -> u32 {
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(library) = self.preload.take() {
            command.env("LD_PRELOAD", library);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut said = String::new();
        let output = child.stdout.as_mut().expect("a pipe");
        let read = BufReader::new(output).read_line(&mut said);
        let pid = child.id();
        self.processes.push(child);
        assert!(
            read.is_ok() && said == "ready\n",
            "{}: {said}",
            program.display()
        );
        pid
    }

    /// The next program is started with this library.
    pub(super) fn preload(&mut self, library: &Path) -> &mut Self {
        self.preload = Some(library.to_owned());
        self
    }

    /// Writes to the standard input of all.
    pub(super) fn tell(&mut self, text: &str) {
        for child in &mut self.processes {
            let input = child.stdin.as_mut().expect("a pipe");
            input.write_all(text.as_bytes()).expect("the fixture reads");
        }
    }

    /// What threads of this name do.
    pub(super) fn expect(&mut self, comm: &str, truth: Truth) -> &mut Self {
        let comm = comm.to_owned();
        self.cases.push(Case { comm, truth });
        self
    }

    /// Starts a fixture that runs this chain below `main` in a thread of the same name.
    pub(super) fn case(&mut self, program: &Path, name: &str, chains: &[&str]) -> &mut Self {
        self.start(program, &[name]);
        self.expect(name, Truth::below_main(chains).reached(10.0))
    }

    pub(super) fn pids(&self) -> String {
        let pids = self.processes.iter().map(|child| child.id().to_string());
        pids.collect::<Vec<_>>().join(",")
    }

    /// Measures all of it for so many seconds. The account must balance.
    #[track_caller]
    pub(super) fn measure(self, seconds: &str) -> Measured {
        let pids = self.pids();
        if oracle::is_wanted() {
            let stacks = oracle::perf(&pids, seconds);
            return self.measured(stacks, Ledger::default());
        }
        let flags = ["-e", "cpu-clock", "-F", HZ, "-d", seconds, "-p", &pids];
        let (stacks, ledger, _) = Flame::new().run(&flags).profile();
        self.measured(stacks, ledger)
    }

    /// What gdb sees of each must be in keeping with the chain of its name. The programs were started
    /// in the order of what is expected.
    #[track_caller]
    pub(super) fn check_by_gdb(self) {
        // The last one has only just said that it begins.
        thread::sleep(Duration::from_millis(100));
        // So that they do not keep gdb from running.
        for child in &self.processes {
            signal(child, Signal::STOP);
        }
        let mut faults = String::new();
        for (child, case) in self.processes.iter().zip(&self.cases) {
            let stack = oracle::gdb(child.id(), &case.comm);
            if let Some(fault) = case.truth.fault(&stack) {
                faults.push_str(&format!("{}: {fault}\n", case.comm));
            }
        }
        assert!(faults.is_empty(), "\n{faults}");
    }

    /// What another measuring has found.
    pub(super) fn measured(mut self, stacks: Vec<Stack>, ledger: Ledger) -> Measured {
        Measured {
            stacks,
            ledger,
            cases: std::mem::take(&mut self.cases),
            faults: String::new(),
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.processes {
            child.kill().expect("our own child, not waited for");
            child.wait().expect("our own child");
        }
    }
}

impl Measured {
    /// The stacks of threads of this name.
    pub(super) fn of(&self, comm: &str) -> Vec<Stack> {
        let stacks = self.stacks.iter().filter(|stack| stack.comm == comm);
        stacks
            .map(|stack| Stack {
                comm: stack.comm.clone(),
                frames: stack.frames.clone(),
                count: stack.count,
            })
            .collect()
    }

    /// Replaces the names of frames, before they are judged.
    pub(super) fn rename(&mut self, comm: &str, name: impl Fn(&str) -> Option<String>) {
        for stack in self.stacks.iter_mut().filter(|stack| stack.comm == comm) {
            for frame in &mut stack.frames {
                if let Some(name) = name(frame) {
                    *frame = name;
                }
            }
        }
    }

    /// Takes away those stacks of a thread's name of which less is known, for instance of a program's
    /// end. At most this part of its samples, in percent, may be so. Returns how many there are.
    pub(super) fn set_aside(&mut self, comm: &str, most: f64, is: impl Fn(&Stack) -> bool) -> u64 {
        let share = folded::percent(&self.of(comm), &is);
        if share > most {
            self.faults.push_str(&format!(
                "{comm}: {share:.2} % of the samples are set aside, at most {most} % may be\n"
            ));
        }
        let (aside, kept) = std::mem::take(&mut self.stacks)
            .into_iter()
            .partition(|stack| stack.comm == comm && is(stack));
        self.stacks = kept;
        let aside: Vec<Stack> = aside;
        folded::total(&aside)
    }

    /// This part of a name's samples, in percent, must have such a stack.
    pub(super) fn has(
        &mut self,
        comm: &str,
        percent: f64,
        what: &str,
        is: impl Fn(&Stack) -> bool,
    ) {
        let found = folded::percent(&self.of(comm), is);
        if found < percent {
            self.faults.push_str(&format!(
                "{comm}: {found:.2} % {what}, {percent} % expected: too little is tested\n"
            ));
        }
    }

    /// Panics with all that is wrong. Nothing may be measured that no case tells of.
    #[track_caller]
    pub(super) fn check(mut self) {
        self.set_late_ones_aside();
        let mut faults = self.faults.clone();
        for case in &self.cases {
            faults.push_str(&case.truth.faults(&case.comm, &self.of(&case.comm)));
        }
        let told = |stack: &&Stack| self.cases.iter().any(|case| case.comm == stack.comm);
        for stack in self.stacks.iter().filter(|stack| !told(stack)) {
            faults.push_str(&format!("nobody expects {stack:?}\n"));
        }
        assert!(faults.is_empty(), "\n{faults}{:?}", self.ledger);
    }

    /// Those that were taken before a table was there say so. They must be few, and what they have must
    /// be right.
    fn set_late_ones_aside(&mut self) {
        let (late, kept): (Vec<Stack>, Vec<Stack>) = std::mem::take(&mut self.stacks)
            .into_iter()
            .partition(is_late);
        self.stacks = kept;
        let cpus = thread::available_parallelism().map_or(1, usize::from) as u64;
        let most = HZ.parse::<u64>().expect("a number") * cpus * MOST_LATE_MS / 1000;
        let all = folded::total(&late);
        if all > most {
            let fault = format!("{all} samples before tables were there, {most} may be\n");
            self.faults.push_str(&fault);
        }
        for case in &self.cases {
            for stack in late.iter().filter(|stack| stack.comm == case.comm) {
                if !case.truth.is_tail(&user_frames(stack)[1..]) {
                    let fault = format!("not the end of a right one: {stack:?}\n");
                    self.faults.push_str(&fault);
                }
            }
        }
    }
}
