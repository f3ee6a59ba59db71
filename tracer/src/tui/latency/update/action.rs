//! What the keys of the table do.

use super::{ask, follow, lines, select, step};
use crate::{
    profile::Window,
    tui::{
        Prompt,
        latency::{
            app::{App, Mode, PromptKind, SECOND, SPANS, Screen},
            keys::Action,
            message::Effect,
        },
    },
    view::Span,
};

pub(super) fn perform(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => vec![Effect::Quit],
        Action::Suspend => vec![Effect::Suspend],
        Action::Help => {
            app.mode = Mode::Help(0);
            Vec::new()
        }
        Action::Show(screen) => show(app, screen),
        Action::NextScreen => show(app, app.place.screen.after(1)),
        Action::PreviousScreen => show(app, app.place.screen.after(Screen::ALL.len() - 1)),
        Action::Up
        | Action::Down
        | Action::Left
        | Action::Right
        | Action::PageUp
        | Action::PageDown
        | Action::First
        | Action::Last => go(app, action),
        Action::Enter => enter(app),
        Action::Escape => escape(app),
        Action::Undo => undo(app),
        Action::Search => prompt(app, PromptKind::Search),
        Action::Filter => prompt(app, PromptKind::Filter),
        Action::Exclude => prompt(app, PromptKind::Exclude),
        Action::NextMatch => to_match(app, true),
        Action::PreviousMatch => to_match(app, false),
        Action::Sort => {
            app.order = app.order.next();
            ask(app)
        }
        Action::Finer => bars(app, 1),
        Action::Coarser => bars(app, -1),
        Action::Overlay => {
            app.overlay = !app.overlay;
            Vec::new()
        }
        Action::Pause => pause(app),
        Action::Reset => {
            let Some(shown) = &app.shown else {
                return Vec::new();
            };
            // From the newest on, whatever is looked at: what has been seen is not counted again.
            let now_ns = shown.now_ns;
            app.paused = None;
            step(app, |place| place.span = Span::Since(now_ns))
        }
        Action::Shorter => length(app, -1),
        Action::Longer => length(app, 1),
        Action::Theme => {
            app.theme = app.theme.next();
            app.notice = Some(format!("colours: {}", app.theme.name()));
            // Rows of the heatmap are as many as the colours can show.
            ask(app)
        }
        Action::Export => export(app),
    }
}

fn show(app: &mut App, screen: Screen) -> Vec<Effect> {
    app.place.screen = screen;
    ask(app)
}

/// Moves in a list, or in the heatmap.
fn go(app: &mut App, action: Action) -> Vec<Effect> {
    if app.place.screen == Screen::Heatmap {
        to_cell(app, action);
        return Vec::new();
    }
    let Some((count, page)) = lines(app) else {
        return Vec::new();
    };
    // There is nothing to be selected in this list, so it moves at once.
    let is_read = app.place.screen == Screen::Health;
    let at = if is_read {
        app.cursor().top
    } else {
        app.cursor().at
    };
    let last = count.saturating_sub(if is_read { page } else { 1 });
    let at = match action {
        Action::Up | Action::Left => at.saturating_sub(1),
        Action::PageUp => at.saturating_sub(page),
        Action::PageDown => at + page,
        Action::First => 0,
        Action::Last => last,
        _ => at + 1,
    };
    let at = at.min(last);
    let cursor = app.cursor_mut();
    cursor.at = at;
    if is_read {
        cursor.top = at;
        return Vec::new();
    }
    follow(app);
    select(app);
    Vec::new()
}

/// Moves the cell that is looked at; from nowhere, to the newest column and the median there.
fn to_cell(app: &mut App, action: Action) {
    let Some((map, moments)) = app.heatmap() else {
        return;
    };
    let last_column = map.columns.count().saturating_sub(1);
    let last_row = map.scale.rows().saturating_sub(1);
    let page = (last_row / 4).max(1);
    let (column, row) = match app.cell() {
        None => {
            let newest = moments.iter().rposition(|moment| moment.count > 0);
            let column = newest.unwrap_or(last_column);
            let median = moments.get(column).and_then(|moment| moment.p50);
            let row = median.map_or(last_row / 2, |bucket| map.scale.row_of(bucket.low).0);
            (column, row)
        }
        Some((column, row)) => match action {
            Action::Up => (column, row + 1),
            Action::Down => (column, row.saturating_sub(1)),
            Action::Left => (column.saturating_sub(1), row),
            Action::PageUp => (column, row + page),
            Action::PageDown => (column, row.saturating_sub(page)),
            Action::First => (0, row),
            Action::Last => (last_column, row),
            _ => (column + 1, row),
        },
    };
    let at_ns = map.columns.start_ns(column.min(last_column));
    let (low, _) = map.scale.bounds(row.min(last_row));
    app.cell = Some((at_ns, low));
}

