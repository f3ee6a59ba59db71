//! The table of functions.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{
    super::{
        app::App,
        text::{bar, count, pad, percent},
    },
    bar_columns, cell, list, name_style,
};
use crate::view::{FunctionRow, Functions, LeftOut, Order};

/// Columns of the table for a width: of counts, of the bar, of the file.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    counts: bool,
    bar: usize,
    dso: usize,
    symbol: usize,
}

impl Columns {
    pub(super) fn new(width: u16) -> Self {
        let counts = width >= 100;
        let bar = bar_columns(width);
        let dso = match width {
            0..48 => 0,
            48..100 => 16,
            _ => 26,
        };
        let fixed = 8 + 8 + 1 + if counts { 20 } else { 0 } + usize::from(bar > 0) + bar;
        let dso_and_gap = if dso > 0 { dso + 1 } else { 0 };
        Self {
            counts,
            bar,
            dso,
            symbol: usize::from(width).saturating_sub(fixed + dso_and_gap),
        }
    }

    pub(super) fn titles(self, app: &App, order: Order, names: [&str; 3]) -> Line<'static> {
        let theme = app.theme;
        let [own, total, symbol] = names;
        let sorted = |text: &str, by: bool| {
            let style = if by { theme.title() } else { theme.dim() };
            cell(text.to_owned(), style)
        };
        let mark = |name: &str, by: bool| {
            if by {
                format!("{name}▾")
            } else {
                name.to_owned()
            }
        };
        let by = |wanted| order == wanted;
        let mut spans = vec![
            sorted(
                &format!("{:>8}", mark(own, by(Order::SelfWeight))),
                by(Order::SelfWeight),
            ),
            sorted(
                &format!("{:>8}", mark(total, by(Order::Total))),
                by(Order::Total),
            ),
        ];
        if self.counts {
            spans.push(cell(
                format!("{:>10}{:>10}", "self n", "total n"),
                theme.dim(),
            ));
        }
        if self.bar > 0 {
            spans.push(cell(" ".repeat(self.bar + 1), theme.dim()));
        }
        spans.push(cell(" ", theme.dim()));
        spans.push(sorted(
            &pad(&mark(symbol, by(Order::Name)), self.symbol),
            by(Order::Name),
        ));
        if self.dso > 0 {
            spans.push(cell(format!(" {}", pad("DSO", self.dso)), theme.dim()));
        }
        Line::from(spans)
    }

    pub(super) fn row(
        self,
        app: &App,
        order: Order,
        row: &FunctionRow,
        whole: u64,
        matched: bool,
    ) -> Line<'static> {
        let theme = app.theme;
        let (own, total) = (percent(row.self_weight, whole), percent(row.total, whole));
        let plain = ratatui::style::Style::new();
        let mut spans = vec![
            cell(format!("{own:>7.2}%"), plain),
            cell(format!("{total:>7.2}%"), plain),
        ];
        if self.counts {
            let counts = format!("{:>10}{:>10}", count(row.self_weight), count(row.total));
            spans.push(cell(counts, theme.dim()));
        }
        if self.bar > 0 {
            let share = match order {
                Order::SelfWeight => own,
                Order::Total | Order::Name => total,
            };
            let drawn = bar(share / 100.0, self.bar);
            spans.push(cell(format!(" {}", pad(&drawn, self.bar)), theme.bar()));
        }
        spans.push(cell(" ", plain));
        spans.push(cell(
            pad(&row.key.symbol, self.symbol),
            name_style(theme, row.kind, matched),
        ));
        if self.dso > 0 {
            spans.push(cell(
                format!(" {}", pad(&row.key.dso, self.dso)),
                theme.dim(),
            ));
        }
        Line::from(spans)
    }
}

pub(super) fn draw(
    app: &App,
    table: &Functions,
    left_out: LeftOut,
    area: Rect,
    buffer: &mut Buffer,
) {
    let columns = Columns::new(area.width);
    let titles = columns.titles(app, app.order, ["Self", "Total", &title(left_out)]);
    list(app, titles, &table.rows, area, buffer, |_, row| {
        let matched = app
            .search
            .as_ref()
            .is_some_and(|search| search.matches(&row.key.symbol) || search.matches(&row.key.dso));
        columns.row(app, app.order, row, table.total, matched)
    });
}

fn title(left_out: LeftOut) -> String {
    match left_out {
        LeftOut { rows: 0, .. } => "Symbol".to_owned(),
        LeftOut { rows, weight } => {
            format!(
                "Symbol ({} more, with {} samples, not listed)",
                count(rows as u64),
                count(weight)
            )
        }
    }
}

pub(super) fn detail(app: &App, table: &Functions) -> Option<String> {
    let row = table.rows.get(app.cursor().at)?;
    Some(words(row, table.total))
}

/// A function with its counts.
pub(super) fn words(row: &FunctionRow, whole: u64) -> String {
    format!(
        "{}: self {} ({:.2}%), total {} ({:.2}%) of {} samples{}",
        row.key.symbol,
        count(row.self_weight),
        percent(row.self_weight, whole),
        count(row.total),
        percent(row.total, whole),
        count(whole),
        if row.key.dso.is_empty() {
            String::new()
        } else {
            format!("; {}", row.key.dso)
        },
    )
}
