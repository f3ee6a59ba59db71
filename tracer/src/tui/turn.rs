//! The loop that every interface runs in: keys, signals, news and frames, one at a time.
//!
//! Owns the order in which they are attended to, and that no key waits for the measuring.

use std::{io, time::Instant};

use ratatui::{
    Frame,
    crossterm::{event, terminal::size},
};
use rustix::process::{Signal, getpid, kill_process};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{
    message::{Effect, Message},
    pace::Pace,
    terminal::Guard,
};

/// The way to whoever measures. It must not wait.
pub trait Port<R = super::message::Request> {
    /// Hands a request on.
    fn send(&mut self, request: R);

    /// Tries again to hand on what there was no room for.
    fn flush(&mut self) {}
}

/// What runs in the loop: the owner of a state, which is changed by messages alone.
pub(super) trait Interface: Sized {
    /// What whoever measures has to tell.
    type News;
    /// What is asked of whoever measures.
    type Request;

    /// Asks for what is to be shown.
    fn ask(&mut self) -> Self::Request;

    /// Takes a message in.
    fn update(&mut self, message: Message<Self::News>) -> Vec<Effect<Self::Request>>;

    /// Draws the state.
    fn draw(&self, frame: &mut Frame<'_>);

    /// The news that everything has failed, and why.
    fn failed(why: String) -> Self::News;
}

/// Runs an interface until somebody has had enough; gives its state at the end.
pub(super) fn run<I: Interface>(
    begin: impl FnOnce((u16, u16)) -> I,
    port: &mut impl Port<I::Request>,
    news: mpsc::Receiver<I::News>,
) -> io::Result<I> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut guard = Guard::take()?;
    let interface = begin(size()?);
    let done = runtime.block_on(turn(interface, &mut guard, port, news));
    drop(guard);
    done
}

async fn turn<I: Interface>(
    mut interface: I,
    guard: &mut Guard,
    port: &mut impl Port<I::Request>,
    mut news: mpsc::Receiver<I::News>,
) -> io::Result<I> {
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
        return Ok(interface);
    };
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut pace = Pace::default();
    let mut due = Some(Instant::now());
    port.send(interface.ask());
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
                    guard.terminal.draw(|frame| interface.draw(frame))?;
                }
                pace.drew(Instant::now());
                due = None;
                continue;
            }
            told = news.recv() => heard::<I>(told),
        };
        if !perform(&mut interface, message, port, Some(guard))? {
            return Ok(interface);
        }
        port.flush();
        due = Some(due.unwrap_or_else(|| pace.next(Instant::now())));
    }
}

/// News as a message; whoever measures does not fall silent before the interface has ended.
pub(super) fn heard<I: Interface>(told: Option<I::News>) -> Message<I::News> {
    let silence = || I::failed("the measuring has ended unexpectedly".to_owned());
    Message::News(told.unwrap_or_else(silence))
}

/// Takes a message in and does what comes of it, on a terminal if there is one; `false`: that was the
/// end.
pub(super) fn perform<I: Interface>(
    interface: &mut I,
    message: Message<I::News>,
    port: &mut impl Port<I::Request>,
    mut guard: Option<&mut Guard>,
) -> io::Result<bool> {
    for effect in interface.update(message) {
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
fn suspend(guard: &mut Guard) -> io::Result<()> {
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