/// Only what is selected, in the histogram and everywhere.
fn enter(app: &mut App) -> Vec<Effect> {
    let at = app.cursor().at;
    let Some(row) = app.rows().and_then(|rows| rows.rows.get(at)) else {
        return Vec::new();
    };
    let (call, title) = (row.call, row.title());
    app.search = None;
    step(app, |place| {
        place.selection.only = Some(call);
        place.only = Some(title);
        place.screen = Screen::Histogram;
    })
}

/// Out of the innermost thing that one is in.
fn escape(app: &mut App) -> Vec<Effect> {
    if app.place.screen == Screen::Heatmap && app.cell.take().is_some() {
        return Vec::new();
    }
    if app.search.take().is_some() {
        return ask(app);
    }
    if app.is_fixed() {
        app.paused = None;
        let span = app.live;
        return step(app, |place| place.span = span);
    }
    step(app, |place| {
        place.selection.only = None;
        place.only = None;
    })
}

/// Takes the last step back.
fn undo(app: &mut App) -> Vec<Effect> {
    let Some(place) = app.steps.pop() else {
        app.notice = Some("nothing to take back".to_owned());
        return Vec::new();
    };
    if place.span != app.place.span {
        app.paused = None;
    }
    app.place = place;
    ask(app)
}

fn prompt(app: &mut App, kind: PromptKind) -> Vec<Effect> {
    let text = match (kind, &app.search) {
        (PromptKind::Search, Some(pattern)) => pattern.to_string(),
        _ => String::new(),
    };
    app.mode = Mode::Prompt(Prompt {
        kind,
        text,
        error: None,
    });
    Vec::new()
}

/// Holds what is shown until its name is typed: what is written is what is seen.
fn export(app: &mut App) -> Vec<Effect> {
    let Some(window) = app.window() else {
        return Vec::new();
    };
    let text = format!("tracer-{}.txt", app.stamp);
    let before = std::mem::replace(&mut app.place.span, Span::Fixed(window));
    app.mode = Mode::Prompt(Prompt {
        kind: PromptKind::Export(before),
        text,
        error: None,
    });
    ask(app)
}

/// To the next row that the search marks, or to the one before, in a circle.
fn to_match(app: &mut App, forward: bool) -> Vec<Effect> {
    let at = app.cursor().at;
    let Some(rows) = app.rows() else {
        return Vec::new();
    };
    let marks = &rows.marks;
    let found = if forward {
        let next = marks.iter().find(|mark| **mark > at);
        next.or(marks.first())
    } else {
        let previous = marks.iter().rev().find(|mark| **mark < at);
        previous.or(marks.last())
    };
    match found.copied() {
        Some(mark) => {
            app.cursor_mut().at = mark;
            follow(app);
            select(app);
        }
        None => app.notice = Some("nothing matches".to_owned()),
    }
    Vec::new()
}

/// Makes bars narrower, or wider.
fn bars(app: &mut App, by: i8) -> Vec<Effect> {
    const NARROWEST: i8 = 8;
    app.finer = (app.finer + by).clamp(-NARROWEST, NARROWEST);
    *app.cursor_mut() = Default::default();
    follow(app);
    Vec::new()
}

fn pause(app: &mut App) -> Vec<Effect> {
    if let Some(before) = app.paused.take() {
        app.place.span = before;
        return ask(app);
    }
    let Some(window) = app.window() else {
        return Vec::new();
    };
    app.paused = Some(app.place.span);
    app.place.span = Span::Fixed(window);
    ask(app)
}

/// Looks at a shorter or a longer time.
fn length(app: &mut App, by: isize) -> Vec<Effect> {
    // From a stretch that does not move, on from the one that did.
    let span = if app.is_fixed() {
        app.live
    } else {
        app.place.span
    };
    let seconds = match span {
        Span::Last(length) => length / SECOND,
        Span::Since(_) | Span::Fixed(Window { .. }) => 60,
        Span::All => u64::MAX,
    };
    let here = SPANS.iter().position(|length| *length >= seconds);
    let there = here.unwrap_or(SPANS.len() - 1).saturating_add_signed(by);
    let span = match SPANS.get(there.min(SPANS.len() - 1)) {
        None | Some(&u64::MAX) => Span::All,
        Some(seconds) => Span::Last(seconds * SECOND),
    };
    app.paused = None;
    step(app, |place| place.span = span)
}
