//! The picture of a state. It changes nothing.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span as Text},
    widgets::Widget as _,
};

use super::{
    app::{App, Facts, Mode, PromptKind},
    keys::{Action, Binding, KEYS},
    layout::{Areas, areas, tabs},
    screen,
    words::{latency, rate, short, some},
};
use crate::{
    tui::{
        layout::SMALLEST,
        text::{count, duration, fit, percent, width},
        widget::{header::fitted, help, hint},
    },
    view::{Span, calls::Cost, printable},
};

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Line::raw("too small").render(area, frame.buffer_mut());
        return;
    }
    let Areas {
        header,
        status: status_area,
        tabs: tabs_area,
        query: query_area,
        body,
        detail,
        hint: hint_area,
    } = areas((area.width, area.height));
    let buffer = frame.buffer_mut();
    if header.height > 0 {
        machine(app, header, buffer);
    }
    status(app, status_area, buffer);
    screens(app, tabs_area, buffer);
    query(app, query_area, buffer);
    match app.mode {
        Mode::Help(top) => {
            let screen = app.place.screen;
            let lines = help::lines_of(KEYS, screen, screen.title(), app.theme, area.width);
            help::draw_lines(lines, top, body, buffer);
        }
        Mode::Normal | Mode::Prompt(_) => screen::draw(app, body, buffer),
    }
    if let Some(text) = screen::detail(app) {
        let text = fit(&format!(" {text}"), usize::from(area.width));
        Line::raw(text).render(detail, buffer);
    }
    if let Some(at) = last_line(app, hint_area, buffer) {
        frame.set_cursor_position(at);
    }
}

/// The probes in one line.
pub(super) fn probes(app: &App) -> String {
    let probes: Vec<String> = app
        .facts
        .probes
        .iter()
        .map(|text| printable(text))
        .collect();
    probes.join(" ")
}

/// The machine and what is probed.
fn machine(app: &App, area: Rect, buffer: &mut Buffer) {
    let Facts {
        host,
        kernel,
        probes: _,
        functions,
        target,
        by,
    } = &app.facts;
    let theme = app.theme;
    let room = usize::from(area.width);
    let probes = fit(&probes(app), (room / 2).max(12));
    let by = by.as_ref().map(|by| format!(" · by {}", printable(by)));
    let rest = format!(
        " · {} · {}{} · {} · Linux {}",
        some(*functions as u64, "function"),
        printable(target),
        by.unwrap_or_default(),
        printable(host),
        printable(kernel),
    );
    let used = width(" tracer hist · ") + width(&probes);
    Line::from(vec![
        Text::styled(" tracer hist", theme.title()),
        Text::styled(" · ", theme.dim()),
        Text::raw(probes),
        Text::styled(fit(&rest, room.saturating_sub(used)), theme.dim()),
    ])
    .render(area, buffer);
}

/// Calls, their rate, the account, and what probing costs. What matters most comes first: the line is
/// cut at the right.
fn status(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let Some(shown) = &app.shown else {
        Line::styled(" measuring", theme.dim()).render(area, buffer);
        return;
    };
    let ledger = &shown.ledger;
    let state = match (&app.ended, app.is_fixed()) {
        (Some(_), _) => Text::styled(" ENDED ", theme.warning()),
        (None, true) => Text::styled(" PAUSED ", theme.warning()),
        (None, false) => Text::styled(" LIVE ", theme.good()),
    };
    let calls = shown.calls.count();
    let calls = if calls == ledger.recorded {
        some(calls, "call")
    } else {
        format!("{} of {}", count(calls), some(ledger.recorded, "call"))
    };
    let mut spans = vec![state, Text::raw(calls)];
    let mut part = |text: String, style| {
        spans.push(Text::styled(" · ", theme.dim()));
        spans.push(Text::styled(text, style));
    };
    if let Some(rate) = rate(shown.calls.count(), shown.covered_ns) {
        part(rate, theme.plain());
    }
    match ledger.lost_total() {
        0 => part("lost 0".to_owned(), theme.dim()),
        lost => {
            let share = percent(lost, ledger.fired);
            let reasons = ledger.lost.iter().filter(|(_, count)| **count > 0);
            let reasons: Vec<&str> = reasons.map(|(why, _)| why.name()).collect();
            let share = match share {
                _ if share < 0.1 => "<0.1".to_owned(),
                _ => format!("{share:.1}"),
            };
            part(
                format!("lost {share}% ({})", reasons.join(", ")),
                theme.loss(),
            );
        }
    }
    // Those of the window would be how many more there are than at its start.
    match shown.whole.open {
        0 => {}
        open => part(format!("open {}", open.max(0)), theme.dim()),
    }
    if let Some(cost) = cost(app) {
        part(cost, theme.dim());
    }
    if ledger.filtered > 0 {
        part(
            format!("filtered {}", short(ledger.filtered as f64)),
            theme.dim(),
        );
    }
    fitted(spans, usize::from(area.width)).render(area, buffer);
}

