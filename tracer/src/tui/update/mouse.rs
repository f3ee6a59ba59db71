//! What the mouse does: it clicks on tabs, lines and frames, turns its wheel, and drags over time.

use ratatui::{
    crossterm::event::{MouseButton, MouseEvent, MouseEventKind},
    layout::{Position, Rect},
};

use super::{action, ask, follow, place};
use crate::{
    tui::{
        app::{App, Mode, Screen},
        keys::Action,
        layout::{areas, tabs},
        lines,
        message::Effect,
        time::{window_between, window_of_column},
    },
    view::{Content, Span},
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
            click(app, column, row - areas.body.y)
        }
        MouseEventKind::Down(MouseButton::Left) if is_in(areas.timeline) => {
            app.drag_ns = window_of_column(app, column).map(|window| window.start_ns);
            app.is_dragged = false;
            Vec::new()
        }
        MouseEventKind::Drag(MouseButton::Left) => drag(app, column),
        MouseEventKind::Up(MouseButton::Left) => {
            if app.drag_ns.is_some() && !is_in(areas.timeline) {
                // Let go elsewhere: the last column that it was over counts.
                app.drag_ns = None;
                return Vec::new();
            }
            let effects = drag(app, column);
            app.drag_ns = None;
            effects
        }
        _ => Vec::new(),
    }
}

fn wheel(app: &mut App, action: Action) -> Vec<Effect> {
    if let Mode::Help(top) = app.mode {
        let last = super::last_of_help(app);
        let top = if action == Action::Down {
            top + WHEEL
        } else {
            top.saturating_sub(WHEEL)
        };
        app.mode = Mode::Help(top.min(last));
        return Vec::new();
    }
    app.is_clicked = false;
    let effects = (0..WHEEL).flat_map(|_| action::perform(app, action));
    effects.collect()
}

/// A click selects; another on the same is Enter.
fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    if let Some(Content::Flame(flame)) = app.content() {
        let row = app.cursors[Screen::Flame.index()].top + usize::from(row);
        let blocks = flame.rows.get(row).into_iter().flatten();
        let under = blocks
            .enumerate()
            .find(|(_, block)| (block.x..block.x + block.width).contains(&column));
        let Some((index, _)) = under else {
            return Vec::new();
        };
        let path = flame.path(row, index);
        if path == app.selected && app.is_clicked {
            return action::perform(app, Action::Enter);
        }
        app.is_clicked = true;
        app.selected = path;
        follow(app);
        return Vec::new();
    }
    // The first row has the titles.
    let Some(line) = row.checked_sub(1) else {
        return Vec::new();
    };
    let at = app.cursor().top + usize::from(line);
    if at >= lines::count(app) {
        return Vec::new();
    }
    if at == app.cursor().at && app.is_clicked {
        return action::perform(app, Action::Enter);
    }
    app.is_clicked = true;
    app.cursor_mut().at = at;
    follow(app);
    Vec::new()
}

/// The window from where the mouse went down to where it is; all of the drag is one step.
fn drag(app: &mut App, column: u16) -> Vec<Effect> {
    let (Some(from), Some(here)) = (app.drag_ns, window_of_column(app, column)) else {
        return Vec::new();
    };
    let span = Span::Fixed(window_between(app, from, here.start_ns));
    if app.place.span == span {
        return Vec::new();
    }
    app.paused = None;
    if !std::mem::replace(&mut app.is_dragged, true) {
        return place::step(app, |place| place.span = span);
    }
    app.place.span = span;
    ask(app)
}
