//! Whether the chains that are expected are right: with `UNWIND_ORACLE=perf` the tests judge what
//! `perf record --call-graph dwarf` sees, in place of tracer. It has limits of its own (127 frames, no
//! code of a JIT, 64 KB of stack), so some tests then fail for reasons that are known.

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
