//! Files that are made to hurt, and a worker that gets hurt.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracer::symbol::{NoName, Settings, Symbolizer};

use crate::fixture::{Answer, C, Want, ask, compile, dso, function, names, symbolizer};

fn want(number: u32, path: &Path, offset: u64) -> Want {
    Want::File(number, dso(path), offset, Vec::new())
}

#[test]
fn hostile_files_cost_nobody_else_anything() {
    let directory = tempfile::tempdir().unwrap();
    let good = compile(directory.path(), "good", C, &["-g", "-O2"]);
    let bytes = std::fs::read(&good).unwrap();
    let offset = function(&good, "outer").0;
    let mut hostile: Vec<Vec<u8>> = vec![Vec::new(), b"\x7fELF".to_vec(), vec![0xa5; 100_000]];
    hostile.extend((1..20).map(|part| bytes[..bytes.len() * part / 20].to_vec()));
    // Where a 64-bit ELF header keeps the offset and number of program and section headers.
    for (at, value) in [
        (32, u64::MAX),
        (40, u64::MAX),
        (40, 8),
        (56, 0xffff_ffff),
        (60, 0xffff),
    ] {
        let mut file = bytes.clone();
        let value: u64 = value;
        let width = if at < 48 { 8 } else { 2 };
        file[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        hostile.push(file);
    }
    // A generator of its own, so that what failed once fails again.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..40 {
        let mut file = bytes.clone();
        for _ in 0..200 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (random >> 16) as usize % file.len();
            file[at] = (random >> 8) as u8;
        }
        hostile.push(file);
    }
    let mut wants = Vec::new();
    for (number, bytes) in (10..).zip(&hostile) {
        let path = directory.path().join(format!("hostile{number}"));
        std::fs::write(&path, bytes).unwrap();
        wants.push(want(number, &path, offset));
    }
    wants.push(want(1, &good, offset));
    let began = Instant::now();
    let answers = ask(&mut symbolizer(Settings::default()), &wants);
    assert_eq!(names(answers.last().unwrap())[0], "outer");
    assert_eq!(answers[0], Err(NoName::Unreadable));
    assert!(began.elapsed() < Duration::from_secs(30));
}

/// Asks for a file, cuts it off while the worker has it mapped, and asks again.
fn shrink(symbolizer: &mut Symbolizer, directory: &Path) -> Vec<Answer> {
    let doomed = compile(directory, "doomed", C, &["-g", "-O2"]);
    let good = compile(directory, "good", C, &["-g", "-O2"]);
    let (outer, hidden) = (function(&doomed, "outer").0, function(&doomed, "hidden").0);
    let doomed = dso(&doomed);
    let want = |offset| Want::File(1, doomed.clone(), offset, Vec::new());
    assert_eq!(names(&ask(symbolizer, &[want(outer)])[0])[0], "outer");
    // The symbol tables have been read by now, the DWARF of another address has not.
    File::options()
        .write(true)
        .open(directory.join("doomed"))
        .unwrap()
        .set_len(0)
        .unwrap();
    let mut wants: Vec<Want> = (0..600).map(|_| want(hidden)).collect();
    wants.push(Want::File(2, dso(&good), outer, Vec::new()));
    ask(symbolizer, &wants)
}

#[test]
fn a_file_that_shrinks_while_it_is_mapped_crashes_the_worker_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let mut symbolizer = symbolizer(Settings::default());
    let answers = shrink(&mut symbolizer, directory.path());
    assert!(
        answers[..600]
            .iter()
            .all(|answer| *answer == Err(NoName::WorkerCrashed))
    );
    assert_eq!(names(&answers[600])[0], "outer");

    // Never again, even though it would be harmless by now.
    let doomed = compile(directory.path(), "doomed", C, &["-g", "-O2"]);
    let wants = [want(1, &doomed, function(&doomed, "outer").0)];
    assert_eq!(ask(&mut symbolizer, &wants), [Err(NoName::WorkerCrashed)]);
    let usage = symbolizer.finish().unwrap();
    assert_eq!(usage.crashes, 1);
    assert!(
        usage.cpu > Duration::ZERO && usage.peak_kib > 0,
        "{usage:?}"
    );
}

/// Something that is started like the worker and is none.
fn impostor(shell: &str, patience: Duration) -> Symbolizer {
    let mut worker = Command::new("sh");
    worker.args(["-c", shell]);
    Symbolizer::start_with(
        worker,
        Settings {
            patience,
            ..Settings::default()
        },
    )
    .unwrap()
}

