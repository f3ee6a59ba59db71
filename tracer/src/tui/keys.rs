//! The keys: what each does, on which screens, and what the help says of it.
//!
//! One table, from which the help, the hint line and the look-up are made, so that they cannot
//! disagree.

mod table;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::Screen;

pub(super) use table::KEYS;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// End.
    Quit,
    /// Stop for a while.
    Suspend,
    /// Show or hide the keys.
    Help,
    /// Another screen.
    Show(Screen),
    /// The next screen.
    NextScreen,
    /// The one before.
    PreviousScreen,
    /// One line up, or to the caller.
    Up,
    /// One line down, or to the widest callee.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// To the left neighbour, or close.
    Left,
    /// To the right neighbour, or open.
    Right,
    /// Into what is selected.
    Enter,
    /// Out of whatever this is, and back to live.
    Escape,
    /// The last step taken back.
    Undo,
    /// Look for something.
    Search,
    /// The next that was found.
    NextMatch,
    /// The one before.
    PreviousMatch,
    /// Keep only samples that match.
    Filter,
    /// Leave out samples that match.
    Exclude,
    /// User, kernel or both.
    Mode,
    /// By thread name, by process or merged.
    Group,
    /// The next order.
    Sort,
    /// Hold the picture.
    Pause,
    /// Begin counting now.
    Reset,
    /// A shorter span.
    Shorter,
    /// A longer span.
    Longer,
    /// Select a stretch of time.
    Select,
    /// A coarser timeline.
    Coarser,
    /// A finer timeline.
    Finer,
    /// Open everything.
    ExpandAll,
    /// Close everything.
    CollapseAll,
    /// Callees or callers.
    Invert,
    /// Colours by kind or by file.
    Colour,
    /// Other colours.
    Theme,
    /// Write what is shown to a file.
    Export,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding<A = Action, S: 'static = Screen> {
    /// The keys that do it.
    pub(super) keys: &'static [Key],
    /// What they do.
    pub(super) action: A,
    /// On which screens; none: on all.
    pub(super) screens: &'static [S],
    /// What the help says.
    pub(super) help: &'static str,
    /// What the hint line says; nothing: it is not in there.
    pub(super) hint: &'static str,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character.
    Char(char),
    /// A character with Control.
    Control(char),
    /// A key without a character.
    Code(KeyCode),
}

use Key::{Char, Code, Control};

/// What a key does on a screen.
pub(super) fn action(key: KeyEvent, screen: Screen) -> Option<Action> {
    action_in(KEYS, key, screen)
}

/// What a key does on a screen by any table.
pub(super) fn action_in<A: Copy, S: PartialEq + Copy>(
    table: &[Binding<A, S>],
    key: KeyEvent,
    screen: S,
) -> Option<A> {
    let binding = table
        .iter()
        .find(|binding| binding.is_on(screen) && binding.keys.iter().any(|wanted| wanted.is(key)));
    binding.map(|binding| binding.action)
}

impl<A, S: PartialEq> Binding<A, S> {
    /// Whether it counts on a screen.
    pub(super) fn is_on(&self, screen: S) -> bool {
        self.screens.is_empty() || self.screens.contains(&screen)
    }

    /// The keys in words.
    pub(super) fn keys(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(|key| key.name()).collect();
        names.join(" ")
    }

    /// The first of them.
    pub(super) fn key(&self) -> String {
        self.keys.first().map(|key| key.name()).unwrap_or_default()
    }
}

impl Key {
    fn is(self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match self {
            Char(wanted) => !control && key.code == KeyCode::Char(wanted),
            Control(wanted) => control && key.code == KeyCode::Char(wanted),
            Code(wanted) => key.code == wanted,
        }
    }

    fn name(self) -> String {
        match self {
            Char(' ') => "Space".to_owned(),
            Char(character) => character.to_string(),
            Control(character) => format!("Ctrl-{}", character.to_ascii_uppercase()),
            Code(KeyCode::Up) => "↑".to_owned(),
            Code(KeyCode::Down) => "↓".to_owned(),
            Code(KeyCode::Left) => "←".to_owned(),
            Code(KeyCode::Right) => "→".to_owned(),
            Code(KeyCode::BackTab) => "Shift-Tab".to_owned(),
            Code(KeyCode::PageUp) => "PgUp".to_owned(),
            Code(KeyCode::PageDown) => "PgDn".to_owned(),
            Code(code) => code.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things_on_a_screen() {
        for screen in Screen::ALL {
            let mut seen: Vec<Key> = Vec::new();
            for binding in KEYS.iter().filter(|binding| binding.is_on(screen)) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{key:?} on {screen:?}");
                    seen.push(*key);
                }
            }
        }
    }

    #[test]
    fn keys_have_names() {
        let names: Vec<String> = KEYS.iter().map(Binding::keys).collect();
        assert!(names.contains(&"? F1 h".to_owned()), "{names:?}");
        assert!(names.contains(&"q Ctrl-C F10".to_owned()), "{names:?}");
        assert!(names.contains(&"Shift-Tab".to_owned()), "{names:?}");
    }
}
