//! What cannot be done is said in one line, and costs no time.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::common::fixture;
use crate::common::guard::kernel;
use crate::common::tracer::tracer;

/// Runs it; nothing that cannot be done may take long.
#[track_caller]
fn refused(arguments: &[&str], code: i32) -> Output {
    let start = Instant::now();
    let output = tracer()
        .args(arguments)
        .output()
        .expect("tracer can be run");
    assert_refused(&output, code);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{arguments:?} took {:?}",
        start.elapsed()
    );
    output
}

#[track_caller]
fn assert_refused(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.trim().is_empty(), "nothing is said");
    assert!(!said.contains("panicked"), "{said}");
    assert!(
        output.stdout.is_empty(),
        "an error is not what was asked for"
    );
}

#[test]
fn wrong_usage_is_status_2() {
    refused(&["flame", "--no-such-flag"], 2);
    refused(&["no-such-command"], 2);
    refused(&["flame", "-d", "soon"], 2);
    refused(&["flame", "-F", "0"], 2);
    refused(&["flame", "--shrink", "nothing=1"], 2);
    refused(&["flame", "-d", "1", "-o", "x.docx"], 2);
    refused(&["flame", "-d", "1", "--format", "docx"], 2);
}

#[test]
fn nothing_to_measure_is_status_4() {
    let Some(_kernel) = kernel("nothing_to_measure_is_status_4") else {
        return;
    };
    // Above the highest PID that Linux can be told to give out.
    let output = refused(&["flame", "-d", "1", "-p", "4194305"], 4);
    assert!(String::from_utf8_lossy(&output.stderr).contains("4194305"));
    refused(&["flame", "-d", "1", "-p", "no-such-process"], 4);
    refused(&["flame", "-d", "1", "-t", "4194305"], 4);
}

#[test]
fn what_cannot_be_written_is_said_before_measuring() {
    let Some(_kernel) = kernel("what_cannot_be_written_is_said_before_measuring") else {
        return;
    };
    let output = refused(
        &["flame", "-a", "-d", "30", "-o", "/no/such/directory/x.svg"],
        1,
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/directory/x.svg"));
    refused(
        &[
            "flame",
            "-a",
            "-d",
            "30",
            "--ledger",
            "/no/such/directory/x.json",
        ],
        1,
    );
}

#[test]
fn a_user_without_privileges_is_status_3() {
    let Some(_kernel) = kernel("a_user_without_privileges_is_status_3") else {
        return;
    };
    // Where the tests are built may be closed to other users.
    let program = std::env::temp_dir().join(format!("tracer-for-all-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_tracer"), &program).expect("the program can be copied");
    let output = std::process::Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
        ])
        .arg(&program)
        .args(["flame", "-a", "-d", "1"])
        .current_dir("/")
        .output();
    std::fs::remove_file(&program).expect("our own file");
    let output = output.expect("setpriv is installed");
    assert_refused(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("root") || said.contains("CAP_"),
        "no remedy: {said}"
    );
}

#[test]
fn a_command_that_cannot_be_run_is_as_with_env() {
    let Some(_kernel) = kernel("a_command_that_cannot_be_run_is_as_with_env") else {
        return;
    };
    refused(
        &[
            "flame",
            "-o",
            "/dev/null",
            "--format",
            "svg",
            "--",
            "/no/such/program",
        ],
        127,
    );
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/burn.c");
    refused(
        &["flame", "-o", "/dev/null", "--format", "svg", "--", source],
        126,
    );
}

#[test]
fn a_failure_of_tracer_itself_is_125_beside_a_command() {
    let Some(_kernel) = kernel("a_failure_of_tracer_itself_is_125_beside_a_command") else {
        return;
    };
    let program = fixture::program("burn");
    let program = program
        .to_str()
        .expect("temporary directories have plain names");
    refused(
        &[
            "flame",
            "-o",
            "/no/such/directory/x.svg",
            "--",
            program,
            "30",
        ],
        125,
    );
}