#[test]
fn a_worker_that_hangs_dies_or_raves_is_given_up() {
    for shell in [
        "exec sleep 1000",
        "exit 1",
        "head -c 100000 /dev/zero >&0",
        "echo xxxxxxxx >&0",
    ] {
        let mut symbolizer = impostor(shell, Duration::from_millis(300));
        let began = Instant::now();
        let answers = ask(
            &mut symbolizer,
            &[
                Want::Kernel(1),
                want(1, &std::env::current_exe().unwrap(), 0),
            ],
        );
        assert_eq!(
            answers,
            [Err(NoName::WorkerCrashed), Err(NoName::WorkerCrashed)],
            "{shell}"
        );
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(symbolizer.finish().unwrap().crashes, 2);
    }
}

#[test]
fn what_workers_say_goes_to_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let log = File::options().create(true).append(true).open(&path);
    let settings = Settings {
        log: Some(Arc::new(log.unwrap())),
        ..Settings::default()
    };
    let mut worker = Command::new("sh");
    worker.args(["-c", "head -c 4 >/dev/null; echo why >&2"]);
    let mut talkative = Symbolizer::start_with(worker, settings.clone()).unwrap();
    let first = talkative.worker_pid();
    let wants = [
        Want::Kernel(1),
        want(1, &std::env::current_exe().unwrap(), 0),
    ];
    ask(&mut talkative, &wants);
    assert_ne!(talkative.worker_pid(), first);
    assert_eq!(talkative.finish().unwrap().crashes, 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "why\nwhy\n");

    // The true one may write there, and a little only.
    let mut symbolizer = symbolizer(settings);
    ask(&mut symbolizer, &[Want::Kernel(1)]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", symbolizer.worker_pid()));
    let limits = limits.unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max file size"));
    let most = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    assert_eq!(most, Some((1 << 20) + 8), "{limits}");
}

#[test]
fn finishing_does_not_wait_for_a_worker_that_hangs() {
    let mut symbolizer = impostor("exec sleep 1000", Duration::from_secs(1000));
    let info = dso(&std::env::current_exe().unwrap());
    let place = tracer::symbol::Place::File {
        dso: tracer::symbol::ids::dso(1),
        info: &info,
        offset: 0,
        holders: &[],
    };
    symbolizer.request(tracer::symbol::ids::frame(1), place);
    symbolizer.flush();
    std::thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    symbolizer.finish().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_program_that_is_no_worker_cannot_be_started() {
    assert!(Symbolizer::start(Command::new("/nonexistent/tracer")).is_err());
}

#[test]
fn the_worker_has_given_up_its_privileges() {
    let symbolizer = symbolizer(Settings::default());
    let own = std::process::id();
    let is_ours = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
                .unwrap_or_default()
        };
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_worker = arguments.ends_with(b"\0--worker\0");
        (is_worker && field("PPid:") == own.to_string()).then(|| {
            [
                field("NoNewPrivs:"),
                field("CapEff:"),
                field("CapPrm:"),
                field("CapAmb:"),
                field("Uid:"),
            ]
        })
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = std::fs::read_dir("/proc").unwrap();
        let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let found: Vec<_> = pids.filter_map(is_ours).collect();
        let none = "0".repeat(16);
        let done = found
            .iter()
            .all(|[privileges, effective, permitted, ambient, uid]| {
                let user = uid.split_whitespace().next() != Some("0");
                privileges == "1"
                    && [effective, permitted, ambient]
                        .into_iter()
                        .all(|set| *set == none)
                    && user
            });
        if done && !found.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(symbolizer);
}

#[test]
fn many_requests_at_once_do_not_block_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "program", C, &["-g", "-O2"]);
    let (offset, size) = function(&program, "main");
    let mut wants = Vec::new();
    for number in 0..300 {
        let path = directory.path().join(format!("copy{number}"));
        std::fs::hard_link(&program, &path).unwrap();
        wants.extend((0..size.min(100)).map(|at| want(number, &path, offset + at)));
    }
    let mut symbolizer = symbolizer(Settings::default());
    let answers = ask(&mut symbolizer, &wants);
    assert!(answers.iter().all(|answer| names(answer)[0] == "main"));
    let mut head = [0; 4];
    File::open(&program)
        .unwrap()
        .read_exact_at(&mut head, 0)
        .unwrap();
    assert_eq!(symbolizer.finish().unwrap().crashes, 0);
}
