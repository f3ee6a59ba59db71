//! Names of code that was compiled at run time.

use std::io::Write as _;
use std::path::PathBuf;

use tracer::symbol::{NoName, Settings};

use crate::fixture::{C, Running, Want, ask, compile, is_root, names, symbolizer};

/// A perf map in /tmp that goes away with its test.
struct Map(PathBuf);

impl Map {
    fn of(pid: u32) -> Self {
        Self(PathBuf::from(format!("/tmp/perf-{pid}.map")))
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn program() -> (tempfile::TempDir, Running) {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(&compile(directory.path(), "program", C, &[]));
    (directory, running)
}

#[test]
fn a_perf_map_is_read_while_it_is_written_and_kept_when_it_is_deleted() {
    let (_directory, running) = program();
    let pid = running.pid();
    let mut symbolizer = symbolizer(Settings::default());
    assert_eq!(
        ask(&mut symbolizer, &[Want::Jit(pid, 0x1000)]),
        [Err(NoName::NoPerfMap)]
    );

    let map = Map::of(pid);
    let mut file = std::fs::File::create_new(&map.0).unwrap();
    file.write_all(b"1000 20 js:hot\x1b[2J\n2000 10 js:part")
        .unwrap();
    let wants = [Want::Jit(pid, 0x1001), Want::Jit(pid, 0x2000)];
    let answers = ask(&mut symbolizer, &wants);
    assert_eq!(names(&answers[0]), ["js:hot\\u{1b}[2J"]);
    assert_eq!(answers[1], Err(NoName::NotInPerfMap));

    file.write_all(b"ial\n").unwrap();
    drop(map);
    drop(running);
    assert_eq!(names(&ask(&mut symbolizer, &wants)[1]), ["js:partial"]);
}

#[test]
fn a_perf_map_that_another_user_has_put_there_is_refused() {
    if !is_root("files of another user") {
        return;
    }
    let (directory, running) = program();
    let map = Map::of(running.pid());
    let wants = [Want::Jit(running.pid(), 0x1000)];
    let mut symbolizer = symbolizer(Settings::default());

    let target = directory.path().join("target");
    std::fs::write(&target, "1000 20 planted\n").unwrap();
    std::os::unix::fs::symlink(&target, &map.0).unwrap();
    std::os::unix::fs::lchown(&map.0, Some(12345), None).unwrap();
    assert_eq!(ask(&mut symbolizer, &wants), [Err(NoName::NoPerfMap)]);

    std::fs::remove_file(&map.0).unwrap();
    std::fs::write(&map.0, "1000 20 planted\n").unwrap();
    std::os::unix::fs::chown(&map.0, Some(12345), None).unwrap();
    assert_eq!(ask(&mut symbolizer, &wants), [Err(NoName::NoPerfMap)]);

    // The same, but the process's own.
    std::os::unix::fs::chown(&map.0, Some(0), None).unwrap();
    assert_eq!(names(&ask(&mut symbolizer, &wants)[0]), ["planted"]);
}
