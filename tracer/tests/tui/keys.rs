//! What each key does: (keys before) → keys → (state, effects), as tables.

use crate::{profiles, state};

/// Keys that lead to a state, keys that are tried in it, the state after them, and what else they do.
pub(crate) type Row = (&'static str, &'static str, &'static str, &'static str);

pub(crate) fn check(rows: &[Row]) {
    let mut failures = Vec::new();
    for (before, keys, expected, effects) in rows {
        let mut driver = profiles::busy((80, 24));
        driver.press(before).effects.clear();
        driver.press(keys);
        let found = (state::words(&driver.app), driver.effects.join(", "));
        if (found.0.as_str(), found.1.as_str()) != (*expected, *effects) {
            failures.push(format!(
                "[{before}] {keys}\n  expected {expected} [{effects}]\n  found    {} [{}]",
                found.0, found.1
            ));
        }
        // What is shown is the answer to what is asked.
        let shown = driver.app.shown.as_ref().unwrap();
        assert_eq!(shown.answer.id, driver.app.asked, "{before} {keys}");
        assert!(driver.app.content().is_some(), "{before} {keys}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

pub(crate) const LIVE: &str = "Functions · last 10";

#[test]
fn keys_lead_from_screen_to_screen() {
    check(&[
        ("", "2", "Processes · last 10", ""),
        ("", "3", "Flame · last 10", ""),
        ("", "4", "Tree · last 10", ""),
        ("", "5", "Health · last 10", "watch true"),
        ("5", "5", "Health · last 10", ""),
        ("5", "1", LIVE, "watch false"),
        ("", "Tab", "Processes · last 10", ""),
        ("4", "Tab", "Health · last 10", "watch true"),
        ("5", "Tab", LIVE, "watch false"),
        ("", "BackTab", "Health · last 10", "watch true"),
        ("2", "BackTab", LIVE, ""),
        ("", "q", LIVE, "quit"),
        ("", "C-c", LIVE, "quit"),
        ("", "F10", LIVE, "quit"),
        ("", "C-z", LIVE, "suspend"),
        ("", "?", "Functions · last 10 · help from 0", ""),
        ("", "h", "Functions · last 10 · help from 0", ""),
        ("?", "Down Down Up", "Functions · last 10 · help from 1", ""),
        ("?", "?", LIVE, ""),
        ("?", "3", LIVE, ""),
        ("?", "q", LIVE, ""),
        ("?", "C-c", "Functions · last 10 · help from 0", "quit"),
        ("? End", "Home", "Functions · last 10 · help from 0", ""),
        ("", "F7", LIVE, ""),
        ("", "C-q", LIVE, ""),
    ]);
}

#[test]
fn keys_move_within_lists() {
    check(&[
        ("", "Down", "Functions · last 10 · line 1", ""),
        ("", "j j k", "Functions · last 10 · line 1", ""),
        ("", "Up", LIVE, ""),
        ("", "PageDown", "Functions · last 10 · line 14", ""),
        ("", "G", "Functions · last 10 · line 19", ""),
        ("G", "Down PageDown", "Functions · last 10 · line 19", ""),
        ("G", "g", LIVE, ""),
        ("G", "PageUp", "Functions · last 10 · line 5", ""),
        // Each screen has a place of its own.
        ("j j", "2", "Processes · last 10", ""),
        ("j j 2 j", "1", "Functions · last 10 · line 2", ""),
        // Threads come below their process, and one goes back to it.
        ("2 j", "Right j j", "Processes · last 10 · line 3", ""),
        ("2 j Right j j", "Left", "Processes · last 10 · line 1", ""),
        ("2", "E G", "Processes · last 10 · line 8", ""),
        ("2", "Down Down Enter u", "Processes · last 10 · line 2", ""),
        (
            "2",
            "Down Down 1 Down 2",
            "Processes · last 10 · line 2",
            "",
        ),
        ("2 E G", "C", "Processes · last 10 · line 4", ""),
        ("4", "Right", "Tree · last 10 · line 1", ""),
        ("4 Right", "Left Left", "Tree · last 10", ""),
        ("4", "Left Right", "Tree · last 10", ""),
        ("4", "C G", "Tree · last 10 · line 6", ""),
    ]);
}

#[test]
fn steps_are_taken_back_one_by_one() {
    let nginx = "nginx (PID 200)";
    let six = "Enter 1 f \"libc\" Enter m v Left Left Enter 3 p Down Down Enter";
    check(&[
        (
            "",
            "Backspace",
            leak(format!("{LIVE} · says nothing to take back")),
            "",
        ),
        (
            "2 j",
            "Enter",
            leak(format!("{LIVE} · {nginx} · 1 steps")),
            "",
        ),
        ("2 j Enter", "u", "Processes · last 10 · line 1", ""),
        (
            "",
            "f \"libc\" Enter",
            "Functions · last 10 · libc · 1 steps",
            "",
        ),
        (
            "f \"libc\" Enter",
            "x \"gzip\" Enter",
            "Functions · last 10 · libc · not gzip · 2 steps",
            "",
        ),
        (
            "f \"libc\" Enter x \"gzip\" Enter",
            "u",
            "Functions · last 10 · libc · 1 steps",
            "",
        ),
        ("", "f Enter", LIVE, ""),
        ("", "m", "Functions · last 10 · user only · 1 steps", ""),
        ("m", "m", "Functions · last 10 · kernel only · 2 steps", ""),
        ("m m", "m", "Functions · last 10 · 3 steps", ""),
        ("3", "p", "Flame · last 10 · by process · 1 steps", ""),
        ("3 p", "p", "Flame · last 10 · merged · 2 steps", ""),
        ("", "p", LIVE, ""),
        (
            leak(format!("2 j {six}")),
            "",
            leak(format!(
                "Flame · 27–28 · {nginx} · libc · user only · by process · zoom nginx (200)/[truncated: no frame pointer in nginx] · 6 steps · line 2"
            )),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u",
            leak(format!(
                "Flame · 27–28 · {nginx} · libc · user only · by process · 5 steps"
            )),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u u",
            leak(format!(
                "Flame · 27–28 · {nginx} · libc · user only · 4 steps"
            )),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u u u",
            leak(format!(
                "Functions · last 10 · {nginx} · libc · user only · 3 steps"
            )),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u u u u",
            leak(format!("{LIVE} · {nginx} · libc · 2 steps")),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u u u u u",
            leak(format!("{LIVE} · {nginx} · 1 steps")),
            "",
        ),
        (
            leak(format!("2 j {six}")),
            "u u u u u u",
            "Processes · last 10 · line 1",
            "",
        ),
        // Whoever looked at the programs stops when a step leads away, and begins when one leads back.
        ("m 5", "u", LIVE, "watch false"),
        ("5 m 1", "u", "Health · last 10", "watch true"),
    ]);
}

pub(crate) fn leak(text: String) -> &'static str {
    text.leak()
}

#[test]
fn escape_leads_out_of_the_innermost_and_back_to_live() {
    check(&[
        ("", "Esc", LIVE, ""),
        ("Enter", "Esc", "Functions · last 10 · 2 steps", ""),
        (
            "/ \"fib\" Enter Enter",
            "Esc",
            "Functions · last 10 · focus fib · 1 steps · line 4",
            "",
        ),
        (
            "/ \"fib\" Enter Enter",
            "Esc Esc",
            "Functions · last 10 · 2 steps",
            "",
        ),
        ("3 Down Enter", "Esc", "Flame · last 10 · 2 steps", ""),
        ("v Enter", "Esc", "Functions · last 10 · 2 steps", ""),
        ("] v Enter", "Esc", "Functions · last 30 · 3 steps", ""),
        ("] Space", "Esc", "Functions · last 30 · 2 steps", ""),
        (
            "] Space v Enter",
            "Esc",
            "Functions · last 30 · 3 steps",
            "",
        ),
        (
            "] Space v Enter u",
            "Esc",
            "Functions · last 30 · 2 steps",
            "",
        ),
        (
            "[ Space m",
            "Esc",
            "Functions · last 5 · user only · 3 steps",
            "",
        ),
    ]);
}

#[test]
fn time_is_held_shortened_reset_and_selected() {
    check(&[
        ("", "Space", "Functions · 20–30 · paused from last 10", ""),
        ("Space", "Space", LIVE, ""),
        ("] Space", "Space", "Functions · last 30 · 1 steps", ""),
        (
            "Space m",
            "u",
            "Functions · 20–30 · paused from last 10",
            "",
        ),
        ("] Space m u", "Space", "Functions · last 30 · 1 steps", ""),
        (
            "v Enter",
            "Space",
            "Functions · 29–30 · 1 steps · says this stretch of time does not move; Esc goes back to live",
            "",
        ),
        ("", "[", "Functions · last 5 · 1 steps", ""),
        ("[", "[", "Functions · last 1 · 2 steps", ""),
        ("[ [", "[", "Functions · last 1 · 2 steps", ""),
        ("", "]", "Functions · last 30 · 1 steps", ""),
        ("] ] ]", "]", "Functions · all · 4 steps", ""),
        ("] ] ] ]", "]", "Functions · all · 4 steps", ""),
        ("] ] ] ]", "[", "Functions · last 300 · 5 steps", ""),
        ("", "r", "Functions · since 30 · 1 steps", ""),
        ("v Home Enter", "r", "Functions · since 30 · 2 steps", ""),
        ("", "v", "Functions · 29–30 · time 29.75", ""),
        ("v", "Esc", LIVE, ""),
        ("v", "q", LIVE, ""),
        ("v", "Left", "Functions · 28–29 · time 28.75", ""),
        (
            "v",
            "Left v Left Left",
            "Functions · 26–29 · time 26.75 to 28.75",
            "",
        ),
        (
            "v Left v Left Left",
            "v",
            "Functions · 26–27 · time 26.75",
            "",
        ),
        (
            "v Left Space Left Left",
            "Enter",
            "Functions · 26–29 · 1 steps",
            "",
        ),
        ("v Left v Left Left", "Esc", LIVE, ""),
        ("v Left v Left Left Enter", "u", LIVE, ""),
        ("v", "S-Left", "Functions · 19–20 · time 19.75", ""),
        ("v", "Home", "Functions · 0–1 · time 0", ""),
        ("v Home", "Left", "Functions · 0–1 · time 0", ""),
        ("v Home", "End Right", "Functions · 29–30 · time 29.75", ""),
        ("v", "C-c", "Functions · 29–30 · time 29.75", "quit"),
        ("< <", "v", "Functions · 25–30 · time 29.75", ""),
        ("> >", "v", "Functions · 29.5–30 · time 29.75", ""),
    ]);
}
