//! Every screen at every size, as it is drawn.

use ratatui::style::Color;
use tracer::tui::Theme;

use crate::{
    driver::{Driver, Picture},
    golden, profiles,
};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];

/// What is drawn, and the keys that lead there.
const SCREENS: [(&str, &str); 16] = [
    ("functions", ""),
    ("functions_searched", "/ \"main\" Enter"),
    ("focus", "/ \"ngx_http\" Enter Enter Esc"),
    ("processes", "2"),
    ("processes_open", "2 E Down Down"),
    ("process_alone", "2 Down Enter"),
    ("flame", "3"),
    ("flame_zoomed", "3 Down Down Enter"),
    ("tree_down", "4 Down Down"),
    ("tree_up", "4 i"),
    ("health", "5"),
    ("health_below", "5 PageDown"),
    ("help", "?"),
    ("filter_prompt", "f \"libc\""),
    ("export_prompt", "e"),
    ("time", "v Left Left Left v Left Left"),
];

#[test]
fn every_screen_at_every_size_agrees_with_its_golden() {
    let mut failures = Vec::new();
    for size in SIZES {
        for (name, keys) in SCREENS {
            let mut driver = profiles::busy(size);
            driver.press(keys);
            let name = format!("{name}_{}x{}", size.0, size.1);
            compare(&name, &driver, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn profiles_of_nothing_and_of_losses_agree_with_their_goldens() {
    let mut failures = Vec::new();
    type Make = fn((u16, u16)) -> Driver;
    let profiles: [(&str, Make); 3] = [
        ("waiting", profiles::waiting),
        ("idle", profiles::idle),
        ("lossy", profiles::lossy),
    ];
    for (profile, make) in profiles {
        for screen in ["1", "2", "3", "4", "5"] {
            let mut driver = make((80, 24));
            driver.press(screen);
            compare(&format!("{profile}_{screen}"), &driver, &mut failures);
        }
    }
    let mut whole = profiles::lossy((120, 90));
    whole.press("5");
    compare("lossy_5_120x90", &whole, &mut failures);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn compare(name: &str, driver: &Driver, failures: &mut Vec<String>) {
    let picture = driver.picture();
    check(name, &picture);
    let text = without_memory(&picture.text());
    golden::compare(&format!("tui/{name}.txt"), &text, failures);
}

/// How much memory a profile takes is not what these tests are about.
fn without_memory(text: &str) -> String {
    let Some((before, after)) = text.split_once("iB of memory") else {
        return text.to_owned();
    };
    let (before, _) = before.rsplit_once(' ').unwrap();
    let (before, _) = before.rsplit_once(' ').unwrap();
    format!("{before} … of memory{after}")
}

/// What holds for every picture.
pub(crate) fn check(name: &str, picture: &Picture) {
    let (width, height) = (picture.buffer.area.width, picture.buffer.area.height);
    for y in 0..height {
        for (x, cell, wide) in picture.cells(y) {
            let symbol = cell.symbol();
            assert!(
                !symbol.chars().any(char::is_control) && x + wide <= width,
                "{name}: {symbol:?} at {x}, {y} of {width}×{height}"
            );
        }
    }
    if let Some(at) = picture.cursor {
        assert!(at.x < width && at.y < height, "{name}: cursor at {at:?}");
    }
}

#[test]
fn themes_use_the_colours_that_they_promise() {
    for theme in [Theme::Dark, Theme::Light, Theme::Ansi, Theme::Mono] {
        for (name, keys) in SCREENS {
            for make in [profiles::busy, profiles::lossy] {
                let mut driver = make((80, 24));
                driver.app.theme = theme;
                driver.press(keys);
                for keys in ["", "c"] {
                    driver.press(keys);
                    let picture = driver.picture();
                    check(name, &picture);
                    for cell in &picture.buffer.content {
                        for color in [cell.fg, cell.bg] {
                            let fits = match (theme, color) {
                                (_, Color::Reset) => true,
                                (Theme::Dark | Theme::Light, Color::Indexed(number)) => {
                                    number >= 16
                                }
                                (Theme::Ansi, Color::Indexed(_) | Color::Rgb(..)) => false,
                                (Theme::Ansi, _) => true,
                                _ => false,
                            };
                            assert!(fits, "{theme:?}, {name}: {color:?} at {:?}", cell.symbol());
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_lost_looks_like_a_loss_and_what_is_not_does_not() {
    let red = Color::Indexed(203);
    let mut driver = profiles::lossy((120, 90));
    for screen in ["1", "2", "3", "4", "5"] {
        driver.press(screen);
        let picture = driver.picture();
        for text in ["lost 8.1%", "truncated 92.1%", "3 facts lost"] {
            assert_eq!(picture.find(text).fg, red, "{text} on screen {screen}");
        }
        assert!(!picture.text().contains("worker crashes") || screen == "5");
    }
    let picture = driver.picture();
    let mut counted = 0;
    for y in 0..90 {
        let row = picture.row(y);
        if row.contains("  lost: ") || row.contains("  truncated: ") {
            counted += 1;
            let (_, cell, _) = *picture
                .cells(y)
                .iter()
                .find(|(_, cell, _)| cell.symbol() != " ")
                .unwrap();
            assert_eq!(cell.fg, red, "{row}");
        }
    }
    assert_eq!(counted, 2 * (4 + 14), "every reason in both accounts");

    let mut driver = profiles::idle((120, 60));
    driver.press("5");
    let picture = driver.picture();
    assert_ne!(picture.find("lost 0").fg, red);
}
