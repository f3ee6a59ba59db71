//! Colours of a terminal as a picture has them.

use ratatui::style::Color;

use super::super::theme::Theme;

/// The colours of a terminal that are its own: background and text.
pub(super) const fn ground(theme: Theme) -> (&'static str, &'static str) {
    match theme {
        Theme::Light => ("#ffffff", "#24292f"),
        Theme::Dark | Theme::Ansi | Theme::Mono => ("#15181e", "#d3d7de"),
    }
}

/// The first sixteen, in their order.
const SIXTEEN: [&str; 16] = [
    "#1d2026", "#d0605e", "#8fb566", "#d9a94e", "#5f93cc", "#b07cc6", "#56a8a8", "#b9bec7",
    "#6b717c", "#ea8280", "#aed185", "#ecc978", "#86b4e6", "#cb9fdd", "#7fc8c8", "#f2f4f7",
];

/// A colour; `None`: the terminal's own.
pub(super) fn hex(color: Color) -> Option<String> {
    let index = match color {
        Color::Reset => return None,
        Color::Rgb(red, green, blue) => return Some(rgb(red, green, blue)),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    Some(indexed(index))
}

/// One of the 256: sixteen, a cube of six to a side, and greys.
fn indexed(index: u8) -> String {
    if let Some(color) = SIXTEEN.get(usize::from(index)) {
        return (*color).to_owned();
    }
    if let Some(step) = index.checked_sub(232) {
        let grey = 8 + 10 * step;
        return rgb(grey, grey, grey);
    }
    let place = index - 16;
    let part = |of: u8| if of == 0 { 0 } else { 55 + 40 * of };
    rgb(part(place / 36), part(place / 6 % 6), part(place % 6))
}

fn rgb(red: u8, green: u8, blue: u8) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_xterm() {
        for (index, expected) in [
            (16, "#000000"),
            (25, "#005faf"),
            (209, "#ff875f"),
            (231, "#ffffff"),
            (232, "#080808"),
            (255, "#eeeeee"),
        ] {
            let color = hex(Color::Indexed(index));
            assert_eq!(color.as_deref(), Some(expected), "{index}");
        }
        assert_eq!(hex(Color::Red), hex(Color::Indexed(1)));
        assert_eq!(hex(Color::White), hex(Color::Indexed(15)));
        assert_eq!(hex(Color::Rgb(1, 2, 255)).as_deref(), Some("#0102ff"));
        assert_eq!(hex(Color::Reset), None);
    }
}
