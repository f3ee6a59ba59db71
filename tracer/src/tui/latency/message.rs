//! What the interface hears of whoever measures, and what it asks.

use crate::view::{
    Span,
    calls::{Answer, Question, Selection},
};

/// What whoever measures has to tell.
#[derive(Debug)]
pub enum News {
    /// The answer to the last question, as of now, and the time for names of files.
    Answer(Box<Answer>, String),
    /// A file has been written, or why not.
    Written(Result<String, String>),
    /// The measuring has ended, and why; questions are answered still.
    Ended(String),
    /// It has failed, and so ends everything.
    Failed(String),
}

/// What is asked of whoever measures.
#[derive(Debug)]
pub enum Request {
    /// Answer this, now and whenever there is more, until the next question.
    Ask(Box<Question>),
    /// Write what is shown to a file, its format by its name.
    Export(Box<Export>),
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Where to.
    pub path: String,
    /// When.
    pub span: Span,
    /// Which calls.
    pub selection: Selection,
    /// Which calls, in words; nothing: all.
    pub words: Vec<String>,
    /// Whether each function has a row of its own.
    pub by_function: bool,
}

/// Everything that can happen.
pub type Message = crate::tui::Message<News>;
/// What is to be done after a message.
pub type Effect = crate::tui::Effect<Request>;
