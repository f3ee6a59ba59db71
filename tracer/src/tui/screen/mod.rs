//! The screens: one file each.

pub(super) mod flame;
pub(super) mod focus;
pub(super) mod functions;
pub(super) mod health;
pub(super) mod processes;
pub(super) mod tree;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::{app::App, theme::Theme};
use crate::view::Content;

/// Draws what was answered.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    match app.content() {
        None => waiting(app, area, buffer),
        Some(Content::Functions(table, _, left_out)) => {
            functions::draw(app, table, *left_out, area, buffer);
        }
        Some(Content::Focus(of)) => focus::draw(app, of, area, buffer),
        Some(Content::Processes(table, _, left_out)) => {
            processes::draw(app, table, *left_out, area, buffer);
        }
        Some(Content::Flame(of)) => flame::draw(app, of, area, buffer),
        Some(Content::Tree(of)) => tree::draw(app, of, area, buffer),
        Some(Content::Health(..)) => health::draw(app, area, buffer),
    }
}

/// What is selected, in words.
pub(super) fn detail(app: &App) -> Option<String> {
    match app.content()? {
        Content::Functions(table, ..) => functions::detail(app, table),
        Content::Focus(of) => focus::detail(app, of),
        Content::Processes(table, ..) => processes::detail(app, table),
        Content::Flame(of) => flame::detail(app, of),
        Content::Tree(of) => tree::detail(app, of),
        Content::Health(..) => Some(health::detail(app)),
    }
}

fn waiting(app: &App, area: Rect, buffer: &mut Buffer) {
    let text = if app.shown.is_some() {
        " one moment…"
    } else {
        " the first samples are on their way…"
    };
    line(buffer, area, 0, Line::styled(text, app.theme.dim()));
}

/// Puts a line into a row of an area.
fn line(buffer: &mut Buffer, area: Rect, row: usize, line: Line<'_>) {
    let row = u16::try_from(row).unwrap_or(u16::MAX);
    if row < area.height {
        line.render(Rect::new(area.x, area.y + row, area.width, 1), buffer);
    }
}

/// Draws the rows of a list that are on the screen, below its titles.
fn list<T>(
    app: &App,
    titles: Line<'_>,
    rows: &[T],
    area: Rect,
    buffer: &mut Buffer,
    row_line: impl Fn(usize, &T) -> Line<'static>,
) {
    line(buffer, area, 0, titles);
    let (cursor, visible) = (app.cursor(), usize::from(area.height.saturating_sub(1)));
    let shown = rows.iter().enumerate().skip(cursor.top).take(visible);
    for (place, (index, row)) in shown.enumerate() {
        line(buffer, area, place + 1, row_line(index, row));
        if index == cursor.at {
            let y = area.y + 1 + u16::try_from(place).unwrap_or(0);
            buffer.set_style(Rect::new(area.x, y, area.width, 1), app.theme.selected());
        }
    }
    if rows.is_empty() {
        line(
            buffer,
            area,
            1,
            Line::styled(" no samples here", app.theme.dim()),
        );
    }
}

/// The style of a name: of its kind, and of what the search marks.
fn name_style(theme: Theme, kind: crate::view::Kind, matched: bool) -> Style {
    let style = theme.name_of(kind);
    if matched {
        style.patch(theme.matched())
    } else {
        style
    }
}

fn cell(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// What stands above the bars of a table: nothing, as wide as they are.
fn above_bars(bars: usize) -> Span<'static> {
    Span::raw(" ".repeat(if bars > 0 { bars + 1 } else { 0 }))
}

/// How wide the bar of a table is.
fn bar_columns(width: u16) -> usize {
    match width {
        0..60 => 0,
        60..100 => 8,
        100..160 => 12,
        _ => 20,
    }
}
