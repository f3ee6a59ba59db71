//! What is where on the screen: the same for drawing and for the mouse.

use ratatui::layout::Rect;

use super::app::Screen;

/// The parts of the screen; one that there is no room for has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Areas {
    /// The machine and what is probed.
    pub(super) header: Rect,
    /// The account, the window, the cost.
    pub(super) status: Rect,
    pub(super) tabs: Rect,
    /// Which calls are looked at.
    pub(super) query: Rect,
    pub(super) body: Rect,
    /// What is selected, in words.
    pub(super) detail: Rect,
    pub(super) hint: Rect,
}

pub(super) fn areas((width, height): (u16, u16)) -> Areas {
    let header = u16::from(height >= 18);
    let mut y = 0;
    let mut take = |rows: u16| {
        let area = Rect::new(0, y, width, rows);
        y += rows;
        area
    };
    Areas {
        header: take(header),
        status: take(1),
        tabs: take(1),
        query: take(1),
        body: take(height.saturating_sub(5 + header)),
        detail: take(1),
        hint: take(1),
    }
}

/// The titles of screens, each with its first column: as wide as there is room.
pub(super) fn tabs(width: u16) -> Vec<(u16, String)> {
    let full = |screen: Screen| format!(" {} {} ", screen.index() + 1, screen.title());
    let short = |screen: Screen| {
        let title: String = screen.title().chars().take(4).collect();
        format!(" {} {title} ", screen.index() + 1)
    };
    let styles: [&dyn Fn(Screen) -> String; 2] = [&full, &short];
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
