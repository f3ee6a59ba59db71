//! The query as a line: what of all that was observed is looked at.

use ratatui::{buffer::Buffer, layout::Rect, text::Span as Text, widgets::Widget as _};

use super::super::{
    app::{App, Screen},
    text::{duration, fit},
};
use super::header::fitted;
use crate::{
    profile::Window,
    view::{Mode, Span, printable},
};

pub(in crate::tui) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme;
    let words = words(app);
    let mut spans = vec![Text::styled(" ", theme.dim())];
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

/// The parts, and whether each is a step that somebody took.
fn words(app: &App) -> Vec<(String, bool)> {
    let place = &app.place;
    let mut words = vec![match &place.who {
        Some(who) => (printable(who), true),
        None => (fit(&printable(&app.facts.target), 30), false),
    }];
    words.push(match place.span {
        Span::Last(length) => (format!("last {}", duration(length)), false),
        Span::All => ("all that is held".to_owned(), false),
        Span::Since(_) => ("since the reset".to_owned(), true),
        Span::Fixed(window) => (fixed(app, window), true),
    });
    for filter in &place.query.filters {
        words.push((fit(&printable(&filter.to_string()), 30), true));
    }
    if place.query.mode != Mode::All {
        words.push((place.query.mode.name().to_owned(), true));
    }
    if matches!(place.screen, Screen::Flame | Screen::Tree) {
        let group = place.query.group;
        words.push((group.name().to_owned(), group != Default::default()));
    }
    if let (Screen::Functions, Some(key)) = (place.screen, &place.focus) {
        words.push((fit(&key.symbol, 40), true));
    }
    if let (Screen::Flame, Some(frame)) = (place.screen, place.zoom.last()) {
        words.push((format!("zoomed to {}", fit(frame, 40)), true));
    }
    if let Some(search) = &app.search {
        words.push((
            format!("search {}", fit(&printable(&search.to_string()), 30)),
            true,
        ));
    }
    words
}

/// A window by how long ago it was.
fn fixed(app: &App, window: Window) -> String {
    let now = app
        .shown
        .as_ref()
        .and_then(|shown| shown.answer.timeline.last())
        .map_or(window.end_ns, |bar| bar.end_ns);
    let end = window.end_ns.min(now);
    let length = duration(end.saturating_sub(window.start_ns));
    match now - end {
        0..1_000_000_000 => format!("{length}, until now"),
        ago => format!(
            "{length}, until {} ago",
            duration(ago / 100_000_000 * 100_000_000)
        ),
    }
}
