//! How many calls there were, as a colour or as a character.

use ratatui::style::{Color, Style};

use crate::tui::Theme;

/// From few to many: colours of the 256, for each ground.
const ON_DARK: [u8; 12] = [53, 54, 90, 126, 162, 161, 197, 203, 209, 215, 221, 229];
const ON_LIGHT: [u8; 12] = [230, 229, 223, 216, 209, 203, 197, 161, 125, 89, 53, 17];
/// Of the sixteen, with characters that are denser from one to the next.
const SIXTEEN: [(char, Color); 6] = [
    ('░', Color::Blue),
    ('▒', Color::Blue),
    ('▒', Color::Cyan),
    ('▓', Color::Green),
    ('▓', Color::Yellow),
    ('█', Color::Red),
];
const CHARACTERS: [char; 9] = ['.', ':', '-', '=', '+', '*', '#', '%', '@'];

/// How many rows fit into the height of a cell.
pub(super) const fn rows_of_cell(theme: Theme) -> usize {
    match theme {
        Theme::Dark | Theme::Light => 2,
        Theme::Ansi | Theme::Mono => 1,
    }
}

/// How much a count is of the most, from 0 to 1, by its logarithm; `None`: nothing.
pub(super) fn level(count: u64, most: u64) -> Option<f64> {
    (count > 0).then(|| {
        let most = (most.max(2) as f64).ln();
        ((count as f64).ln() / most).clamp(0.0, 1.0)
    })
}

/// Two rows in a cell; where there is room for one, that is the lower.
pub(super) fn cell(theme: Theme, upper: Option<f64>, lower: Option<f64>) -> (char, Style) {
    match theme {
        Theme::Dark | Theme::Light => {
            let color = |level: f64| Color::Indexed(pick(ramp(theme), level));
            match (upper.map(color), lower.map(color)) {
                (None, None) => (' ', Style::new()),
                (Some(upper), None) => ('▀', Style::new().fg(upper)),
                (None, Some(lower)) => ('▄', Style::new().fg(lower)),
                (Some(upper), Some(lower)) if upper == lower => ('█', Style::new().fg(upper)),
                (Some(upper), Some(lower)) => ('▀', Style::new().fg(upper).bg(lower)),
            }
        }
        Theme::Ansi => match lower {
            None => (' ', Style::new()),
            Some(level) => {
                let (character, color) = pick(&SIXTEEN, level);
                (character, Style::new().fg(color))
            }
        },
        Theme::Mono => match lower {
            None => (' ', Style::new()),
            Some(level) => (pick(&CHARACTERS, level), Style::new()),
        },
    }
}

/// All levels from few to many, as they are drawn.
pub(super) fn legend(theme: Theme) -> Vec<(char, Style)> {
    let levels = match theme {
        Theme::Dark | Theme::Light => ON_DARK.len(),
        Theme::Ansi => SIXTEEN.len(),
        Theme::Mono => CHARACTERS.len(),
    };
    let level = |index: usize| Some(index as f64 / (levels - 1) as f64);
    (0..levels)
        .map(|index| cell(theme, level(index), level(index)))
        .collect()
}

/// What is laid over a cell, on the cell's colour.
pub(super) fn over(theme: Theme, level: Option<f64>) -> Style {
    let ground = level.map(|level| Color::Indexed(pick(ramp(theme), level)));
    let light = level.is_some_and(|level| level > 0.6);
    match (theme, ground) {
        (Theme::Dark, Some(ground)) if light => Style::new().fg(Color::Indexed(16)).bg(ground),
        (Theme::Light, Some(ground)) if !light => Style::new().fg(Color::Indexed(16)).bg(ground),
        (Theme::Dark | Theme::Light, Some(ground)) => {
            Style::new().fg(Color::Indexed(231)).bg(ground)
        }
        _ => theme.title(),
    }
}

/// The half of a cell that is looked at, above or below another level.
pub(super) fn marked(theme: Theme, other: Option<f64>) -> Style {
    let mark = match theme {
        Theme::Light => 16,
        Theme::Dark | Theme::Ansi | Theme::Mono => 231,
    };
    let style = Style::new().fg(Color::Indexed(mark));
    match other {
        Some(level) => style.bg(Color::Indexed(pick(ramp(theme), level))),
        None => style,
    }
}

const fn ramp(theme: Theme) -> &'static [u8] {
    match theme {
        Theme::Light => &ON_LIGHT,
        Theme::Dark | Theme::Ansi | Theme::Mono => &ON_DARK,
    }
}

fn pick<T: Copy>(steps: &[T], level: f64) -> T {
    let last = steps.len() - 1;
    steps[((level * last as f64).round() as usize).min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_denser_and_one_is_seen() {
        assert_eq!(level(0, 100), None);
        assert_eq!(level(1, 1), Some(0.0));
        assert_eq!(level(100, 100), Some(1.0));
        assert!(level(10, 100) < level(11, 100));
        for theme in [Theme::Dark, Theme::Light, Theme::Ansi, Theme::Mono] {
            let (character, _) = cell(theme, None, Some(0.0));
            assert_ne!(character, ' ', "{theme:?}");
            let mut legend = legend(theme);
            let all = legend.len();
            legend.dedup();
            assert_eq!(legend.len(), all, "{theme:?}");
        }
    }
}
