//! Typing a line.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{ask, place::step};
use crate::{
    export,
    tui::{
        app::{App, Mode, Prompt, PromptKind},
        message::{Effect, Request},
    },
    view::{Filter, Pattern},
};

pub(super) fn update(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    let Mode::Prompt(prompt) = &mut app.mode else {
        return Vec::new();
    };
    match edit(prompt, key) {
        Typed::Leave => return leave(app),
        Typed::Take => return take(app),
        Typed::Changed => {}
        Typed::Nothing => return Vec::new(),
    }
    prompt.error = problem(prompt).filter(|_| matches!(prompt.kind, PromptKind::Search));
    // What is searched for is seen while it is typed.
    if prompt.kind == PromptKind::Search && prompt.error.is_none() {
        app.search = Pattern::parse(&prompt.text.clone())
            .ok()
            .filter(|_| !prompt.text.is_empty());
        return ask(app);
    }
    Vec::new()
}

/// What a key did to a line that is typed.
pub(in crate::tui) enum Typed {
    /// It gives the line up.
    Leave,
    /// It takes the line as it is.
    Take,
    /// The line is another one.
    Changed,
    /// Nothing.
    Nothing,
}

/// Types a key into a line.
pub(in crate::tui) fn edit<K>(prompt: &mut Prompt<K>, key: KeyEvent) -> Typed {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => return Typed::Leave,
        KeyCode::Char('c') if control => return Typed::Leave,
        KeyCode::Enter => return Typed::Take,
        KeyCode::Char('u') if control => prompt.text.clear(),
        KeyCode::Char('w') if control => {
            let kept = prompt
                .text
                .trim_end()
                .rfind([' ', '/'])
                .map_or(0, |at| at + 1);
            prompt.text.truncate(kept);
        }
        KeyCode::Backspace => _ = prompt.text.pop(),
        KeyCode::Char(character) if !control && !character.is_control() => {
            prompt.text.push(character);
        }
        _ => return Typed::Nothing,
    }
    Typed::Changed
}

/// What is wrong with what has been typed.
fn problem(prompt: &Prompt) -> Option<String> {
    match prompt.kind {
        PromptKind::Export(_) => export::by_path(prompt.text.as_ref())
            .err()
            .map(|error| error.to_string()),
        PromptKind::Search | PromptKind::Filter | PromptKind::Exclude => {
            Pattern::parse(&prompt.text).err()
        }
    }
}

fn leave(app: &mut App) -> Vec<Effect> {
    let mode = std::mem::replace(&mut app.mode, Mode::Normal);
    match mode {
        Mode::Prompt(Prompt {
            kind: PromptKind::Export(before),
            ..
        }) => {
            app.place.span = before;
            ask(app)
        }
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
    prompt.error = problem(prompt);
    if prompt.error.is_some() {
        return Vec::new();
    }
    let Prompt { kind, text, .. } = prompt.clone();
    app.mode = Mode::Normal;
    match kind {
        PromptKind::Search if app.search.is_none() => Vec::new(),
        PromptKind::Search => {
            // What is marked now may be what only the beginning of it matches.
            app.jumps = true;
            ask(app)
        }
        PromptKind::Filter | PromptKind::Exclude if text.is_empty() => Vec::new(),
        PromptKind::Filter | PromptKind::Exclude => match Pattern::parse(&text) {
            Ok(pattern) => step(app, |place| {
                place.query.filters.push(Filter {
                    pattern,
                    exclude: kind == PromptKind::Exclude,
                });
            }),
            Err(why) => {
                app.notice = Some(why);
                Vec::new()
            }
        },
        PromptKind::Export(before) => {
            let span = std::mem::replace(&mut app.place.span, before);
            let mut effects = vec![Effect::Request(Request::Export {
                path: text,
                span,
                query: Box::new(app.place.query.clone()),
            })];
            effects.extend(ask(app));
            effects
        }
    }
}
