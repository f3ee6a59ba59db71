//! The call tree, from the root down or from the leaves up.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line};

use super::{
    super::{
        app::App,
        text::{bar, count, pad, percent},
    },
    above_bars, bar_columns, cell, list, name_style,
};
use crate::view::{CallTree, Direction};

/// Deeper lines are not moved further to the right.
const DEEPEST: usize = 40;

pub(super) fn draw(app: &App, tree: &CallTree, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let width = usize::from(area.width);
    let bars = bar_columns(area.width);
    let fixed = 8 + 8 + 1 + if bars > 0 { bars + 1 } else { 0 };
    let dso = if width >= 90 { 20 } else { 0 };
    let room = width.saturating_sub(fixed + if dso > 0 { dso + 1 } else { 0 });
    let way = match app.direction {
        Direction::Down => "Call tree, from the root to its callees",
        Direction::Up => "Call tree, from the leaf to its callers",
    };
    let way = match tree.left_out {
        0 => way.to_owned(),
        more => format!(
            "{way} ({} lines are not shown: close some)",
            count(more as u64)
        ),
    };
    // Read upwards, only the outermost have samples of their own, which says nothing.
    let own = match app.direction {
        Direction::Down => "Self",
        Direction::Up => "",
    };
    let titles = Line::from(vec![
        cell(format!("{:>8}", "Total"), theme.title()),
        cell(format!("{own:>8} "), theme.dim()),
        above_bars(bars),
        cell(pad(&way, room), theme.dim()),
        cell(if dso > 0 { " DSO" } else { "" }, theme.dim()),
    ]);
    let depth_step = if width < 60 { 1 } else { 2 };
    list(app, titles, &tree.rows, area, buffer, |_, row| {
        let (total, own) = (
            percent(row.total, tree.total),
            percent(row.self_weight, tree.total),
        );
        let mut spans = vec![
            cell(format!("{total:>7.2}%"), Style::new()),
            cell(
                match app.direction {
                    Direction::Down => format!("{own:>7.2}%"),
                    Direction::Up => " ".repeat(8),
                },
                theme.dim(),
            ),
            cell(" ", theme.dim()),
        ];
        if bars > 0 {
            spans.push(cell(
                format!("{} ", pad(&bar(total / 100.0, bars), bars)),
                theme.bar(),
            ));
        }
        let mark = match (row.has_children, row.open) {
            (false, _) => ' ',
            (true, true) => '▾',
            (true, false) => '▸',
        };
        let indent = " ".repeat(usize::from(row.depth).min(DEEPEST) * depth_step);
        spans.push(cell(
            pad(&format!("{indent}{mark} {}", row.label.text), room),
            name_style(theme, row.label.kind, row.matched),
        ));
        if dso > 0 {
            spans.push(cell(format!(" {}", pad(&row.label.dso, dso)), theme.dim()));
        }
        Line::from(spans)
    });
}

pub(super) fn detail(app: &App, tree: &CallTree) -> Option<String> {
    let row = tree.rows.get(app.cursor().at)?;
    let (total, of) = (count(row.total), count(tree.total));
    let share = percent(row.total, tree.total);
    let own = match app.direction {
        Direction::Down => {
            let share = percent(row.self_weight, tree.total);
            format!(", self {} ({share:.2}%)", count(row.self_weight))
        }
        Direction::Up => String::new(),
    };
    let name = &row.label.text;
    Some(format!(
        "{name}: total {total} ({share:.2}%){own} of {of} samples"
    ))
}
