//! The table: a row for each function, and for whoever calls it.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span as Text},
};

use super::{cell, put};
use crate::{
    tui::{
        latency::{
            app::App,
            words::{latency, rate, short, some},
        },
        text::{bar, count, fit, pad, percent},
    },
    view::calls::{Order, Row, Rows},
};

/// A column of numbers.
struct Column {
    title: &'static str,
    /// What sorts by it.
    order: Option<Order>,
    width: usize,
    /// From which width of the screen on it is shown.
    from: u16,
    text: fn(&Row, &Of) -> String,
}

/// What numbers of rows are seen against.
struct Of {
    sum: u64,
    covered_ns: u64,
}

const COLUMNS: [Column; 10] = [
    column("Time", Some(Order::Sum), 8, 0, |row, of| {
        format!("{:.2}%", percent(row.sum, of.sum))
    }),
    column("Total", None, 9, 100, |row, _| latency(row.sum)),
    column("Calls", Some(Order::Count), 8, 60, |row, _| {
        short(row.count as f64)
    }),
    column("Rate", None, 9, 120, |row, of| {
        rate(row.count, of.covered_ns).unwrap_or_default()
    }),
    column("Mean", Some(Order::Mean), 9, 70, |row, _| latency(row.mean)),
    column("p50", Some(Order::P50), 9, 0, |row, _| {
        latency(row.percentiles[0].high)
    }),
    column("p90", None, 9, 110, |row, _| {
        latency(row.percentiles[1].high)
    }),
    column("p99", Some(Order::P99), 9, 0, |row, _| {
        latency(row.percentiles[2].high)
    }),
    column("p99.9", None, 9, 130, |row, _| {
        latency(row.percentiles[3].high)
    }),
    column("Max", Some(Order::Max), 9, 70, |row, _| latency(row.max)),
];

const fn column(
    title: &'static str,
    order: Option<Order>,
    width: usize,
    from: u16,
    text: fn(&Row, &Of) -> String,
) -> Column {
    Column {
        title,
        order,
        width,
        from,
        text,
    }
}

/// How wide the bar is.
fn bar_columns(width: u16) -> usize {
    match width {
        0..60 => 0,
        60..100 => 6,
        100..160 => 10,
        _ => 20,
    }
}

/// Whether it goes without saying which function was called.
fn is_of_one(app: &App) -> bool {
    app.facts.functions <= 1 && app.facts.by.is_some()
}

/// How wide the columns of who calls and of the file are. On a narrow screen a file that all functions
/// are in leaves its room to their names: the line below the table names it.
fn text_columns(app: &App, rows: &Rows, width: u16) -> (usize, usize) {
    let by = match (&app.facts.by, width) {
        _ if is_of_one(app) => 0,
        (None, _) => 0,
        (Some(_), 0..60) => 12,
        (Some(_), 60..110) => 16,
        (Some(_), _) => 24,
    };
    let mut files = rows.rows.iter().map(|row| &row.dso);
    let first = files.next();
    let is_one = files.all(|file| Some(file) == first);
    let dso = match width {
        0..100 => 0,
        100..160 if is_one => 0,
        100..160 => 16,
        _ => 30,
    };
    (by, dso)
}

pub(super) fn draw(app: &App, rows: &Rows, area: Rect, buffer: &mut Buffer) {
    let width = area.width;
    let here: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| width >= column.from)
        .collect();
    let texts = text_columns(app, rows, width);
    put(buffer, area, 0, titles(app, rows, &here, (width, texts)));
    let of = Of {
        sum: rows.sum,
        covered_ns: app.shown.as_ref().map_or(0, |shown| shown.covered_ns),
    };
    let cursor = app.cursor();
    let visible = usize::from(area.height.saturating_sub(1));
    let shown = rows.rows.iter().enumerate().skip(cursor.top).take(visible);
    for (place, (index, row)) in shown.enumerate() {
        put(
            buffer,
            area,
            place + 1,
            line(app, row, &of, &here, (width, texts)),
        );
        if index == cursor.at {
            let y = area.y + 1 + u16::try_from(place).unwrap_or(0);
            buffer.set_style(Rect::new(area.x, y, area.width, 1), app.theme.selected());
        }
    }
}

/// The width of the screen, and of it those of who calls and of the file.
type Widths = (u16, (usize, usize));

