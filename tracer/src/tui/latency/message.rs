//! What the interface hears of whoever measures, and what it asks.

use crate::view::calls::{Answer, Question};

/// What whoever measures has to tell.
#[derive(Debug)]
pub enum News {
    /// The answer to the last question, as of now.
    Answer(Box<Answer>),
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
}

/// Everything that can happen.
pub type Message = crate::tui::Message<News>;
/// What is to be done after a message.
pub type Effect = crate::tui::Effect<Request>;
