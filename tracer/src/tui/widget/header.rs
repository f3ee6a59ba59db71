//! The lines at the top: the machine, what is measured, how far to trust it, and the screens.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::super::{
    app::{App, Facts},
    layout::tabs,
    text::{count, duration, fit, percent, width},
};
use crate::view::printable;

/// The machine and what is measured.
pub(in crate::tui) fn machine(app: &App, area: Rect, buffer: &mut Buffer) {
    let Facts {
        host,
        kernel,
        cpus,
        source,
        hertz,
        target,
        history_ns: _,
    } = &app.facts;
    let cpus = if *cpus == 1 {
        "1 CPU".to_owned()
    } else {
        format!("{cpus} CPUs")
    };
    let theme = app.theme;
    let room = usize::from(area.width);
    // The rest is shorter than a command line can be, and is known to whoever reads it.
    let target = fit(&printable(target), (room / 2).max(12));
    let rest = format!(" · {source} at {hertz} Hz · {cpus} · {host} · Linux {kernel}");
    let rest = fit(
        &rest,
        room.saturating_sub(width(" tracer · ") + width(&target)),
    );
    Line::from(vec![
        Span::styled(" tracer", theme.title()),
        Span::styled(" · ", theme.dim()),
        Span::raw(target),
        Span::styled(rest, theme.dim()),
    ])
    .render(area, buffer);
}

/// The account of the window, the window, and what tracer costs. What matters most comes first: the
/// line is cut at the right.
pub(in crate::tui) fn status(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some(shown) = &app.shown else {
        Line::styled(" measuring", theme.dim()).render(area, buffer);
        return;
    };
    let (answer, vitals) = (&shown.answer, &shown.vitals);
    let ledger = &answer.ledger;
    let state = match (&app.ended, app.paused, app.is_fixed()) {
        (Some(_), ..) => Span::styled(" ENDED ", theme.warning()),
        (None, Some(_), _) => Span::styled(" PAUSED ", theme.warning()),
        (None, None, true) => Span::styled(" FIXED ", theme.warning()),
        (None, None, false) => Span::styled(" LIVE ", theme.good()),
    };
    let mut spans = vec![state];
    let roomy = area.width >= 60;
    if answer.query.is_only_time() {
        spans.push(Span::raw(count(answer.total)));
    } else {
        let (part, whole) = (count(answer.total), count(ledger.recorded));
        spans.push(Span::raw(format!("{part} of {whole}")));
    }
    if roomy {
        let covered = duration(answer.covered_ns);
        spans.push(Span::raw(format!(" samples in {covered}")));
    }
    let cut = if roomy { "truncated" } else { "trunc." };
    let mut part = |name: &str, number: u64, of: u64| {
        let style = if number > 0 {
            theme.loss()
        } else {
            theme.dim()
        };
        let share = match number {
            0 => "0".to_owned(),
            _ => format!("{:.1}%", percent(number, of)),
        };
        spans.push(Span::styled(" · ", theme.dim()));
        spans.push(Span::styled(format!("{name} {share}"), style));
    };
    part("lost", ledger.lost_total(), ledger.fired);
    part(cut, ledger.truncated_total(), ledger.recorded);
    for (number, what) in vitals.troubles.iter().filter(|(number, _)| *number > 0) {
        spans.push(Span::styled(" · ", theme.dim()));
        spans.push(Span::styled(format!("{number} {what}"), theme.loss()));
    }
    if let Some(cost) = vitals.cost_percent {
        let cost = format!(" · cost {cost:.1}% of a CPU");
        spans.push(Span::styled(cost, theme.dim()));
    }
    fitted(spans, usize::from(area.width)).render(area, buffer);
}

/// As much of a line as fits, with a mark where it is cut.
pub(in crate::tui) fn fitted(spans: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let mut room = columns;
    let mut line = Vec::new();
    for span in spans {
        let wide = span.width();
        if wide <= room {
            line.push(span);
            room -= wide;
            continue;
        }
        line.push(Span::styled(fit(&span.content, room), span.style));
        break;
    }
    Line::from(line)
}

/// The screens, and which one this is.
pub(in crate::tui) fn screens(app: &App, area: Rect, buffer: &mut Buffer) {
    for (index, (x, title)) in tabs(area.width).into_iter().enumerate() {
        let style = if index == app.place.screen.index() {
            app.theme
                .title()
                .add_modifier(ratatui::style::Modifier::REVERSED)
        } else {
            app.theme.dim()
        };
        buffer.set_string(area.x + x, area.y, title, style);
    }
}
