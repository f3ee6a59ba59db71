//! Names from executables, libraries and their debug files.

use std::path::Path;

use tracer::symbol::{NoName, Settings};

use crate::fixture::{
    C, Running, Want, ask, compile, debug_directory, dso, function, is_root, name_at, names, run,
    symbolizer,
};

#[test]
fn c_with_dwarf_has_inlined_functions_and_lines() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let (offset, size) = function(&program, "outer");
    let wants: Vec<Want> = (0..size)
        .map(|at| Want::File(1, dso(&program), offset + at, Vec::new()))
        .collect();
    let answers = ask(&mut symbolizer(Settings::default()), &wants);
    assert!(
        answers.iter().all(|answer| names(answer)[0] == "outer"),
        "{answers:?}"
    );
    let inlined = answers
        .iter()
        .find(|answer| names(answer) == ["outer", "inner"])
        .unwrap();
    let place = |index: usize| {
        let location = inlined.as_ref().unwrap().functions[index]
            .location
            .as_ref()
            .unwrap();
        (
            Path::new(&location.file).file_name().unwrap().to_owned(),
            location.line,
        )
    };
    assert_eq!(place(0), ("program.c".into(), 5));
    assert_eq!(place(1), ("program.c".into(), 3));
}

#[test]
fn cpp_and_rust_are_demangled() {
    let directory = tempfile::tempdir().unwrap();
    let cpp = "namespace shop { template<class T> struct Till { __attribute__((noinline)) T\n\
               ring(T amount) { return amount * 3; } }; }\n\
               int main(int argc, char **) { return shop::Till<int>().ring(argc); }\n";
    let cpp = compile(directory.path(), "cpp", ("cpp.cc", cpp), &["-g", "-O1"]);
    let rust = "mod shop { #[inline(never)] pub fn ring<T: std::fmt::Debug>(t: T) {\n\
                std::hint::black_box(&t); } }\n\
                fn main() { shop::ring(std::env::args().count()); }\n";
    let rust = compile(directory.path(), "rust", ("rust.rs", rust), &["-g"]);
    for strip in [false, true] {
        if strip {
            run(
                "strip",
                &[
                    "--strip-debug",
                    cpp.to_str().unwrap(),
                    rust.to_str().unwrap(),
                ],
            );
        }
        let mut symbolizer = symbolizer(Settings::default());
        let wants = [
            Want::File(1, dso(&cpp), function(&cpp, "4ring").0, Vec::new()),
            Want::File(2, dso(&rust), function(&rust, "4ring").0, Vec::new()),
        ];
        let answers = ask(&mut symbolizer, &wants);
        assert_eq!(names(&answers[0]), ["shop::Till<int>::ring(int)"]);
        assert!(
            names(&answers[1])[0].contains("shop::ring"),
            "{:?}",
            answers[1]
        );
        assert!(!names(&answers[1])[0].contains("17h"), "{:?}", answers[1]);
    }
}

/// A stripped program, its debug file, and where `outer` and `hidden` are.
fn split(directory: &Path, link: bool, build_id: &str) -> (u64, u64) {
    let program = compile(directory, "program", C, &["-g", "-O2", build_id]);
    let offsets = (
        function(&program, "outer").0,
        function(&program, "hidden").0,
    );
    let (path, debug) = (program.to_str().unwrap(), directory.join("program.debug"));
    let debug = debug.to_str().unwrap();
    run("objcopy", &["--only-keep-debug", path, debug]);
    run("objcopy", &["--strip-all", path]);
    if link {
        run("objcopy", &[&format!("--add-gnu-debuglink={debug}"), path]);
    }
    offsets
}

#[test]
fn a_stripped_program_without_debug_file_is_said_to_be_stripped() {
    let directory = tempfile::tempdir().unwrap();
    let (outer, _) = split(directory.path(), false, "-Wl,--build-id");
    let mut symbolizer = symbolizer(debug_directory(&directory.path().join("none")));
    let answer = name_at(&mut symbolizer, &directory.path().join("program"), outer);
    assert_eq!(answer, Err(NoName::Stripped));
}

