//! Anything in any order at any size: no panic, pictures as they should be, and sums that are right.

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEventKind};
use tracer::{
    tui::{App, Mode},
    view::Content,
};

use crate::{driver::Driver, profiles, screens::check, state};

/// The same numbers in every run.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const CODES: [KeyCode; 26] = [
    KeyCode::Enter,
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Esc,
    KeyCode::Backspace,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::Delete,
    KeyCode::Insert,
    KeyCode::F(1),
    KeyCode::F(3),
    KeyCode::F(4),
    KeyCode::F(6),
    KeyCode::F(10),
    KeyCode::F(12),
    KeyCode::Null,
    KeyCode::Char(' '),
];

/// Each a pattern that matches something, or that is wrong, or a file's name.
const TYPED: [&str; 8] = ["main", "/^n/", "/(/", "日本", "a.json", "x.png", "_", "/"];

const SIZES: [(u16, u16); 10] = [
    (80, 24),
    (40, 12),
    (120, 40),
    (200, 60),
    (24, 8),
    (23, 7),
    (1, 1),
    (80, 0),
    (0, 24),
    (59, 17),
];

fn step(driver: &mut Driver, random: &mut Xorshift) {
    let left = MouseButton::Left;
    match random.below(100) {
        0..45 => {
            let printable = b"12345123451234jkgGlzuufxnNvmpsiECceT+-[]<>r h?/q";
            driver.key(
                KeyCode::Char(char::from(random.of(printable))),
                KeyModifiers::NONE,
            );
        }
        45..75 => {
            let modifiers =
                random.of(&[KeyModifiers::NONE, KeyModifiers::NONE, KeyModifiers::SHIFT]);
            driver.key(random.of(&CODES), modifiers);
        }
        75..77 => {
            let control = KeyCode::Char(random.of(&['c', 'z', 'u', 'w', 'x']));
            driver.key(control, KeyModifiers::CONTROL);
        }
        77..82 => {
            for character in random.of(&TYPED).chars() {
                driver.key(KeyCode::Char(character), KeyModifiers::NONE);
            }
        }
        82..92 => {
            let kind = random.of(&[
                MouseEventKind::Down(left),
                MouseEventKind::Down(left),
                MouseEventKind::Drag(left),
                MouseEventKind::Drag(left),
                MouseEventKind::Up(left),
                MouseEventKind::ScrollDown,
                MouseEventKind::ScrollUp,
                MouseEventKind::Down(MouseButton::Middle),
                MouseEventKind::ScrollLeft,
            ]);
            // Also beyond the edges.
            let (width, height) = driver.app.size;
            let x = random.below(u64::from(width) + 3) as u16;
            let y = random.below(u64::from(height) + 3) as u16;
            driver.mouse(kind, x, y);
        }
        92..94 => driver.resize(random.of(&SIZES)),
        94..97 => _ = driver.tick(),
        97..98 => driver.is_slow = !driver.is_slow,
        _ => driver.answer(),
    }
}

/// What is so whatever has happened.
fn check_state(driver: &Driver, what: &str) {
    let app = &driver.app;
    check(what, &driver.picture());
    let Some(content) = app.content() else { return };
    let total = app.shown.as_ref().map_or(0, |shown| shown.answer.total);
    let lines = match content {
        Content::Functions(table, _, left_out) => {
            let own: u64 = table.rows.iter().map(|row| row.self_weight).sum();
            assert_eq!(own + left_out.weight, total, "{what}");
            table.rows.len()
        }
        Content::Processes(table, _, left_out) => {
            let all: u64 = table.rows.iter().map(|row| row.weight).sum();
            assert_eq!(all + left_out.weight, total, "{what}");
            let threads = table.rows.iter().filter(|row| app.is_open(row));
            table.rows.len() + threads.map(|row| row.threads.len()).sum::<usize>()
        }
        Content::Flame(flame) => {
            assert_eq!(flame.total, total, "{what}");
            flame.rows.len()
        }
        Content::Tree(tree) => {
            assert_eq!(tree.total, total, "{what}");
            let whole: u64 = tree
                .rows
                .iter()
                .filter(|row| row.depth == 0)
                .map(|row| row.total)
                .sum();
            assert!(whole == total || tree.left_out > 0, "{what}");
            tree.rows.len()
        }
        Content::Focus(focus) => focus.callers.len() + focus.callees.len() + 4,
        Content::Health(..) => usize::MAX,
    };
    // An answer that has not come may have fewer lines than the one that is shown.
    let cursor = app.cursor();
    assert!(
        cursor.at < lines.max(1),
        "{what}: {cursor:?} of {lines} lines"
    );
    assert!(cursor.top <= cursor.at, "{what}: {cursor:?}");
}

