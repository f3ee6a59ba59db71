//! The last line: the keys that matter here, what is typed, or what there is to say.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget as _,
};

use super::super::{
    app::{App, Mode, Prompt, PromptKind},
    keys::{Action, Binding, KEYS},
    text::{fit, width},
    theme::Theme,
};

/// Draws it; gives the place of the text cursor while something is typed.
pub(in crate::tui) fn draw(app: &App, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let theme = app.theme;
    match &app.mode {
        Mode::Prompt(prompt) => return Some(typed(app, prompt, area, buffer)),
        Mode::Time { anchor_ns, .. } => {
            let text = match anchor_ns {
                None => " ← → move · v begins to select · Enter looks at it · Esc back",
                Some(_) => " ← → move the end · v gives it up · Enter looks at it · Esc back",
            };
            Line::styled(fit(text, usize::from(area.width)), theme.title()).render(area, buffer);
            return None;
        }
        Mode::Help(_) => {
            Line::styled(" ↑ ↓ move · any other key closes", theme.title()).render(area, buffer);
            return None;
        }
        Mode::Normal => {}
    }
    if let Some(notice) = &app.notice {
        let text = format!(" {}", crate::view::printable(notice));
        Line::styled(fit(&text, usize::from(area.width)), theme.warning()).render(area, buffer);
        return None;
    }
    let mut spans = Vec::new();
    let mut room = usize::from(area.width);
    if let Some(why) = &app.ended {
        let text = fit(&format!(" {}", crate::view::printable(why)), room);
        room = room.saturating_sub(width(&text) + 1);
        spans.push(Span::styled(text, theme.warning()));
        spans.push(Span::raw(" "));
    }
    let of_use = |binding: &&Binding| is_of_use(app, binding);
    let bindings = KEYS.iter().filter(of_use);
    spans.extend(keys(bindings, app.place.screen, theme, room));
    Line::from(spans).render(area, buffer);
    None
}

/// The keys that have a hint, as many as there is room for.
pub(in crate::tui) fn keys<'a, A: 'a, S: PartialEq + Copy + 'static>(
    bindings: impl Iterator<Item = &'a Binding<A, S>>,
    screen: S,
    theme: Theme,
    mut room: usize,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for binding in bindings {
        if binding.hint.is_empty() || !binding.is_on(screen) {
            continue;
        }
        let (key, hint) = (format!(" {}", binding.key()), format!(" {} ", binding.hint));
        let wide = width(&key) + width(&hint);
        if wide > room {
            break;
        }
        room -= wide;
        spans.push(Span::styled(key, theme.title()));
        spans.push(Span::styled(hint, theme.dim()));
    }
    spans
}

/// Whether a key would do anything here.
fn is_of_use(app: &App, binding: &Binding) -> bool {
    match binding.action {
        Action::Undo => !app.steps.is_empty(),
        Action::Escape => app.is_fixed(),
        _ => true,
    }
}

fn typed(app: &App, prompt: &Prompt, area: Rect, buffer: &mut Buffer) -> (u16, u16) {
    let Prompt { kind, text, error } = prompt;
    let label = match kind {
        PromptKind::Search => " search: ",
        PromptKind::Filter => " keep only: ",
        PromptKind::Exclude => " leave out: ",
        PromptKind::Export(_) => " write to: ",
    };
    typing(label, text, error.as_deref(), app.theme, area, buffer)
}

/// A line while it is typed; gives the place of the text cursor.
pub(in crate::tui) fn typing(
    label: &'static str,
    text: &str,
    error: Option<&str>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> (u16, u16) {
    let error = error.map(|why| format!("  {why}")).unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(width(label) + 1);
    // The end of what is typed is seen, however long it is.
    let mut shown = text;
    while width(shown) > room {
        let mut characters = shown.chars();
        characters.next();
        shown = characters.as_str();
    }
    let x = width(label) + width(shown);
    Line::from(vec![
        Span::styled(label, theme.title()),
        Span::raw(crate::view::printable(shown)),
        Span::styled(error, theme.loss()),
    ])
    .render(area, buffer);
    (area.x + u16::try_from(x).unwrap_or(0), area.y)
}
