//! How soon the interface is there, and what it costs to leave it open.

use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::terminal::{Terminal, Usage, children};
use super::{Bench, judge, tell, workload};
use crate::{paths, run};

/// Sizes of terminals.
const SIZES: [(u16, u16); 2] = [(80, 24), (200, 60)];
const SMALL: (u16, u16) = SIZES[0];

/// Keys that lead to the screens.
const SCREENS: [(&str, &str); 5] = [
    ("functions", "1"),
    ("processes", "2"),
    ("flame", "3"),
    ("tree", "4"),
    ("health", "5"),
];

/// Until it is as busy as it stays, and how long it is then looked at.
const SETTLING: Duration = Duration::from_secs(12);
const STEADY: Duration = Duration::from_secs(30);

/// Seconds from Enter to a picture, and to one with names.
pub(super) fn start(bench: &Bench) -> Result<bool> {
    let busy = workload::burn(bench.scratch.path())?;
    println!(
        "start of `tracer top`, one busy process of PID {}, median of {}",
        busy.pid(),
        bench.rounds
    );
    let [picture, names] = bench.medians(|| {
        let awaited = ["Functions", "burn_seventy"];
        let mut terminal = Terminal::start(SMALL, &bench.tracer, &["top"], &awaited)?;
        let times = terminal.wait(Duration::from_secs(20))?;
        terminal.quit()?;
        let [picture, names] = [0, 1].map(|index| times.get(index).map(Duration::as_secs_f64));
        Ok([picture.context("no time")?, names.context("no time")?])
    })?;
    let picture = judge("to the first frame", picture, 0.5, "s");
    let names = judge("to the first names", names, 1.5, "s");
    Ok(picture && names)
}

/// What frames and keys take with a million stacks, and what it costs to leave the interface open.
pub(super) fn interface(bench: &Bench) -> Result<bool> {
    let load = load()?;
    let open = open(bench)?;
    Ok(load && open)
}

/// Everything that `tui_load` prints.
fn load() -> Result<bool> {
    let mut build = run::cargo();
    build.args(["build", "--release", "--locked", "--package", "tracer"]);
    run::status(build.args(["--example", "tui_load"]))?;
    let example: PathBuf = paths::release_tracer().with_file_name("examples/tui_load");
    let output = run::output(&mut Command::new(example))?;
    let report: serde_json::Value = serde_json::from_str(&output)?;
    println!(
        "1,000,000 stacks of 5,000 processes, 200×60; {} frames, {:.0} MiB in the model",
        report["frames"],
        number(&report["held_bytes"])? / f64::from(1 << 20)
    );
    let mut met = true;
    for screen in report["screens"].as_array().context("no screens")? {
        let title = screen["screen"].as_str().context("no title")?;
        let frame = number(&screen["frame_ms"]["most"])?;
        let key = number(&screen["key_ms"]["most"])?;
        met &= judge(&format!("{title}: a frame at most"), frame, 8.0, "ms");
        met &= judge(&format!("{title}: a key at most"), key, 1.0, "ms");
        let news = number(&screen["news_ms"]["most"])?;
        tell(&format!("{title}: taking in an answer"), news, "ms");
        let answer = number(&screen["answer_ms"])?;
        tell(&format!("{title}: making an answer"), answer, "ms");
    }
    let peak = number(&report["rss_peak"])? / f64::from(1 << 20);
    Ok(judge("model, names and answers: peak memory", peak, 400.0, "MiB") && met)
}

fn number(value: &serde_json::Value) -> Result<f64> {
    value.as_f64().context("a number is missing")
}

/// Each screen in each size, while two CPUs compress.
fn open(bench: &Bench) -> Result<bool> {
    let _gzips = workload::Gzips::start(bench.scratch.path(), 2)?;
    println!(
        "`tracer top` open for {} s, 99 Hz, system-wide, two `gzip -9`: CPU of tracer and worker",
        STEADY.as_secs()
    );
    let mut met = true;
    for size in SIZES {
        for (screen, key) in SCREENS {
            let mut terminal = Terminal::start(size, &bench.tracer, &["top"], &["Functions"])?;
            terminal.wait(Duration::from_secs(20))?;
            terminal.press(key)?;
            thread::sleep(SETTLING);
            let before = cpu_s(terminal.pid())?;
            let written = terminal.bytes();
            thread::sleep(STEADY);
            let spent = cpu_s(terminal.pid())? - before;
            let written = (terminal.bytes() - written) / STEADY.as_secs();
            terminal.quit()?;
            let percent = 100.0 * spent / STEADY.as_secs_f64();
            let (width, height) = size;
            let what = format!("{screen}, {width}×{height} ({written} B/s written)");
            met &= judge(&what, percent, 1.0, "%");
        }
    }
    Ok(met)
}

/// Of a process and its children.
fn cpu_s(pid: u32) -> Result<f64> {
    let family = std::iter::once(pid).chain(children(pid));
    family.map(|pid| Ok(Usage::of(pid)?.cpu_s)).sum()
}
