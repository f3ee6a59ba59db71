//! The keys of the screen, made from the table of keys.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Widget as _},
};

use super::super::{
    app::App,
    keys::{Binding, KEYS},
    text::{fit, pad},
    theme::Theme,
};

/// Draws it over the screen, from a line on.
pub(in crate::tui) fn draw(app: &App, top: usize, area: Rect, buffer: &mut Buffer) {
    draw_lines(lines(app), top, area, buffer);
}

/// Draws lines over a screen, from one of them on.
pub(in crate::tui) fn draw_lines(
    lines: Vec<Line<'_>>,
    top: usize,
    area: Rect,
    buffer: &mut Buffer,
) {
    Clear.render(area, buffer);
    for (line, y) in lines.into_iter().skip(top).zip(area.y..area.bottom()) {
        line.render(Rect::new(area.x, y, area.width, 1), buffer);
    }
}

/// All lines.
pub(in crate::tui) fn lines(app: &App) -> Vec<Line<'static>> {
    let screen = app.place.screen;
    lines_of(KEYS, screen, screen.title(), app.theme, app.size.0)
}

/// All lines of a table: two of its rows to a line where there is room.
pub(in crate::tui) fn lines_of<A, S: PartialEq + Copy>(
    table: &[Binding<A, S>],
    screen: S,
    title: &str,
    theme: Theme,
    width: u16,
) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let title = format!(" Keys on the screen {title}");
    let mut lines = vec![Line::styled(title, theme.title())];
    let here: Vec<_> = table
        .iter()
        .filter(|binding| binding.is_on(screen))
        .collect();
    let keys = 18;
    let row = |binding: &&Binding<A, S>, columns: usize| {
        [
            Span::styled(pad(&format!("  {}", binding.keys()), keys), theme.warning()),
            Span::raw(pad(
                &fit(binding.help, columns.saturating_sub(keys + 1)),
                columns.saturating_sub(keys),
            )),
        ]
    };
    if width >= 150 {
        let half = here.len().div_ceil(2);
        let (left, right) = here.split_at(half);
        for (index, binding) in left.iter().enumerate() {
            let mut spans = row(binding, width / 2).to_vec();
            if let Some(other) = right.get(index) {
                spans.extend(row(other, width - width / 2));
            }
            lines.push(Line::from(spans));
        }
    } else {
        lines.extend(
            here.iter()
                .map(|binding| Line::from(row(binding, width).to_vec())),
        );
    }
    lines
}
