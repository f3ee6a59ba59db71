//! The keys of the screen, made from the table of keys.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Widget as _},
};

use super::super::{
    app::App,
    keys::KEYS,
    text::{fit, pad},
};

/// Draws it over the screen, from a line on.
pub(in crate::tui) fn draw(app: &App, top: usize, area: Rect, buffer: &mut Buffer) {
    Clear.render(area, buffer);
    for (line, y) in lines(app).into_iter().skip(top).zip(area.y..area.bottom()) {
        line.render(Rect::new(area.x, y, area.width, 1), buffer);
    }
}

/// All lines: two to a row where there is room.
pub(in crate::tui) fn lines(app: &App) -> Vec<Line<'static>> {
    let theme = app.theme;
    let width = usize::from(app.size.0);
    let screen = app.place.screen;
    let title = format!(" Keys on the screen {}", screen.title());
    let mut lines = vec![Line::styled(title, theme.title())];
    let here: Vec<_> = KEYS
        .iter()
        .filter(|binding| binding.is_on(screen))
        .collect();
    let keys = 18;
    let row = |binding: &&super::super::keys::Binding, columns: usize| {
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
