//! The screens: one file each.

pub(super) mod functions;
pub(super) mod health;
pub(super) mod heatmap;
pub(super) mod histogram;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::{
    app::{App, Screen},
    draw::probes,
    words::some,
};
use crate::{
    tui::text::{duration, fit},
    view::{self, calls::Content, printable},
};

/// Draws what was answered.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let Some(content) = app.content() else {
        let text = match app.shown {
            Some(_) => " one moment…",
            None => " the first calls are on their way…",
        };
        put(buffer, area, 0, Line::styled(text, app.theme.dim()));
        return;
    };
    if app.place.screen != Screen::Health
        && let Some(lines) = nothing(app)
    {
        for (row, (text, style)) in lines.into_iter().enumerate() {
            let text = fit(&format!(" {text}"), usize::from(area.width));
            put(buffer, area, row + 1, Line::styled(text, style));
        }
        return;
    }
    match content {
        Content::Histogram(columns, moments) => {
            histogram::draw(app, *columns, moments, area, buffer);
        }
        Content::Heatmap(map, moments) => heatmap::draw(app, map, moments, area, buffer),
        Content::Rows(rows) => functions::draw(app, rows, area, buffer),
        Content::Health(_) => health::draw(app, area, buffer),
    }
}

/// What is selected, in words.
pub(super) fn detail(app: &App) -> Option<String> {
    let content = app.content()?;
    if app.place.screen != Screen::Health && nothing(app).is_some() {
        return None;
    }
    match content {
        Content::Histogram(..) => histogram::detail(app),
        Content::Heatmap(map, moments) => Some(heatmap::detail(app, map, moments)),
        Content::Rows(rows) => functions::detail(app, rows),
        Content::Health(_) => Some(health::detail(app)),
    }
}

/// Why there is nothing to see, and what would help; `None`: there are calls.
fn nothing(app: &App) -> Option<Vec<(String, Style)>> {
    let shown = app.shown.as_ref().filter(|of| of.calls.count() == 0)?;
    let theme = app.theme;
    let (plain, dim) = (theme.plain(), theme.dim());
    let mut lines = Vec::new();
    let open = shown.whole.open;
    if !app.place.selection.is_everything() {
        lines.push(("no calls match".to_owned(), plain));
        lines.push(("Backspace takes back the last step".to_owned(), dim));
    } else if shown.whole.recorded > 0 {
        let since = some(shown.whole.recorded, "call");
        lines.push(("no calls in this time".to_owned(), plain));
        lines.push((
            format!("{since} since the start; ] looks at a longer time"),
            dim,
        ));
    } else {
        let functions = some(app.facts.functions as u64, "function");
        let target = printable(&app.facts.target);
        lines.push((
            format!("no calls yet: {functions} probed in {target}"),
            plain,
        ));
        let covered = duration(shown.covered_ns / 1_000_000_000 * 1_000_000_000);
        lines.push((format!("{}, for {covered}", probes(app)), dim));
        lines.push((String::new(), dim));
        let hint = "Is it called at all, and by whom? `tracer list` shows what a probe matches, and in which file.";
        lines.push((hint.to_owned(), dim));
    }
    let lost = shown.whole.lost_total();
    if lost > 0 {
        let lost = format!("{} lost: 4 says why", some(lost, "call"));
        lines.insert(1, (lost, theme.loss()));
    }
    if open > 0 {
        let open = some(open.unsigned_abs(), "call");
        lines.insert(
            1,
            (
                format!("{open} began and did not return yet"),
                theme.warning(),
            ),
        );
    }
    Some(lines)
}

/// Puts a line into a row of an area.
fn put(buffer: &mut Buffer, area: Rect, row: usize, line: Line<'_>) {
    let row = u16::try_from(row).unwrap_or(u16::MAX);
    if row < area.height {
        line.render(Rect::new(area.x, area.y + row, area.width, 1), buffer);
    }
}

fn cell(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(text.into(), style)
}

/// How many cells a column of time takes, and where the first begins: the newest is at the right.
fn cells_of_columns(columns: view::calls::Columns, area: Rect) -> (u16, u16) {
    let count = u16::try_from(columns.count()).unwrap_or(u16::MAX).max(1);
    let each = (area.width / count).max(1);
    let used = each.saturating_mul(count).min(area.width);
    (each, area.right() - used)
}

/// What times columns stand for, below them.
fn axis(app: &App, columns: view::calls::Columns, area: Rect, buffer: &mut Buffer) {
    const SPACING: u64 = 14;
    let style = app.theme.dim();
    let (each, first) = cells_of_columns(columns, area);
    let last = columns.count().saturating_sub(1);
    let end_ns = columns.start_ns(last).saturating_add(columns.length_ns);
    let now_ns = app.shown.as_ref().map_or(end_ns, |shown| shown.now_ns);
    let newest = match now_ns.saturating_sub(end_ns) {
        ago if ago < columns.length_ns => "now".to_owned(),
        ago => format!("-{}", duration(ago / 1_000_000_000 * 1_000_000_000)),
    };
    let right = usize::from(area.right()).saturating_sub(newest.len() + 1);
    buffer.set_string(right as u16, area.y, &newest, style);
    // Steps that are whole numbers of columns and easy to count by.
    const STEPS: [u64; 14] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600];
    let of_cell = columns.length_ns as f64 / f64::from(each) / 1e9;
    let least = of_cell * SPACING as f64;
    let step = STEPS.into_iter().find(|step| *step as f64 >= least);
    let step = step.unwrap_or_else(|| (least / 3600.0).ceil() as u64 * 3600);
    for number in 1.. {
        let seconds = number * step;
        let back = (seconds as f64 / of_cell).round();
        let Some(x) = Some(f64::from(area.right()) - back).filter(|x| *x >= f64::from(first))
        else {
            break;
        };
        let label = format!("-{}", duration(seconds * 1_000_000_000));
        let from = (x as usize).saturating_sub(label.len() / 2);
        let is_clear = from + label.len() < right && from >= usize::from(area.x);
        if is_clear {
            buffer.set_string(from as u16, area.y, &label, style);
        }
    }
}
