//! The interface, and the thread that measures for it: that one owns what is observed, answers what
//! the interface asks, and brings the answer up to date.

use std::{
    fs::File,
    io,
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{begin::begin, print, running::Running};
use crate::{
    cmd::{begin::nanoseconds, ending::Interrupted, launch, top},
    export::{self, LatencyExport},
    plan::{Failure, Hist, Status},
    proc,
    source::By,
    tui::{
        self,
        latency::{App, Export, Facts, News, Request},
    },
    view::{
        LatencyGroup, LatencyQuery,
        calls::{self, Question},
    },
};

/// What the measuring thread is asked.
enum Errand {
    Request(Request),
    /// The interface has ended.
    End,
}

/// News that may wait for the interface.
const NEWS: usize = 32;
/// How long the measuring thread waits for an errand before it looks whether to drain.
const PATIENCE: Duration = Duration::from_millis(25);
/// For each second of work on an answer so many seconds without any.
const LEISURE: u32 = 20;
/// The most buckets that are held, over all slices: about 100 MB.
const MOST_BUCKETS: usize = 2 << 20;
/// Time between two looks at how many there are.
const KEEPING: Duration = Duration::from_secs(5);

/// Measures for the interface until that has ended, and prints what was measured.
pub(super) fn run(
    plan: &Hist,
    interface: impl FnOnce(Facts, &mut Port, tokio::sync::mpsc::Receiver<News>) -> io::Result<App>,
) -> Result<ExitCode, Failure> {
    let begun = begin(plan, launch::Stage::Taken)?;
    let running = Running::start(begun, plan)?;
    let facts = facts(plan, &running);
    let (errands, asked) = mpsc::channel();
    let (news, told) = tokio::sync::mpsc::channel(NEWS);
    let live = Live {
        history_ns: nanoseconds(plan.history),
        group: plan.group,
        running,
        asked,
        news,
        question: None,
        answered: None,
        took: Duration::ZERO,
        dirty: false,
        kept: Instant::now(),
        said_ended: false,
    };
    let thread = thread::Builder::new()
        .name("measuring".to_owned())
        .spawn(move || live.run())
        .map_err(|error| failed(format!("cannot start a thread: {error}")))?;
    let mut port = Port(errands);
    let app = interface(facts, &mut port, told);
    port.put(Errand::End);
    let (running, ended) = thread
        .join()
        .map_err(|_| failed("the measuring has failed".to_owned()))?;
    let app = app.map_err(|error| failed(error.to_string()));
    let interrupted = Interrupted::install()?;
    // What was found until something failed is shown all the same.
    let printed = print::final_text(plan, &running);
    let remaining = running.finish(interrupted);
    app?;
    ended.map_err(|error| failed(format!("the measuring ended early: {error}")))?;
    printed?;
    Ok(remaining
        .command_status()
        .map_or(ExitCode::SUCCESS, launch::exit_code))
}

fn failed(why: String) -> Failure {
    Failure::new(Status::Failed, why)
}

fn facts(plan: &Hist, running: &Running) -> Facts {
    let by = match plan.by {
        By::Function => None,
        By::Process => Some("pid"),
        By::Thread => Some("tid"),
        By::Comm => Some("comm"),
    };
    Facts {
        host: proc::host(),
        kernel: proc::kernel_release(),
        probes: running.latencies().probes().to_vec(),
        functions: running.latencies().functions().len(),
        target: running.subject().to_owned(),
        by: by.map(str::to_owned),
    }
}

/// The way to the measuring thread. People do not press keys faster than it takes errands in.
pub(super) struct Port(Sender<Errand>);

impl Port {
    fn put(&self, errand: Errand) {
        // A measuring that has failed has said so.
        _ = self.0.send(errand);
    }
}

impl tui::Port<Request> for Port {
    fn send(&mut self, request: Request) {
        self.put(Errand::Request(request));
    }
}

/// The measuring thread.
struct Live {
    running: Running,
    asked: Receiver<Errand>,
    news: tokio::sync::mpsc::Sender<News>,
    history_ns: u64,
    /// What calls are put together by, in files.
    group: LatencyGroup,
    question: Option<Question>,
    /// When the last answer was given, and how long it took.
    answered: Option<Instant>,
    took: Duration,
    /// There is more to see than was answered.
    dirty: bool,
    /// When it was last looked whether too much is held.
    kept: Instant,
    said_ended: bool,
}

impl Live {
    /// Measures and answers until the interface has ended; gives what was measured, and whether
    /// that failed.
    fn run(mut self) -> (Running, Result<(), Failure>) {
        let mut ended = Ok(());
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    log::error!("{failure}");
                    self.tell(News::Failed(failure.to_string()));
                    ended = Err(failure);
                    break;
                }
            }
        }
        self.running.stop_command();
        self.running.stop();
        while ended.is_ok() && !self.running.is_done() {
            ended = self.running.turn(PATIENCE).map(drop);
        }
        (self.running, ended)
    }

    /// `false`: the interface has ended.
    fn turn(&mut self) -> Result<bool, Failure> {
        let mut asked = false;
        let mut errand = self.asked.recv_timeout(PATIENCE);
        loop {
            match errand {
                Ok(Errand::Request(Request::Ask(question))) => {
                    self.question = Some(*question);
                    asked = true;
                }
                Ok(Errand::Request(Request::Export(export))) => {
                    let written = self.export(*export);
                    self.tell(News::Written(written));
                }
                Ok(Errand::End) | Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) => break,
            }
            errand = self.asked.recv_timeout(Duration::ZERO);
        }
        if self.running.turn(Duration::ZERO)? {
            self.dirty = true;
            self.keep();
        }
        if asked || (self.dirty && self.is_due()) {
            self.answer();
        }
        self.tell_the_end();
        Ok(true)
    }

    /// Forgets what is older than the history, and puts older slices together if there are too many.
    fn keep(&mut self) {
        if self.kept.elapsed() < KEEPING {
            return;
        }
        self.kept = Instant::now();
        let latencies = self.running.latencies_mut();
        latencies.forget_before(latencies.settled_ns().saturating_sub(self.history_ns));
        latencies.bound(MOST_BUCKETS);
    }

    fn answer(&mut self) {
        let Some(question) = &self.question else {
            return;
        };
        let begun = Instant::now();
        let answer = calls::answer(self.running.latencies(), self.running.costs(), question);
        let now = Instant::now();
        (self.answered, self.took, self.dirty) = (Some(now), now - begun, false);
        let stamp = top::stamp(SystemTime::now());
        self.tell(News::Answer(Box::new(answer), stamp));
    }

    /// Writes what is shown to a new file: where it is, or why not.
    fn export(&self, what: Export) -> Result<String, String> {
        let Export {
            path,
            span,
            selection,
            words,
            by_function,
        } = what;
        let format = export::latency_format_of(Path::new(&path));
        let format = format.map_err(|error| error.to_string())?;
        let latencies = self.running.latencies();
        let title = [self.running.title().to_owned()];
        let title: Vec<String> = title.into_iter().chain(words).collect();
        let query = LatencyQuery {
            selection,
            group: if by_function {
                LatencyGroup::Function
            } else {
                self.group
            },
            ..LatencyQuery::default()
        };
        let export = LatencyExport {
            latencies,
            window: calls::window(latencies, span),
            query: &query,
            title: &title.join(", "),
            first: true,
        };
        File::create_new(&path)
            .and_then(|mut file| (format.write)(&export, &mut file))
            .map_err(|error| format!("cannot write {path}: {error}"))?;
        log::info!("wrote {path}");
        Ok(path)
    }

    /// Answers that take long come less often.
    fn is_due(&self) -> bool {
        self.answered
            .is_none_or(|at| at.elapsed() >= self.took * LEISURE)
    }

    /// What an interface that lags has no room for is lost: the next answer is newer anyhow.
    fn tell(&self, news: News) {
        if let Err(tokio::sync::mpsc::error::TrySendError::Full(_)) = self.news.try_send(news) {
            log::warn!("the interface lags: news is lost");
        }
    }

    fn tell_the_end(&mut self) {
        if self.running.is_done() && !std::mem::replace(&mut self.said_ended, true) {
            self.tell(News::Ended("the measuring has ended".to_owned()));
        }
    }
}
