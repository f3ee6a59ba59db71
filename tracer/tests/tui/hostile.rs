//! Names that traced programs choose to make trouble: no control characters, and no row out of place.

use tracer::profile::FactKind;

use crate::{
    cases::{APP, Name},
    driver::Driver,
    screens::check,
    script::{Script, code, image, user},
};

/// As in the tests of names, and what is wide, combined or long.
pub(crate) const HOSTILE: &[&str] = &[
    "",
    "  ",
    "\u{a0}",
    "a;b",
    "bell\u{7}",
    "nul\0",
    "line\nbreak\r\t",
    "\u{1b}[31mred",
    "c1\u{9b}31m",
    "\u{202e}txt.exe",
    "\u{2066}iso\u{2069}",
    "sep\u{2028}\u{2029}",
    "not xml \u{fffe}\u{ffff}",
    "name 12",
    "# comment",
    "-",
    "<script>alert('&')</script>",
    "日本語",
    "日本語日本語日本語日本語日本語日本語日本語日本語",
    "日\u{200b}本",
    "e\u{301}e\u{301}e\u{301}",
    "한국어 함수",
    "🦀🦀🦀",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦",
    "⚠\u{fe0f}",
    "\u{fe0f}\u{301}",
    "\u{115f}\u{3164}",
    "ｗｉｄｅ",
    "🇩🇪🇩🇪",
    "\u{1f3fb}",
    "العربية",
    "a_name_that_is_longer_than_any_terminal_is_wide_and_then_some_more_and_more_and_more_and_more_and_more",
];

fn driver(size: (u16, u16)) -> Driver {
    let mut script = Script::new();
    let mut names: Vec<Name> = Vec::new();
    for (number, name) in (0_u64..).zip(HOSTILE) {
        let pid = 10 + number as u32;
        let path = format!("/tmp/x/{name}");
        // Two names on two lines, each with another file: by itself, and below the name before it.
        let stack = [APP + 0x10 + number * 0x100, APP + 0x81 + number * 0x100];
        script
            .fact(1, pid, FactKind::Snapshot(vec![code(&path, APP)]))
            .sample(
                image(pid, 5, 1),
                name.as_bytes(),
                user(&stack),
                100 - number,
            )
            .sample(image(pid, 5, 1), name.as_bytes(), user(&stack[1..]), 1);
        let place = |offset: u64| -> &'static str {
            let file = path.rsplit('/').next().unwrap_or_default();
            tracer::view::clean(&format!("{file}+{offset:#x}")).leak()
        };
        let name: &'static str = name;
        names.push((place(stack[0] - APP), [name, name].to_vec().leak()));
        names.push((place(stack[1] - 1 - APP), [name].to_vec().leak()));
    }
    Driver::at_end(script.batches(), names.leak(), size)
}

#[test]
fn no_name_leaves_its_place() {
    for size in [
        (24, 8),
        (25, 9),
        (40, 12),
        (59, 17),
        (80, 24),
        (101, 40),
        (200, 60),
    ] {
        let mut driver = driver(size);
        for keys in [
            "",
            "s",
            "Enter",
            "Esc 2",
            "E",
            "3",
            "p",
            "p",
            "Down Down Down",
            "Enter",
            "4",
            "E",
            "i",
            "5",
            "1 / \"\u{202e}日本",
            "Enter",
            "Esc f \"日",
            "Enter",
            "u e",
            "Esc v",
        ] {
            driver.press(keys);
            for _ in 0..40 {
                check(keys, &driver.picture());
                if !driver.app.place.zoom.is_empty() || keys.contains('"') {
                    break;
                }
                driver.press("Down");
            }
            driver.press("Home");
        }
    }
}

#[test]
fn wide_names_do_not_shift_columns() {
    for size in [(60, 30), (80, 40), (120, 50), (200, 60)] {
        for (screen, title) in [("1", " DSO"), ("2 E", " Hottest"), ("4 E", " DSO")] {
            let mut driver = driver(size);
            driver.press(screen);
            let picture = driver.picture();
            let row = picture.row(4);
            let Some(at) = row.find(title) else {
                assert!(size.0 < 90, "{row}");
                continue;
            };
            // In the column before the one that is titled there is nothing in any row.
            let column = ratatui::text::Span::raw(&row[..at]).width() as u16;
            for y in 5..size.1 - 6 {
                let cell = picture.cells(y).into_iter().find(|(x, ..)| *x == column);
                let symbol = cell.map(|(_, cell, _)| cell.symbol());
                assert!(
                    symbol.is_some_and(|symbol| symbol.starts_with(' ')),
                    "{size:?} {screen} {y}: {}",
                    picture.row(y)
                );
            }
        }
    }
}
