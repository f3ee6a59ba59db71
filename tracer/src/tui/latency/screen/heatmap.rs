//! When calls took how long: time × latency.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
    text::Line,
};

use super::{axis, cell, cells_of_columns, put};
use crate::{
    tui::{
        Theme,
        latency::{
            app::App,
            heat::{self, rows_of_cell},
            words::{ago, bounds, latency, range, some},
        },
        text::{count, duration, percent},
        widget::header::fitted,
    },
    view::{
        Heatmap,
        calls::{Columns, Moment},
    },
};

/// Columns of the latencies at the left.
const GUTTER: u16 = 9;

/// The part of the screen that is the map.
fn plot(body: Rect) -> Rect {
    let gutter = GUTTER.min(body.width);
    let width = (body.width - gutter).saturating_sub(1);
    let height = body.height.saturating_sub(2).max(1);
    Rect::new(body.x + gutter, body.y, width, height)
}

/// Columns and rows that there is room for.
pub(in crate::tui::latency) fn size(theme: Theme, body: Rect) -> (usize, usize) {
    let plot = plot(body);
    let rows = usize::from(plot.height) * rows_of_cell(theme);
    (usize::from(plot.width).max(1), rows)
}

pub(super) fn draw(app: &App, map: &Heatmap, moments: &[Moment], area: Rect, buffer: &mut Buffer) {
    let plot = plot(area);
    let place = Place::new(app.theme, map, plot);
    let most = map.most();
    let chosen = app.cell();
    for y in plot.y..plot.bottom() {
        let (upper, lower) = place.rows(y);
        for column in 0..map.columns.count() {
            let level =
                |row: Option<usize>| heat::level(row.map_or(0, |row| map.count(column, row)), most);
            let (character, style) = heat::cell(app.theme, level(upper), level(lower));
            place.fill(buffer, column, y, character, style);
        }
    }
    if app.overlay {
        overlay(app, map, moments, &place, buffer);
    }
    if let Some((column, row)) = chosen {
        mark(app, map, &place, (column, row), buffer);
    }
    latencies(app, map, &place, chosen.map(|(_, row)| row), buffer);
    let below = Rect::new(plot.x, plot.bottom(), plot.width, 1);
    axis(app, map.columns, below, buffer);
    if let Some((column, _)) = chosen {
        place.fill(buffer, column, below.y, '▴', app.theme.title());
    }
    legend(app, map, area, buffer);
}

/// Where rows and columns are on the screen.
struct Place {
    plot: Rect,
    columns: Columns,
    rows: usize,
    of_cell: usize,
}

impl Place {
    fn new(theme: Theme, map: &Heatmap, plot: Rect) -> Self {
        Self {
            plot,
            columns: map.columns,
            rows: map.scale.rows(),
            of_cell: rows_of_cell(theme),
        }
    }

    /// The rows of the map that a row of the screen shows: the longer latencies, then the shorter.
    fn rows(&self, y: u16) -> (Option<usize>, Option<usize>) {
        let from_below = usize::from(self.plot.bottom() - 1 - y);
        let there = |row: usize| (row < self.rows).then_some(row);
        let lower = from_below * self.of_cell;
        match self.of_cell {
            1 => (None, there(lower)),
            _ => (there(lower + 1), there(lower)),
        }
    }

    /// The row of the screen that shows a row of the map.
    fn y_of(&self, row: usize) -> u16 {
        let from_below = u16::try_from(row / self.of_cell).unwrap_or(u16::MAX);
        self.plot
            .bottom()
            .saturating_sub(1 + from_below)
            .max(self.plot.y)
    }

    /// The cells of the screen that show a column of the map.
    fn cells(&self, column: usize) -> std::ops::Range<u16> {
        let (each, first) = cells_of_columns(self.columns, self.plot);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        let from = first.saturating_add(each.saturating_mul(column));
        from..from.saturating_add(each).min(self.plot.right())
    }

    fn fill(&self, buffer: &mut Buffer, column: usize, y: u16, character: char, style: Style) {
        for x in self.cells(column) {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.set_char(character).set_style(style);
            }
        }
    }
}

/// The moment and the latency of a cell of the screen.
pub(in crate::tui::latency) fn cell_at(app: &App, body: Rect, at: Position) -> Option<(u64, u64)> {
    let (map, _) = app.heatmap()?;
    let plot = plot(body);
    if !plot.contains(at) {
        return None;
    }
    let place = Place::new(app.theme, map, plot);
    let column = (0..map.columns.count()).find(|column| place.cells(*column).contains(&at.x))?;
    let (upper, lower) = place.rows(at.y);
    // Of two rows, the one where there is more to see.
    let busier = [lower, upper]
        .into_iter()
        .flatten()
        .max_by_key(|row| map.count(column, *row))?;
    Some((map.columns.start_ns(column), map.scale.bounds(busier).0))
}

