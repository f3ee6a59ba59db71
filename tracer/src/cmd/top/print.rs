//! Tables or JSON, one for each interval.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use super::keeper::Keeper;
use crate::{
    cmd::{
        begin::{Begun, begin, header, nanoseconds},
        cost::Spent,
        ending::Interrupted,
        launch,
        measuring::Measuring,
    },
    export::{self, Export, Format, Header},
    plan::{Failure, Print, Status, Top},
    profile::Window,
    view::Query,
};

/// How long the names of an interval are waited for.
const NAMES: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(50);

/// Prints until the time is up, the subject has ended, or somebody has had enough.
pub(super) fn run(plan: &Top, what: Print) -> Result<ExitCode, Failure> {
    let format = match what {
        Print::Text => export::by_name("text"),
        Print::Json => export::by_name("json"),
    };
    let format = format.map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
    let interrupted = Interrupted::install()?;
    let Begun {
        cpu,
        cpus: _,
        found,
        naming,
    } = begin(&plan.sampling, launch::Stage::Shared)?;
    let header = header(&plan.sampling, &found.title, &cpu);
    let duration = plan.sampling.duration;
    let (mut measuring, _) = Batch::start(cpu, found, naming, duration, plan.interval)?;
    let mut printer = Printer {
        format,
        header,
        interval_ns: nanoseconds(plan.interval),
        next_ns: None,
        complete_since: None,
        printed: 0,
        spent: Spent::now(&mut measuring),
    };
    let mut keeper = Keeper::new(plan.history);
    let mut open = true;
    let enough = |printer: &Printer| plan.rounds.is_some_and(|rounds| printer.printed >= rounds);
    while open && !measuring.is_done() && !enough(&printer) {
        measuring.turn(PATIENCE)?;
        if interrupted.signal().is_some() {
            measuring.stop();
        }
        open = printer.print_complete(&mut measuring)?;
        keeper.keep(&mut measuring);
    }
    if open && !enough(&printer) {
        printer.print_rest(&mut measuring)?;
    }
    measuring.stop();
    while !measuring.is_done() {
        measuring.turn(PATIENCE)?;
    }
    let (measured, remaining) = measuring.finish(interrupted);
    if let Some(error) = measured.failure {
        let message = format!("the measuring ended early: {error}");
        return Err(Failure::new(Status::Failed, message));
    }
    Ok(remaining
        .command_status()
        .map_or(ExitCode::SUCCESS, launch::exit_code))
}

struct Printer {
    format: &'static Format,
    header: Header,
    interval_ns: u64,
    /// Where the interval that is to be printed next begins.
    next_ns: Option<u64>,
    /// Since when nothing of it is missing but names.
    complete_since: Option<Instant>,
    printed: u64,
    spent: Spent,
}

type Batch = Measuring<std::convert::Infallible>;

impl Printer {
    /// Prints the interval if it is over and known; `false`: nobody reads any more.
    fn print_complete(&mut self, measuring: &mut Batch) -> Result<bool, Failure> {
        let profile = &measuring.profile;
        let Some(first) = profile.slices().next() else {
            return Ok(true);
        };
        let start_ns = *self.next_ns.get_or_insert(first.start_ns);
        let end_ns = start_ns + self.interval_ns;
        if profile.settled_ns() < end_ns {
            return Ok(true);
        }
        let since = *self.complete_since.get_or_insert_with(Instant::now);
        if measuring.naming().pending() > 0 && since.elapsed() < NAMES {
            return Ok(true);
        }
        self.print(measuring, Window { start_ns, end_ns })
    }

    /// Prints what is left at the end, if there is anything: the last interval may be a short one.
    fn print_rest(&mut self, measuring: &mut Batch) -> Result<(), Failure> {
        let since = Instant::now();
        while measuring.naming().pending() > 0 && since.elapsed() < NAMES {
            measuring.turn(PATIENCE)?;
        }
        let profile = &measuring.profile;
        let (Some(first), Some(last)) = (profile.slices().next(), profile.slices().next_back())
        else {
            return Ok(());
        };
        let (mut start_ns, last_ns) = (self.next_ns.unwrap_or(first.start_ns), last.start_ns);
        while start_ns <= last_ns {
            let end_ns = start_ns + self.interval_ns;
            if !self.print(measuring, Window { start_ns, end_ns })? {
                return Ok(());
            }
            start_ns = end_ns;
        }
        Ok(())
    }

    fn print(&mut self, measuring: &mut Batch, window: Window) -> Result<bool, Failure> {
        self.next_ns = Some(window.end_ns);
        self.complete_since = None;
        self.printed += 1;
        let now = Spent::now(measuring);
        let overhead = now.since(&self.spent);
        self.spent = now;
        self.header.duration_ns = measuring.profile.covered_ns(window);
        let (profile, symbols) = measuring.parts();
        let export = Export {
            profile,
            symbols,
            query: &Query {
                window,
                ..Query::default()
            },
            header: &self.header,
            overhead,
        };
        let mut out = io::stdout().lock();
        match (self.format.write)(&export, &mut out).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(
                Status::Failed,
                format!("cannot write standard output: {error}"),
            )),
        }
    }
}
