//! Where one is: the screen, the query, the time; each change a step that can be taken back.

use super::{ask, selected};
use crate::{
    tui::{
        app::{App, Place, SECOND, SPANS, Screen},
        message::{Effect, Request},
    },
    view::Span,
};

pub(super) fn show(app: &mut App, screen: Screen) -> Vec<Effect> {
    let was = app.place.screen;
    leave(app);
    app.place.screen = screen;
    let mut effects = ask(app);
    effects.extend(watch(was, screen));
    effects
}

/// Remembers what is selected, for when one comes back.
fn leave(app: &mut App) {
    if let Some(key) = selected(app) {
        app.left[app.place.screen.index()] = Some(key);
    }
}

/// Programs are observed while somebody looks.
fn watch(was: Screen, is: Screen) -> Option<Effect> {
    let watched = |screen| screen == Screen::Health;
    (watched(was) != watched(is)).then(|| Effect::Request(Request::Watch(watched(is))))
}

/// Out of the innermost thing that one is in.
pub(super) fn escape(app: &mut App) -> Vec<Effect> {
    if app.search.take().is_some() {
        return ask(app);
    }
    match app.place.screen {
        Screen::Functions if app.place.focus.is_some() => step(app, |place| place.focus = None),
        Screen::Flame if !app.place.zoom.is_empty() => step(app, |place| place.zoom.clear()),
        _ if app.is_fixed() => live(app),
        _ => Vec::new(),
    }
}

/// Back to what is happening now.
fn live(app: &mut App) -> Vec<Effect> {
    app.paused = None;
    let span = app.live;
    step(app, |place| place.span = span)
}

/// Takes the last step back.
pub(super) fn undo(app: &mut App) -> Vec<Effect> {
    let Some(place) = app.steps.pop() else {
        app.notice = Some("nothing to take back".to_owned());
        return Vec::new();
    };
    if place.span != app.place.span {
        app.paused = None;
    }
    let was = app.place.screen;
    app.place = place;
    app.selected.clone_from(&app.place.zoom);
    let mut effects = ask(app);
    effects.extend(watch(was, app.place.screen));
    effects
}

/// Goes somewhere, and remembers where from.
pub(super) fn step(app: &mut App, change: impl FnOnce(&mut Place)) -> Vec<Effect> {
    const MOST: usize = 100;
    let before = app.place.clone();
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Vec::new();
    }
    if after.screen != before.screen {
        leave(app);
    }
    app.place = after;
    let elsewhere = app.place.screen != before.screen || app.place.focus != before.focus;
    if app.place.zoom != before.zoom {
        app.selected.clone_from(&app.place.zoom);
    }
    if app.steps.len() == MOST {
        app.steps.remove(0);
    }
    app.steps.push(before);
    if elsewhere || app.place.screen != Screen::Flame {
        *app.cursor_mut() = Default::default();
    }
    ask(app)
}

pub(super) fn pause(app: &mut App) -> Vec<Effect> {
    if let Some(before) = app.paused.take() {
        app.place.span = before;
        return ask(app);
    }
    match app.window() {
        Some(window) if !app.is_fixed() => {
            app.paused = Some(app.place.span);
            app.place.span = Span::Fixed(window);
            ask(app)
        }
        Some(_) => {
            app.notice =
                Some("this stretch of time does not move; Esc goes back to live".to_owned());
            Vec::new()
        }
        None => Vec::new(),
    }
}

pub(super) fn length(app: &mut App, by: isize) -> Vec<Effect> {
    // From a stretch that does not move, on from the one that did.
    let span = if app.is_fixed() {
        app.live
    } else {
        app.place.span
    };
    let seconds = match span {
        Span::Last(length) => length / SECOND,
        Span::Since(_) | Span::Fixed(_) => 10,
        Span::All => u64::MAX,
    };
    let here = SPANS.iter().position(|length| *length >= seconds);
    let there = here.unwrap_or(SPANS.len() - 1).saturating_add_signed(by);
    let span = match SPANS.get(there.min(SPANS.len() - 1)) {
        None | Some(&u64::MAX) => Span::All,
        Some(seconds) => Span::Last(seconds * SECOND),
    };
    app.paused = None;
    step(app, |place| place.span = span)
}
