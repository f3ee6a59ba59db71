//! What cells become.

use ratatui::{
    layout::Rect,
    style::{Color, Style},
};

use super::*;

/// The elements of a line of text, without what is around them.
fn elements(texts: &[(&str, Style)]) -> Vec<String> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 2));
    let mut x = 0;
    for (text, style) in texts {
        (x, _) = buffer.set_stringn(x, 1, text, 40, *style);
    }
    let svg = svg(&buffer, Theme::Dark);
    let (first, rest) = svg.split_once("\n").expect("lines");
    assert!(
        first.starts_with("<svg ") && first.ends_with('>'),
        "{first}"
    );
    let rest = rest.strip_suffix("</svg>\n").expect("an end");
    let (ground, rest) = rest.split_once("\n").expect("lines");
    assert!(ground.contains(" rx="), "{ground}");
    let lines = rest
        .lines()
        .filter(|line| !line.starts_with("<g ") && *line != "</g>");
    lines.map(str::to_owned).collect()
}

#[track_caller]
fn check(texts: &[(&str, Style)], expected: &[&str]) {
    assert_eq!(elements(texts), expected);
}

fn plain() -> Style {
    Style::new()
}

#[test]
fn a_run_of_one_style_is_one_text_of_a_known_length() {
    check(
        &[
            ("one two", plain()),
            ("red", plain().fg(Color::Indexed(196))),
        ],
        &[
            "<text x=\"0\" y=\"28\" textLength=\"56\">one two</text>",
            "<text x=\"56\" y=\"28\" textLength=\"24\" fill=\"#ff0000\">red</text>",
        ],
    );
}

#[test]
fn what_follows_a_gap_stands_where_it_belongs() {
    check(
        &[(" a  b ", plain())],
        &[
            "<text x=\"8\" y=\"28\" textLength=\"8\">a</text>",
            "<text x=\"32\" y=\"28\" textLength=\"8\">b</text>",
        ],
    );
}

#[test]
fn a_run_of_one_background_is_one_rectangle() {
    let blue = plain().bg(Color::Indexed(21));
    check(
        &[("  ", blue), ("x ", blue.fg(Color::Indexed(231)))],
        &[
            "<rect x=\"0\" y=\"16\" width=\"32\" height=\"16\" fill=\"#0000ff\"/>",
            "<text x=\"16\" y=\"28\" textLength=\"8\" fill=\"#ffffff\">x</text>",
        ],
    );
}

#[test]
fn wide_characters_take_two_columns() {
    let green = plain().bg(Color::Rgb(0, 255, 0));
    check(
        &[("日本", green), ("x", plain())],
        &[
            "<rect x=\"0\" y=\"16\" width=\"32\" height=\"16\" fill=\"#00ff00\"/>",
            "<text x=\"0\" y=\"28\" textLength=\"40\">日本x</text>",
        ],
    );
}

#[test]
fn modifiers_are_seen() {
    let (ground, own) = palette::ground(Theme::Dark);
    check(
        &[
            ("b", plain().add_modifier(Modifier::BOLD)),
            ("d", plain().add_modifier(Modifier::DIM)),
            ("u", plain().add_modifier(Modifier::UNDERLINED)),
            ("r", plain().add_modifier(Modifier::REVERSED)),
        ],
        &[
            &format!("<rect x=\"24\" y=\"16\" width=\"8\" height=\"16\" fill=\"{own}\"/>"),
            &format!("<rect x=\"16\" y=\"30\" width=\"8\" height=\"1\" fill=\"{own}\"/>"),
            "<text x=\"0\" y=\"28\" textLength=\"8\" font-weight=\"bold\">b</text>",
            "<text x=\"8\" y=\"28\" textLength=\"8\" opacity=\".6\">d</text>",
            "<text x=\"16\" y=\"28\" textLength=\"8\">u</text>",
            &format!("<text x=\"24\" y=\"28\" textLength=\"8\" fill=\"{ground}\">r</text>"),
        ],
    );
}

#[test]
fn bars_are_rectangles_of_their_length() {
    let bar = plain().fg(Color::Rgb(1, 1, 1));
    check(
        &[("██▌ ▁▇", bar)],
        &[
            "<rect x=\"0\" y=\"16\" width=\"20\" height=\"16\" fill=\"#010101\"/>",
            "<rect x=\"32\" y=\"30\" width=\"8\" height=\"2\" fill=\"#010101\"/>",
            "<rect x=\"40\" y=\"18\" width=\"8\" height=\"14\" fill=\"#010101\"/>",
        ],
    );
}

#[test]
fn what_xml_cannot_have_is_not_in_it() {
    let mut escaped = String::new();
    escape("<a & \"b\">\u{1b}\u{ffff}\t", &mut escaped);
    assert_eq!(
        escaped,
        "&lt;a &amp; &quot;b&quot;&gt;\u{fffd}\u{fffd}\u{fffd}"
    );
}

#[test]
fn a_state_is_drawn_in_its_size_and_on_its_background() {
    for (theme, ground) in [(Theme::Dark, "#15181e"), (Theme::Light, "#ffffff")] {
        let app = App::new(Default::default(), (110, 32), theme);
        let svg = picture(&app);
        assert!(svg.contains("viewBox=\"-8 -8 896 528\""), "{svg}");
        assert!(svg.contains(&format!("rx=\"6\" fill=\"{ground}\"")));
        assert!(svg.contains(">tracer</text>"), "{svg}");
        assert_eq!(svg, picture(&app));
    }
}