/// The percentiles of each column, over the counts.
fn overlay(app: &App, map: &Heatmap, moments: &[Moment], place: &Place, buffer: &mut Buffer) {
    let most = map.most();
    for (column, moment) in moments.iter().enumerate() {
        for (bucket, character) in [(moment.p50, '─'), (moment.p99, '═')] {
            let Some(bucket) = bucket else { continue };
            let row = map.scale.row_of(bucket.low).0;
            let level = heat::level(map.count(column, row), most);
            let style = heat::over(app.theme, level);
            place.fill(buffer, column, place.y_of(row), character, style);
        }
    }
}

/// The cell that is looked at.
fn mark(
    app: &App,
    map: &Heatmap,
    place: &Place,
    (column, row): (usize, usize),
    buffer: &mut Buffer,
) {
    let y = place.y_of(row);
    let (upper, lower) = place.rows(y);
    let character = match (place.of_cell, Some(row) == upper) {
        (1, _) => {
            let level = heat::level(map.count(column, row), map.most());
            heat::cell(app.theme, None, level).0
        }
        (_, true) => '▀',
        (_, false) => '▄',
    };
    let other = if Some(row) == upper { lower } else { upper };
    let level = other.and_then(|other| heat::level(map.count(column, other), map.most()));
    let style = match app.theme {
        Theme::Dark | Theme::Light => heat::marked(app.theme, level),
        Theme::Ansi | Theme::Mono => app.theme.selected(),
    };
    place.fill(buffer, column, y, character, style);
}

/// The latencies at the left: the least of a row of the screen.
fn latencies(app: &App, map: &Heatmap, place: &Place, row: Option<usize>, buffer: &mut Buffer) {
    let theme = app.theme;
    let chosen = row.map(|row| (place.y_of(row), row));
    for y in place.plot.y..place.plot.bottom() {
        let from_below = place.plot.bottom() - 1 - y;
        let (text, style) = match (chosen, place.rows(y).1) {
            (Some((at, row)), _) if at == y => (latency(map.scale.bounds(row).0), theme.title()),
            (_, Some(row)) if from_below.is_multiple_of(3) => {
                (latency(map.scale.bounds(row).0), theme.dim())
            }
            _ => (String::new(), theme.dim()),
        };
        let edge = if text.is_empty() { '│' } else { '┤' };
        let x = place.plot.x.saturating_sub(GUTTER);
        buffer.set_string(x, y, format!("{text:>7} "), style);
        buffer.set_string(x + GUTTER - 1, y, edge.to_string(), theme.dim());
    }
}

/// What colours mean.
fn legend(app: &App, map: &Heatmap, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let mut spans = vec![cell(" 1 ", theme.dim())];
    let levels = heat::legend(theme).into_iter();
    spans.extend(levels.map(|(character, style)| cell(character.to_string(), style)));
    let calls = format!(
        " {} · a column {}",
        some(map.most(), "call"),
        duration(map.columns.length_ns)
    );
    spans.push(cell(calls, theme.dim()));
    if map.beyond > 0 {
        let text = format!(" · {} beyond the edge counted there", count(map.beyond));
        spans.push(cell(text, theme.warning()));
    }
    if app.overlay {
        spans.push(cell(" · ─ p50 ═ p99", theme.title()));
    }
    let last = usize::from(area.height).saturating_sub(1);
    let line: Line<'_> = fitted(spans, usize::from(area.width));
    put(buffer, area, last, line);
}

pub(super) fn detail(app: &App, map: &Heatmap, moments: &[Moment]) -> String {
    let Some((column, row)) = app.cell() else {
        return newest(moments);
    };
    let now_ns = app.shown.as_ref().map_or(0, |shown| shown.now_ns);
    let start_ns = map.columns.start_ns(column);
    let (low, high) = map.scale.bounds(row);
    let calls = map.count(column, row);
    let all = moments.get(column).map_or(0, |moment| moment.count);
    format!(
        "{} of {}, {} ({:.1}% of {} then)",
        some(calls, "call"),
        range(low, high),
        ago(now_ns.saturating_sub(start_ns)),
        percent(calls, all),
        count(all),
    )
}

/// The percentiles of the newest column that has any.
fn newest(moments: &[Moment]) -> String {
    let moment = moments.iter().rev().find(|moment| moment.count > 0);
    let keys = "arrows look at a cell";
    let Some((p50, p99)) = moment.and_then(|moment| moment.p50.zip(moment.p99)) else {
        return keys.to_owned();
    };
    format!("newest: p50 {} · p99 {} · {keys}", bounds(p50), bounds(p99))
}
