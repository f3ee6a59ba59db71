//! Another program's own tests, with every function of the libraries below it probed: do all of them
//! pass, and is every call accounted for?

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use super::ledger::Account;
use super::{Bench, lines, tell};
use crate::run;

/// Debian's, whose test-suite is a package of its own.
const PYTHON: &str = "/usr/bin/python3";
const TESTS: &[&str] = &[
    "test_json",
    "test_struct",
    "test_csv",
    "test_math",
    "test_hashlib",
    "test_heapq",
];
const LIBRARIES: [&str; 4] = ["libc", "libm", "libz", "libcrypto"];

pub(in crate::bench) fn run(bench: &Bench) -> Result<bool> {
    let out = bench.file("suite.json");
    let mut probed = bench.hist(&out);
    // The probes are in the tests alone, not in every program of the machine.
    probed.args(["--yes", "--no-children"]);
    probed.args(LIBRARIES.map(|library| format!("uprobe:{library}:*")));
    probed.args(["--", PYTHON, "-m", "test"]).args(TESTS);
    println!(
        "python3's own tests, every function of four libraries probed\n  {}",
        run::shown(&probed)
    );
    let mut plain = Command::new(PYTHON);
    plain.args(["-m", "test"]).args(TESTS);
    let (plain_s, said) = tests(bench, &mut plain)?;
    if !passed(&said) {
        bail!("the tests fail without tracer: `cargo xtask setup` installs them\n{said}");
    }
    let (probed_s, said) = tests(bench, &mut probed)?;
    let passed = passed(&said);
    if !passed {
        println!("{said}");
    }
    let (mut sum, mut balanced) = (Account::default(), true);
    for line in lines(&out)? {
        let account = Account::of(&line).with_context(|| format!("no account in {line}"))?;
        balanced &= account.balances();
        sum.add(&account);
    }
    tell("calls that began, in millions", sum.fired as f64 / 1e6, "");
    tell(
        "of them recorded, in millions",
        sum.recorded as f64 / 1e6,
        "",
    );
    tell("lost", sum.lost as f64, "");
    tell("without probes", plain_s, "s");
    tell("with probes", probed_s, "s");
    let met = passed && balanced && sum.balances() && sum.recorded > 0;
    println!(
        "  target all tests pass and the account balances: {}",
        if met { "met" } else { "MISSED" }
    );
    Ok(met)
}

/// Runs them: how long they take, and what they say.
fn tests(bench: &Bench, command: &mut Command) -> Result<(f64, String)> {
    let path = bench.file("suite.txt");
    let said = File::create(&path)?;
    let start = Instant::now();
    let status = command
        .current_dir(bench.scratch.path())
        .stdin(Stdio::null())
        .stderr(said.try_clone()?)
        .stdout(said)
        .status()
        .with_context(|| format!("cannot run {}", run::shown(command)))?;
    let seconds = start.elapsed().as_secs_f64();
    let mut said = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    if !status.success() {
        said += &format!("{status}\n");
    }
    Ok((seconds, said))
}

fn passed(said: &str) -> bool {
    let all = format!("All {} tests OK.", TESTS.len());
    said.contains(&all) && !said.contains("exit status:") && !said.contains("signal:")
}
