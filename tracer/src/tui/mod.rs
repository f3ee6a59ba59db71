//! The interfaces: one loop, one owner of the state, and nothing in it that waits for the measuring.
//!
//! Whoever measures runs in a thread of its own, is asked through [`Port`], and answers through a
//! channel. The only module that knows ratatui and crossterm. What lies here directly is the interface
//! of stacks, and what it shares with that of latencies, which is in [`latency`].

mod album;
mod app;
mod draw;
mod keys;
pub mod latency;

mod layout;
mod lines;
mod message;
mod pace;
mod picture;
mod screen;
mod sitting;
mod terminal;
mod text;
mod theme;
mod time;
mod turn;
mod update;
mod widget;

use std::io;

use tokio::sync::mpsc;

pub use album::take_pictures;
pub use app::{App, Cursor, Facts, Mode, Place, Prompt, PromptKind, Screen, Shown};
pub use draw::draw;
pub use message::{Effect, Message, News, Request, Vitals};
pub use picture::picture;
pub use theme::{Environment, Theme};
pub use turn::Port;
pub use update::update;

/// Runs the interface until somebody has had enough; gives the state at the end.
pub fn run(
    facts: Facts,
    theme: Theme,
    port: &mut impl Port,
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
