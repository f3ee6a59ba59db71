//! What the mouse does: it clicks on tabs, rows and cells, and turns its wheel.

use ratatui::{
    crossterm::event::{MouseButton, MouseEvent, MouseEventKind},
    layout::{Position, Rect},
};

use super::{action, follow, last_of_help, lines, select};
use crate::tui::latency::{
    app::{App, Mode, Screen},
    keys::Action,
    layout::{areas, tabs},
    message::Effect,
    screen,
};

/// Lines for a notch of the wheel.
const WHEEL: usize = 3;

pub(super) fn update(app: &mut App, event: MouseEvent) -> Vec<Effect> {
    let MouseEvent {
        kind, column, row, ..
    } = event;
    let areas = areas(app.size);
    let is_in = |area: Rect| area.contains(Position::new(column, row));
    match kind {
        MouseEventKind::ScrollDown => wheel(app, Action::Down),
        MouseEventKind::ScrollUp => wheel(app, Action::Up),
        MouseEventKind::Down(MouseButton::Left) if app.mode != Mode::Normal => {
            if matches!(app.mode, Mode::Help(_)) {
                app.mode = Mode::Normal;
            }
            Vec::new()
        }
        MouseEventKind::Down(MouseButton::Left) if is_in(areas.tabs) => {
            let under = tabs(app.size.0).into_iter().rposition(|(x, _)| x <= column);
            match under.and_then(|index| Screen::ALL.get(index)) {
                Some(screen) => action::perform(app, Action::Show(*screen)),
                None => Vec::new(),
            }
        }
        MouseEventKind::Down(MouseButton::Left) if is_in(areas.body) => {
            click(app, areas.body, Position::new(column, row))
        }
        _ => Vec::new(),
    }
}

fn wheel(app: &mut App, action: Action) -> Vec<Effect> {
    if let Mode::Help(top) = app.mode {
        let top = if action == Action::Down {
            top + WHEEL
        } else {
            top.saturating_sub(WHEEL)
        };
        app.mode = Mode::Help(top.min(last_of_help(app)));
        return Vec::new();
    }
    let effects = (0..WHEEL).flat_map(|_| action::perform(app, action));
    effects.collect()
}

/// A click selects; another on the same row is Enter.
fn click(app: &mut App, body: Rect, at: Position) -> Vec<Effect> {
    if app.place.screen == Screen::Heatmap {
        if let Some(cell) = screen::heatmap::cell_at(app, body, at) {
            app.cell = Some(cell);
        }
        return Vec::new();
    }
    let first = match app.place.screen {
        Screen::Histogram => screen::histogram::first_bar(app, body),
        Screen::Functions => body.y + 1,
        Screen::Heatmap | Screen::Health => return Vec::new(),
    };
    let Some(line) = at.y.checked_sub(first).map(usize::from) else {
        return Vec::new();
    };
    let wanted = app.cursor().top + line;
    let is_there = |(count, page): (usize, usize)| wanted < count && line < page;
    if !lines(app).is_some_and(is_there) {
        return Vec::new();
    }
    if wanted == app.cursor().at && app.place.screen == Screen::Functions {
        return action::perform(app, Action::Enter);
    }
    app.cursor_mut().at = wanted;
    follow(app);
    select(app);
    Vec::new()
}
