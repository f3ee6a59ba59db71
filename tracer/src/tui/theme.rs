//! Colours: what each thing looks like on terminals of many colours, of sixteen, and of none.
//!
//! The background is always the terminal's own. Nothing is said by colour alone.

use ratatui::style::{Color, Modifier, Style};

use crate::view::Kind;

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Many colours on dark.
    Dark,
    /// Many colours on light.
    Light,
    /// The terminal's own sixteen.
    Ansi,
    /// None.
    Mono,
}

/// What the environment says of the terminal.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `TERM`.
    pub term: String,
    /// `COLORTERM`.
    pub colorterm: String,
    /// `COLORFGBG`: the colours of text and background, as some terminals tell.
    pub colorfgbg: String,
}

impl Theme {
    /// The one that fits a terminal.
    pub fn of(environment: &Environment) -> Self {
        let Environment {
            no_color,
            term,
            colorterm,
            colorfgbg,
        } = environment;
        let background = colorfgbg
            .rsplit(';')
            .next()
            .and_then(|last| last.parse().ok());
        let many = term.contains("256color")
            || colorterm == "truecolor"
            || colorterm == "24bit"
            || term.contains("direct");
        if *no_color || term == "dumb" {
            Self::Mono
        } else if !many {
            Self::Ansi
        } else if background.is_some_and(|color: u8| color == 7 || color == 15) {
            Self::Light
        } else {
            Self::Dark
        }
    }

