//! The load over time, and which of it is looked at.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span as Text},
    widgets::Widget as _,
};

use super::super::{
    app::{App, Mode},
    text::duration,
    time::{column_of, columns, window_of_column},
};

const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(in crate::tui) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some(window) = app.window() else { return };
    let columns = columns(app);
    let most = scale(app);
    let cursor = match app.mode {
        Mode::Time { at_ns, .. } => column_of(app, at_ns),
        _ => None,
    };
    for (x, column) in (area.x..area.right()).zip(columns) {
        let is_shown = window_of_column(app, x)
            .is_some_and(|of| of.start_ns < window.end_ns && window.start_ns < of.end_ns);
        let load = column.load(app.facts.hertz);
        let share = load.map_or(0.0, |load| (load / most).clamp(0.0, 1.0));
        let cells = f64::from(area.height) * 8.0;
        let mut eighths = (share * cells).round() as usize;
        if column.weight > 0 {
            eighths = eighths.max(1);
        }
        for y in (area.y..area.bottom()).rev() {
            let here = eighths.min(8);
            eighths -= here;
            let mut style = theme.load(share, is_shown);
            if column.lost > 0 && here > 0 && column.lost * 20 > column.weight {
                style = theme.loss();
            }
            if is_shown {
                style = style.patch(theme.window());
            }
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.set_char(LEVELS[here]).set_style(style);
                if cursor == Some(x) && here < 8 && y == area.y {
                    cell.set_char('▼').set_style(theme.title());
                }
            }
        }
    }
}

/// The load that fills the height: all CPUs, or one if what is looked at takes no more.
fn scale(app: &App) -> f64 {
    let most = columns(app)
        .into_iter()
        .filter_map(|column| column.load(app.facts.hertz))
        .fold(0.0, f64::max);
    if most <= 1.0 {
        1.0
    } else {
        app.facts.cpus as f64
    }
}

/// What the height and the width of the timeline mean, and how much is held.
pub(in crate::tui) fn axis(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some(shown) = &app.shown else { return };
    let full = match scale(app) {
        1.0 => "1 CPU".to_owned(),
        cpus => format!("{cpus:.0} CPUs"),
    };
    let held = shown
        .answer
        .timeline
        .first()
        .zip(shown.answer.timeline.last());
    let held = held.map_or(0, |(first, last)| {
        last.end_ns.saturating_sub(first.start_ns)
    });
    let text = format!(
        " full height {full} · a column {} · held {} of {}",
        duration(app.column_ns),
        duration(held / 1_000_000_000 * 1_000_000_000),
        duration(app.facts.history_ns),
    );
    let now = "now ";
    let gap = usize::from(area.width).saturating_sub(text.chars().count() + now.len());
    Line::from(vec![
        Text::styled(text, theme.dim()),
        Text::raw(" ".repeat(gap)),
        Text::styled(now, theme.dim()),
    ])
    .render(area, buffer);
}
