//! Typing a line.

use ratatui::crossterm::event::KeyEvent;

use super::{ask, step};
use crate::{
    export,
    tui::{
        Prompt,
        latency::{
            app::{App, Mode, Place, PromptKind, Screen},
            message::{Effect, Export, Request},
        },
        update::prompt::{Typed, edit},
    },
    view::{Filter, Pattern, Span},
};

pub(super) fn update(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let Mode::Prompt(prompt) = &mut app.mode else {
        return Vec::new();
    };
    match edit(prompt, key) {
        Typed::Nothing => return Vec::new(),
        Typed::Leave => return leave(app),
        Typed::Take => return take(app),
        Typed::Changed => {}
    }
    if prompt.kind != PromptKind::Search {
        prompt.error = None;
        return Vec::new();
    }
    // What is searched for is seen while it is typed.
    match Pattern::parse(&prompt.text) {
        Err(why) => {
            prompt.error = Some(why);
            Vec::new()
        }
        Ok(pattern) => {
            prompt.error = None;
            app.search = Some(pattern).filter(|_| !prompt.text.is_empty());
            ask(app)
        }
    }
}

fn leave(app: &mut App) -> Vec<Effect> {
    match std::mem::replace(&mut app.mode, Mode::Normal) {
        Mode::Prompt(Prompt {
            kind: PromptKind::Search,
            ..
        }) => {
            app.search = None;
            ask(app)
        }
        Mode::Prompt(Prompt {
            kind: PromptKind::Export(before),
            ..
        }) => {
            app.place.span = before;
            ask(app)
        }
        _ => Vec::new(),
    }
}

fn take(app: &mut App) -> Vec<Effect> {
    let Mode::Prompt(prompt) = &mut app.mode else {
        return Vec::new();
    };
    let (kind, is_empty) = (prompt.kind, prompt.text.is_empty());
    if let PromptKind::Export(before) = kind {
        return match export::latency_format_of(prompt.text.as_ref()) {
            Ok(_) => write(app, before),
            Err(error) => {
                prompt.error = Some(error.to_string());
                Vec::new()
            }
        };
    }
    let pattern = match Pattern::parse(&prompt.text) {
        Ok(pattern) => pattern,
        Err(why) => {
            prompt.error = Some(why);
            return Vec::new();
        }
    };
    app.mode = Mode::Normal;
    match kind {
        _ if is_empty => Vec::new(),
        PromptKind::Search => {
            app.search = Some(pattern);
            // What is marked now may be what only the beginning of it matches.
            app.jumps = true;
            ask(app)
        }
        PromptKind::Export(_) => Vec::new(),
        PromptKind::Filter | PromptKind::Exclude => step(app, |place| {
            place.selection.filters.push(Filter {
                pattern,
                exclude: kind == PromptKind::Exclude,
            });
        }),
    }
}

/// Writes what is held to the file that was typed, and goes back to what was shown before.
fn write(app: &mut App, before: Span) -> Vec<Effect> {
    let Mode::Prompt(Prompt { text, .. }) = std::mem::replace(&mut app.mode, Mode::Normal) else {
        return Vec::new();
    };
    let span = std::mem::replace(&mut app.place.span, before);
    let Place {
        screen,
        selection,
        only,
        span: _,
    } = &app.place;
    let only_words = only.iter().map(|only| format!("only {only}"));
    let filters = selection.filters.iter().map(ToString::to_string);
    let export = Export {
        path: text,
        span,
        words: only_words.chain(filters).collect(),
        by_function: *screen == Screen::Functions || only.is_some(),
        selection: selection.clone(),
    };
    let mut effects = vec![Effect::Request(Request::Export(Box::new(export)))];
    effects.extend(ask(app));
    effects
}
