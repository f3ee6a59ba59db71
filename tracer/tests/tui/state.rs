//! The state in words: what differs from the beginning, in a fixed order.

use tracer::{
    profile::Window,
    tui::{App, Mode, PromptKind},
    view::{Group, Mode as Cpu, Span},
};

/// `screen · span · …`, with nothing of what is as it was at the beginning but those two.
pub(crate) fn words(app: &App) -> String {
    let place = &app.place;
    let mut words = vec![place.screen.title().to_owned(), span(place.span)];
    words.extend(
        app.paused
            .map(|before| format!("paused from {}", span(before))),
    );
    words.extend(place.who.clone());
    words.extend(place.query.filters.iter().map(ToString::to_string));
    if place.query.mode != Cpu::All {
        words.push(place.query.mode.name().to_owned());
    }
    if place.query.group != Group::Comm {
        words.push(place.query.group.name().to_owned());
    }
    words.extend(
        place
            .focus
            .as_ref()
            .map(|key| format!("focus {}", key.symbol)),
    );
    if !place.zoom.is_empty() {
        words.push(format!("zoom {}", place.zoom.join("/")));
    }
    words.extend(app.search.as_ref().map(|search| format!("search {search}")));
    if !app.steps.is_empty() {
        words.push(format!("{} steps", app.steps.len()));
    }
    if app.cursor().at > 0 {
        words.push(format!("line {}", app.cursor().at));
    }
    words.extend(mode(&app.mode));
    words.extend(app.notice.as_ref().map(|notice| format!("says {notice}")));
    words.join(" · ")
}

fn mode(mode: &Mode) -> Option<String> {
    Some(match mode {
        Mode::Normal => return None,
        Mode::Help(top) => format!("help from {top}"),
        Mode::Time {
            at_ns, anchor_ns, ..
        } => {
            let anchor = anchor_ns.map(|anchor| format!(" to {}", seconds(anchor)));
            format!("time {}{}", seconds(*at_ns), anchor.unwrap_or_default())
        }
        Mode::Prompt(prompt) => {
            let kind = match prompt.kind {
                PromptKind::Search => "searching",
                PromptKind::Filter => "keeping",
                PromptKind::Exclude => "leaving out",
                PromptKind::Export(_) => "exporting",
            };
            let error = prompt.error.as_ref().map(|error| format!(" ({error})"));
            format!("{kind} '{}'{}", prompt.text, error.unwrap_or_default())
        }
    })
}

/// A span by its seconds.
pub(crate) fn span(span: Span) -> String {
    match span {
        Span::Last(length) => format!("last {}", seconds(length)),
        Span::Since(start) => format!("since {}", seconds(start)),
        Span::All => "all".to_owned(),
        Span::Fixed(Window { start_ns, end_ns }) => {
            format!("{}–{}", seconds(start_ns), seconds(end_ns))
        }
    }
}

fn seconds(ns: u64) -> String {
    format!("{}", ns as f64 / 1e9)
}
