//! What the mouse does, and what the news do.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
};
use tracer::tui::{Message, News};

use crate::{driver::Driver, profiles, state};

/// Of a screen of 80×24: the tabs, the first line of a list, the timeline, whose last column is 79.
const TABS: u16 = 2;
const FIRST: u16 = 5;
const FLAME: u16 = 4;
const TIME: u16 = 21;

fn check(driver: &Driver, expected: &str) {
    assert_eq!(state::words(&driver.app), expected);
}

#[test]
fn a_click_selects_and_a_second_one_enters() {
    for (keys, clicks, expected) in [
        ("", &[(15, TABS)][..], "Processes · last 10"),
        ("", &[(0, TABS)], "Functions · last 10"),
        ("", &[(30, TABS)], "Flame · last 10"),
        ("", &[(79, TABS)], "Health · last 10"),
        ("", &[(20, FIRST + 2)], "Functions · last 10 · line 2"),
        (
            "",
            &[(20, FIRST + 3), (20, FIRST + 1), (20, FIRST + 1)],
            "Functions · last 10 · focus ngx_http_process_request_line · 1 steps · line 4",
        ),
        ("", &[(20, FIRST - 1)], "Functions · last 10"),
        ("2", &[(20, FIRST + 9)], "Processes · last 10"),
        ("3", &[(0, FLAME + 2)], "Flame · last 10 · line 2"),
        ("3", &[(79, FLAME + 14)], "Flame · last 10"),
        ("?", &[(20, FIRST + 2)], "Functions · last 10"),
        (
            "f \"x",
            &[(20, FIRST + 2)],
            "Functions · last 10 · keeping 'x'",
        ),
    ] {
        let mut driver = profiles::busy((80, 24));
        driver.press(keys);
        for (x, y) in clicks {
            driver.click(*x, *y);
        }
        check(&driver, expected);
    }
    let mut driver = profiles::busy((80, 24));
    driver.press("3").click(0, FLAME + 2);
    let selected = driver.app.selected.clone();
    assert_eq!(selected.len(), 2);
    driver.click(0, FLAME + 2);
    assert_eq!(driver.app.place.zoom, selected);
    // What it is zoomed to is as wide as the picture.
    let row = driver.picture().row(FLAME + 2);
    assert!(row.contains(selected.last().unwrap().as_str()), "{row}");
}

#[test]
fn the_wheel_moves_three_lines() {
    let mut driver = profiles::busy((80, 24));
    for (kind, expected) in [
        (MouseEventKind::ScrollDown, "Functions · last 10 · line 3"),
        (MouseEventKind::ScrollDown, "Functions · last 10 · line 6"),
        (MouseEventKind::ScrollUp, "Functions · last 10 · line 3"),
        (MouseEventKind::Moved, "Functions · last 10 · line 3"),
        (
            MouseEventKind::Down(MouseButton::Right),
            "Functions · last 10 · line 3",
        ),
    ] {
        driver.mouse(kind, 10, 10);
        check(&driver, expected);
    }
    driver.press("?");
    driver.mouse(MouseEventKind::ScrollDown, 10, 10);
    check(&driver, "Functions · last 10 · line 3 · help from 3");
    // Not further than the keys go.
    driver.press("PageDown PageDown PageDown PageDown PageDown");
    let end = driver.app.mode.clone();
    driver.mouse(MouseEventKind::ScrollDown, 10, 10);
    assert_eq!(driver.app.mode, end);
}