/// Only the keys that have been pressed tell whether one is still where one was: nothing is lost.
fn check_way_back(app: &mut App, what: &str) {
    app.mode = Mode::Normal;
    let steps = app.steps.len();
    for left in (0..steps).rev() {
        let place = app.steps[left].clone();
        let key = ratatui::crossterm::event::KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE);
        tracer::tui::update(app, tracer::tui::Message::Key(key));
        assert_eq!((app.steps.len(), &app.place), (left, &place), "{what}");
    }
}

#[test]
fn nothing_that_anybody_does_breaks_it() {
    for (seed, size) in (1..).zip(SIZES) {
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut driver = match seed % 3 {
            0 => profiles::lossy(size),
            1 => profiles::beginning(size),
            _ => profiles::busy(size),
        };
        for number in 0..1500 {
            let before = state::words(&driver.app);
            step(&mut driver, &mut random);
            let what = format!(
                "seed {seed}, step {number}: {before} → {}",
                state::words(&driver.app)
            );
            check_state(&driver, &what);
        }
        driver.is_slow = false;
        driver.answer();
        check_way_back(&mut driver.app, &format!("seed {seed}"));
    }
}

#[test]
fn what_is_too_small_says_so_and_what_is_large_is_drawn() {
    for size in [
        (23, 7),
        (24, 7),
        (23, 8),
        (1, 1),
        (0, 0),
        (1, 0),
        (0, 1),
        (5, 100),
    ] {
        let mut driver = profiles::busy(size);
        for keys in ["", "2", "3", "4", "5", "?", "f", "v", "e"] {
            driver.press(keys).press("Down PageDown End Home");
            let text = driver.picture().text();
            let said = "too small"
                .chars()
                .take(usize::from(size.0))
                .collect::<String>();
            assert!(text.starts_with(&said) || size.1 == 0, "{size:?}: {text}");
            driver.press("Esc");
        }
    }
    let mut driver = profiles::busy((500, 200));
    for keys in ["", "2", "3", "4", "5", "?"] {
        check(keys, &driver.press(keys).picture());
    }
}

#[test]
fn twenty_thousand_functions_are_listed_as_far_as_anybody_reads() {
    let mut driver = profiles::huge(20_000, (200, 60));
    check_state(&driver, "20,000 functions");
    let Some(Content::Functions(table, _, left_out)) = driver.app.content() else {
        panic!("no functions");
    };
    assert_eq!((table.rows.len(), left_out.rows), (10_000, 10_000));
    assert!(
        driver
            .picture()
            .text()
            .contains("10,000 more, with 50,005,000 samples, not listed")
    );
    driver.press("G");
    assert_eq!(driver.app.cursor().at, 9_999);
    check_state(&driver, "the last of 10,000");
    for keys in [
        "3",
        "4 E G",
        "i E G",
        "2 E G",
        "5 G",
        "1 f \"+0x10\" Enter",
        "/ \"0x1\" Enter n n N",
    ] {
        driver.press(keys);
        check_state(&driver, keys);
    }
}

#[test]
fn stacks_of_three_hundred_frames_are_drawn() {
    for size in [(40, 12), (80, 24), (200, 60)] {
        let mut driver = profiles::deep(300, size);
        for keys in ["", "G", "Enter", "Esc 3", "G", "Enter", "4 E G", "i E G"] {
            driver.press(keys);
            check_state(&driver, keys);
        }
        let Some(Content::Tree(tree)) = driver.app.content() else {
            panic!("no tree");
        };
        // Of the leaf alone that all have there is one; the others begin one frame further in.
        assert_eq!(tree.rows.len(), 301 + 300 + 299);
        driver.press("3 G");
        assert_eq!(driver.app.selected.len(), 301);
    }
}
