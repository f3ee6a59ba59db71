//! The doctor tries things for real, and where they fail says what helps.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::guard::kernel;
use crate::common::tracer::tracer;

/// What `doctor --json` said, and its exit status.
struct Report {
    document: Value,
    code: Option<i32>,
}

impl Report {
    #[track_caller]
    fn of(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{said}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.lines().count(), 1, "{text}");
        let report = Self {
            document: serde_json::from_str(&text).expect("a line of JSON"),
            code: output.status.code(),
        };
        for check in report.checks() {
            let amiss = check["status"] != "ok";
            assert_eq!(amiss, check["remedy"].is_string(), "{check}");
        }
        report
    }

    fn checks(&self) -> &[Value] {
        self.document["checks"]
            .as_array()
            .expect("a list of checks")
    }

    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let check = self.checks().iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("no check {name}: {}", self.document))
    }

    #[track_caller]
    fn assert_status(&self, name: &str, status: &str) {
        let check = self.check(name);
        assert_eq!(check["status"], status, "{check}");
    }

    /// It says that nothing works, and for all that fails something that helps.
    #[track_caller]
    fn assert_hopeless(&self, helps: &str) {
        assert_eq!(self.code, Some(3), "{}", self.document);
        let works = self.document["works"].as_object().expect("the commands");
        assert!(works.values().all(|works| works == false), "{works:?}");
        for name in [
            "BPF programs",
            "process tracking",
            "samples by the CPU clock",
        ] {
            self.assert_status(name, "fail");
        }
        for name in ["BPF programs", "samples by the CPU clock"] {
            let remedy = self.check(name)["remedy"].as_str().unwrap_or_default();
            assert!(remedy.contains(helps), "{name}: {remedy}");
        }
    }
}

#[track_caller]
fn doctor(arguments: &[&str]) -> Output {
    let output = tracer().arg("doctor").args(arguments).output();
    output.expect("tracer can be run")
}

/// The program where every user can run it: where the tests are built may be closed to them.
fn for_all_users() -> (TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).expect("our own directory");
    let program = directory.path().join("tracer");
    std::fs::copy(env!("CARGO_BIN_EXE_tracer"), &program).expect("the program can be copied");
    (directory, program)
}

#[test]
fn samples_of_a_busy_process_arrive() {
    let Some(_kernel) = kernel("samples_of_a_busy_process_arrive") else {
        return;
    };
    let report = Report::of(&doctor(&["--json"]));
    for name in [
        "kernel",
        "type information (BTF)",
        "BPF programs",
        "process tracking",
        "samples by the CPU clock",
        "names of functions",
    ] {
        report.assert_status(name, "ok");
    }
    let found = report.check("samples by the CPU clock")["found"].as_str();
    let samples = found.and_then(|found| found.split(' ').next()?.parse::<u64>().ok());
    assert!(samples > Some(0), "{found:?}");
    let works = &report.document["works"];
    assert_eq!(
        (&works["top"], &works["flame"]),
        (&true.into(), &true.into())
    );
}

#[test]
fn probes_of_functions_are_hit() {
    let Some(_kernel) = kernel("probes_of_functions_are_hit") else {
        return;
    };
    let report = Report::of(&doctor(&["--json"]));
    report.assert_status("function probes, one by one", "ok");
    assert_eq!(report.document["works"]["hist"], true);
    assert_eq!(report.code, Some(0), "{}", report.document);
}

#[test]
fn a_person_reads_the_same_as_a_script() {
    let Some(_kernel) = kernel("a_person_reads_the_same_as_a_script") else {
        return;
    };
    let text = doctor(&[]);
    let json = Report::of(&doctor(&["--json"]));
    assert_eq!(text.status.code(), json.code);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(!text.contains('\x1b'), "colours in a pipe: {text}");
    for check in json.checks() {
        let name = check["name"].as_str().expect("a name");
        let line = text.lines().find(|line| line.contains(name));
        assert!(line.is_some(), "no line on {name}: {text}");
    }
    let verdict = text.lines().last().unwrap_or_default();
    assert!(
        verdict.contains("top") && verdict.contains("hist"),
        "{text}"
    );
}

#[test]
fn a_user_without_privileges_hears_what_is_missing() {
    let Some(_kernel) = kernel("a_user_without_privileges_hears_what_is_missing") else {
        return;
    };
    let (_directory, program) = for_all_users();
    let output = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
        ])
        .arg(&program)
        .args(["doctor", "--json"])
        .current_dir("/")
        .output();
    let report = Report::of(&output.expect("setpriv is installed"));
    report.assert_hopeless("sudo");
    for name in [
        "CAP_BPF",
        "CAP_PERFMON",
        "function probes, all at once",
        "function probes, one by one",
    ] {
        report.assert_status(name, "fail");
    }
    report.assert_status("kernel", "ok");
    let remedy = report.check("CAP_BPF")["remedy"].as_str();
    let setcap = format!("=ep {}", program.display());
    assert!(
        remedy.is_some_and(|remedy| remedy.ends_with(&setcap)),
        "{remedy:?}"
    );
}

#[test]
fn namespaces_of_a_container_are_named() {
    let Some(_kernel) = kernel("namespaces_of_a_container_are_named") else {
        return;
    };
    let within = |flags: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare
            .args(flags)
            .arg(env!("CARGO_BIN_EXE_tracer"))
            .args(["doctor", "--json"]);
        Report::of(&unshare.output().expect("unshare is installed"))
    };
    let report = within(&["-pf", "--mount-proc"]);
    report.assert_status("PID namespace", "fail");
    report.assert_hopeless("--pid=host");
    let report = within(&["-U", "--map-root-user"]);
    report.assert_status("user namespace", "fail");
    report.assert_hopeless("--userns=host");
}