#[test]
fn a_drag_over_the_timeline_selects_whole_columns_in_one_step() {
    let drag = |driver: &mut Driver, columns: &[u16]| {
        let left = MouseButton::Left;
        driver.mouse(MouseEventKind::Down(left), columns[0], TIME);
        for column in columns {
            driver.mouse(MouseEventKind::Drag(left), *column, TIME);
        }
        driver.mouse(MouseEventKind::Up(left), *columns.last().unwrap(), TIME);
    };
    for (before, columns, expected) in [
        ("", &[70, 71, 72, 73][..], "Functions · 20–24 · 1 steps"),
        ("", &[73, 60, 70], "Functions · 20–24 · 1 steps"),
        ("", &[70], "Functions · 20–21 · 1 steps"),
        ("<", &[70, 71], "Functions · 10–14 · 1 steps"),
        ("]", &[70], "Functions · 20–21 · 2 steps"),
        ("Space", &[70], "Functions · 20–21 · 1 steps"),
        ("] Space", &[70], "Functions · 20–21 · 2 steps"),
        ("v Enter", &[70], "Functions · 20–21 · 2 steps"),
    ] {
        let mut driver = profiles::busy((80, 24));
        driver.press(before);
        let earlier = driver.app.place.clone();
        drag(&mut driver, columns);
        check(&driver, expected);
        driver.press("u");
        assert_eq!(driver.app.place, earlier, "{before} {columns:?}");
    }
    // A second drag is a step of its own.
    let mut driver = profiles::busy((80, 24));
    drag(&mut driver, &[70, 72]);
    drag(&mut driver, &[75, 76]);
    check(&driver, "Functions · 25–27 · 2 steps");
    driver.press("u");
    check(&driver, "Functions · 20–23 · 1 steps");
    driver.press("Esc");
    check(&driver, "Functions · last 10 · 2 steps");
    // Before the beginning there is nothing to select.
    let mut driver = profiles::busy((80, 24));
    drag(&mut driver, &[3]);
    check(&driver, "Functions · last 10");
}

#[test]
fn news_are_taken_in() {
    let mut driver = profiles::beginning((80, 24));
    driver.is_slow = true;
    let old = driver.app.shown.as_ref().unwrap().answer.clone();
    // The answer to a question that is no longer asked is not shown.
    driver.press("2");
    let vitals = driver.vitals.clone();
    driver.send(Message::News(News::Answer(Box::new(old), vitals)));
    assert!(driver.app.content().is_none());
    assert!(driver.picture().text().contains("one moment…"));
    driver.answer();
    assert!(driver.app.content().is_some());

    // Another size is another question.
    let asked = driver.app.asked;
    driver.resize((100, 30));
    assert_eq!((driver.app.asked, driver.app.size), (asked + 1, (100, 30)));

    driver.is_slow = false;
    driver.answer();
    driver.send(Message::News(News::Written(Ok("a.svg".to_owned()))));
    check(&driver, "Processes · last 10 · says wrote a.svg");
    driver.send(Message::News(News::Written(Err(
        "cannot write b\u{1b}: no".to_owned(),
    ))));
    assert!(
        driver
            .picture()
            .text()
            .contains("cannot write b\\u{1b}: no")
    );
    // A key that is let go does nothing; the next one takes the notice away.
    let release = |kind| {
        let key = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, kind);
        Message::Key(key)
    };
    driver.send(release(KeyEventKind::Release));
    check(
        &driver,
        "Processes · last 10 · says cannot write b\u{1b}: no",
    );
    driver.press("F7");
    check(&driver, "Processes · last 10");

    driver.send(Message::News(News::Ended(
        "the measuring has ended".to_owned(),
    )));
    let text = driver.picture().text();
    assert!(
        text.contains(" ENDED ") && text.contains("the measuring has ended"),
        "{text}"
    );
    driver.press("1 Down");
    check(&driver, "Functions · last 10 · line 1");
    assert_eq!(driver.effects, [""; 0]);

    driver.send(Message::Suspend);
    driver.send(Message::Quit);
    driver.send(Message::News(News::Failed("gone".to_owned())));
    assert_eq!(driver.effects, ["suspend", "quit", "quit"]);
    assert_eq!(driver.app.failed.as_deref(), Some("gone"));
}

#[test]
fn what_is_selected_stays_selected_while_time_goes_on() {
    for keys in ["4 E", "", "2 E", "/ \"deflate\" Enter Esc Enter"] {
        let mut driver = profiles::beginning((80, 24));
        driver.press(keys).press("Down Down Down Down");
        let selected = |driver: &Driver| {
            let picture = driver.picture();
            let detail = picture.row(19);
            detail.split(": ").next().unwrap_or_default().to_owned()
        };
        let before = selected(&driver);
        let mut rows = 0;
        for _ in 0..100 {
            driver.tick();
            let row = driver.app.cursor().at;
            assert_eq!(selected(&driver), before, "{keys}, in line {row}");
            rows += row;
        }
        assert!(rows > 0);
    }
}
