//! What the keys of the table do.

use super::{
    ask,
    go::{Way, all, by, enter, in_flame, open, to_match},
    place::{escape, length, pause, show, step, undo},
};
use crate::{
    tui::{
        app::{App, COLUMNS, Mode, Prompt, PromptKind, Screen},
        keys::Action,
        layout::list_rows,
        message::Effect,
    },
    view::{Direction, Expansion, Order, Span},
};

pub(super) fn perform(app: &mut App, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => vec![Effect::Quit],
        Action::Suspend => vec![Effect::Suspend],
        Action::Help => {
            app.mode = Mode::Help(0);
            Vec::new()
        }
        Action::Show(screen) => show(app, screen),
        Action::NextScreen => show(app, app.place.screen.after(1)),
        Action::PreviousScreen => show(app, app.place.screen.after(Screen::ALL.len() - 1)),
        Action::Up | Action::Down | Action::Left | Action::Right
            if app.place.screen == Screen::Flame =>
        {
            in_flame(app, action)
        }
        Action::Up => by(app, -1),
        Action::Down => by(app, 1),
        Action::PageUp => by(app, -(list_rows(app) as isize)),
        Action::PageDown => by(app, list_rows(app) as isize),
        Action::First => by(app, isize::MIN),
        Action::Last => by(app, isize::MAX),
        Action::Left => open(app, false),
        Action::Right => open(app, true),
        Action::Enter => enter(app),
        Action::Escape => escape(app),
        Action::Undo => undo(app),
        Action::Search => prompt(app, PromptKind::Search),
        Action::Filter => prompt(app, PromptKind::Filter),
        Action::Exclude => prompt(app, PromptKind::Exclude),
        Action::NextMatch => to_match(app, Way::Next),
        Action::PreviousMatch => to_match(app, Way::Previous),
        Action::Mode => step(app, |place| place.query.mode = place.query.mode.next()),
        Action::Group => step(app, |place| {
            place.query.group = place.query.group.next();
            place.zoom.clear();
        }),
        Action::Sort => {
            match app.place.screen {
                Screen::Processes => {
                    // Of a process there is no other weight than one.
                    app.process_order = match app.process_order {
                        Order::Name => Order::SelfWeight,
                        Order::SelfWeight | Order::Total => Order::Name,
                    };
                }
                _ => app.order = app.order.next(),
            }
            ask(app)
        }
        Action::Pause => pause(app),
        Action::Reset => {
            let Some(shown) = &app.shown else {
                return Vec::new();
            };
            // From the newest on, whatever is looked at: what has been seen is not counted again.
            let now_ns = shown.answer.held.end_ns;
            app.paused = None;
            step(app, |place| place.span = Span::Since(now_ns))
        }
        Action::Shorter => length(app, -1),
        Action::Longer => length(app, 1),
        Action::Select => super::select::begin(app),
        Action::Coarser => column(app, 1),
        Action::Finer => column(app, -1),
        Action::ExpandAll => all(app, true),
        Action::CollapseAll => all(app, false),
        Action::Invert => {
            app.direction = match app.direction {
                Direction::Down => Direction::Up,
                Direction::Up => Direction::Down,
            };
            app.expansion = Expansion::default();
            *app.cursor_mut() = Default::default();
            ask(app)
        }
        Action::Colour => {
            app.by_dso = !app.by_dso;
            Vec::new()
        }
        Action::Theme => {
            app.theme = app.theme.next();
            app.notice = Some(format!("colours: {}", app.theme.name()));
            Vec::new()
        }
        Action::Export => export(app),
    }
}

fn prompt(app: &mut App, kind: PromptKind) -> Vec<Effect> {
    let text = match (&kind, &app.search) {
        (PromptKind::Search, Some(pattern)) => pattern.to_string(),
        _ => String::new(),
    };
    app.mode = Mode::Prompt(Prompt {
        kind,
        text,
        error: None,
    });
    Vec::new()
}

fn column(app: &mut App, by: isize) -> Vec<Effect> {
    let here = COLUMNS.iter().position(|column| *column >= app.column_ns);
    let there = here.unwrap_or(0).saturating_add_signed(by);
    app.column_ns = COLUMNS[there.min(COLUMNS.len() - 1)];
    Vec::new()
}

/// Holds what is shown until its name is typed: what is written is what is seen.
fn export(app: &mut App) -> Vec<Effect> {
    let (Some(window), Some(shown)) = (app.window(), &app.shown) else {
        return Vec::new();
    };
    let text = format!("tracer-{}.svg", shown.vitals.stamp);
    let before = std::mem::replace(&mut app.place.span, Span::Fixed(window));
    app.mode = Mode::Prompt(Prompt {
        kind: PromptKind::Export(before),
        text,
        error: None,
    });
    ask(app)
}
