//! What is where on the screen: the same for drawing and for the mouse.

use ratatui::layout::Rect;

use super::app::App;

/// The parts of the screen; one that there is no room for has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Areas {
    /// The machine and what is measured.
    pub(super) header: Rect,
    /// The account, the window, the cost.
    pub(super) status: Rect,
    pub(super) tabs: Rect,
    pub(super) query: Rect,
    pub(super) body: Rect,
    /// What is selected, in words.
    pub(super) detail: Rect,
    pub(super) timeline: Rect,
    pub(super) axis: Rect,
    pub(super) hint: Rect,
}

/// Less than this shows nothing that could be understood.
pub(super) const SMALLEST: (u16, u16) = (24, 8);

pub(super) fn areas((width, height): (u16, u16)) -> Areas {
    let roomy = height >= 18;
    let mut y = 0;
    let mut take = |rows: u16| {
        let area = Rect::new(0, y, width, rows);
        y += rows;
        area
    };
    let below = if roomy { 5 } else { 3 };
    let header = take(u16::from(roomy));
    let status = take(1);
    let tabs = take(1);
    let query = take(1);
    let body = take(height.saturating_sub(3 + u16::from(roomy) + below));
    let detail = take(1);
    let timeline = take(if roomy { 2 } else { 1 });
    let axis = take(u16::from(roomy));
    let hint = take(1);
    Areas {
        header,
        status,
        tabs,
        query,
        body,
        detail,
        timeline,
        axis,
        hint,
    }
}

/// Lines of the body that hold a list, below its titles.
pub(super) fn list_rows(app: &App) -> usize {
    let body = areas(app.size).body.height;
    usize::from(body.saturating_sub(1)).max(1)
}

/// The titles of screens, each with its first column: as wide as there is room.
pub(super) fn tabs(width: u16) -> Vec<(u16, String)> {
    use super::app::Screen;
    let full = |screen: Screen| format!(" {} {} ", screen.index() + 1, screen.title());
    let short = |screen: Screen| {
        let title: String = screen.title().chars().take(4).collect();
        format!(" {}{} ", screen.index() + 1, title)
    };
    let shortest = |screen: Screen| format!(" {} ", screen.index() + 1);
    let styles: [&dyn Fn(Screen) -> String; 3] = [&full, &short, &shortest];
    for style in styles {
        let mut x = 0;
        let tabs: Vec<(u16, String)> = Screen::ALL
            .iter()
            .map(|screen| {
                let title = style(*screen);
                let at = x;
                x += title.chars().count() as u16;
                (at, title)
            })
            .collect();
        if x <= width {
            return tabs;
        }
    }
    Vec::new()
}
