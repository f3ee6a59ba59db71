//! How far to trust all this: the account of every call, and what probes cost.

use ratatui::{buffer::Buffer, layout::Rect, text::Line};

use super::{cell, put};
use crate::{
    profile::{Loss, SpanLedger},
    tui::{
        latency::{app::App, draw::cost, layout::areas},
        text::{count, duration, fit, percent},
    },
    view::{calls::Content, printable},
};

/// A line, by what it is.
enum Row {
    Title(String),
    /// A count that is fine whatever it is.
    Count(i64, String),
    /// A count that should be 0.
    Loss(u64, String),
    Text(String),
}

pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let shown = lines(app).into_iter().skip(app.cursor().top);
    for (row, line) in shown.take(usize::from(area.height)).enumerate() {
        put(buffer, area, row, line);
    }
}

/// Which of the lines are on the screen.
pub(super) fn detail(app: &App) -> String {
    let (count, top) = (lines(app).len(), app.cursor().top);
    let last = count.min(top + usize::from(areas(app.size).body.height));
    let more = if last < count { ", ↓ for more" } else { "" };
    format!("lines {} to {last} of {count}{more}", (top + 1).min(last))
}

/// All lines of the screen.
pub(in crate::tui::latency) fn lines(app: &App) -> Vec<Line<'static>> {
    let theme = app.theme;
    let width = usize::from(app.size.0);
    let line = |row| match row {
        Row::Title(text) => Line::from(cell(fit(&format!(" {text}"), width), theme.title())),
        Row::Text(text) => Line::from(cell(fit(&format!("   {text}"), width), theme.plain())),
        Row::Count(number, text) => {
            let sign = if number < 0 { "-" } else { "" };
            let number = format!("{sign}{}", count(number.unsigned_abs()));
            Line::from(vec![
                cell(format!("{number:>14}  "), theme.plain()),
                cell(fit(&text, width.saturating_sub(16)), theme.plain()),
            ])
        }
        Row::Loss(number, text) => {
            let style = if number > 0 {
                theme.loss()
            } else {
                theme.good()
            };
            Line::from(vec![
                cell(format!("{:>14}  ", count(number)), style),
                cell(fit(&text, width.saturating_sub(16)), theme.plain()),
            ])
        }
    };
    rows(app).into_iter().map(line).collect()
}

fn rows(app: &App) -> Vec<Row> {
    let (Some(Content::Health(losses)), Some(shown)) = (app.content(), &app.shown) else {
        return Vec::new();
    };
    let mut rows = vec![Row::Title(format!(
        "Calls in the window, {}",
        duration(shown.covered_ns)
    ))];
    account(&mut rows, &shown.ledger, "open: more than at its start");
    rows.push(Row::Title("Calls since the start".to_owned()));
    account(&mut rows, &shown.whole, "open: begun, not ended");
    rows.push(Row::Title("What probing costs, as predicted".to_owned()));
    let cost = cost(app).unwrap_or_else(|| "not known".to_owned());
    rows.push(Row::Text(cost));
    rows.push(Row::Title("Functions that lost calls".to_owned()));
    if losses.is_empty() {
        rows.push(Row::Text("none".to_owned()));
    }
    for (name, ledger) in losses {
        let reasons = ledger.lost.iter().filter(|(_, count)| **count > 0);
        let reasons: Vec<String> = reasons
            .map(|(why, number)| format!("{} {}", why.name(), count(*number)))
            .collect();
        let text = format!(
            "of {} of {}: {}",
            count(ledger.fired),
            printable(name),
            reasons.join(", ")
        );
        rows.push(Row::Loss(ledger.lost_total(), text));
    }
    rows
}

fn account(rows: &mut Vec<Row>, ledger: &SpanLedger, about_open: &str) {
    let SpanLedger {
        fired,
        recorded,
        filtered,
        thinned,
        open,
        lost,
    } = ledger;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    rows.push(Row::Count(signed(*fired), "fired".to_owned()));
    rows.push(Row::Count(signed(*recorded), "recorded".to_owned()));
    rows.push(Row::Count(
        signed(*filtered),
        "filtered: too short, or not asked for".to_owned(),
    ));
    if *thinned > 0 {
        rows.push(Row::Count(signed(*thinned), "thinned".to_owned()));
    }
    rows.push(Row::Count(*open, about_open.to_owned()));
    for why in Loss::OF_CALLS {
        let number = lost.get(&why).copied().unwrap_or(0);
        let share = percent(number, *fired);
        let name = why.name();
        rows.push(Row::Loss(number, format!("lost: {name} ({share:.2}%)")));
    }
}
