//! Latencies as text, JSON or CSV: after each interval, or once at the end.

use std::{borrow::Cow, process::ExitCode, time::Duration};

use super::{
    begin::begin,
    running::{INTERVAL, Running},
    sinks::{Contents, Sinks},
};
use crate::{
    cmd::{
        begin::{Times, nanoseconds, own_cpu_ns},
        ending::Interrupted,
        launch,
        progress::{Progress, say},
    },
    export::{LATENCY_FORMATS, Pace},
    plan::{Failure, Hist, LatencyOutput, Status, Subject},
    profile::Window,
    view::{self, LatencyQuery, calls},
};

const PATIENCE: Duration = Duration::from_millis(50);

/// Measures until the time is up, the subject has ended, or somebody has had enough.
pub(super) fn run(plan: &Hist) -> Result<ExitCode, Failure> {
    let times = Times::now();
    let pace = (plan.interval.is_some() || plan.rounds.is_some()).then_some(Pace::Interval);
    let mut sinks = Sinks::open(&outputs(plan), pace)?;
    let interrupted = Interrupted::install()?;
    let begun = begin(plan, launch::Stage::Shared)?;
    let opened = times.elapsed();
    let mut running = Running::start(begun, plan)?;
    let mut printer = Printer::new(plan, &running);

    let measured = measure(&mut running, &mut printer, &mut sinks, &interrupted);
    // What was found until something failed is shown all the same.
    let ended = printer.print_rest(&running, &mut sinks);
    summarize(&running);
    wrote(&sinks);
    if plan.debug_times {
        say(&times.report(opened, &running.meter(), 0));
    }
    let remaining = running.finish(interrupted);
    ended?;
    if let Err(failure) = measured {
        let early = format!(
            "the measuring ended early, and what it found until then is written: {failure}"
        );
        return Err(Failure::new(Status::Failed, early));
    }
    if remaining.running() {
        say("tracer: the measuring has ended; waiting for the command");
    }
    Ok(remaining
        .command_status()
        .map_or(ExitCode::SUCCESS, launch::exit_code))
}

/// Prints everything as text, once the interface has ended.
pub(super) fn final_text(plan: &Hist, running: &Running) -> Result<(), Failure> {
    let mut sinks = Sinks::open(&outputs(plan), Some(Pace::End))?;
    Printer::new(plan, running).print_rest(running, &mut sinks)?;
    summarize(running);
    Ok(())
}

/// Text on standard output where nobody has asked for anything else.
fn outputs(plan: &Hist) -> Cow<'_, [LatencyOutput]> {
    if plan.outputs.is_empty() {
        Cow::Owned(vec![LatencyOutput {
            path: None,
            format: &LATENCY_FORMATS[0],
        }])
    } else {
        Cow::Borrowed(&plan.outputs)
    }
}

fn measure(
    running: &mut Running,
    printer: &mut Printer<'_>,
    sinks: &mut Sinks,
    interrupted: &Interrupted,
) -> Result<(), Failure> {
    let mut progress = Progress::new();
    let mut listened = true;
    while listened && !running.is_done() && !printer.has_enough() {
        let changed = running.turn(PATIENCE)?;
        if interrupted.signal().is_some() {
            running.stop();
        }
        if changed {
            listened = printer.print_complete(running, sinks)?;
        }
        if printer.shows_progress && !sinks.has(Pace::Interval) {
            progress.show(|| so_far(running));
        }
    }
    running.stop();
    while !running.is_done() {
        running.turn(PATIENCE)?;
    }
    Ok(())
}

fn so_far(running: &Running) -> String {
    let (seconds, latencies) = (running.wall().as_secs_f64(), running.latencies());
    let calls = latencies.ledger(Window::ALL, |_| true).recorded;
    format!("measuring {seconds:.1} s, {calls} calls (Ctrl-C ends and keeps them)")
}

/// Knows what has been printed.
struct Printer<'a> {
    plan: &'a Hist,
    query: LatencyQuery,
    interval_ns: u64,
    /// How far from its time an interval may end: drains are not on time to the nanosecond.
    slack_ns: u64,
    /// Where the interval that is to be printed next begins.
    next_ns: Option<u64>,
    /// How many intervals are over.
    over: u64,
    printed: u64,
    /// A command writes to the same terminal; it is not to be written over.
    shows_progress: bool,
}

