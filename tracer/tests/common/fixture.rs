//! Programs of known truth, compiled once for each run of the tests.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use tempfile::TempDir;

struct Built {
    directory: TempDir,
    programs: BTreeMap<String, PathBuf>,
}

static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    Mutex::new(Built {
        directory,
        programs: BTreeMap::new(),
    })
});

/// Compiles `tests/fixtures/NAME.c` or `NAME.cpp`, without optimisation: gcc leaves the frame out of leaf
/// functions otherwise, whatever it is told about frame pointers.
pub(crate) fn program(name: &'static str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let cpp = source.with_extension("cpp");
    let (compiler, source) = if cpp.exists() {
        ("c++", cpp)
    } else {
        ("cc", source.with_extension("c"))
    };
    build(name, |program| {
        let mut command = Command::new(compiler);
        command
            .args(["-O0", "-g", "-Wall", "-Werror"])
            .args(["-fno-omit-frame-pointer", "-pthread", "-o"])
            .arg(program)
            .arg(source);
        command
    })
}

/// The file of this name that a command makes.
pub(crate) fn build(name: &str, command: impl FnOnce(&Path) -> Command) -> PathBuf {
    let mut built = BUILT.lock().expect("no compilation has failed");
    if let Some(program) = built.programs.get(name) {
        return program.clone();
    }
    let program = built.directory.path().join(name);
    let mut command = command(&program);
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: see `cargo xtask setup`"));
    assert!(status.success(), "{command:?}: {status}");
    built.programs.insert(name.to_owned(), program.clone());
    program
}

/// The number after `NAME ` on a line of its own.
pub(crate) fn number(output: &str, name: &str) -> u64 {
    let mut values = output
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = values
        .next()
        .unwrap_or_else(|| panic!("no `{name}` in:\n{output}"));
    value
        .parse()
        .unwrap_or_else(|_| panic!("`{name} {value}` is not a number"))
}

/// A fixture that is ready to work and waits to be released.
pub(crate) struct Gated {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it has printed.
    pub(crate) said: String,
}

impl Gated {
    pub(crate) fn start(name: &'static str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program(name))
            .args(arguments)
            .arg("gate")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a fixture can be run");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        while !said.ends_with("ready\n") {
            let read = output
                .read_line(&mut said)
                .expect("the fixture prints text");
            assert!(read > 0, "{name} ended before its gate: {said}");
        }
        Self {
            child,
            output,
            said,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn release(&mut self) {
        let gate = self.child.stdin.as_mut().expect("a pipe");
        gate.write_all(b"\n")
            .expect("the fixture waits at its gate");
    }

    /// Waits for the end, and returns all that it printed.
    pub(crate) fn finish(mut self) -> String {
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .expect("the fixture prints text");
        self.said.push_str(&rest);
        assert!(self.child.wait().expect("our own child").success());
        std::mem::take(&mut self.said)
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        // A test that failed leaves it at its gate.
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            self.child.wait().expect("our own child");
        }
    }
}

#[test]
fn numbers_are_found_by_their_names() {
    assert_eq!(number("tid 5\ncpu_ns 17\n", "cpu_ns"), 17);
}

#[test]
fn a_gated_fixture_waits_and_tells_the_truth() {
    let mut fixture = Gated::start("burn", &["0.05"]);
    assert_eq!(fixture.said, "ready\n");
    fixture.release();
    let said = fixture.finish();
    let (seventy, thirty) = (number(&said, "seventy_ns"), number(&said, "thirty_ns"));
    assert!(seventy + thirty >= 50_000_000, "{said}");
    assert!(number(&said, "cpu_ns") >= 45_000_000, "{said}");
}
