//! What each message does to the state, and what is to be done about it.
//!
//! Pure: no clock, no terminal, no channel. Time comes with the answers.

mod action;
mod mouse;
mod prompt;

use ratatui::crossterm::event::{KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    app::{App, Mode, Place, Screen},
    keys::{self, Action, KEYS},
    layout::areas,
    message::{Effect, Message, News, Request},
    screen,
};
use crate::{
    tui::widget::help,
    view::calls::{Answer, Call},
};

/// Takes a message in.
pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Message::Key(key) => {
            app.notice = None;
            on_key(app, key)
        }
        Message::Mouse(event) => mouse::update(app, event),
        Message::Resize(width, height) => {
            app.size = (width, height);
            follow(app);
            let mut effects = ask(app);
            effects.push(Effect::Repaint);
            effects
        }
        Message::News(news) => on_news(app, news),
        Message::Quit => vec![Effect::Quit],
        Message::Suspend => vec![Effect::Suspend],
    }
}

fn on_key(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    match &app.mode {
        Mode::Prompt(_) => prompt::update(app, key),
        Mode::Help(top) => {
            let top = *top;
            read(app, top, key)
        }
        Mode::Normal => match keys::action(key, app.place.screen) {
            Some(action) => action::perform(app, action),
            None => Vec::new(),
        },
    }
}

/// Keys while the keys are shown: those that move, and any other closes it.
fn read(app: &mut App, top: usize, key: KeyEvent) -> Vec<Effect> {
    let page = usize::from(areas(app.size).body.height).max(2) - 1;
    let top = match keys::action(key, app.place.screen) {
        Some(Action::Down) => Some(top + 1),
        Some(Action::Up) => Some(top.saturating_sub(1)),
        Some(Action::PageDown | Action::Pause) => Some(top + page),
        Some(Action::PageUp) => Some(top.saturating_sub(page)),
        Some(Action::First) => Some(0),
        Some(Action::Last) => Some(usize::MAX),
        Some(Action::Quit) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return vec![Effect::Quit];
        }
        _ => None,
    };
    let last = last_of_help(app);
    app.mode = top.map_or(Mode::Normal, |top| Mode::Help(top.min(last)));
    Vec::new()
}

/// The line of the help that is the first on the screen when its end is.
fn last_of_help(app: &App) -> usize {
    let screen = app.place.screen;
    let lines = help::lines_of(KEYS, screen, screen.title(), app.theme, app.size.0).len();
    lines.saturating_sub(usize::from(areas(app.size).body.height))
}

fn on_news(app: &mut App, news: News) -> Vec<Effect> {
    match news {
        // An answer to an older question would show what is no longer asked for.
        News::Answer(answer, _) if answer.id != app.asked => {}
        News::Answer(answer, stamp) => {
            app.stamp = stamp;
            take(app, *answer);
        }
        News::Written(Ok(path)) => app.notice = Some(format!("wrote {path}")),
        News::Written(Err(why)) => app.notice = Some(why),
        News::Ended(why) => app.ended = Some(why),
        News::Failed(why) => {
            app.failed = Some(why);
            return vec![Effect::Quit];
        }
    }
    Vec::new()
}

fn take(app: &mut App, answer: Answer) {
    app.shown = Some(answer);
    if let Some(rows) = app.rows() {
        // What is selected stays so, wherever it has gone; the first line is whatever is first.
        let is_selected = |wanted: Call| rows.rows.iter().position(|row| row.call == wanted);
        let at = app.selected.and_then(is_selected);
        let first_mark = rows.marks.first().copied();
        let jump = std::mem::take(&mut app.jumps)
            .then_some(first_mark)
            .flatten();
        let at = jump.or(at).unwrap_or(0);
        app.cursor_mut().at = at;
        select(app);
    }
    follow(app);
}

/// Remembers what the cursor is on, unless that is the first line.
fn select(app: &mut App) {
    let at = app.cursor().at;
    if let Some(rows) = app.rows() {
        let row = rows.rows.get(at).filter(|_| at > 0);
        app.selected = row.map(|row| row.call);
    }
}

/// Asks for what is to be shown.
fn ask(app: &mut App) -> Vec<Effect> {
    let question = Box::new(app.question());
    vec![Effect::Request(Request::Ask(question))]
}

/// Goes somewhere, and remembers where from.
fn step(app: &mut App, change: impl FnOnce(&mut Place)) -> Vec<Effect> {
    const MOST: usize = 100;
    let before = app.place.clone();
    change(&mut app.place);
    if app.place == before {
        return Vec::new();
    }
    if app.steps.len() == MOST {
        app.steps.remove(0);
    }
    app.steps.push(before);
    ask(app)
}

/// Keeps the cursor within the list, and on the screen.
fn follow(app: &mut App) {
    let Some((count, rows)) = lines(app) else {
        return;
    };
    let cursor = app.cursor_mut();
    cursor.at = cursor.at.min(count.saturating_sub(1));
    let lowest = (cursor.at + 1).saturating_sub(rows);
    cursor.top = cursor.top.clamp(lowest, cursor.at.max(lowest));
    // No empty lines below the last while there are some above the first.
    cursor.top = cursor.top.min(count.saturating_sub(rows).max(lowest));
}

/// How many lines the list that is shown has, and how many of them fit.
fn lines(app: &App) -> Option<(usize, usize)> {
    let body = areas(app.size).body;
    let height = usize::from(body.height);
    app.content()?;
    Some(match app.place.screen {
        Screen::Histogram => {
            let bars = screen::histogram::bars_of(app, body).len();
            (bars, screen::histogram::bar_rows(body))
        }
        Screen::Heatmap => return None,
        Screen::Functions => (app.rows()?.rows.len(), height.saturating_sub(1).max(1)),
        Screen::Health => (screen::health::lines(app).len(), height.max(1)),
    })
}