impl<'a> Printer<'a> {
    fn new(plan: &'a Hist, running: &Running) -> Self {
        Self {
            plan,
            query: LatencyQuery {
                group: plan.group,
                ..LatencyQuery::default()
            },
            interval_ns: nanoseconds(plan.interval.unwrap_or(INTERVAL)),
            slack_ns: nanoseconds(running.tick()) / 2,
            next_ns: None,
            over: 0,
            printed: 0,
            shows_progress: !matches!(plan.subject, Subject::Command(_)),
        }
    }

    fn has_enough(&self) -> bool {
        self.plan
            .rounds
            .is_some_and(|rounds| self.printed >= rounds)
    }

    /// Prints the interval if it is over; `false`: nobody reads any more. It ends with the drain that is
    /// nearest to its end, so that nothing is in two intervals or in none.
    fn print_complete(
        &mut self,
        running: &mut Running,
        sinks: &mut Sinks,
    ) -> Result<bool, Failure> {
        let latencies = running.latencies();
        let Some(first_ns) = latencies.first_ns() else {
            return Ok(true);
        };
        let start_ns = *self.next_ns.get_or_insert(first_ns);
        let end_ns = latencies.settled_ns();
        let over = (end_ns.saturating_sub(first_ns) + self.slack_ns) / self.interval_ns.max(1);
        if over <= self.over {
            return Ok(true);
        }
        self.over = over;
        let listened = self.print(running, sinks, Window { start_ns, end_ns })?;
        // What is printed at the end is of the whole, which is never forgotten.
        running.latencies_mut().forget_before(end_ns);
        Ok(listened)
    }

    /// Prints what is left at the end: the last interval may be a short one.
    fn print_rest(&mut self, running: &Running, sinks: &mut Sinks) -> Result<(), Failure> {
        let latencies = running.latencies();
        let Some(first_ns) = latencies.first_ns() else {
            return Ok(());
        };
        let (start_ns, end_ns) = (self.next_ns.unwrap_or(first_ns), latencies.settled_ns());
        if start_ns < end_ns && !self.has_enough() {
            self.print(running, sinks, Window { start_ns, end_ns })?;
        }
        sinks.write(Pace::End, &self.contents(running, Window::ALL))?;
        Ok(())
    }

    fn print(
        &mut self,
        running: &Running,
        sinks: &mut Sinks,
        window: Window,
    ) -> Result<bool, Failure> {
        self.next_ns = Some(window.end_ns);
        self.printed += 1;
        sinks.write(Pace::Interval, &self.contents(running, window))
    }

    fn contents<'b>(&'b self, running: &'b Running, window: Window) -> Contents<'b> {
        Contents {
            latencies: running.latencies(),
            window,
            query: &self.query,
            title: running.title(),
        }
    }
}

/// One line on what was measured, how far to trust it and what it cost.
fn summarize(running: &Running) {
    let ledger = running.latencies().ledger(Window::ALL, |_| true);
    let seconds = running.wall().as_secs_f64();
    let cost = calls::cost(running.latencies(), running.costs(), Window::ALL);
    let cost = cost.filter(|cost| cost.calls > 0).map(|cost| {
        format!(
            "; probes cost about {} a call, in all {} of the programs' time (estimated; latencies include a part of it)",
            view::nanoseconds(cost.all_ns / cost.calls as f64),
            view::nanoseconds(cost.all_ns),
        )
    });
    say(&format!(
        "tracer: {} in {}: {}, {:.0} a second{}; tracer itself took {} of CPU",
        view::printable(running.title()),
        view::nanoseconds(running.wall().as_nanos() as f64),
        view::span_account(&ledger),
        view::rate(ledger.recorded, seconds),
        cost.unwrap_or_default(),
        view::nanoseconds(own_cpu_ns() as f64),
    ));
}

fn wrote(sinks: &Sinks) {
    let files: Vec<String> = sinks
        .files()
        .map(|path| path.display().to_string())
        .collect();
    if !files.is_empty() {
        let files = files.join(", ");
        say(&format!("tracer: wrote {}", view::printable(&files)));
    }
}
