//! The interface of latencies: histogram, heatmap, and one row for each function.
//!
//! Owns its state, keys and screens; the loop, the terminal and the colours are those of all
//! interfaces.

mod album;
mod app;
mod draw;
mod heat;
mod keys;
mod layout;
mod message;
mod screen;
mod update;
mod words;

use std::io;

use tokio::sync::mpsc;

pub use album::take_pictures;
pub use app::{App, Facts, Mode, Place, PromptKind, Screen};
pub use draw::draw;
pub use message::{Effect, Export, Message, News, Request};
pub use update::update;

use super::{Port, Theme, turn};

/// Runs the interface until somebody has had enough; gives the state at the end.
pub fn run(
    facts: Facts,
    theme: Theme,
    port: &mut impl Port<Request>,
    news: mpsc::Receiver<News>,
) -> io::Result<App> {
    turn::run(|size| App::new(facts, size, theme), port, news)
}

impl turn::Interface for App {
    type News = News;
    type Request = Request;

    fn ask(&mut self) -> Request {
        Request::Ask(Box::new(self.question()))
    }

    fn update(&mut self, message: Message) -> Vec<Effect> {
        update(self, message)
    }

    fn draw(&self, frame: &mut ratatui::Frame<'_>) {
        draw(self, frame);
    }

    fn failed(why: String) -> News {
        News::Failed(why)
    }
}
