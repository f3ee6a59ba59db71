//! Typing a line.

use ratatui::crossterm::event::KeyEvent;

use super::{ask, step};
use crate::{
    tui::{
        Prompt,
        latency::{
            app::{App, Mode, PromptKind},
            message::Effect,
        },
        update::prompt::{Typed, edit},
    },
    view::{Filter, Pattern},
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
        _ => Vec::new(),
    }
}

fn take(app: &mut App) -> Vec<Effect> {
    let Mode::Prompt(prompt) = &mut app.mode else {
        return Vec::new();
    };
    let (kind, is_empty) = (prompt.kind, prompt.text.is_empty());
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
        PromptKind::Filter | PromptKind::Exclude => step(app, |place| {
            place.selection.filters.push(Filter {
                pattern,
                exclude: kind == PromptKind::Exclude,
            });
        }),
    }
}
