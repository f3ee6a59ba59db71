//! Every key of the table on every screen, before anything has been answered and after.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{keys::Action, *};
use crate::{
    profile::Profile,
    symbol::Symbols,
    tui::{
        app::{Facts, Screen},
        keys::{KEYS, Key},
        message::Vitals,
        theme::Theme,
    },
    view::Answers,
};

fn event(key: Key) -> KeyEvent {
    match key {
        Key::Char(character) => KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE),
        Key::Control(character) => KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL),
        Key::Code(code) => KeyEvent::new(code, KeyModifiers::NONE),
    }
}

fn start(screen: Screen, is_answered: bool) -> App {
    let mut app = App::new(Facts::default(), (80, 24), Theme::Dark);
    app.place.screen = screen;
    let question = app.question();
    if is_answered {
        let (profile, symbols) = (Profile::new(), Symbols::default());
        let answer = Answers::default().answer(&profile, &symbols, &question);
        let news = News::Answer(Box::new(answer), Vitals::default());
        assert!(update(&mut app, Message::News(news)).is_empty());
        assert!(app.content().is_some());
    }
    app
}

#[test]
fn each_key_asks_for_what_changes_and_nothing_for_what_does_not() {
    for is_answered in [false, true] {
        for screen in Screen::ALL {
            for binding in KEYS.iter().filter(|binding| binding.is_on(screen)) {
                for key in binding.keys {
                    let mut app = start(screen, is_answered);
                    let (place, asked) = (app.place.clone(), app.asked);
                    let effects = update(&mut app, Message::Key(event(*key)));
                    let what = format!("{} on {screen:?}: {effects:?}", binding.keys());
                    let mut asks = 0;
                    for effect in &effects {
                        match effect {
                            Effect::Request(Request::Ask(question)) => {
                                asks += 1;
                                assert_eq!(question.id, app.asked, "{what}");
                                assert_eq!(question.span, app.place.span, "{what}");
                            }
                            Effect::Request(Request::Watch(watched)) => {
                                assert_eq!(*watched, app.place.screen == Screen::Health, "{what}");
                            }
                            Effect::Request(Request::Export { .. }) => panic!("{what}"),
                            Effect::Quit => assert_eq!(binding.action, Action::Quit, "{what}"),
                            Effect::Suspend | Effect::Repaint => {
                                assert_eq!(binding.action, Action::Suspend, "{what}");
                            }
                        }
                    }
                    assert_eq!(app.asked - asked, asks, "{what}");
                    assert!(asks <= 1 && (asks == 1 || app.place == place), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_key_that_is_not_on_a_screen_does_nothing_there() {
    for screen in Screen::ALL {
        let is_known = |key: &Key| {
            let here = KEYS.iter().filter(|binding| binding.is_on(screen));
            here.flat_map(|binding| binding.keys)
                .any(|known| known == key)
        };
        let elsewhere = KEYS.iter().flat_map(|binding| binding.keys);
        for key in elsewhere.filter(|key| !is_known(key)) {
            let mut app = start(screen, true);
            let before = format!("{app:?}");
            assert!(update(&mut app, Message::Key(event(*key))).is_empty());
            assert_eq!(format!("{app:?}"), before, "{key:?} on {screen:?}");
        }
    }
}
