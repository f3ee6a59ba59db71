//! The interface, and the thread that measures for it: that one owns the profile, answers what the
//! interface asks, and brings the answer up to date.

use std::{
    collections::VecDeque,
    io,
    path::Path,
    process::ExitCode,
    sync::mpsc::{SyncSender, TrySendError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc;

use super::keeper::Keeper;
use crate::{
    cmd::{
        begin::{Begun, begin, header, nanoseconds},
        cost::Spent,
        ending::{Interrupted, Remaining},
        launch,
        measuring::{Measured, Measuring, Message},
    },
    export::{self, Export, Header},
    plan::{Failure, Status, Top},
    proc,
    tui::{self, App, Facts, News, Request, Vitals},
    view::{Answers, Query, Question, Span, window},
};

/// What the measuring thread is asked.
enum Errand {
    Request(Request),
    /// The interface has ended.
    End,
}

/// News that may wait for the interface.
const NEWS: usize = 32;
/// The longest wait for a message, which nearly everything comes with.
const PATIENCE: Duration = Duration::from_millis(500);
/// At the beginning there is news more often.
const EAGER: Duration = Duration::from_secs(2);
const EAGER_PAUSE: Duration = Duration::from_millis(100);
/// For each second of work on an answer so many seconds without any.
const LEISURE: u32 = 20;
/// Over how long the cost is averaged.
const COST_SPAN: Duration = Duration::from_secs(5);

/// Measures for an interface, until that has ended.
pub(super) fn run(
    plan: &Top,
    interface: impl FnOnce(Facts, &mut Port, mpsc::Receiver<News>) -> io::Result<App>,
) -> Result<ExitCode, Failure> {
    let Begun {
        cpu,
        cpus,
        found,
        naming,
    } = begin(&plan.sampling, launch::Stage::Taken)?;
    let header = header(&plan.sampling, &found.title, &cpu);
    let facts = Facts {
        host: header.host.clone(),
        kernel: proc::kernel_release(),
        cpus,
        source: header.source.clone(),
        hertz: u64::from(plan.sampling.hertz),
        target: header.target.clone(),
        history_ns: nanoseconds(plan.history),
    };
    let (measuring, errands) =
        Measuring::start(cpu, found, naming, plan.sampling.duration, plan.interval)?;
    let (news, told) = mpsc::channel(NEWS);
    let live = Live {
        measuring,
        news,
        header,
        interval: plan.interval,
        keeper: Keeper::new(plan.history),
        answers: Answers::default(),
        question: None,
        started: Instant::now(),
        answered: None,
        took: Duration::ZERO,
        dirty: false,
        spent: VecDeque::new(),
        said_ended: false,
    };
    let thread = thread::Builder::new()
        .name("measuring".to_owned())
        .spawn(move || live.run())
        .map_err(|error| Failure::new(Status::Failed, format!("cannot start a thread: {error}")))?;
    let mut port = Port {
        to: errands,
        waiting: VecDeque::new(),
    };
    let app = interface(facts, &mut port, told);
    port.put(Errand::End);
    while !port.waiting.is_empty() && !thread.is_finished() {
        thread::sleep(Duration::from_millis(1));
        port.hand_on();
    }
    let ended = thread
        .join()
        .map_err(|_| Failure::new(Status::Failed, "the measuring has failed"))?;
    let app = app.map_err(|error| Failure::new(Status::Failed, error.to_string()))?;
    if let Some(why) = app.failed {
        return Err(Failure::new(Status::Failed, why));
    }
    let Some((measured, remaining)) = ended else {
        return Ok(ExitCode::SUCCESS);
    };
    if let Some(error) = measured.failure {
        let message = format!("the measuring ended early: {error}");
        return Err(Failure::new(Status::Failed, message));
    }
    let status = remaining.command_status();
    Ok(status.map_or(ExitCode::SUCCESS, launch::exit_code))
}

/// The way to the measuring thread. What it has no room for waits here.
pub(super) struct Port {
    to: SyncSender<Message<Errand>>,
    waiting: VecDeque<Message<Errand>>,
}

impl Port {
    fn put(&mut self, errand: Errand) {
        self.waiting.push_back(Message::Request(errand));
        self.hand_on();
    }

    fn hand_on(&mut self) {
        while let Some(message) = self.waiting.pop_front() {
            match self.to.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.waiting.push_front(message);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }
}

impl tui::Port for Port {
    fn send(&mut self, request: Request) {
        self.put(Errand::Request(request));
    }

    fn flush(&mut self) {
        self.hand_on();
    }
}

/// The measuring thread.
struct Live {
    measuring: Measuring<Errand>,
    news: mpsc::Sender<News>,
    header: Header,
    interval: Duration,
    keeper: Keeper,
    answers: Answers,
    question: Option<Question>,
    started: Instant,
    /// When the last answer was given, and how long it took.
    answered: Option<Instant>,
    took: Duration,
    /// There is more to see than was answered.
    dirty: bool,
    spent: VecDeque<Spent>,
    said_ended: bool,
}

impl Live {
    /// Measures and answers until the interface has ended.
    fn run(mut self) -> Option<(Measured, Remaining<Errand>)> {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    log::error!("{failure}");
                    self.tell(News::Failed(failure.to_string()));
                    return None;
                }
            }
        }
        self.measuring.stop_command();
        self.measuring.stop();
        while !self.measuring.is_done() {
            self.measuring.turn(PATIENCE).ok()?;
        }
        let interrupted = Interrupted::install().ok()?;
        Some(self.measuring.finish(interrupted))
    }

    /// `false`: the interface has ended.
    fn turn(&mut self) -> Result<bool, Failure> {
        let turn = self.measuring.turn(self.patience())?;
        if turn.changed {
            self.dirty = true;
            self.answers.changed();
            self.keeper.keep(&mut self.measuring);
        }
        let mut asked = false;
        for errand in turn.requests {
            match errand {
                Errand::End => return Ok(false),
                Errand::Request(Request::Ask(question)) => {
                    self.question = Some(*question);
                    asked = true;
                }
                Errand::Request(Request::Export { path, span, query }) => {
                    let written = self.export(&path, span, &query);
                    self.tell(News::Written(written));
                }
                Errand::Request(Request::Watch(watched)) => self.measuring.watch(watched),
            }
        }
        if asked || (self.dirty && self.is_due()) {
            self.answer();
        }
        self.tell_the_end();
        Ok(true)
    }

    fn answer(&mut self) {
        let Some(question) = &self.question else {
            return;
        };
        let begun = Instant::now();
        let (profile, symbols) = self.measuring.parts();
        let answer = Box::new(self.answers.answer(profile, symbols, question));
        let now = Instant::now();
        (self.answered, self.took, self.dirty) = (Some(now), now - begun, false);
        let vitals = self.vitals();
        self.tell(News::Answer(answer, vitals));
    }

    /// Time between two answers: the interval, more if answers take long, less at the beginning,
    /// when names are still coming.
    fn pause(&self) -> Duration {
        let usual = if self.started.elapsed() < EAGER {
            EAGER_PAUSE.min(self.interval)
        } else {
            self.interval
        };
        usual.max(self.took * LEISURE)
    }

    fn is_due(&self) -> bool {
        self.answered.is_none_or(|at| at.elapsed() >= self.pause())
    }

    fn patience(&self) -> Duration {
        match self.answered {
            Some(at) if self.dirty => self.pause().saturating_sub(at.elapsed()).min(PATIENCE),
            _ => PATIENCE,
        }
    }

    /// What an interface that lags has no room for is lost: the next answer is newer anyhow.
    fn tell(&self, news: News) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.news.try_send(news) {
            log::warn!("the interface lags: news is lost");
        }
    }

    fn tell_the_end(&mut self) {
        if !self.measuring.is_done() || std::mem::replace(&mut self.said_ended, true) {
            return;
        }
        let why = match &self.measuring.failure {
            Some(error) => format!("the measuring ended early: {error}"),
            None => "the measuring has ended".to_owned(),
        };
        log::info!("{why}");
        self.tell(News::Ended(why));
    }

    fn vitals(&mut self) -> Vitals {
        let now = Spent::now(&mut self.measuring);
        while self.spent.len() > 1 && self.spent.get(1).is_some_and(|old| old.age() >= COST_SPAN) {
            self.spent.pop_front();
        }
        let overhead = self.spent.front().map(|old| now.since(old));
        // Answers to keys come more often than that.
        if self
            .spent
            .back()
            .is_none_or(|last| last.age() >= Duration::from_millis(500))
        {
            self.spent.push_back(now);
        }
        let overhead = overhead.filter(|overhead| overhead.wall_ns >= 500_000_000);
        let percent = |part: u64| overhead.map(|of| 100.0 * part as f64 / of.wall_ns as f64);
        let bpf_ns = overhead.and_then(|of| of.bpf_ns).unwrap_or(0);
        let all_ns = overhead.map_or(0, |of| of.user_cpu_ns.saturating_add(bpf_ns));
        Vitals {
            cost_percent: percent(all_ns),
            bpf_percent: percent(bpf_ns),
            troubles: self.measuring.troubles().into(),
            health: self.measuring.health.clone(),
            stamp: stamp(SystemTime::now()),
        }
    }

    /// Writes what is shown to a new file: where it is, or why not.
    fn export(&mut self, path: &str, span: Span, query: &Query) -> Result<String, String> {
        let format = export::by_path(Path::new(path)).map_err(|error| error.to_string())?;
        let overhead = {
            let now = Spent::now(&mut self.measuring);
            self.spent
                .front()
                .map(|old| now.since(old))
                .unwrap_or_default()
        };
        let (profile, symbols) = self.measuring.parts();
        let window = window(profile, span);
        let header = Header {
            duration_ns: profile.covered_ns(window),
            ..self.header.clone()
        };
        let query = Query {
            window,
            ..query.clone()
        };
        let export = Export {
            profile,
            symbols,
            query: &query,
            header: &header,
            overhead,
        };
        let file = std::fs::File::create_new(path)
            .map_err(|error| format!("cannot write {path}: {error}"))?;
        let mut out = io::BufWriter::new(file);
        (format.write)(&export, &mut out)
            .and_then(|()| io::Write::flush(&mut out))
            .map_err(|error| format!("cannot write {path}: {error}"))?;
        log::info!("wrote {path}");
        Ok(path.to_owned())
    }
}

/// A time for names of files, in UTC.
pub(in crate::cmd) fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace([':', '-'], "")
}
