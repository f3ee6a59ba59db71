//! Every screen at every size, as it is drawn.

use ratatui::style::Color;
use tracer::{
    profile::{CallBatch, CallKey, Latencies},
    tui::Theme,
};

use super::script::{
    Driver, add, busy, by_process, facts, function, idle, lossy, many, open, slice, waiting,
};
use crate::{golden, hostile::HOSTILE, screens::check};

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];

type Make = fn((u16, u16)) -> Driver;

/// What is drawn, of what, and the keys that lead there.
const SCREENS: [(&str, Make, &str); 11] = [
    ("histogram", busy, ""),
    ("histogram_finer", busy, "+ Down Down"),
    ("heatmap", busy, "2"),
    ("heatmap_cell", busy, "2 o Left Left Up Left"),
    ("functions", many, ""),
    ("functions_searched", many, "/ \"function_1\" Enter n"),
    ("only", many, "Down Down Enter"),
    ("processes", by_process, "s"),
    ("health", lossy, "4"),
    ("help", busy, "?"),
    ("filter_prompt", many, "f \"module_3\""),
];

#[test]
fn every_screen_at_every_size_agrees_with_its_golden() {
    let mut failures = Vec::new();
    for size in SIZES {
        for (name, make, keys) in SCREENS {
            let mut driver = make(size);
            driver.press(keys);
            let name = format!("{name}_{}x{}", size.0, size.1);
            compare(&name, &driver, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn calls_that_did_not_come_or_were_lost_agree_with_their_goldens() {
    let mut failures = Vec::new();
    let makes: [(&str, Make); 4] = [
        ("waiting", waiting),
        ("idle", idle),
        ("open", open),
        ("lossy", lossy),
    ];
    for (name, make) in makes {
        for screen in ["1", "2", "3", "4"] {
            let mut driver = make((80, 24));
            if name != "waiting" {
                driver.press(screen);
            }
            compare(&format!("{name}_{screen}"), &driver, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn without_colours_the_heatmap_is_made_of_characters() {
    let mut failures = Vec::new();
    for theme in [Theme::Mono, Theme::Ansi] {
        let mut driver = busy((80, 24));
        driver.app.theme = theme;
        driver.press("2");
        compare(&format!("heatmap_{}", theme.name()), &driver, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn compare(name: &str, driver: &Driver, failures: &mut Vec<String>) {
    let picture = driver.picture();
    check(name, &picture);
    golden::compare(
        &format!("tui/latency/{name}.txt"),
        &picture.text(),
        failures,
    );
}

#[test]
fn themes_use_the_colours_that_they_promise() {
    for theme in [Theme::Dark, Theme::Light, Theme::Ansi, Theme::Mono] {
        for (name, make, keys) in SCREENS {
            let mut driver = make((80, 24));
            driver.app.theme = theme;
            driver.press(keys);
            let picture = driver.picture();
            for cell in &picture.buffer.content {
                for color in [cell.fg, cell.bg] {
                    let fits = match (theme, color) {
                        (_, Color::Reset) => true,
                        (Theme::Dark | Theme::Light, Color::Indexed(number)) => number >= 16,
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

#[test]
fn what_is_lost_looks_like_a_loss_and_what_is_not_does_not() {
    let red = Color::Indexed(203);
    for screen in ["1", "2", "3", "4"] {
        let mut driver = lossy((120, 40));
        driver.press(screen);
        assert_eq!(driver.picture().find("lost ").fg, red, "screen {screen}");
        let mut driver = busy((120, 40));
        driver.press(screen);
        assert_ne!(driver.picture().find("lost 0").fg, red, "screen {screen}");
    }
}

#[test]
fn names_that_make_trouble_make_none() {
    let functions = HOSTILE.iter().map(|name| function(name)).collect();
    let mut latencies = Latencies::new(vec!["uprobe:\u{1b}[31m:*".to_owned()], functions);
    let mut batch: CallBatch = slice(0);
    for (index, name) in (0..).zip(HOSTILE) {
        let key = CallKey::Process(index);
        add(&mut batch, index, key, &[1_000, 1_000_000]);
        batch.names.push((key, (*name).to_owned()));
    }
    latencies.apply(batch);
    for size in SIZES {
        for by in [None, Some("pid")] {
            let mut driver = Driver::new(latencies.clone(), facts(HOSTILE.len(), by), size);
            for keys in ["1", "2", "3", "4", "3"] {
                driver.press(keys);
                check("hostile", &driver.picture());
            }
            for _ in HOSTILE {
                driver.press("Down Enter");
                check("hostile", &driver.picture());
                driver.press("u Down");
                check("hostile", &driver.picture());
            }
            driver.press("f \"e\u{301}日本\" Enter");
            check("hostile", &driver.picture());
        }
    }
}

#[test]
fn no_size_is_too_small_or_too_odd() {
    for make in [busy, many, idle] as [Make; 3] {
        for width in [1, 10, 24, 25, 31, 60, 139, 140, 141, 300] {
            for height in [1, 7, 8, 9, 10, 13, 17, 18, 19, 33, 90] {
                let mut driver = make((width, height));
                for keys in ["1", "+ Down G", "2", "Left o", "3", "G", "4", "?"] {
                    driver.press(keys);
                    check("odd", &driver.picture());
                }
            }
        }
    }
}
