//! What the loop hears, and what it has others do.

use ratatui::crossterm::event::{KeyEvent, MouseEvent};

use crate::{
    kernel::Health,
    view::{Answer, Query, Question, Span},
};

/// Everything that can happen.
#[derive(Debug)]
pub enum Message<N = News> {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
    /// Whoever measures has something to tell.
    News(N),
    /// A signal asks for the end, or the terminal is gone.
    Quit,
    /// A signal asks to stop for a while.
    Suspend,
}

/// What whoever measures has to tell.
#[derive(Debug)]
pub enum News {
    /// The answer to the last question, as of now.
    Answer(Box<Answer>, Vitals),
    /// A file has been written, or why not.
    Written(Result<String, String>),
    /// The measuring has ended, and why; questions are answered still.
    Ended(String),
    /// It has failed, and so ends everything.
    Failed(String),
}

/// How tracer itself is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// What it costs, in percent of one CPU; `None`: not known yet.
    pub cost_percent: Option<f64>,
    /// Of that, its BPF programs.
    pub bpf_percent: Option<f64>,
    /// Things that went wrong: how often, and what.
    pub troubles: Vec<(u64, &'static str)>,
    /// How the kernel side is doing, while somebody looks.
    pub health: Health,
    /// The stamp for names of files.
    pub stamp: String,
}

/// What the interface asks of whoever measures.
#[derive(Debug)]
pub enum Request {
    /// Answer this, now and whenever there is more, until the next question.
    Ask(Box<Question>),
    /// Write what is shown to a file, its format by its name.
    Export {
        /// Where to.
        path: String,
        /// When.
        span: Span,
        /// What.
        query: Box<Query>,
    },
    /// Whether to observe the programs themselves.
    Watch(bool),
}

/// What is to be done after a message.
#[derive(Debug)]
pub enum Effect<R = Request> {
    /// Ask it of whoever measures.
    Request(R),
    /// Give the terminal back for a while.
    Suspend,
    /// Draw all of it anew: something else has written there.
    Repaint,
    /// End.
    Quit,
}