    /// The one that follows, in a circle.
    pub const fn next(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Ansi,
            Self::Ansi => Self::Mono,
            Self::Mono => Self::Dark,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Ansi => "ansi",
            Self::Mono => "mono",
        }
    }

    /// One of the 256 colours, one of the sixteen, or none.
    fn style(self, dark: u8, light: u8, ansi: Color) -> Style {
        match self {
            Self::Dark => Style::new().fg(Color::Indexed(dark)),
            Self::Light => Style::new().fg(Color::Indexed(light)),
            Self::Ansi => Style::new().fg(ansi),
            Self::Mono => Style::new(),
        }
    }

    /// Names of things and what is less important.
    pub(super) fn dim(self) -> Style {
        match self {
            Self::Mono => Style::new().add_modifier(Modifier::DIM),
            _ => self.style(245, 243, Color::DarkGray),
        }
    }

    pub(super) fn title(self) -> Style {
        self.style(117, 25, Color::Cyan)
            .add_modifier(Modifier::BOLD)
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    /// Latencies that so many of all calls are shorter than: usual ones, and those of the tail.
    pub(super) fn tail(self, shorter: f64) -> Style {
        match shorter {
            _ if shorter < 0.5 => self.style(73, 31, Color::Green),
            _ if shorter < 0.9 => self.style(114, 28, Color::Cyan),
            _ if shorter < 0.99 => self.style(221, 136, Color::Yellow),
            _ => self.style(209, 166, Color::Red),
        }
    }

    /// What is lost or cut short.
    pub(super) fn loss(self) -> Style {
        self.style(203, 160, Color::Red)
            .add_modifier(Modifier::BOLD)
    }

    /// What needs to be known but is no loss.
    pub(super) fn warning(self) -> Style {
        self.style(215, 130, Color::Yellow)
    }

    pub(super) fn good(self) -> Style {
        self.style(114, 28, Color::Green)
    }

    pub(super) fn selected(self) -> Style {
        match self {
            Self::Dark => Style::new()
                .bg(Color::Indexed(237))
                .add_modifier(Modifier::BOLD),
            Self::Light => Style::new()
                .bg(Color::Indexed(253))
                .add_modifier(Modifier::BOLD),
            Self::Ansi | Self::Mono => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    pub(super) fn matched(self) -> Style {
        match self {
            Self::Mono => Style::new().add_modifier(Modifier::UNDERLINED | Modifier::BOLD),
            _ => self
                .style(213, 90, Color::Magenta)
                .add_modifier(Modifier::UNDERLINED),
        }
    }

    /// The bar behind a share.
    pub(super) fn bar(self) -> Style {
        self.style(73, 31, Color::Blue)
    }

    /// A column of the timeline by how busy the CPUs were; those that are looked at stand out, also
    /// where they are so high that nothing is seen of the background.
    pub(super) fn load(self, share: f64, is_shown: bool) -> Style {
        match (share >= 0.9, is_shown) {
            (true, false) => self.style(209, 166, Color::Yellow),
            (true, true) => self.style(223, 88, Color::Yellow),
            (false, false) => self.style(73, 31, Color::Green),
            (false, true) => self.style(159, 17, Color::Green),
        }
    }

    /// The columns of the timeline that are looked at.
    pub(super) fn window(self) -> Style {
        match self {
            Self::Dark => Style::new().bg(Color::Indexed(238)),
            Self::Light => Style::new().bg(Color::Indexed(252)),
            Self::Ansi | Self::Mono => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The name of a function in a list.
    pub(super) fn name_of(self, kind: Kind) -> Style {
        match kind {
            Kind::Comm => self
                .style(250, 238, Color::Reset)
                .add_modifier(Modifier::BOLD),
            Kind::Truncated => self.style(176, 127, Color::Magenta),
            Kind::Native => Style::new(),
            Kind::Inlined => self.style(80, 30, Color::Cyan),
            Kind::Jit => self.style(114, 28, Color::Green),
            Kind::Kernel => self.style(221, 136, Color::Yellow),
            Kind::Unmapped => self.dim(),
        }
    }

    /// A frame of the flame graph; `shade` tells neighbours apart.
    pub(super) fn block(self, kind: Kind, shade: u8) -> Style {
        // Of each kind three shades, all light enough for black text.
        let (indexed, ansi): ([u8; 3], Color) = match kind {
            Kind::Comm => ([250, 252, 248], Color::Gray),
            Kind::Truncated => ([176, 182, 140], Color::Magenta),
            Kind::Native => ([209, 216, 203], Color::LightRed),
            Kind::Inlined => ([116, 80, 123], Color::LightCyan),
            Kind::Jit => ([114, 150, 78], Color::LightGreen),
            Kind::Kernel => ([221, 222, 179], Color::LightYellow),
            Kind::Unmapped => ([244, 246, 242], Color::DarkGray),
        };
        self.filled(indexed[usize::from(shade % 3)], ansi, shade)
    }

    /// A frame of the flame graph by its file.
    pub(super) fn block_of(self, file: u8, shade: u8) -> Style {
        const FILES: [[u8; 3]; 10] = [
            [209, 216, 203],
            [221, 222, 179],
            [114, 150, 78],
            [116, 80, 123],
            [111, 117, 75],
            [176, 182, 140],
            [187, 180, 144],
            [204, 211, 168],
            [151, 108, 115],
            [250, 252, 248],
        ];
        const SIXTEEN: [Color; 6] = [
            Color::LightRed,
            Color::LightYellow,
            Color::LightGreen,
            Color::LightCyan,
            Color::LightBlue,
            Color::LightMagenta,
        ];
        let file = usize::from(file);
        let shades = FILES[file % FILES.len()];
        self.filled(
            shades[usize::from(shade % 3)],
            SIXTEEN[file % SIXTEEN.len()],
            shade,
        )
    }

    fn filled(self, indexed: u8, ansi: Color, shade: u8) -> Style {
        match self {
            Self::Dark | Self::Light => Style::new()
                .fg(Color::Indexed(16))
                .bg(Color::Indexed(indexed)),
            Self::Ansi => Style::new().fg(Color::Black).bg(ansi),
            Self::Mono if shade.is_multiple_of(2) => Style::new().add_modifier(Modifier::REVERSED),
            Self::Mono => Style::new(),
        }
    }

    /// A frame that is selected.
    pub(super) fn selected_block(self) -> Style {
        match self {
            Self::Dark => Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(25)),
            Self::Light => Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(25)),
            Self::Ansi => Style::new().fg(Color::White).bg(Color::Blue),
            Self::Mono => Style::new().add_modifier(Modifier::REVERSED | Modifier::UNDERLINED),
        }
        .add_modifier(Modifier::BOLD)
    }

    /// A frame that the search marks.
    pub(super) fn matched_block(self) -> Style {
        match self {
            Self::Dark | Self::Light => Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(91)),
            Self::Ansi => Style::new().fg(Color::White).bg(Color::Magenta),
            Self::Mono => Style::new().add_modifier(Modifier::UNDERLINED),
        }
        .add_modifier(Modifier::BOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        let check = |no_color, term: &str, colorterm: &str, colorfgbg: &str| {
            Theme::of(&Environment {
                no_color,
                term: term.to_owned(),
                colorterm: colorterm.to_owned(),
                colorfgbg: colorfgbg.to_owned(),
            })
        };
        assert_eq!(check(true, "xterm-256color", "truecolor", ""), Theme::Mono);
        assert_eq!(check(false, "xterm-256color", "", ""), Theme::Dark);
        assert_eq!(check(false, "xterm-256color", "", "0;15"), Theme::Light);
        assert_eq!(
            check(false, "xterm-256color", "", "15;default;0"),
            Theme::Dark
        );
        assert_eq!(check(false, "screen", "", ""), Theme::Ansi);
        assert_eq!(check(false, "screen", "truecolor", ""), Theme::Dark);
        assert_eq!(check(false, "linux", "", ""), Theme::Ansi);
        assert_eq!(check(false, "dumb", "", ""), Theme::Mono);
    }
}
