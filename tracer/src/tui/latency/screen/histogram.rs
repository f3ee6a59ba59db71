//! The histogram with its percentiles, and what they were over time.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span as Text},
};

use super::{axis, cell, cells_of_columns, put};
use crate::{
    profile::{Bucket, Histogram},
    tui::{
        latency::{
            app::App,
            words::{bounds, latency, range, short, some},
        },
        text::{bar, count, fit, pad, percent, width},
    },
    view::calls::{Columns, Moment, bars},
};

/// What the parts of the screen are.
struct Parts {
    summary: Rect,
    bars: Rect,
    /// What is shown over time, and where.
    trends: Vec<(Trend, Rect)>,
    /// Times, below those; no height if there is no room.
    axis: Rect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trend {
    P50,
    P99,
    Max,
    Rate,
}

/// Percentiles, and what they are called.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];
/// Columns of a trend's name and of its scale.
const GUTTER: u16 = 15;
/// So wide that there is room for both beside each other.
const WIDE: u16 = 140;

fn parts(body: Rect) -> Parts {
    let Rect {
        x,
        y,
        width,
        height,
    } = body;
    let summary = match height {
        0..3 => 0,
        3..7 => 1,
        7..14 => 2,
        _ => 3,
    };
    let rest = height - summary;
    let top = y + summary;
    if width >= WIDE && rest >= 9 {
        let left = width * 11 / 20;
        let column = Rect::new(x + left + 2, top, width - left - 2, rest - 1);
        let kinds = [Trend::P50, Trend::P99, Trend::Max, Trend::Rate];
        return Parts {
            summary: Rect::new(x, y, width, summary),
            bars: Rect::new(x, top, left, rest),
            trends: stacked(&kinds, column, (rest - 1) / 4),
            axis: Rect::new(column.x, y + height - 1, column.width, 1),
        };
    }
    let (kinds, each, axis): (&[Trend], u16, u16) = match rest {
        0..4 => (&[], 0, 0),
        4..8 => (&[Trend::P99], 1, 0),
        8..12 => (&[Trend::P99, Trend::Rate], 1, 0),
        12..20 => (&[Trend::P50, Trend::P99, Trend::Max, Trend::Rate], 1, 1),
        20..30 => (&[Trend::P50, Trend::P99, Trend::Max, Trend::Rate], 2, 1),
        _ => (&[Trend::P50, Trend::P99, Trend::Max, Trend::Rate], 3, 1),
    };
    let below = kinds.len() as u16 * each + axis;
    let place = Rect::new(x, y + height - below, width, below - axis);
    Parts {
        summary: Rect::new(x, y, width, summary),
        bars: Rect::new(x, top, width, rest - below),
        trends: stacked(kinds, place, each),
        axis: Rect::new(x, place.bottom(), width, axis),
    }
}

fn stacked(kinds: &[Trend], place: Rect, each: u16) -> Vec<(Trend, Rect)> {
    let rows = (0..).map(|index| Rect::new(place.x, place.y + index * each, place.width, each));
    kinds.iter().copied().zip(rows).collect()
}

/// Columns of time that there is room for.
pub(in crate::tui::latency) fn columns(body: Rect) -> usize {
    let Parts { trends, axis, .. } = parts(body);
    let area = trends.first().map_or(axis, |(_, area)| *area);
    usize::from(area.width.saturating_sub(GUTTER + 1)).max(1)
}

/// Bars that there is room for.
pub(in crate::tui::latency) fn bar_rows(body: Rect) -> usize {
    usize::from(parts(body).bars.height).max(1)
}

/// The row of the screen that the first bar is in.
pub(in crate::tui::latency) fn first_bar(_: &App, body: Rect) -> u16 {
    parts(body).bars.y
}

/// The bars, also those that are not on the screen.
pub(in crate::tui::latency) fn bars_of(app: &App, body: Rect) -> Vec<Bucket> {
    let shown = app.shown.as_ref();
    shown.map_or_else(Vec::new, |shown| {
        bars(&shown.calls, bar_rows(body), app.finer)
    })
}

pub(super) fn draw(
    app: &App,
    columns: Columns,
    moments: &[Moment],
    area: Rect,
    buffer: &mut Buffer,
) {
    let Some(shown) = &app.shown else { return };
    let calls = &shown.calls;
    let parts = parts(area);
    summary(app, calls, parts.summary, buffer);
    draw_bars(app, calls, &bars_of(app, area), parts.bars, buffer);
    for (trend, place) in parts.trends {
        draw_trend(app, trend, columns, moments, place, buffer);
    }
    if parts.axis.height > 0 {
        axis(app, columns, plot(parts.axis), buffer);
        let length = crate::tui::text::duration(columns.length_ns);
        let length = pad(&format!(" columns {length}"), usize::from(GUTTER));
        buffer.set_string(parts.axis.x, parts.axis.y, length, app.theme.dim());
    }
}

/// The part of a place that is right of the names.
fn plot(place: Rect) -> Rect {
    let gutter = GUTTER.min(place.width);
    let width = (place.width - gutter).saturating_sub(1);
    Rect::new(place.x + gutter, place.y, width, place.height)
}

/// Count, mean, extremes and percentiles, as many as there is room for.
fn summary(app: &App, calls: &Histogram, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let value = |text: String| cell(text, theme.plain());
    let named = |name: &str, text: String| {
        let name = cell(format!("{name} "), theme.dim());
        vec![name, value(text)]
    };
    let extremes = [
        ("mean", calls.mean().map(|mean| mean as u64)),
        ("min", calls.min()),
        ("max", calls.max()),
    ];
    let mut items = vec![vec![value(some(calls.count(), "call"))]];
    let extremes = extremes
        .into_iter()
        .filter_map(|(name, ns)| Some(named(name, latency(ns?))));
    items.extend(extremes);
    items.push(named("sum", latency(calls.sum())));
    // Where there is little room, one bound is enough.
    let is_roomy = area.width >= 80;
    let percentiles = PERCENTILES.iter().filter_map(|(name, part)| {
        let bucket = calls.percentile(*part)?;
        let text = if is_roomy {
            bounds(bucket)
        } else {
            latency(bucket.high)
        };
        let mut item = named(name, text);
        item[0].style = theme.title();
        Some(item)
    });
    let percentiles: Vec<_> = percentiles.collect();
    let room = usize::from(area.width);
    let lines = if area.height == 1 {
        flow(percentiles, room)
    } else {
        let mut lines = flow(items, room);
        lines.truncate(1);
        lines.extend(flow(percentiles, room));
        lines
    };
    for (row, spans) in lines.into_iter().enumerate() {
        put(buffer, area, row, Line::from(spans));
    }
}

/// Items one after the other, with lines broken between them.
fn flow(items: Vec<Vec<Text<'static>>>, room: usize) -> Vec<Vec<Text<'static>>> {
    let mut lines: Vec<Vec<Text<'static>>> = Vec::new();
    let mut used = usize::MAX;
    for item in items {
        let wide: usize = item.iter().map(Text::width).sum();
        match lines.last_mut() {
            Some(line) if used.saturating_add(wide + 3) <= room => {
                line.push(Text::raw(" · "));
                line.extend(item);
                used += wide + 3;
            }
            _ => {
                lines.push([vec![Text::raw(" ")], item].concat());
                used = wide + 1;
            }
        }
    }
    lines
}

fn draw_bars(app: &App, calls: &Histogram, bars: &[Bucket], area: Rect, buffer: &mut Buffer) {
    const MARKS: usize = 12;
    let theme = app.theme;
    let room = usize::from(area.width);
    let is_roomy = room >= 60;
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    let cursor = app.cursor();
    let before: u64 = bars.iter().take(cursor.top).map(|bar| bar.count).sum();
    let mut below = before;
    let visible = bars.iter().enumerate().skip(cursor.top);
    for (place, (index, bucket)) in visible.take(usize::from(area.height)).enumerate() {
        let mut spans = vec![cell(
            format!(" {:>14} ", range(bucket.low, bucket.high)),
            theme.plain(),
        )];
        let number = if is_roomy {
            format!(
                "{:>12} {:>5.1}% ",
                count(bucket.count),
                percent(bucket.count, calls.count())
            )
        } else {
            format!("{:>6} ", short(bucket.count as f64))
        };
        spans.push(cell(number, theme.dim()));
        let used: usize = spans.iter().map(Text::width).sum();
        let marks = marks(calls, *bucket);
        let columns = room.saturating_sub(used + if is_roomy { MARKS } else { 6 });
        let drawn = match bucket.count {
            0 => String::new(),
            some => bar(
                (some as f64 / most as f64).max(0.126 / columns.max(1) as f64),
                columns,
            ),
        };
        // By how many calls are shorter.
        let part = below as f64 / calls.count().max(1) as f64;
        below += bucket.count;
        spans.push(cell(drawn, theme.tail(part)));
        if !marks.is_empty() {
            spans.push(cell(format!(" ◂{marks}"), theme.title()));
        }
        put(buffer, area, place, Line::from(cut(spans, room)));
        if index == cursor.at {
            let y = area.y + u16::try_from(place).unwrap_or(0);
            buffer.set_style(Rect::new(area.x, y, area.width, 1), theme.selected());
        }
    }
}

fn cut(spans: Vec<Text<'static>>, room: usize) -> Vec<Text<'static>> {
    crate::tui::widget::header::fitted(spans, room).spans
}

/// The percentiles that are in a bar.
fn marks(calls: &Histogram, bar: Bucket) -> String {
    let within = PERCENTILES.iter().filter(|(_, part)| {
        let bucket = calls.percentile(*part);
        bucket.is_some_and(|bucket| bar.low <= bucket.low && bucket.high <= bar.high)
    });
    within.map(|(name, _)| format!(" {name}")).collect()
}

pub(super) fn detail(app: &App) -> Option<String> {
    let calls = &app.shown.as_ref()?.calls;
    let body = crate::tui::latency::layout::areas(app.size).body;
    let bars = bars_of(app, body);
    let at = app.cursor().at;
    let bucket = bars.get(at)?;
    let up_to: u64 = bars.iter().take(at + 1).map(|bar| bar.count).sum();
    let whole = calls.count();
    Some(format!(
        "{}: {} ({:.2}%); {:.2}% took no longer; bar {} of {}",
        range(bucket.low, bucket.high),
        some(bucket.count, "call"),
        percent(bucket.count, whole),
        percent(up_to, whole),
        at + 1,
        bars.len(),
    ))
}

impl Trend {
    const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Rate => "rate",
        }
    }

    fn of(self, moment: &Moment) -> Option<f64> {
        match self {
            Self::P50 => moment.p50.map(|bucket| bucket.high as f64),
            Self::P99 => moment.p99.map(|bucket| bucket.high as f64),
            Self::Max => moment.max.map(|most| most as f64),
            Self::Rate => moment.rate(),
        }
    }
}

/// One value over time, from nothing at the bottom to the most there was at the top.
fn draw_trend(
    app: &App,
    trend: Trend,
    columns: Columns,
    moments: &[Moment],
    place: Rect,
    buffer: &mut Buffer,
) {
    const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let theme = app.theme;
    let values: Vec<Option<f64>> = moments.iter().map(|moment| trend.of(moment)).collect();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let scale = match trend {
        Trend::Rate => format!("{}/s", short(most)),
        Trend::P50 | Trend::P99 | Trend::Max => latency(most as u64),
    };
    let gutter = usize::from(GUTTER);
    let name = format!(" {:<4} ", trend.name());
    let rest = fit(&scale, gutter - width(&name) - 1);
    buffer.set_string(place.x, place.y, &name, theme.title());
    let x = place.x + (gutter - 1 - width(&rest)) as u16;
    buffer.set_string(x, place.y, &rest, theme.dim());
    let style = match trend {
        Trend::P50 => theme.tail(0.0),
        Trend::P99 => theme.tail(0.95),
        Trend::Max => theme.tail(1.0),
        Trend::Rate => theme.bar(),
    };
    let area = plot(place);
    let (each, first) = cells_of_columns(columns, area);
    for (x, value) in (first..).step_by(usize::from(each)).zip(values) {
        let Some(value) = value.filter(|_| most > 0.0) else {
            continue;
        };
        let cells = f64::from(area.height) * 8.0;
        let mut eighths = ((value / most * cells).round() as usize).max(usize::from(value > 0.0));
        for y in (area.y..area.bottom()).rev() {
            let here = eighths.min(8);
            eighths -= here;
            for x in x..(x + each).min(area.right()) {
                if let Some(cell) = buffer.cell_mut((x, y)) {
                    cell.set_char(LEVELS[here]).set_style(style);
                }
            }
        }
    }
}
