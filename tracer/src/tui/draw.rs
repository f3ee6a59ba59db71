//! The picture of a state. It changes nothing.

use ratatui::{Frame, text::Line, widgets::Widget as _};

use super::{
    app::{App, Mode},
    layout::{SMALLEST, areas},
    screen,
    text::fit,
    widget,
};

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        Line::raw("too small").render(area, frame.buffer_mut());
        return;
    }
    let areas = areas((area.width, area.height));
    let buffer = frame.buffer_mut();
    if areas.header.height > 0 {
        widget::header::machine(app, areas.header, buffer);
    }
    widget::header::status(app, areas.status, buffer);
    widget::header::screens(app, areas.tabs, buffer);
    widget::query::draw(app, areas.query, buffer);
    match app.mode {
        Mode::Help(top) => widget::help::draw(app, top, areas.body, buffer),
        _ => screen::draw(app, areas.body, buffer),
    }
    if let Some(detail) = screen::detail(app) {
        let text = fit(&format!(" {detail}"), usize::from(area.width));
        Line::raw(text).render(areas.detail, buffer);
    }
    widget::timeline::draw(app, areas.timeline, buffer);
    if areas.axis.height > 0 {
        widget::timeline::axis(app, areas.axis, buffer);
    }
    if let Some(at) = widget::hint::draw(app, areas.hint, buffer) {
        frame.set_cursor_position(at);
    }
}
