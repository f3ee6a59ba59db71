//! What is typed: searches and how one goes from match to match, filters, names of files; and what
//! changes how things look.

use crate::{
    driver::Driver,
    keys::{LIVE, check, leak},
    profiles,
};

#[test]
fn searches_mark_and_n_goes_round() {
    check(&[
        (
            "",
            "n",
            "Functions · last 10 · says nothing is searched for; / does",
            "",
        ),
        (
            "",
            "/ \"main",
            "Functions · last 10 · search main · searching 'main'",
            "",
        ),
        (
            "/ \"main",
            "Enter",
            "Functions · last 10 · search main · line 8",
            "",
        ),
        (
            "/ \"zzz\" Enter",
            "n",
            "Functions · last 10 · search zzz · says no match",
            "",
        ),
        (
            "/ \"main\" Enter",
            "Esc",
            "Functions · last 10 · line 8",
            "",
        ),
        (
            "/ \"main\" Enter",
            "/",
            "Functions · last 10 · search main · line 8 · searching 'main'",
            "",
        ),
        ("/ \"main", "Esc", LIVE, ""),
        ("/ \"main", "C-u", "Functions · last 10 · searching ''", ""),
        (
            "/ \"a b",
            "C-w",
            "Functions · last 10 · search a  · searching 'a '",
            "",
        ),
        (
            "/ \"ma",
            "Backspace",
            "Functions · last 10 · search m · searching 'm'",
            "",
        ),
        (
            "",
            "/ \"/a(/",
            "Functions · last 10 · search /a( · searching '/a(/' (not a regular expression: unclosed group)",
            "",
        ),
        (
            "/ \"/a(/",
            "Enter",
            "Functions · last 10 · search /a( · searching '/a(/' (not a regular expression: unclosed group)",
            "",
        ),
        (
            "",
            "f \"/a(/\" Enter",
            "Functions · last 10 · keeping '/a(/' (not a regular expression: unclosed group)",
            "",
        ),
        (
            "f \"/a(/\" Enter",
            "Backspace",
            "Functions · last 10 · keeping '/a('",
            "",
        ),
        ("f \"/a(/\" Enter", "Esc", LIVE, ""),
        ("f \"libc", "C-c", LIVE, ""),
    ]);
    let order = |keys: &str, step: &str, times: usize| {
        let mut driver = profiles::busy((80, 24));
        driver.press(keys);
        let places = (0..times).map(|_| {
            let place = (driver.app.cursor().at, driver.app.selected.clone());
            driver.press(step);
            place
        });
        places.collect::<Vec<_>>()
    };
    for keys in [
        "/ \"main\" Enter",
        "2 / \"ng\" Enter",
        "2 E / \"/^nginx/\" Enter",
        "3 / \"main\" Enter",
        "4 E / \"main\" Enter",
        "/ \"__write\" Enter Esc Enter / \"_\" Enter",
    ] {
        let forth = order(keys, "n", 40);
        let round = forth.iter().skip(1).position(|place| *place == forth[0]);
        let round = round.unwrap_or_else(|| panic!("{keys}: {forth:?}")) + 1;
        assert_eq!(forth[round..], forth[..40 - round], "{keys}");
        let mut back = order(keys, "N", round + 1);
        back.reverse();
        assert_eq!(back, forth[..=round], "{keys}");
    }
}

#[test]
fn an_export_holds_the_window_that_is_seen() {
    let name = "tracer-20250102T030405Z.svg";
    let held = "Fixed(Window { start_ns: 20000000000, end_ns: 30000000000 })";
    check(&[
        (
            "",
            "e",
            leak(format!("Functions · 20–30 · exporting '{name}'")),
            "",
        ),
        ("e", "Enter", LIVE, leak(format!("export {name} {held} []"))),
        ("e", "Esc", LIVE, ""),
        (
            "e C-u \"a.json",
            "Enter",
            LIVE,
            leak(format!("export a.json {held} []")),
        ),
        (
            "] f \"libc\" Enter e C-u \"a.folded",
            "Enter",
            "Functions · last 30 · libc · 2 steps",
            "export a.folded Fixed(Window { start_ns: 0, end_ns: 30000000000 }) [libc]",
        ),
        (
            "Space",
            "e Enter",
            "Functions · 20–30 · paused from last 10",
            leak(format!("export {name} {held} []")),
        ),
        (
            "e C-u",
            "\"a.png\" Enter",
            "Functions · 20–30 · exporting 'a.png' (the name of the file \"a.png\" does not end like that of any format; known are: .svg .folded .json .txt .ledger.json)",
            "",
        ),
        ("e C-u \"a.png\" Enter", "Esc", LIVE, ""),
    ]);
    let mut driver: Driver = profiles::beginning((80, 24));
    driver.press("e");
    for _ in 0..20 {
        driver.tick();
    }
    driver.press("Enter");
    let first = "Fixed(Window { start_ns: 0, end_ns: 1000000000 })";
    assert_eq!(driver.effects, [format!("export {name} {first} []")]);
}

#[test]
fn orders_and_pictures_change() {
    let mut driver = profiles::busy((80, 24));
    let mut titles = Vec::new();
    for keys in ["", "s", "s", "s", "2", "s", "s"] {
        driver.press(keys);
        let row = driver.picture().row(4);
        let sorted = row.split_whitespace().find(|word| word.ends_with('▾'));
        titles.push(sorted.unwrap_or_default().to_owned());
    }
    assert_eq!(
        titles,
        [
            "Self▾",
            "Total▾",
            "Symbol▾",
            "Self▾",
            "CPU▾",
            "Process▾",
            "CPU▾"
        ]
    );
    let mut columns = Vec::new();
    for keys in ["", "<", "<", "> > >", "> > > >", "< < < < < < < <"] {
        driver.press(keys);
        columns.push(driver.app.column_ns / 1_000_000);
    }
    assert_eq!(columns, [1000, 2000, 5000, 500, 500, 60_000]);
    for theme in ["light", "ansi", "mono", "dark"] {
        driver.press("T");
        assert_eq!(driver.app.theme.name(), theme);
    }
    driver.press("4 i");
    assert_eq!(driver.app.direction, tracer::view::Direction::Up);
    driver.press("3 c");
    assert!(driver.app.by_dso);
}
