//! The keys: what each does, on which screens, and what the help says of it. Where there is the same
//! thing in the interface of stacks, it has the same key.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::app::Screen;
use crate::tui::keys::{
    Binding as Row,
    Key::{self, Char, Code, Control},
    action_in,
};

/// A row of the table.
pub(super) type Binding = Row<Action, Screen>;

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
    /// One line or cell up.
    Up,
    /// One line or cell down.
    Down,
    /// One cell to the left.
    Left,
    /// One cell to the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// Only what is selected.
    Enter,
    /// The last step taken back.
    Undo,
    /// Out of whatever this is, and back to live.
    Escape,
    /// Look for something.
    Search,
    /// The next that was found.
    NextMatch,
    /// The one before.
    PreviousMatch,
    /// Keep only what matches.
    Filter,
    /// Leave out what matches.
    Exclude,
    /// The next order.
    Sort,
    /// Narrower bars.
    Finer,
    /// Wider bars.
    Coarser,
    /// Percentiles over the heatmap.
    Overlay,
    /// Hold the picture.
    Pause,
    /// Begin counting now.
    Reset,
    /// A shorter span.
    Shorter,
    /// A longer span.
    Longer,
    /// Other colours.
    Theme,
    /// Write what is shown to a file.
    Export,
}

/// What a key does on a screen.
pub(super) fn action(key: KeyEvent, screen: Screen) -> Option<Action> {
    action_in(KEYS, key, screen)
}

const ALL: &[Screen] = &[];
const LISTS: &[Screen] = &[Screen::Histogram, Screen::Functions, Screen::Health];

const fn on(
    screens: &'static [Screen],
    keys: &'static [Key],
    action: Action,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Row {
        keys,
        action,
        screens,
        help,
        hint,
    }
}

/// Every key, in the order in which the help lists them.
pub(super) static KEYS: &[Binding] = &[
    on(
        ALL,
        &[Char('?'), Code(KeyCode::F(1)), Char('h')],
        Action::Help,
        "help",
        "show or hide these keys",
    ),
    on(
        ALL,
        &[Char('q'), Control('c'), Code(KeyCode::F(10))],
        Action::Quit,
        "quit",
        "quit; the histogram is printed then",
    ),
    on(
        &[Screen::Functions],
        &[Code(KeyCode::Enter)],
        Action::Enter,
        "only it",
        "only this row, in the histogram and everywhere",
    ),
    on(
        ALL,
        &[Code(KeyCode::Backspace), Char('u')],
        Action::Undo,
        "back",
        "take back the last step",
    ),
    on(
        ALL,
        &[Code(KeyCode::Esc)],
        Action::Escape,
        "",
        "out of this, and back to live",
    ),
    on(
        ALL,
        &[Char(' '), Char('p')],
        Action::Pause,
        "pause",
        "hold the picture; the measuring goes on",
    ),
    on(
        ALL,
        &[Char('r')],
        Action::Reset,
        "reset",
        "count from now on",
    ),
    on(
        &[Screen::Functions],
        &[Char('s'), Code(KeyCode::F(6))],
        Action::Sort,
        "sort",
        "another order",
    ),
    on(
        &[Screen::Histogram],
        &[Char('+'), Char('=')],
        Action::Finer,
        "finer",
        "narrower bars",
    ),
    on(
        &[Screen::Histogram],
        &[Char('-')],
        Action::Coarser,
        "",
        "wider bars",
    ),
    on(
        &[Screen::Heatmap],
        &[Char('o')],
        Action::Overlay,
        "percentiles",
        "draw p50 and p99 over the heatmap, or not",
    ),
    on(
        ALL,
        &[Char('f'), Code(KeyCode::F(4))],
        Action::Filter,
        "filter",
        "keep only functions with a match: text, or /regex/",
    ),
    on(
        ALL,
        &[Char('x')],
        Action::Exclude,
        "",
        "leave out functions with a match",
    ),
    on(
        &[Screen::Functions],
        &[Char('/'), Code(KeyCode::F(3))],
        Action::Search,
        "search",
        "search: text, or /regex/",
    ),
    on(
        &[Screen::Functions],
        &[Char('n')],
        Action::NextMatch,
        "",
        "next match",
    ),
    on(
        &[Screen::Functions],
        &[Char('N')],
        Action::PreviousMatch,
        "",
        "previous match",
    ),
    on(
        ALL,
        &[Char('e')],
        Action::Export,
        "export",
        "write what is shown to a file, its format by its name",
    ),
    on(
        ALL,
        &[Char('[')],
        Action::Shorter,
        "",
        "look at a shorter time",
    ),
    on(
        ALL,
        &[Char(']')],
        Action::Longer,
        "",
        "look at a longer time",
    ),
    on(
        ALL,
        &[Char('1')],
        Action::Show(Screen::Histogram),
        "",
        "Histogram: how long calls took, and how that changes",
    ),
    on(
        ALL,
        &[Char('2')],
        Action::Show(Screen::Heatmap),
        "",
        "Heatmap: when calls took how long",
    ),
    on(
        ALL,
        &[Char('3')],
        Action::Show(Screen::Functions),
        "",
        "Functions: one row for each, and for whoever calls it",
    ),
    on(
        ALL,
        &[Char('4')],
        Action::Show(Screen::Health),
        "",
        "Health: the account of every call, and what probes cost",
    ),
    on(
        ALL,
        &[Code(KeyCode::Tab)],
        Action::NextScreen,
        "",
        "next screen",
    ),
    on(
        ALL,
        &[Code(KeyCode::BackTab)],
        Action::PreviousScreen,
        "",
        "previous screen",
    ),
    on(LISTS, &[Code(KeyCode::Up), Char('k')], Action::Up, "", "up"),
    on(
        LISTS,
        &[Code(KeyCode::Down), Char('j')],
        Action::Down,
        "",
        "down",
    ),
    on(
        &[Screen::Heatmap],
        &[Code(KeyCode::Up), Char('k')],
        Action::Up,
        "",
        "to the cell of longer latencies",
    ),
    on(
        &[Screen::Heatmap],
        &[Code(KeyCode::Down), Char('j')],
        Action::Down,
        "",
        "to the cell of shorter latencies",
    ),
    on(
        &[Screen::Heatmap],
        &[Code(KeyCode::Left)],
        Action::Left,
        "",
        "to the cell before",
    ),
    on(
        &[Screen::Heatmap],
        &[Code(KeyCode::Right), Char('l')],
        Action::Right,
        "",
        "to the cell after",
    ),
    on(
        ALL,
        &[Code(KeyCode::PageUp)],
        Action::PageUp,
        "",
        "a page up",
    ),
    on(
        ALL,
        &[Code(KeyCode::PageDown)],
        Action::PageDown,
        "",
        "a page down",
    ),
    on(
        ALL,
        &[Code(KeyCode::Home), Char('g')],
        Action::First,
        "",
        "to the first",
    ),
    on(
        ALL,
        &[Code(KeyCode::End), Char('G')],
        Action::Last,
        "",
        "to the last",
    ),
    on(ALL, &[Char('T')], Action::Theme, "", "other colours"),
    on(
        ALL,
        &[Control('z')],
        Action::Suspend,
        "",
        "stop for a while; fg comes back",
    ),
];

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
}