/// What probing costs, as predicted.
pub(super) fn cost(app: &App) -> Option<String> {
    let shown = app.shown.as_ref()?;
    let Cost {
        each_ns: (least, most),
        calls: _,
        all_ns,
    } = shown.cost?;
    let (least, most) = (latency(least as u64), latency(most as u64));
    let each = if least == most {
        least
    } else {
        format!("{least}–{most}")
    };
    let share = (shown.covered_ns > 0).then(|| {
        let share = percent(all_ns as u64, shown.covered_ns);
        format!(", {share:.1}% of a CPU")
    });
    Some(format!(
        "probes ≈{each} a call{}",
        share.unwrap_or_default()
    ))
}

/// The screens, and which one this is.
fn screens(app: &App, area: Rect, buffer: &mut Buffer) {
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

/// Which calls are looked at.
fn query(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let place = &app.place;
    let (span, is_step) = match place.span {
        Span::Last(length) => (format!("last {}", duration(length)), false),
        Span::All => ("since the start".to_owned(), true),
        Span::Since(_) => ("since the reset".to_owned(), true),
        Span::Fixed(window) => (held(app, window.start_ns, window.end_ns), true),
    };
    let who = if area.width < 60 {
        probes(app)
    } else {
        printable(&app.facts.target)
    };
    let mut words = vec![(fit(&who, 30), false), (span, is_step)];
    words.extend(
        place
            .only
            .as_ref()
            .map(|only| (format!("only {}", fit(only, 40)), true)),
    );
    for filter in &place.selection.filters {
        words.push((fit(&printable(&filter.to_string()), 30), true));
    }
    if let Some(search) = &app.search {
        let search = fit(&printable(&search.to_string()), 30);
        words.push((format!("search {search}"), true));
    }
    let mut spans = vec![Text::raw(" ")];
    for (index, (text, is_step)) in words.into_iter().enumerate() {
        if index > 0 {
            spans.push(Text::styled(" › ", theme.dim()));
        }
        let style = if is_step {
            theme.warning()
        } else {
            theme.dim()
        };
        spans.push(Text::styled(text, style));
    }
    fitted(spans, usize::from(area.width)).render(area, buffer);
}

/// A stretch of time that does not move, by how long ago it was.
fn held(app: &App, start_ns: u64, end_ns: u64) -> String {
    let Some(shown) = &app.shown else {
        return "paused".to_owned();
    };
    let ago = super::words::ago(shown.now_ns.saturating_sub(end_ns));
    match start_ns {
        0 => format!("from the start until {ago}"),
        start => {
            let length = duration(end_ns.saturating_sub(start));
            format!("{length}, until {ago}")
        }
    }
}

/// The last line: the keys that matter here, what is typed, or what there is to say; the place of the
/// text cursor while something is typed.
fn last_line(app: &App, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let theme = app.theme;
    match &app.mode {
        Mode::Prompt(prompt) => {
            let label = match prompt.kind {
                PromptKind::Search => " search: ",
                PromptKind::Filter => " keep only: ",
                PromptKind::Exclude => " leave out: ",
                PromptKind::Export(_) => " write to: ",
            };
            let error = prompt.error.as_deref();
            return Some(hint::typing(
                label,
                &prompt.text,
                error,
                theme,
                area,
                buffer,
            ));
        }
        Mode::Help(_) => {
            Line::styled(" ↑ ↓ move · any other key closes", theme.title()).render(area, buffer);
            return None;
        }
        Mode::Normal => {}
    }
    let mut room = usize::from(area.width);
    if let Some(notice) = &app.notice {
        let text = fit(&format!(" {}", printable(notice)), room);
        Line::styled(text, theme.warning()).render(area, buffer);
        return None;
    }
    let mut spans = Vec::new();
    if let Some(why) = &app.ended {
        let text = fit(&format!(" {} ", printable(why)), room);
        room = room.saturating_sub(width(&text));
        spans.push(Text::styled(text, theme.warning()));
    }
    let of_use = |binding: &&Binding| binding.action != Action::Undo || !app.steps.is_empty();
    let bindings = KEYS.iter().filter(of_use);
    spans.extend(hint::keys(bindings, app.place.screen, theme, room));
    Line::from(spans).render(area, buffer);
    None
}
