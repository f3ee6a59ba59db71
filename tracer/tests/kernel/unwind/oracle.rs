//! Whether the chains that are expected are right, by what others see of the same fixtures.
//!
//! gdb sees each thread once. With `UNWIND_ORACLE=perf` all tests judge what
//! `perf record --call-graph dwarf` sees, in place of tracer; it has limits of its own (127 frames, no
//! code of a JIT, 64 KB of stack, nothing below the stack pointer), so some tests then fail.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::folded::Stack;

use super::scene::HZ;

pub(super) fn is_wanted() -> bool {
    std::env::var("UNWIND_ORACLE").is_ok_and(|oracle| oracle == "perf")
}

/// What perf sees of these processes.
pub(super) fn perf(pids: &str, seconds: &str) -> Vec<Stack> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("perf.data");
    let record = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", HZ])
        .args(["--call-graph", "dwarf,65528", "-p", pids, "-o"])
        .arg(&data)
        .args(["sleep", seconds])
        .stdout(Stdio::null())
        .status();
    assert!(record.is_ok_and(|status| status.success()), "perf record");
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,ip,sym,dso", "-i"])
        .arg(&data)
        .output()
        .expect("perf is installed");
    let text = String::from_utf8_lossy(&script.stdout);
    text.split("\n\n").filter_map(stack).collect()
}

/// One sample: the comm's line, then a line for each frame, innermost first.
fn stack(sample: &str) -> Option<Stack> {
    let mut lines = sample.trim().lines();
    let comm = lines.next()?.trim().to_owned();
    let mut frames: Vec<String> = lines.filter_map(frame).collect();
    frames.reverse();
    let count = 1;
    Some(Stack {
        comm,
        frames,
        count,
    })
}

/// `ADDRESS SYMBOL (DSO)`.
fn frame(line: &str) -> Option<String> {
    let (address, rest) = line.trim().split_once(' ')?;
    let (symbol, dso) = rest.rsplit_once(" (")?;
    let dso = dso.trim_end_matches(')');
    if address.starts_with("ffffffff") {
        return Some(format!("{symbol}_[k]"));
    }
    if symbol != "[unknown]" {
        return Some(symbol.to_owned());
    }
    let file = Path::new(dso).file_name()?.to_string_lossy().into_owned();
    Some(format!("{file}+0x{address}"))
}

/// What gdb sees of the main thread of this process, with this name.
pub(super) fn gdb(pid: u32, comm: &str) -> Stack {
    let output = Command::new("gdb")
        .args(["-nx", "-batch", "-p", &pid.to_string()])
        .args(["-ex", "set backtrace past-main on"])
        .args(["-ex", "set backtrace past-entry on", "-ex", "bt"])
        .stderr(Stdio::null())
        .output()
        .expect("gdb is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut frames: Vec<String> = text.lines().filter_map(gdb_frame).collect();
    frames.reverse();
    let comm = comm.to_owned();
    let count = 1;
    Stack {
        comm,
        frames,
        count,
    }
}

/// `#1  0x… in NAME (…) …`, or without the address; `<signal handler called>`.
fn gdb_frame(line: &str) -> Option<String> {
    let (_, rest) = line.strip_prefix('#')?.split_once(' ')?;
    let rest = rest.trim_start();
    let named = rest
        .strip_prefix("0x")
        .and_then(|rest| rest.split_once(" in "))
        .map_or(rest, |(_, named)| named);
    if named.starts_with("<signal handler") {
        return Some("__restore_rt".to_owned());
    }
    let (name, _) = named.split_once(" (")?;
    // The part of a function that is elsewhere.
    Some(name.replace("[cold]", ".cold"))
}

#[test]
fn lines_of_gdb_are_read() {
    for (line, expected) in [
        ("#0  leaf (rounds=3) at a.c:3", Some("leaf")),
        ("#12 0x00007f in main () from /lib/a.so", Some("main")),
        ("#2  <signal handler called>", Some("__restore_rt")),
        ("[Inferior 1 (process 7) detached]", None),
    ] {
        assert_eq!(gdb_frame(line).as_deref(), expected);
    }
}
