//! What the interface costs with very much to look at: each screen is asked for, answered and drawn,
//! and what that took is printed as JSON.
//!
//! `cargo run --release -p tracer --example tui_load [STACKS [PROCESSES]]`

#[allow(dead_code, reason = "each example uses its part of what is shared")]
mod scripted;

use std::{
    error::Error,
    io::{self, Write},
};

use ratatui::{
    Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::Rect,
};
use rustix::time::{ClockId, clock_gettime};
use scripted::{Counts, batch, name, resident};
use tracer::{
    profile::Profile,
    symbol::Symbols,
    tui::{App, Effect, Facts, Message, News, Request, Theme, Vitals, draw, update},
    view::{Answers, Question, Span},
};

const SIZE: (u16, u16) = (200, 60);
/// Frames of each screen.
const FRAMES: usize = 40;
/// Keys that lead from what is shown to something else, and how each is called.
const SCREENS: [(&str, &[KeyCode]); 9] = [
    ("functions", &[KeyCode::Char('1')]),
    ("focus", &[KeyCode::Char('1'), KeyCode::Enter]),
    ("processes", &[KeyCode::Char('2')]),
    (
        "processes and threads",
        &[KeyCode::Char('2'), KeyCode::Char('*')],
    ),
    ("flame", &[KeyCode::Char('3')]),
    (
        "flame, zoomed",
        &[
            KeyCode::Char('3'),
            KeyCode::Down,
            KeyCode::Down,
            KeyCode::Enter,
        ],
    ),
    ("tree", &[KeyCode::Char('4')]),
    ("tree of callers", &[KeyCode::Char('4'), KeyCode::Char('i')]),
    ("health", &[KeyCode::Char('5')]),
];
/// Keys that are pressed on each screen.
const KEYS: [KeyCode; 9] = [
    KeyCode::Down,
    KeyCode::End,
    KeyCode::Up,
    KeyCode::PageUp,
    KeyCode::Home,
    KeyCode::Right,
    KeyCode::Left,
    KeyCode::Char('n'),
    KeyCode::Char('N'),
];

fn main() -> Result<(), Box<dyn Error>> {
    let counts = Counts::from_arguments()?;
    tracer::kernel::give_back_large_blocks();
    let mut profile = Profile::new();
    let mut symbols = Symbols::default();
    for number in 0..counts.batches {
        profile.apply(batch(counts, number));
        name(&mut profile, &mut symbols);
    }
    profile.finish();
    let model = resident("VmRSS")?;
    let facts = Facts {
        hertz: 99,
        cpus: 2,
        host: "bench".to_owned(),
        history_ns: 600_000_000_000,
        ..Facts::default()
    };
    let mut load = Load {
        profile,
        symbols,
        answers: Answers::default(),
        app: App::new(facts, SIZE, Theme::Dark),
        terminal: terminal()?,
        spent: Spent::default(),
    };
    load.app.place.span = Span::All;
    let mut screens = Vec::new();
    for (title, keys) in SCREENS {
        load.spent = Spent::default();
        for key in keys {
            load.press(*key);
            load.frame()?;
        }
        // The order does not say what a screen takes on its own.
        let answer_ms = load.spent.answer_ms;
        for _ in 0..FRAMES / 4 {
            for key in KEYS {
                load.press(key);
                load.frame()?;
            }
        }
        for _ in 0..FRAMES {
            // On an empty screen every cell is written.
            load.terminal = terminal()?;
            load.frame()?;
        }
        screens.push(serde_json::json!({
            "screen": title,
            "frame_ms": load.spent.frame.report(),
            "key_ms": load.spent.key.report(),
            "news_ms": load.spent.news.report(),
            "answer_ms": answer_ms,
            "rss": resident("VmRSS")?,
            "rss_peak": resident("VmHWM")?,
        }));
        load.press(KeyCode::Esc);
    }
    let held = load.profile.held();
    let report = serde_json::json!({
        "distinct_stacks": counts.stacks,
        "processes": held.processes,
        "frames": held.frames,
        "stack_nodes": held.stacks,
        "held_bytes": held.bytes,
        "rss_model": model,
        "screens": screens,
        "rss_peak": resident("VmHWM")?,
    });
    writeln!(io::stdout(), "{report:#}")?;
    Ok(())
}

/// An interface, and what it looks at.
struct Load {
    profile: Profile,
    symbols: Symbols,
    answers: Answers,
    app: App,
    terminal: Terminal<CrosstermBackend<io::Sink>>,
    spent: Spent,
}

#[derive(Default)]
struct Spent {
    frame: Times,
    key: Times,
    news: Times,
    answer_ms: f64,
}

impl Load {
    /// Presses a key, and answers what is asked for it.
    fn press(&mut self, code: KeyCode) {
        let key = Message::Key(KeyEvent::new(code, KeyModifiers::NONE));
        let began = now_ms();
        let effects = update(&mut self.app, key);
        self.spent.key.note(began);
        for effect in effects {
            if let Effect::Request(Request::Ask(question)) = effect {
                self.answer(&question);
            }
        }
    }

    fn answer(&mut self, question: &Question) {
        let began = now_ms();
        // As in the measuring thread when there is something new.
        self.answers.changed();
        let answer = self.answers.answer(&self.profile, &self.symbols, question);
        self.spent.answer_ms = self.spent.answer_ms.max(now_ms() - began);
        let news = News::Answer(Box::new(answer), Vitals::default());
        let began = now_ms();
        update(&mut self.app, Message::News(news));
        self.spent.news.note(began);
    }

    fn frame(&mut self) -> io::Result<()> {
        let began = now_ms();
        self.terminal.draw(|frame| draw(&self.app, frame))?;
        self.spent.frame.note(began);
        Ok(())
    }
}

/// A terminal that takes everything.
fn terminal() -> io::Result<Terminal<CrosstermBackend<io::Sink>>> {
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1)),
    };
    Terminal::with_options(CrosstermBackend::new(io::sink()), options)
}

/// Times of the same thing.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn note(&mut self, began_ms: f64) {
        self.0.push(now_ms() - began_ms);
    }

    /// The median and the most.
    fn report(&mut self) -> serde_json::Value {
        self.0.sort_by(f64::total_cmp);
        let median = self.0.get(self.0.len() / 2);
        serde_json::json!({ "median": median, "most": self.0.last() })
    }
}

/// CPU time of this thread: what else the machine does is not counted.
fn now_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}
