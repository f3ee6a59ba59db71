//! What keys do to the state, in words.

use ratatui::crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use tracer::{
    profile::CallKey,
    tui::latency::{App, Message, Mode, News},
};

use super::script::{Driver, add, busy, by_process, idle, many, slice};
use crate::state::span;

/// `screen · span · …`, with nothing that is as it was at the beginning but those two.
fn words(app: &App) -> String {
    let place = &app.place;
    let mut words = vec![place.screen.title().to_owned(), span(place.span)];
    words.extend(
        app.paused
            .map(|before| format!("paused from {}", span(before))),
    );
    words.extend(place.only.as_ref().map(|only| format!("only {only}")));
    words.extend(place.selection.filters.iter().map(ToString::to_string));
    words.extend(app.search.as_ref().map(|search| format!("search {search}")));
    if !app.steps.is_empty() {
        words.push(format!("{} steps", app.steps.len()));
    }
    if app.cursor().at > 0 {
        words.push(format!("line {}", app.cursor().at));
    }
    match &app.mode {
        Mode::Normal => {}
        Mode::Help(top) => words.push(format!("help from {top}")),
        Mode::Prompt(prompt) => {
            let error = prompt.error.as_ref().map(|why| format!(" ({why})"));
            let error = error.unwrap_or_default();
            words.push(format!("typing '{}'{error}", prompt.text));
        }
    }
    words.extend(app.notice.as_ref().map(|notice| format!("says {notice}")));
    words.join(" · ")
}

#[track_caller]
fn check(make: fn((u16, u16)) -> Driver, keys: &str, expected: &str) {
    let mut driver = make((80, 24));
    driver.press(keys);
    assert_eq!(words(&driver.app), expected, "after {keys}");
}

#[test]
fn where_there_are_many_rows_they_come_first() {
    check(busy, "", "Histogram · last 60");
    check(many, "", "Functions · last 60");
    check(by_process, "", "Functions · last 60");
}

#[test]
fn keys_go_to_screens() {
    check(busy, "2", "Heatmap · last 60");
    check(busy, "Tab Tab", "Functions · last 60");
    check(busy, "BackTab", "Health · last 60");
    check(busy, "Tab Tab Tab Tab", "Histogram · last 60");
}

#[test]
fn a_row_is_looked_at_alone_and_not_any_more() {
    check(
        many,
        "Down Enter",
        "Histogram · last 60 · only app::module_6::function_48 · 1 steps",
    );
    check(many, "Down Enter Backspace", "Functions · last 60 · line 1");
    check(many, "Down Enter Esc", "Histogram · last 60 · 2 steps");
    check(
        by_process,
        "s Enter",
        "Histogram · last 60 · only handle_request by worker-5 (500) · 1 steps",
    );
}

#[test]
fn time_is_held_shortened_and_begun_anew() {
    check(busy, "Space", "Histogram · 1010–1070 · paused from last 60");
    check(busy, "p p", "Histogram · last 60");
    check(busy, "[", "Histogram · last 30 · 1 steps");
    check(busy, "[ [ [ [ [ [", "Histogram · last 1 · 4 steps");
    check(busy, "] ] ] ] ]", "Histogram · all · 3 steps");
    check(busy, "] ] ] Space Space", "Histogram · all · 3 steps");
    check(busy, "r", "Histogram · since 1070 · 1 steps");
    check(busy, "r u", "Histogram · last 60");
    check(busy, "Space Esc", "Histogram · last 60 · 1 steps");
    check(busy, "u", "Histogram · last 60 · says nothing to take back");
}

#[test]
fn what_is_typed_marks_and_keeps() {
    check(
        many,
        "/ \"function_1\" Enter",
        "Functions · last 60 · search function_1 · line 8",
    );
    check(many, "/ \"function_1\" Esc", "Functions · last 60");
    check(
        many,
        "f \"module_3\" Enter",
        "Functions · last 60 · module_3 · 1 steps",
    );
    check(
        many,
        "x \"/_[0-9]$/\" Enter",
        "Functions · last 60 · not /_[0-9]$/ · 1 steps",
    );
    check(many, "f Enter", "Functions · last 60");
    let mut driver = many((80, 24));
    driver.press("f \"/(/\" Enter");
    let words = words(&driver.app);
    assert!(
        words.starts_with("Functions · last 60 · typing '/(/' ("),
        "{words}"
    );
}