#[test]
fn a_debug_file_is_found_by_link_beside_and_below() {
    // Without a build ID it is the checksum that says whether it is the right one.
    for build_id in ["-Wl,--build-id", "-Wl,--build-id=none"] {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        let (outer, hidden) = split(home, true, build_id);
        let program = home.join("program");
        let debug = tempfile::tempdir().unwrap();
        let below = debug.path().join(home.strip_prefix("/").unwrap());
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(home.join(".debug")).unwrap();
        let mut at = home.join("program.debug");
        for place in [
            home.join("program.debug"),
            home.join(".debug/program.debug"),
            below.join("program.debug"),
        ] {
            std::fs::copy(&at, directory.path().join("moved")).unwrap();
            std::fs::remove_file(&at).unwrap();
            std::fs::copy(directory.path().join("moved"), &place).unwrap();
            at = place;
            let mut symbolizer = symbolizer(debug_directory(debug.path()));
            let wants =
                [outer, hidden].map(|offset| Want::File(1, dso(&program), offset, Vec::new()));
            let answers = ask(&mut symbolizer, &wants);
            assert_eq!(names(&answers[0])[0], "outer", "{at:?}");
            assert_eq!(names(&answers[1]), ["hidden"], "{at:?}");
            assert!(answers[1].as_ref().unwrap().functions[0].location.is_some());
        }
    }
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let directory = tempfile::tempdir().unwrap();
    let (_, hidden) = split(directory.path(), false, "-Wl,--build-id=0x0123456789abcdef");
    let debug = tempfile::tempdir().unwrap();
    let home = debug.path().join(".build-id/01");
    std::fs::create_dir_all(&home).unwrap();
    let from = directory.path().join("program.debug");
    std::fs::rename(&from, home.join("23456789abcdef.debug")).unwrap();
    let mut symbolizer = symbolizer(debug_directory(debug.path()));
    let answer = name_at(&mut symbolizer, &directory.path().join("program"), hidden);
    assert_eq!(names(&answer), ["hidden"]);
}

#[test]
fn the_debug_file_of_another_build_is_not_used() {
    for build_id in ["-Wl,--build-id", "-Wl,--build-id=none"] {
        let directory = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let (_, hidden) = split(directory.path(), true, build_id);
        let source = C.1.replace("hidden", "another_name");
        let wrong = compile(
            other.path(),
            "wrong",
            ("wrong.c", &source),
            &["-g", "-O2", build_id],
        );
        std::fs::copy(wrong, directory.path().join("program.debug")).unwrap();
        let mut symbolizer = symbolizer(debug_directory(other.path()));
        let answer = name_at(&mut symbolizer, &directory.path().join("program"), hidden);
        assert_eq!(answer, Err(NoName::Stripped), "{build_id}");
    }
}

#[test]
fn damaged_dwarf_does_not_cost_the_symbol_table() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, [0xff; 4096]).unwrap();
    for section in [".debug_abbrev", ".debug_info"] {
        let update = format!("--update-section={section}={}", garbage.display());
        run("objcopy", &[&update, program.to_str().unwrap()]);
    }
    let offset = function(&program, "hidden").0;
    let answer = name_at(&mut symbolizer(Settings::default()), &program, offset);
    assert_eq!(names(&answer), ["hidden"]);
}

#[test]
fn a_file_that_only_its_owner_may_read_is_copied_for_the_worker() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    if is_root("a file of another user") {
        std::os::unix::fs::chown(&program, Some(12345), Some(12345)).unwrap();
    }
    let offset = function(&program, "outer").0;
    let answer = name_at(&mut symbolizer(Settings::default()), &program, offset);
    assert_eq!(names(&answer)[0], "outer");
}

#[test]
fn the_vdso_has_names() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &[]);
    let running = Running::start(&program);
    let (holder, info) = running.mapping("[vdso]");
    // Its symbols' addresses are its file offsets.
    let image = directory.path().join("vdso");
    let memory = std::fs::File::open(format!("/proc/{}/mem", running.pid())).unwrap();
    let mut bytes = vec![0; (holder.end - holder.start) as usize];
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, holder.start).unwrap();
    std::fs::write(&image, bytes).unwrap();
    let offset = function(&image, "__vdso_clock_gettime").0;
    let mut symbolizer = symbolizer(Settings::default());
    let wants = [Want::File(1, info.clone(), offset + 1, vec![holder])];
    assert!(names(&ask(&mut symbolizer, &wants)[0])[0].ends_with("clock_gettime"));
    drop(running);
    let wants = [Want::File(2, info, offset + 1, vec![holder])];
    assert!(names(&ask(&mut symbolizer, &wants)[0])[0].ends_with("clock_gettime"));
}

#[test]
fn libc_goes_by_its_public_names() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &[]);
    let running = Running::start(&program);
    let (holder, info) = running.mapping("libc");
    let path = std::ffi::OsString::from(String::from_utf8(info.path.clone()).unwrap());
    let offset = function(Path::new(&path), "__libc_malloc").0;
    let wants = [Want::File(1, info, offset + 4, vec![holder])];
    let answers = ask(&mut symbolizer(Settings::default()), &wants);
    assert!(names(&answers[0])[0].ends_with("malloc"), "{answers:?}");
    assert!(!names(&answers[0])[0].starts_with("__GI_"), "{answers:?}");
}
