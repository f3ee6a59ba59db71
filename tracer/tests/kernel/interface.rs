//! `tracer top` in a real terminal.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::common::busy::Running;
use crate::common::folded;
use crate::common::guard::kernel;
use crate::common::postgres::Postgres;
use crate::common::stats::assert_points;
use crate::common::tmux::{FREE, Terminal};
use crate::common::tracer::soon;

const TRACER: &str = env!("CARGO_BIN_EXE_tracer");

/// The PIDs of processes of this program that run below a terminal of ours.
fn running(marker: &str) -> Vec<u32> {
    let output = Command::new("pgrep")
        .args(["-f", marker])
        .output()
        .expect("procps is installed");
    let pids = String::from_utf8_lossy(&output.stdout).into_owned();
    pids.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// The share in front of a function's name in a table: the first of the percentages is self.
fn self_percent(screen: &str, function: &str) -> Option<f64> {
    let line = screen
        .lines()
        .find(|line| line.contains(function) && line.contains('%'))?;
    line.trim_start().split('%').next()?.trim().parse().ok()
}

/// The number behind a word, as in `self 1,234 (`.
fn number_behind(screen: &str, word: &str) -> u64 {
    let found = screen
        .split(word)
        .nth(1)
        .unwrap_or_else(|| panic!("no {word:?} in:\n{screen}"));
    let digits: String = found
        .trim_start()
        .chars()
        .take_while(|char| char.is_ascii_digit() || *char == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number behind {word:?} in:\n{screen}"))
}

#[test]
fn the_keys_lead_from_a_busy_machine_to_the_function() {
    let Some(_kernel) = kernel("the_keys_lead_from_a_busy_machine_to_the_function") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let script = directory.path().join("spin.py");
    fs::write(
        &script,
        "def spin():\n    while True:\n        sum(range(1000))\nspin()\n",
    )
    .expect("the directory takes files");
    let _python = Running::start(Command::new("python3").arg(&script));
    let _postgres = Postgres::start();
    let burn = Running::burn();

    let terminal = Terminal::start(120, 30, directory.path());
    let before = terminal.modes();
    assert_eq!(before, FREE);
    terminal.command("stty -a > before");
    terminal.command(&format!("{TRACER} top -F 1999"));
    terminal.wait_for("burn_seventy");

    // Each busy process, and its hottest function.
    for (process, function) in [
        ("burn", "burn_seventy"),
        ("postgres", "."),
        ("python3", "."),
    ] {
        terminal.keys(&["2"]);
        terminal.wait_for("Hottest function");
        terminal.wait_for(process);
        terminal.keys(&["/"]);
        terminal.text(process);
        terminal.keys(&["Enter"]);
        let wanted = format!("{process} (PID ");
        let screen = terminal.wait_for(&wanted);
        let hottest = screen.split(" in ").nth(1).unwrap_or_default().to_owned();
        assert!(process != "burn" || hottest.contains(function), "{screen}");
        terminal.keys(&["Enter"]);
        terminal.wait_until("the query", |screen| {
            let query = screen.lines().nth(3).unwrap_or_default();
            query.contains(&wanted) && screen.contains("Symbol")
        });
        // Its flame graph, zoomed to its widest function.
        terminal.keys(&["3"]);
        terminal.wait_until("a flame graph", |screen| {
            screen
                .lines()
                .nth(4)
                .is_some_and(|line| line.starts_with("all"))
        });
        terminal.keys(&["Down", "Down", "Down", "Down", "Enter"]);
        terminal.wait_for("zoomed to");
        // Back to all processes: the zoom, the process, and the search.
        terminal.keys(&["BSpace", "BSpace", "Escape"]);
        terminal.wait_for("all processes › last 10 s");
    }

    // The same numbers on the screen and in the files.
    terminal.keys(&["1"]);
    let pid = burn.pid();
    terminal.wait_for("burn_seventy");
    terminal.keys(&["2", "/"]);
    terminal.text(&pid.to_string());
    terminal.keys(&["Enter"]);
    terminal.wait_for(&format!("burn (PID {pid}): "));
    terminal.keys(&["Enter"]);
    terminal.wait_for(&format!("burn (PID {pid}) › last 10 s"));
    thread::sleep(Duration::from_secs(8));
    terminal.keys(&["Space", "g"]);
    let screen = terminal.wait_for("PAUSED");
    for (function, expected) in [("burn_seventy", 70.0), ("burn_thirty", 30.0)] {
        let found = self_percent(&screen, function).unwrap_or_else(|| panic!("{screen}"));
        assert_points(found, expected, 2.0, function);
    }
    let (own, whole) = (
        number_behind(&screen, ": self "),
        number_behind(&screen, "%) of "),
    );
    for name in ["shown.folded", "shown.json", "shown.svg"] {
        terminal.keys(&["e", "C-u"]);
        terminal.text(name);
        terminal.keys(&["Enter"]);
        terminal.wait_for(&format!("wrote {name}"));
    }
    let read =
        |name: &str| fs::read_to_string(directory.path().join(name)).expect("it was written");
    let stacks = folded::parse(&read("shown.folded"));
    let seventy = stacks.iter().filter(|stack| {
        stack
            .frames
            .last()
            .is_some_and(|leaf| leaf == "burn_seventy")
    });
    assert_eq!(
        seventy.map(|stack| stack.count).sum::<u64>(),
        own,
        "{screen}"
    );
    assert_eq!(folded::total(&stacks), whole, "{screen}");
    let json: serde_json::Value = serde_json::from_str(&read("shown.json")).expect("it is JSON");
    let functions = json["functions"].as_array().expect("a list");
    let seventy = functions
        .iter()
        .find(|row| row["symbol"] == "burn_seventy")
        .expect("it is there");
    assert_eq!(seventy["self"], own, "{screen}");
    assert_eq!(json["processes"][0]["samples"], whole, "{screen}");
    assert!(read("shown.svg").contains(&format!("total_samples=\"{whole}\"")));

    terminal.keys(&["q"]);
    terminal.wait_until("prompt", |screen| screen.trim_end().ends_with("ready$"));
    assert_eq!(terminal.modes(), before);
    terminal.command("stty -a > after; cmp before after && echo as it was");
    terminal.wait_for("as it was");
}

#[test]
fn a_burst_on_the_timeline_is_seen_alone() {
    let Some(_kernel) = kernel("a_burst_on_the_timeline_is_seen_alone") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let burn = Running::burn();
    burn.pause();
    let terminal = Terminal::start(80, 24, directory.path());
    terminal.command(&format!("{TRACER} top -F 499 -p {}", burn.pid()));
    terminal.wait_for("LIVE");
    thread::sleep(Duration::from_secs(3));
    burn.resume();
    thread::sleep(Duration::from_secs(2));
    burn.pause();
    thread::sleep(Duration::from_secs(4));
    // All of it first, then four columns that hold the burst and nothing else.
    terminal.keys(&["]", "]", "]", "]", "]", "]"]);
    let screen = terminal.wait_for("all that is held");
    let whole = number_behind(&screen, "LIVE ");
    // Others may have the CPU as well.
    assert!(whole > 100, "{screen}");
    let timeline = screen.lines().nth(21).expect("24 lines").to_owned();
    let columns: Vec<char> = timeline.chars().collect();
    let busy = |column: &usize| columns.get(*column).is_some_and(|cell| *cell != ' ');
    let first = (0..80).find(busy).unwrap_or_else(|| panic!("{screen}"));
    let last = (0..80)
        .rev()
        .find(busy)
        .unwrap_or_else(|| panic!("{screen}"));
    assert!((2..=4).contains(&(last - first + 1)), "{screen}");
    // The picture moves while one looks at it: hold it.
    terminal.keys(&["Space"]);
    terminal.wait_for("PAUSED");
    let screen = terminal.screen();
    let timeline: Vec<char> = screen.lines().nth(21).expect("24 lines").chars().collect();
    let first = (0..80)
        .find(|x| timeline.get(*x).is_some_and(|cell| *cell != ' '))
        .expect("the burst");
    let column = |column: usize| u16::try_from(column).expect("80 columns");
    terminal.mouse(0, column(first), 21, true);
    terminal.mouse(32, column(first + 3), 21, true);
    terminal.mouse(0, column(first + 3), 21, false);
    let screen = terminal.wait_for("FIXED");
    assert!(
        number_behind(&screen, "FIXED ") * 10 >= whole * 9,
        "{screen}"
    );
    // By the keyboard: the newest column has nothing of it.
    terminal.keys(&["Escape", "v"]);
    let screen = terminal.wait_for("v begins to select");
    assert_eq!(number_behind(&screen, "FIXED "), 0, "{screen}");
    terminal.keys(&["v", "Home", "Enter"]);
    terminal.wait_until("all of it", |screen| {
        number_behind(screen, "FIXED ") == whole
    });
    terminal.keys(&["Escape"]);
    terminal.wait_for("LIVE");
}

/// Starts `tracer top` in a new terminal.
fn started(directory: &Path, marker: &str) -> (Terminal, u32) {
    let terminal = Terminal::start(80, 24, directory);
    terminal.command("stty -a > before");
    terminal.command(&format!("{TRACER} top --log {marker}"));
    terminal.wait_for("LIVE");
    let marker = format!("top --log {marker}");
    let pids = running(&marker);
    assert_eq!(pids.len(), 1, "{pids:?}");
    (terminal, pids[0])
}

fn send(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a PID"), signal).expect("tracer is ours");
}

#[track_caller]
fn assert_given_back(terminal: &Terminal) {
    let modes = soon(Duration::from_secs(5), || terminal.modes() == FREE);
    assert!(modes, "{:?}\n{}", terminal.modes(), terminal.screen());
    terminal.command("stty -a > after; cmp before after && echo as it was");
    terminal.wait_for("as it was");
    terminal.keys(&["C-l"]);
}

/// Asks the next test to be the program that is tested.
const PANIC: &str = "TRACER_TEST_PANIC";

/// Takes the terminal and panics.
#[test]
fn an_interface_that_panics_if_it_is_asked_to() {
    use tracer::tui::{Facts, Port, Request, Theme, run};

    struct Panicking;

    impl Port for Panicking {
        fn send(&mut self, _: Request) {
            thread::sleep(Duration::from_millis(500));
            panic!("on purpose");
        }
    }

    if std::env::var_os(PANIC).is_some() {
        let (_news, told) = tokio::sync::mpsc::channel(1);
        drop(run(Facts::default(), Theme::Mono, &mut Panicking, told));
    }
}

#[test]
fn the_terminal_is_given_back() {
    use rustix::process::Signal;
    let Some(_kernel) = kernel("the_terminal_is_given_back") else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (signal, name) in [
        (Signal::TERM, "term"),
        (Signal::HUP, "hup"),
        (Signal::INT, "int"),
    ] {
        let (terminal, pid) = started(directory.path(), name);
        send(pid, signal);
        assert_given_back(&terminal);
    }

    // Stopped by a key, and by somebody else; and back again.
    let (terminal, pid) = started(directory.path(), "stop");
    for by_key in [true, false] {
        if by_key {
            terminal.keys(&["C-z"]);
        } else {
            send(pid, Signal::TSTP);
        }
        terminal.wait_for("Stopped");
        assert_given_back(&terminal);
        terminal.command("fg");
        terminal.wait_for("LIVE");
    }
    terminal.resize(60, 20);
    terminal.wait_until("60 columns", |screen| {
        screen.lines().all(|line| line.chars().count() <= 60) && screen.contains("LIVE")
    });
    terminal.keys(&["C-c"]);
    assert_given_back(&terminal);

    // A terminal that is closed ends it.
    let (terminal, _) = started(directory.path(), "closed");
    drop(terminal);
    let ended = soon(Duration::from_secs(5), || {
        running("top --log closed").is_empty()
    });
    assert!(ended, "tracer goes on without a terminal");

    // A panic is reported on the screen that was there before.
    let terminal = Terminal::start(80, 24, directory.path());
    terminal.command("stty -a > before");
    let itself = std::env::current_exe().expect("it runs");
    terminal.command(&format!(
        "RUST_BACKTRACE=0 {PANIC}=1 {} --exact --nocapture interface::an_interface_that_panics_if_it_is_asked_to",
        itself.display()
    ));
    terminal.wait_for("on purpose");
    assert_given_back(&terminal);
}

#[test]
fn logs_go_to_the_file_and_errors_come_before_the_screen_is_taken() {
    let Some(_kernel) = kernel("logs_go_to_the_file_and_errors_come_before_the_screen_is_taken")
    else {
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let terminal = Terminal::start(80, 24, directory.path());
    terminal.command(&format!("{TRACER} top -p no-such-process; echo status $?"));
    let screen = terminal.wait_for("status 4");
    assert!(screen.contains("no process is named"), "{screen}");
    let burn = Running::burn();
    terminal.command(&format!("{TRACER} top -p {}", burn.pid()));
    terminal.wait_for("burn_seventy");
    drop(burn);
    terminal.wait_for("the measuring has ended");
    terminal.keys(&["q"]);
    terminal.wait_until("prompt", |screen| screen.trim_end().ends_with("ready$"));
    terminal.command(&format!(
        "{TRACER} top -d 1 --log log -- sh -c 'printf no%s ise; exit 7'; echo status $?"
    ));
    let screen = terminal.wait_for("the measuring has ended");
    assert!(!screen.contains("noise"), "{screen}");
    terminal.keys(&["q"]);
    terminal.wait_for("status 7");
    let log = fs::read_to_string(directory.path().join("log")).expect("the log was written");
    assert!(log.contains("the measuring has ended"), "{log}");
}
