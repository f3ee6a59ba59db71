//! What each message does to the state, and what is to be done about it.
//!
//! Pure: no clock, no terminal, no channel. Time comes with the answers.

mod action;
mod go;
mod mouse;
mod place;
pub(super) mod prompt;
mod select;

use ratatui::crossterm::event::{KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    app::{App, Mode, Shown},
    keys,
    layout::list_rows,
    lines::{self, LineKey},
    message::{Effect, Message, News, Request},
};
use crate::view::Content;

/// Takes a message in.
pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Message::Key(key) => {
            app.notice = None;
            app.is_clicked = false;
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
        Mode::Time { .. } => select::update(app, key),
        Mode::Help(_) => help(app, key),
        Mode::Normal => match keys::action(key, app.place.screen) {
            Some(action) => action::perform(app, action),
            None => Vec::new(),
        },
    }
}

/// Keys while the keys are shown: those that move, and any other closes it.
fn help(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    use keys::Action;
    let Mode::Help(top) = app.mode else {
        return Vec::new();
    };
    let page = list_rows(app);
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
    let lines = super::widget::help::lines(app).len();
    lines.saturating_sub(list_rows(app))
}

fn on_news(app: &mut App, news: News) -> Vec<Effect> {
    match news {
        // An answer to an older question would show what is no longer asked for.
        News::Answer(answer, _) if answer.id != app.asked => return Vec::new(),
        News::Answer(answer, vitals) => {
            let selected = selected(app);
            let left = app.left[app.place.screen.index()].take();
            app.shown = Some(Shown {
                answer: *answer,
                vitals,
            });
            // What is selected stays so, wherever it has gone; the first line is whatever is first.
            if let Some(at) = selected.and_then(|key| lines::find(app, &key)) {
                app.cursor_mut().at = at;
            }
            // So does what was selected when this screen was left, unless it has gone meanwhile.
            if let Some(key) = left {
                app.cursor_mut().at = lines::find(app, &key).unwrap_or(0);
            }
            if std::mem::take(&mut app.jumps) {
                go::to_match(app, go::Way::First);
            }
            // Among its neighbours one begins at the function itself.
            if let (0, Some(Content::Focus(of))) = (app.cursor().at, app.content()) {
                app.cursor_mut().at = of.callers.len() + 2;
            }
            follow(app);
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

/// What the cursor is on, unless that is the first line.
fn selected(app: &App) -> Option<LineKey> {
    (app.cursor().at > 0).then(|| lines::key(app)).flatten()
}

/// Asks for what is to be shown.
fn ask(app: &mut App) -> Vec<Effect> {
    let question = Box::new(app.question());
    vec![Effect::Request(Request::Ask(question))]
}

/// Keeps the cursor within the list, and on the screen.
fn follow(app: &mut App) {
    if let Some(Content::Flame(flame)) = app.content() {
        let (row, _) = flame.find(&app.selected);
        app.cursor_mut().at = row;
    }
    let (count, rows) = (lines::count(app), list_rows(app));
    let is_known = app.content().is_some();
    let cursor = app.cursor_mut();
    if count == 0 {
        if is_known {
            *cursor = Default::default();
        }
        return;
    }
    cursor.at = cursor.at.min(count - 1);
    let lowest = (cursor.at + 1).saturating_sub(rows);
    cursor.top = cursor
        .top
        .clamp(lowest, cursor.at)
        .min(count.saturating_sub(1));
    // No empty lines below the last while there are some above the first.
    cursor.top = cursor.top.min(count.saturating_sub(rows).max(lowest));
}

#[cfg(test)]
mod tests;
