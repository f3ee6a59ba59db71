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
    for binding in KEYS {
        if binding.hint.is_empty() || !binding.is_on(app.place.screen) || !is_of_use(app, binding) {
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
    Line::from(spans).render(area, buffer);
    None
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
    let theme = app.theme;
    let Prompt { kind, text, error } = prompt;
    let label = match kind {
        PromptKind::Search => " search: ",
        PromptKind::Filter => " keep only: ",
        PromptKind::Exclude => " leave out: ",
        PromptKind::Export(_) => " write to: ",
    };
    let error = error
        .as_ref()
        .map(|why| format!("  {why}"))
        .unwrap_or_default();
    let room = usize::from(area.width).saturating_sub(width(label) + 1);
    // The end of what is typed is seen, however long it is.
    let mut shown = text.as_str();
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
