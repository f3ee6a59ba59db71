//! Files by path, by soname and by what is mapped.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tracer::{
    plan::Status,
    probe::{self, Scope},
};

use super::fixture::{Workshop, resolve};

const LIBRARY: (&str, &str) = ("library.c", "int inside(int x) { return x + 7; }\n");
const OTHER: (&str, &str) = (
    "other.c",
    "int before(int x) { return x * x; }\nint inside(int x) { return x * before(x); }\n",
);
const PROGRAM: (&str, &str) = (
    "program.c",
    "#include <unistd.h>\n\
     int inside(int);\n\
     int own(int x) { return inside(x); }\n\
     int main(void) { own(1); if (write(1, \"\\n\", 1)) pause(); return 0; }\n",
);

/// A program that runs until it is dropped.
struct Running(Child);

impl Running {
    fn start(program: &Path) -> Self {
        let child = Command::new(program).stdout(Stdio::null()).spawn().unwrap();
        let running = Self(child);
        let deadline = Instant::now() + Duration::from_secs(30);
        let maps = format!("/proc/{}/maps", running.pid());
        while !fs::read_to_string(&maps).unwrap().contains("libfixture") {
            assert!(Instant::now() < deadline, "{program:?} does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        running
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A program and a library of its own beside it.
fn linked(shop: &Workshop) -> std::path::PathBuf {
    shop.compile("libfixture.so.1", LIBRARY, &["-shared", "-fPIC", "-O1"]);
    let library = shop.path("libfixture.so.1");
    let flags = ["-O0", library.to_str().unwrap(), "-Wl,-rpath,$ORIGIN"];
    shop.compile("program", PROGRAM, &flags)
}

#[test]
fn libraries_of_a_command() {
    let shop = Workshop::new();
    let program = linked(&shop);
    let scope = Scope::Command(program.clone());
    for probe in [
        "inside",
        "uprobe:libfixture:inside",
        "fixture:inside",
        "u:libfixture.so.1:inside",
    ] {
        let found = resolve(&[probe], &scope).unwrap();
        let files: Vec<&str> = found.sites.iter().map(|site| site.dso.as_str()).collect();
        assert_eq!(files, ["libfixture.so.1"], "{probe}");
    }
    let both = resolve(&["own", "inside", "libc:malloc"], &scope).unwrap();
    let probes: Vec<usize> = both.sites.iter().map(|site| site.probe).collect();
    assert_eq!(probes, [0, 1, 2]);
    // A script is its interpreter.
    let script = shop.path("script");
    fs::write(&script, format!("#!{}\n", program.display())).unwrap();
    assert_eq!(
        resolve(&["own"], &Scope::Command(script))
            .unwrap()
            .sites
            .len(),
        1
    );
}

#[test]
fn libraries_of_a_process() {
    let shop = Workshop::new();
    let program = linked(&shop);
    let running = Running::start(&program);
    let scope = Scope::Processes(vec![running.pid()]);
    for (probe, dso) in [
        ("inside", "libfixture.so.1"),
        ("own", "program"),
        ("uprobe:libfixture:inside", "libfixture.so.1"),
        ("uprobe:libc:malloc", "libc.so.6"),
        ("c:malloc", "libc.so.6"),
    ] {
        let found = resolve(&[probe], &scope).unwrap_or_else(|why| panic!("{probe}: {why}"));
        assert!(
            found.sites.iter().any(|site| site.dso == dso),
            "{probe}: {found:?}"
        );
    }
    let missing = resolve(&["uprobe:libnothing:f"], &scope).unwrap_err();
    assert_eq!(missing.status(), Status::Nothing);
    assert!(missing.to_string().contains("libnothing"), "{missing}");
    // Two processes with the same file are one place.
    let second = Running::start(&program);
    let both = Scope::Processes(vec![running.pid(), second.pid()]);
    assert_eq!(resolve(&["inside"], &both).unwrap().sites.len(), 1);
}

#[test]
fn a_library_that_was_replaced_is_the_one_that_is_mapped() {
    let shop = Workshop::new();
    let program = linked(&shop);
    let running = Running::start(&program);
    let old = Scope::Processes(vec![running.pid()]);
    let before = resolve(&["libfixture.so.1:inside"], &old).unwrap();
    fs::remove_file(shop.path("libfixture.so.1")).unwrap();
    shop.compile("libfixture.so.1", OTHER, &["-shared", "-fPIC", "-O1"]);
    let after = resolve(&["libfixture.so.1:inside"], &old).unwrap();
    assert_eq!(after.sites.len(), 1);
    assert_eq!(after.sites[0].start, before.sites[0].start);
    assert_ne!(after.sites[0].file, before.sites[0].file, "not by its path");
    let new = Running::start(&program);
    let both = Scope::Processes(vec![running.pid(), new.pid()]);
    assert_eq!(
        resolve(&["libfixture.so.1:inside"], &both)
            .unwrap()
            .sites
            .len(),
        2
    );
}

#[test]
fn nothing_and_wrong_usage() {
    let bare = resolve(&["malloc"], &Scope::Machine).unwrap_err();
    assert_eq!(bare.status(), Status::Usage);
    assert!(
        bare.to_string().contains("-p PID") || bare.to_string().contains("with -p"),
        "{bare}"
    );
    for probe in [
        "uprobe:libnothing:f",
        "uprobe:/nothing/here:f",
        "uprobe:libc:no_such_function",
    ] {
        let error = resolve(&[probe], &Scope::Machine).unwrap_err();
        assert_eq!(error.status(), Status::Nothing, "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert!(resolve(&["c:malloc"], &Scope::Machine).is_ok());
    assert!(resolve(&["uprobe:libc.so.6:malloc"], &Scope::Machine).is_ok());
}

#[test]
fn what_is_no_file_is_called_what_it_is() {
    let shop = Workshop::new();
    let made = Command::new("mkfifo").arg(shop.path("pipe")).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("nowhere", shop.path("link")).unwrap();
    let directory = shop.path("directory");
    fs::create_dir(&directory).unwrap();
    let pipe = shop.path("pipe");
    for (path, expected) in [
        (pipe.as_path(), "is a pipe (FIFO);"),
        (&directory, "is a directory;"),
        (&shop.path("link"), "is a link that leads nowhere;"),
        (Path::new("/dev/null"), "is a device;"),
        (&shop.path("none"), "there is no file"),
    ] {
        let probe = format!("uprobe:{}:f", path.display());
        for scope in [Scope::Machine, Scope::Command("/bin/true".into())] {
            let error = resolve(&[&probe], &scope).unwrap_err();
            assert_eq!(error.status(), Status::Nothing);
            assert!(error.to_string().contains(expected), "{error}");
        }
        let own = Scope::Processes(vec![std::process::id()]);
        let error = resolve(&[&probe], &own).unwrap_err().to_string();
        let expected = expected.replace("there is", "what is measured maps");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn programs_that_cancel_threads_are_known() {
    let shop = Workshop::new();
    let (name, source) = (
        "cancel.c",
        "#include <pthread.h>\n\
         #include <unistd.h>\n\
         int main(int argc, char **argv) {\n\
         if (argc > 5) pthread_cancel(pthread_self());\n\
         if (write(1, argv[0], 1)) pause(); return 0; }\n",
    );
    let program = shop.compile("cancel", (name, source), &["-O1", "-pthread"]);
    let found = probe::cancelling(&Scope::Command(program));
    let found = found.map(|found| format!("{} {} {}", found.who, found.import, found.file));
    assert_eq!(found.as_deref(), Some("cancel pthread_cancel cancel"));
    let plain = linked(&shop);
    assert_eq!(probe::cancelling(&Scope::Command(plain.clone())), None);
    let running = Running::start(&plain);
    let of_process = Scope::Processes(vec![running.pid()]);
    assert_eq!(probe::cancelling(&of_process), None);
    assert_eq!(probe::cancelling(&Scope::Machine), None);
}