#[test]
fn what_is_shown_is_written_to_a_file() {
    let name = "tracer-20250102T030405Z.txt";
    let written = |make: fn((u16, u16)) -> Driver, keys: &str| {
        let mut driver = make((80, 24));
        driver.press(keys);
        let effects = driver.effects.join("; ");
        format!("{} | {effects}", words(&driver.app))
    };
    assert_eq!(
        written(busy, "e"),
        format!("Histogram · 1010–1070 · typing '{name}' | ")
    );
    assert_eq!(
        written(busy, "e Enter"),
        format!("Histogram · last 60 | export {name} 1010–1070, 0 filters []")
    );
    assert_eq!(written(busy, "e Esc"), "Histogram · last 60 | ");
    assert_eq!(
        written(busy, "Space e Enter"),
        format!(
            "Histogram · 1010–1070 · paused from last 60 | export {name} 1010–1070, 0 filters []"
        )
    );
    assert_eq!(
        written(
            many,
            "f \"module_3\" Enter x \"_[0-9]$/\" C-u \"9\" Enter e C-u \"a.csv\" Enter"
        ),
        "Functions · last 60 · module_3 · not 9 · 2 steps \
         | export a.csv 960–1020 by function, 2 filters [module_3, not 9]"
    );
    assert_eq!(
        written(many, "Down Enter e C-u \"a.json\" Enter"),
        "Histogram · last 60 · only app::module_6::function_48 · 1 steps \
         | export a.json 960–1020 by function of one row, 0 filters [only app::module_6::function_48]"
    );
    assert_eq!(
        written(busy, "e C-u \"a.svg\" Enter"),
        "Histogram · 1010–1070 · typing 'a.svg' (the name of the file \"a.svg\" does not end like \
         that of any format; known are: .txt .json .csv) | "
    );
    // What comes while the name is typed is not in it.
    let mut driver = busy((80, 24));
    driver.press("e");
    (280..300).for_each(|index| driver.take(slice(index)));
    driver.press("Enter");
    assert_eq!(
        driver.effects,
        [format!("export {name} 1010–1070, 0 filters []")]
    );
    for (told, expected) in [
        (Ok("a.csv".to_owned()), "wrote a.csv"),
        (
            Err("cannot write a.csv: no room".to_owned()),
            "cannot write a.csv: no room",
        ),
    ] {
        driver.send(Message::News(News::Written(told)));
        let last = driver.picture().row(23);
        assert_eq!(last.trim(), expected);
    }
}

#[test]
fn the_selected_row_stays_selected_wherever_it_goes() {
    let mut driver = many((80, 24));
    driver.press("Down Down Down");
    let selected = driver.app.selected.unwrap();
    driver.press("s");
    assert_eq!(driver.app.selected, Some(selected));
    let at = driver.app.cursor().at;
    // Another function takes the lead.
    let mut batch = slice(80);
    add(&mut batch, 55, CallKey::All, &vec![1_000; 100_000]);
    driver.take(batch);
    assert_eq!(driver.app.cursor().at, at + 1);
    assert_eq!(driver.app.selected, Some(selected));
    // Whoever selects nothing sees whatever is first.
    driver.press("g");
    assert_eq!(driver.app.selected, None);
}

#[test]
fn pausing_and_selecting_never_stop_the_counting() {
    let mut driver = busy((80, 24));
    let counted = |driver: &Driver| driver.app.shown.as_ref().unwrap().calls.count();
    driver.press("Space");
    let held = counted(&driver);
    let mut batch = slice(280);
    add(&mut batch, 0, CallKey::All, &[5_000; 100]);
    driver.take(batch);
    assert_eq!(counted(&driver), held);
    driver.press("Space r");
    assert_eq!(counted(&driver), 0);
    let mut batch = slice(281);
    add(&mut batch, 0, CallKey::All, &[5_000; 7]);
    driver.take(batch);
    assert_eq!(counted(&driver), 7);
    driver.press("u ] ] ]");
    assert_eq!(counted(&driver), {
        let mut all = 0;
        let everything = tracer::profile::Window::ALL;
        driver
            .latencies
            .each(everything, |_, _, calls| all += calls.count());
        all
    });
}

#[test]
fn a_cell_says_what_is_in_it_and_keeps_its_time() {
    let mut driver = busy((80, 24));
    driver.press("2 Left Left");
    let (column, row) = driver.app.cell().unwrap();
    let before = driver.picture().row(22);
    assert!(
        before.contains(" calls of ") && before.contains(" then)"),
        "{before}"
    );
    // Four slices later it is one column of a second further back, with the same in it.
    for index in 280..284 {
        driver.take(slice(index));
    }
    let there = driver.app.cell().unwrap();
    assert_eq!(there, (column - 1, row));
    let after = driver.picture().row(22);
    assert_eq!(before.split(',').next(), after.split(',').next());
    driver.press("Esc");
    assert_eq!(driver.app.cell(), None);
}

#[test]
fn the_mouse_selects() {
    let mut driver = many((80, 24));
    let down = |column, row| {
        Message::Mouse(MouseEvent {
            kind: MouseEventKind::Down(MouseButton::Left),
            column,
            row,
            modifiers: KeyModifiers::NONE,
        })
    };
    driver.send(down(30, 8));
    assert_eq!(words(&driver.app), "Functions · last 60 · line 3");
    driver.send(down(30, 8));
    assert!(words(&driver.app).starts_with("Histogram · last 60 · only "));
    driver.send(down(15, 2));
    assert!(words(&driver.app).starts_with("Heatmap"));
    driver.send(down(60, 12));
    assert!(driver.app.cell.is_some());
}

#[test]
fn the_end_is_the_end() {
    let mut driver = busy((80, 24));
    driver.press("q");
    driver.press("C-c");
    driver.press("C-z");
    driver.press("? q");
    driver.key(KeyCode::F(10), KeyModifiers::NONE);
    assert_eq!(driver.effects, ["quit", "quit", "suspend", "quit"]);
    driver.send(Message::News(News::Ended(
        "the command has ended".to_owned(),
    )));
    let picture = driver.picture();
    assert!(picture.text().contains(" ENDED "));
    assert!(picture.text().contains("the command has ended"));
    driver.send(Message::News(News::Failed("no more".to_owned())));
    assert_eq!(driver.app.failed.as_deref(), Some("no more"));
    let mut driver = idle((80, 24));
    driver.press("2 Left Enter 3 Enter Down G n N + -");
    assert_eq!(words(&driver.app), "Functions · last 60");
}
