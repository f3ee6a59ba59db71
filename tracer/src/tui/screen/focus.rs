//! One function: who calls it, and whom it calls.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{
    super::{
        app::App,
        lines::{self, FocusLine},
    },
    cell,
    functions::{Columns, words},
    list,
};
use crate::view::{Focus, Order};

pub(super) fn draw(app: &App, of: &Focus, area: Rect, buffer: &mut Buffer) {
    let columns = Columns::new(area.width);
    // Of a caller there is nothing but the total.
    let order = match app.order {
        Order::Name => Order::Name,
        Order::SelfWeight | Order::Total => Order::Total,
    };
    let titles = columns.titles(app, order, ["Self", "Total", "Callers and callees"]);
    list(app, titles, &lines::focus(of), area, buffer, |_, line| {
        let row = match line {
            FocusLine::Title(title) => {
                return Line::from(cell(format!(" {title}"), app.theme.title()));
            }
            FocusLine::Caller(row) | FocusLine::Itself(row) | FocusLine::Callee(row) => row,
        };
        let search = app.search.as_ref();
        let matched = search.is_some_and(|search| line.is_marked(search));
        columns.row(app, order, row, of.total, matched)
    });
}

pub(super) fn detail(app: &App, of: &Focus) -> Option<String> {
    let lines = lines::focus(of);
    let line = lines.get(app.cursor().at)?;
    let name = &of.function.key.symbol;
    Some(match line {
        FocusLine::Title(_) | FocusLine::Itself(_) => words(&of.function, of.total),
        FocusLine::Caller(row) => {
            format!("{} calls {name}; {}", row.key.symbol, words(row, of.total))
        }
        FocusLine::Callee(row) => {
            format!("{name} calls {}; {}", row.key.symbol, words(row, of.total))
        }
    })
}
