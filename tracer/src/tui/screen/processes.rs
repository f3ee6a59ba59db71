//! The table of processes with their threads.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    super::{
        app::App,
        lines::{self, ProcessLine},
        text::{bar, count, pad, percent},
    },
    above_bars, bar_columns, cell, list, name_style,
};
use crate::view::{FunctionKey, Kind, LeftOut, Order, Processes};

pub(super) fn draw(
    app: &App,
    table: &Processes,
    left_out: LeftOut,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = app.theme;
    let width = usize::from(area.width);
    let bars = bar_columns(area.width);
    // What most of a name cannot be seen of is left out.
    let roomy = width >= 60;
    let name = if roomy { 20 } else { width.saturating_sub(18) };
    let fixed = 9 + 8 + 1 + name + if bars > 0 { bars + 1 } else { 0 };
    let hottest = width.saturating_sub(fixed + 1);
    let by_name = app.process_order == Order::Name;
    let style = |by: bool| if by { theme.title() } else { theme.dim() };
    let mark = |text: &str, by: bool| {
        if by {
            format!("{text}▾")
        } else {
            text.to_owned()
        }
    };
    let names = match left_out {
        LeftOut { rows: 0, .. } => "Hottest function".to_owned(),
        LeftOut { rows, weight } => {
            format!(
                "Hottest function ({} more processes, {} samples)",
                count(rows as u64),
                count(weight)
            )
        }
    };
    let titles = Line::from(vec![
        cell(format!("{:>8} ", mark("CPU", !by_name)), style(!by_name)),
        above_bars(bars),
        cell(format!("{:>8} ", "PID"), theme.dim()),
        cell(pad(&mark("Process", by_name), name), style(by_name)),
        cell(format!(" {}", pad(&names, hottest)), theme.dim()),
    ]);
    let rows = lines::processes(app, &table.rows);
    list(app, titles, &rows, area, buffer, |_, line| {
        let (weight, id, text, hot, kind) = match line {
            ProcessLine::Process(row) => {
                let opens = match (row.threads.len(), app.is_open(row)) {
                    (0 | 1, _) => ' ',
                    (_, true) => '▾',
                    (_, false) => '▸',
                };
                (
                    row.weight,
                    row.pid,
                    format!("{opens}{}", row.comm),
                    &row.hottest,
                    Kind::Native,
                )
            }
            ProcessLine::Thread(_, thread) => (
                thread.weight,
                thread.tid,
                format!("  └{}", thread.comm),
                &thread.hottest,
                Kind::Unmapped,
            ),
        };
        let search = app.search.as_ref();
        let matched = search.is_some_and(|search| line.is_marked(search));
        let mut spans = vec![cell(cpu(app, weight), Style::new())];
        if bars > 0 {
            let share = percent(weight, table.total) / 100.0;
            spans.push(cell(
                format!(" {}", pad(&bar(share, bars), bars)),
                theme.bar(),
            ));
        }
        spans.push(cell(format!("{id:>8} "), theme.dim()));
        spans.push(cell(pad(&text, name), name_style(theme, kind, matched)));
        let hot = hot.as_ref().map(|hot| hottest_words(hot, weight));
        let hot = format!(" {}", pad(&hot.unwrap_or_default(), hottest));
        spans.push(cell(hot, theme.dim()));
        Line::from(spans)
    });
}

fn hottest_words((function, weight): &(FunctionKey, u64), of: u64) -> String {
    format!("{:>3.0}% {}", percent(*weight, of), function.symbol)
}

/// How much of a CPU, in percent.
fn cpu(app: &App, weight: u64) -> String {
    format!("{:>8.1}%", cpu_percent(app, weight))
}

/// 100 % is one CPU.
fn cpu_percent(app: &App, weight: u64) -> f64 {
    let covered = app
        .shown
        .as_ref()
        .map_or(0, |shown| shown.answer.covered_ns);
    let ticks = covered as f64 / 1e9 * app.facts.hertz as f64;
    if ticks > 0.0 {
        100.0 * weight as f64 / ticks
    } else {
        0.0
    }
}

pub(super) fn detail(app: &App, table: &Processes) -> Option<String> {
    let lines = lines::processes(app, &table.rows);
    let (what, weight, hottest, threads) = match lines.get(app.cursor().at)? {
        ProcessLine::Process(row) => (
            format!("{} (PID {})", row.comm, row.pid),
            row.weight,
            &row.hottest,
            match row.threads.len() {
                1 => String::new(),
                many => format!(", {many} threads"),
            },
        ),
        ProcessLine::Thread(row, thread) => (
            format!("{} (TID {} of {})", thread.comm, thread.tid, row.pid),
            thread.weight,
            &thread.hottest,
            String::new(),
        ),
    };
    let hottest = hottest
        .as_ref()
        .map(|(function, most)| format!(", {:.0}% in {}", percent(*most, weight), function.symbol));
    Some(format!(
        "{what}: {} samples ({:.2}%), {:.1}% of a CPU{threads}{}",
        count(weight),
        percent(weight, table.total),
        cpu_percent(app, weight),
        hottest.unwrap_or_default(),
    ))
}
