//! Files that are no longer at their path.

use tracer::symbol::{NoName, Settings};

use crate::fixture::{C, Running, Want, ask, compile, dso, function, is_root, names, symbolizer};

#[test]
fn the_deleted_program_of_a_living_process_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let offset = function(&program, "outer").0;
    let running = Running::start(&program);
    std::fs::remove_file(&program).unwrap();
    let (holder, info) = running.mapping("program");
    assert!(info.path.ends_with(b" (deleted)"));
    let wants = [Want::File(1, info.clone(), offset, vec![holder])];
    let mut symbolizer = symbolizer(Settings::default());
    let answer = &ask(&mut symbolizer, &wants)[0];
    if is_root("reading a deleted file through map_files") {
        assert_eq!(names(answer)[0], "outer");
    } else {
        assert_eq!(*answer, Err(NoName::FileGone));
    }
    drop(running);
    let wants = [Want::File(2, info, offset, vec![holder])];
    assert_eq!(ask(&mut symbolizer, &wants), [Err(NoName::FileGone)]);
}

#[test]
fn a_file_that_was_opened_in_time_may_go() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let (info, offset) = (dso(&program), function(&program, "outer").0);
    let wants = [Want::File(1, info, offset, Vec::new())];
    let mut symbolizer = symbolizer(Settings::default());
    assert_eq!(names(&ask(&mut symbolizer, &wants)[0])[0], "outer");
    std::fs::remove_file(&program).unwrap();
    assert_eq!(names(&ask(&mut symbolizer, &wants)[0])[0], "outer");
}

#[test]
fn a_file_that_was_replaced_gives_no_wrong_names() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let (info, offset) = (dso(&program), function(&program, "outer").0);
    let source = C.1.replace("outer", "other_name");
    let other = compile(
        directory.path(),
        "other",
        ("other.c", &source),
        &["-g", "-O2"],
    );
    std::fs::rename(other, &program).unwrap();
    let wants = [Want::File(1, info, offset, Vec::new())];
    assert_eq!(
        ask(&mut symbolizer(Settings::default()), &wants),
        [Err(NoName::FileGone)]
    );
}

#[test]
fn memory_and_devices_are_not_opened() {
    let info = |path: &[u8], inode| tracer::profile::Dso {
        path: path.to_vec(),
        device: (0, 5),
        inode,
    };
    let wants = [
        Want::File(1, info(b"//anon", 0), 0, Vec::new()),
        Want::File(2, info(b"[heap]", 0), 0, Vec::new()),
        Want::File(3, dso(std::path::Path::new("/dev/null")), 0, Vec::new()),
        Want::File(4, dso(std::path::Path::new("/tmp")), 0, Vec::new()),
    ];
    let answers = ask(&mut symbolizer(Settings::default()), &wants);
    let (unreadable, gone) = (Err(NoName::Unreadable), Err(NoName::FileGone));
    assert_eq!(
        answers,
        [unreadable.clone(), unreadable, gone.clone(), gone]
    );
}
