//! Whether an interface that stays open stays small, while processes come and go without a pause.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::terminal::{Terminal, Usage, children};
use super::workload::Busy;
use super::{Bench, judge, median, tell};

/// Loops that do nothing but start short programs.
const LOOPS: [&str; 3] = [
    "while :; do /bin/true; done",
    "while :; do /bin/true; /bin/echo; done",
    "while :; do gzip -c /etc/services; sh -c 'sh -c true; :'; done",
];
const PAUSE: Duration = Duration::from_secs(10);
/// So much may come and go.
const SLACK_KIB: f64 = 3072.0;

/// A moment: how far into the run, tracer and its worker.
struct Moment {
    at_s: f64,
    tracer: Usage,
    worker: Usage,
}

pub(super) fn run(bench: &Bench, minutes: u32) -> Result<bool> {
    let commands = LOOPS.map(|script| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Busy::start(&mut command)
    });
    let loops = commands.into_iter().collect::<Result<Vec<_>>>()?;
    // Only them and what they start: what else the machine begins to run in these minutes has
    // names too, and they take memory.
    let pids: Vec<String> = loops.iter().map(|busy| busy.pid().to_string()).collect();
    let pids = pids.join(",");
    let history = format!("{}s", (minutes * 60 / 6).min(60));
    let arguments = ["top", "--history", &history, "-p", &pids];
    println!(
        "`tracer {}` for {minutes} min under {} loops of short programs",
        arguments.join(" "),
        LOOPS.len()
    );
    let mut terminal = Terminal::start((120, 40), &bench.tracer, &arguments, &["Functions"])?;
    terminal.wait(Duration::from_secs(20))?;
    println!(
        "  {:>5} {:>11} {:>11} {:>4} {:>11} {:>11} {:>4} {:>6}",
        "s", "rss KiB", "anon KiB", "fds", "worker rss", "worker anon", "fds", "CPU %"
    );
    let started = Instant::now();
    let mut series: Vec<Moment> = Vec::new();
    // Screens take turns, so that none is left out.
    let mut screens = ["2", "3", "4", "5", "1"].into_iter().cycle();
    while started.elapsed() < Duration::from_secs(60 * u64::from(minutes)) {
        thread::sleep(PAUSE);
        let worker = children(terminal.pid());
        let moment = Moment {
            at_s: started.elapsed().as_secs_f64(),
            tracer: Usage::of(terminal.pid())?,
            worker: Usage::of(*worker.first().context("the worker has ended")?)?,
        };
        let cpu = series.last().map(|last| moment.cpu_percent(last));
        let Moment {
            at_s,
            tracer,
            worker,
        } = &moment;
        println!(
            "  {at_s:>5.0} {:>11} {:>11} {:>4} {:>11} {:>11} {:>4} {:>6.2}",
            tracer.rss_kib,
            tracer.anonymous_kib,
            tracer.descriptors,
            worker.rss_kib,
            worker.anonymous_kib,
            worker.descriptors,
            cpu.unwrap_or(0.0),
        );
        series.push(moment);
        terminal.press(screens.next().unwrap_or("1"))?;
    }
    terminal.quit()?;
    verdict(&series)
}

impl Moment {
    fn cpu_percent(&self, earlier: &Self) -> f64 {
        let of = |moment: &Self| moment.tracer.cpu_s + moment.worker.cpu_s;
        100.0 * (of(self) - of(earlier)) / (self.at_s - earlier.at_s)
    }
}

/// The last third beside the one before.
fn verdict(series: &[Moment]) -> Result<bool> {
    let third = series.len() / 3;
    let middle = series.get(third..2 * third).unwrap_or_default();
    let last = series.get(2 * third..).unwrap_or_default();
    anyhow::ensure!(third >= 2, "too short for thirds");
    let of = |moments: &[Moment], what: &dyn Fn(&Moment) -> f64| {
        median(moments.iter().map(what).collect())
    };
    let mut met = true;
    let mut beside = |title: &str, unit: &str, what: &dyn Fn(&Moment) -> f64| {
        let (before, now) = (of(middle, what), of(last, what));
        tell(&format!("{title}, middle third"), before, unit);
        let most = match unit {
            "KiB" => before + SLACK_KIB.max(before * 0.1),
            _ => before,
        };
        met &= judge(&format!("{title}, last third"), now, most, unit);
    };
    beside("tracer: anonymous memory", "KiB", &|moment| {
        moment.tracer.anonymous_kib as f64
    });
    beside("worker: anonymous memory", "KiB", &|moment| {
        moment.worker.anonymous_kib as f64
    });
    beside("tracer: descriptors", "", &|moment| {
        moment.tracer.descriptors as f64
    });
    beside("worker: descriptors", "", &|moment| {
        moment.worker.descriptors as f64
    });
    let cpu = |moments: &[Moment]| match moments {
        [first, .., last] => last.cpu_percent(first),
        _ => 0.0,
    };
    let (before, now) = (cpu(middle), cpu(last));
    tell("CPU, middle third", before, "%");
    let flat = judge("CPU, last third", now, before * 1.15 + 0.2, "%");
    Ok(met && flat)
}
