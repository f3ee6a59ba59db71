//! The interface on a real run, as pictures.

use std::fs;
use std::path::Path;

use crate::common::busy::Running;
use crate::common::guard::kernel;
use crate::common::tracer::tracer;
use crate::xml::problem;

#[test]
fn every_screen_is_pictured_with_what_was_busy() {
    let Some(_kernel) = kernel("every_screen_is_pictured_with_what_was_busy") else {
        return;
    };
    let busy = Running::burn();
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The directory is made.
    let into = directory.path().join("new");
    let output = tracer()
        .args(["top", "-F", "499", "-d", "2", "-p", &busy.pid().to_string()])
        .arg("--pictures")
        .arg(&into)
        .output()
        .expect("tracer can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let everywhere = "functions focus flame flame-zoomed tree callers time small light";
    for name in everywhere.split(' ') {
        let picture = read(&into.join(name));
        assert!(picture.contains("burn_seventy"), "{name}: {picture}");
    }
    for (name, expected) in [
        ("processes", "burn"),
        ("health", "ns each"),
        ("time", "FIXED"),
        ("help", "take back the last step"),
    ] {
        let picture = read(&into.join(name));
        assert!(picture.contains(expected), "{name}: {picture}");
    }
}

fn read(path: &Path) -> String {
    let picture = fs::read_to_string(path.with_extension("svg")).expect("a picture");
    assert_eq!(problem(&picture), None, "{}", path.display());
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    picture
}
