//! The interface: one loop, one owner of the state, and nothing in it that waits for the measuring.
//!
//! Whoever measures runs in a thread of its own, is asked through [`Port`], and answers through a
//! channel. The only module that knows ratatui and crossterm.

mod album;
mod app;
mod draw;
mod keys;
mod layout;
mod lines;
mod message;
mod pace;
mod picture;
mod screen;
mod terminal;
mod text;
mod theme;
mod time;
mod update;
mod widget;

use std::{io, time::Instant};

use ratatui::crossterm::{event, terminal::size};
use rustix::process::{Signal, getpid, kill_process};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

pub use album::take_pictures;
pub use app::{App, Cursor, Facts, Mode, Place, Prompt, PromptKind, Screen, Shown};
pub use draw::draw;
pub use message::{Effect, Message, News, Request, Vitals};
pub use picture::picture;
pub use theme::{Environment, Theme};
pub use update::update;

/// The way to whoever measures. It must not wait.
pub trait Port {
    /// Hands a request on.
    fn send(&mut self, request: Request);

    /// Tries again to hand on what there was no room for.
    fn flush(&mut self) {}
}

/// Runs the interface until somebody has had enough; gives the state at the end.
pub fn run(
    facts: Facts,
    theme: Theme,
    port: &mut impl Port,
    news: mpsc::Receiver<News>,
) -> io::Result<App> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut guard = terminal::Guard::take()?;
    let app = App::new(facts, size()?, theme);
    let done = runtime.block_on(turn(app, &mut guard, port, news));
    drop(guard);
    done
}

async fn turn(
    mut app: App,
    guard: &mut terminal::Guard,
    port: &mut impl Port,
    mut news: mpsc::Receiver<News>,
) -> io::Result<App> {
    let mut input = listen();
    let mut quit = [
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::interrupt(),
    ]
    .map(signal)
    .into_iter()
    .collect::<io::Result<Vec<_>>>()?
    .into_iter();
    let (Some(mut terminate), Some(mut hangup), Some(mut interrupt)) =
        (quit.next(), quit.next(), quit.next())
    else {
        return Ok(app);
    };
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut pace = pace::Pace::default();
    let mut due = Some(Instant::now());
    port.send(Request::Ask(Box::new(app.question())));
    loop {
        let drawing = async {
            match due {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            biased;
            _ = terminate.recv() => Message::Quit,
            _ = hangup.recv() => Message::Quit,
            _ = interrupt.recv() => Message::Quit,
            _ = stop.recv() => Message::Suspend,
            event = input.recv() => match event {
                Some(event::Event::Key(key)) => Message::Key(key),
                Some(event::Event::Mouse(event)) if event.kind == event::MouseEventKind::Moved => continue,
                Some(event::Event::Mouse(event)) => Message::Mouse(event),
                Some(event::Event::Resize(width, height)) => Message::Resize(width, height),
                Some(_) => continue,
                // The terminal is gone.
                None => Message::Quit,
            },
            () = drawing => {
                if guard.is_held() {
                    guard.terminal.draw(|frame| draw(&app, frame))?;
                }
                pace.drew(Instant::now());
                due = None;
                continue;
            }
            told = news.recv() => heard(told),
        };
        if !perform(&mut app, message, port, Some(guard))? {
            return Ok(app);
        }
        port.flush();
        due = Some(due.unwrap_or_else(|| pace.next(Instant::now())));
    }
}

/// News as a message; whoever measures does not fall silent before the interface has ended.
fn heard(told: Option<News>) -> Message {
    let silence = || News::Failed("the measuring has ended unexpectedly".to_owned());
    Message::News(told.unwrap_or_else(silence))
}

/// Takes a message in and does what comes of it, on a terminal if there is one; `false`: that was the
/// end.
fn perform(
    app: &mut App,
    message: Message,
    port: &mut impl Port,
    mut guard: Option<&mut terminal::Guard>,
) -> io::Result<bool> {
    for effect in update(app, message) {
        match (effect, &mut guard) {
            (Effect::Request(request), _) => port.send(request),
            (Effect::Suspend, Some(guard)) => suspend(guard)?,
            (Effect::Repaint, Some(guard)) => guard.repaint()?,
            (Effect::Suspend | Effect::Repaint, None) => {}
            (Effect::Quit, _) => return Ok(false),
        }
    }
    Ok(true)
}

/// Stops this process until it is continued, with the terminal as it was.
fn suspend(guard: &mut terminal::Guard) -> io::Result<()> {
    guard.leave();
    kill_process(getpid(), Signal::STOP)?;
    guard.resume()
}

/// Events of the terminal, read in a thread: reading waits.
fn listen() -> mpsc::Receiver<event::Event> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            while let Ok(event) = event::read() {
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
        })
        .map(drop)
        .unwrap_or_default();
    receiver
}
