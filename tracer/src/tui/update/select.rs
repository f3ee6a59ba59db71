//! Selecting a stretch of time with the keyboard.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{ask, place::step};
use crate::{
    profile::Window,
    tui::{
        app::{App, Mode},
        message::Effect,
        time::window_between,
    },
    view::Span,
};

/// Begins at the newest column.
pub(super) fn begin(app: &mut App) -> Vec<Effect> {
    let Some(last) = app
        .shown
        .as_ref()
        .and_then(|shown| shown.answer.timeline.last())
    else {
        return Vec::new();
    };
    let at_ns = last.start_ns;
    app.mode = Mode::Time {
        at_ns,
        anchor_ns: None,
        before: app.place.span,
    };
    look(app)
}

pub(super) fn update(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let Mode::Time {
        at_ns,
        anchor_ns,
        before,
    } = app.mode
    else {
        return Vec::new();
    };
    let (held, newest) = bounds(app);
    let fast = key.modifiers.contains(KeyModifiers::SHIFT);
    let columns = app.column_ns * if fast { 10 } else { 1 };
    let to = |at_ns: u64| Mode::Time {
        at_ns: at_ns.clamp(held, newest),
        anchor_ns,
        before,
    };
    match key.code {
        KeyCode::Left | KeyCode::Char('h') => app.mode = to(at_ns.saturating_sub(columns)),
        KeyCode::Right | KeyCode::Char('l') => app.mode = to(at_ns.saturating_add(columns)),
        KeyCode::PageUp => app.mode = to(at_ns.saturating_sub(10 * columns)),
        KeyCode::PageDown => app.mode = to(at_ns.saturating_add(10 * columns)),
        KeyCode::Home => app.mode = to(held),
        KeyCode::End => app.mode = to(newest),
        KeyCode::Char('v' | ' ') => {
            app.mode = Mode::Time {
                at_ns,
                anchor_ns: anchor_ns.is_none().then_some(at_ns),
                before,
            };
        }
        KeyCode::Enter => {
            let window = selected(app, at_ns, anchor_ns);
            app.mode = Mode::Normal;
            // The step leads from where one was before, not from the last look.
            app.place.span = before;
            app.paused = None;
            return step(app, |place| place.span = Span::Fixed(window));
        }
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return vec![Effect::Quit];
        }
        KeyCode::Esc | KeyCode::Char('q') => {
            app.mode = Mode::Normal;
            app.place.span = before;
            return ask(app);
        }
        _ => return Vec::new(),
    }
    look(app)
}

/// Shows what is selected so far.
fn look(app: &mut App) -> Vec<Effect> {
    if let Mode::Time {
        at_ns, anchor_ns, ..
    } = app.mode
    {
        app.place.span = Span::Fixed(selected(app, at_ns, anchor_ns));
    }
    ask(app)
}

fn selected(app: &App, at_ns: u64, anchor_ns: Option<u64>) -> Window {
    window_between(app, at_ns, anchor_ns.unwrap_or(at_ns))
}

/// The first and the last slice that are held.
fn bounds(app: &App) -> (u64, u64) {
    let bars = app.shown.as_ref().map(|shown| &shown.answer.timeline);
    let first = bars
        .and_then(|bars| bars.first())
        .map_or(0, |bar| bar.start_ns);
    let last = bars
        .and_then(|bars| bars.last())
        .map_or(0, |bar| bar.start_ns);
    (first, last)
}