fn titles(app: &App, rows: &Rows, here: &[&Column], widths: Widths) -> Line<'static> {
    let (width, (by, dso)) = widths;
    let theme = app.theme;
    let style = |is_sorted| {
        if is_sorted {
            theme.title()
        } else {
            theme.dim()
        }
    };
    let mut spans: Vec<Text<'static>> = Vec::new();
    for column in here {
        let is_sorted = column.order == Some(app.order);
        let mark = if is_sorted { "▾" } else { "" };
        let title = format!("{}{mark}", column.title);
        spans.push(cell(
            format!("{title:>wide$}", wide = column.width),
            style(is_sorted),
        ));
        if column.title == "Time" {
            spans.push(cell(gap(bar_columns(width)), theme.dim()));
        }
    }
    if by > 0 {
        let by_what = app.facts.by.as_deref().unwrap_or_default();
        spans.push(cell(format!(" {}", pad(by_what, by)), theme.dim()));
    }
    let is_sorted = app.order == Order::Name;
    let mark = if is_sorted { "▾" } else { "" };
    let more = match (rows.left_out, rows.uncalled) {
        (0, 0) => String::new(),
        (0, uncalled) => format!(" · {} idle", count(uncalled as u64)),
        (left_out, _) => format!(" ({} more rows not listed)", count(left_out as u64)),
    };
    let room = name_columns(here, widths);
    let name = match &app.facts.by {
        Some(by) if is_of_one(app) => by,
        _ => "Function",
    };
    let title = pad(&format!("{name}{mark}{more}"), room);
    spans.push(cell(format!(" {title}"), style(is_sorted)));
    if dso > 0 {
        spans.push(cell(format!(" {}", pad("DSO", dso)), theme.dim()));
    }
    Line::from(spans)
}

/// What stands above bars: nothing.
fn gap(bar: usize) -> String {
    " ".repeat(if bar > 0 { bar + 1 } else { 0 })
}

/// What is left for names.
fn name_columns(here: &[&Column], (width, (by, dso)): Widths) -> usize {
    let bar = bar_columns(width);
    let numbers: usize = here.iter().map(|column| column.width).sum();
    let used = numbers
        + [bar, by, dso]
            .map(|wide| wide + usize::from(wide > 0))
            .iter()
            .sum::<usize>();
    usize::from(width).saturating_sub(used + 1)
}

fn line(app: &App, row: &Row, of: &Of, here: &[&Column], widths: Widths) -> Line<'static> {
    let (width, (by, dso)) = widths;
    let theme = app.theme;
    let mut spans: Vec<Text<'static>> = Vec::new();
    for column in here {
        let text = (column.text)(row, of);
        let style = if column.order == Some(app.order) || column.title == "Time" {
            theme.plain()
        } else {
            number_style(app, column)
        };
        spans.push(cell(format!("{text:>wide$}", wide = column.width), style));
        let columns = bar_columns(width);
        if column.title == "Time" && columns > 0 {
            let drawn = bar(row.sum as f64 / of.sum.max(1) as f64, columns);
            spans.push(cell(format!(" {}", pad(&drawn, columns)), theme.bar()));
        }
    }
    let is_marked = app
        .search
        .as_ref()
        .is_some_and(|search| row.matches(search));
    let style = if is_marked {
        theme.matched()
    } else {
        theme.plain()
    };
    if by > 0 {
        spans.push(cell(format!(" {}", pad(&row.by, by)), style));
    }
    let room = name_columns(here, widths);
    spans.push(cell(" ", theme.plain()));
    let name = if is_of_one(app) { &row.by } else { &row.name };
    spans.push(cell(pad(name, room), style));
    if dso > 0 {
        spans.push(cell(format!(" {}", pad(&row.dso, dso)), theme.dim()));
    }
    Line::from(spans)
}

fn number_style(app: &App, column: &Column) -> Style {
    match column.title {
        "p99" | "p50" | "Max" => app.theme.plain(),
        _ => app.theme.dim(),
    }
}

pub(super) fn detail(app: &App, rows: &Rows) -> Option<String> {
    let row = rows.rows.get(app.cursor().at)?;
    let dso = match row.dso.as_str() {
        "" => String::new(),
        dso => format!("; {dso}"),
    };
    Some(format!(
        "{}: {}, {} together, mean {}, p50 {}, p99 {}, max {}{dso}",
        fit(&row.title(), 60),
        some(row.count, "call"),
        latency(row.sum),
        latency(row.mean),
        latency(row.percentiles[0].high),
        latency(row.percentiles[2].high),
        latency(row.max),
    ))
}
