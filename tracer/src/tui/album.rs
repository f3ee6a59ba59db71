//! The pictures of the interface of stacks.

use std::{io, time::Duration};

use tokio::sync::mpsc;

use super::{
    App, Facts, News, Port,
    picture::picture,
    sitting::{self, Model, Shot, shot, tall},
    theme::Theme,
    time::busiest,
};

const SHOTS: &[Shot] = &[
    tall("health", "5"),
    shot("functions", ""),
    shot("focus", "⏎"),
    shot("processes", "2→"),
    shot("flame", "3"),
    shot("flame-zoomed", "3↓→↓↓↓↓↓⏎/tcp_⏎"),
    shot("tree", "4"),
    shot("callers", "4i"),
    shot("time", "v⧖"),
    tall("help", "?"),
    Shot {
        size: (80, 24),
        ..shot("small", "")
    },
    Shot {
        theme: Theme::Light,
        ..shot("light", "")
    },
];

/// The columns of a stretch of time: two seconds.
const BUSIEST: usize = 4;

/// Waits until this much has been measured, or the measuring has ended; then takes all pictures, each
/// kept under its name. Gives the state at the end.
pub fn take_pictures(
    facts: Facts,
    after: Duration,
    port: &mut impl Port,
    news: mpsc::Receiver<News>,
    keep: impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<App> {
    let app = App::new(facts, (110, 32), Theme::Dark);
    // Programs are observed while this screen is open.
    sitting::take(app, ("5", after), SHOTS, port, news, keep)
}

impl Model for App {
    /// A finer timeline than at the beginning: what is pictured has not been measured for long.
    const FIRST: &'static str = ">";

    fn anew(&self, size: (u16, u16), theme: Theme) -> Self {
        let mut app = Self::new(self.facts.clone(), size, theme);
        app.ended.clone_from(&self.ended);
        // Answers to what was asked for another picture are told by their numbers.
        app.asked = self.asked;
        app
    }

    fn is_answered(&self) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|shown| shown.answer.id == self.asked)
    }

    fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    fn picture(&self) -> String {
        picture(self)
    }

    fn to_the_busiest(&self) -> String {
        let Some((first, last)) = busiest(self, BUSIEST) else {
            return String::new();
        };
        let newest = usize::from(self.size.0).saturating_sub(1);
        let (to_last, to_first) = (newest.saturating_sub(last), last - first);
        format!("{}v{}", "←".repeat(to_last), "←".repeat(to_first))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Request, *};
    use crate::{
        profile::Profile,
        symbol::Symbols,
        tui::Vitals,
        view::{Answers, Question},
    };

    /// Answers at once, of nothing.
    struct Nobody(mpsc::Sender<News>);

    impl Port for Nobody {
        fn send(&mut self, request: Request) {
            if let Request::Ask(question) = request {
                let answer = answer(&question);
                let news = News::Answer(Box::new(answer), Vitals::default());
                self.0.try_send(news).expect("room for an answer");
            }
        }
    }

    fn answer(question: &Question) -> crate::view::Answer {
        Answers::default().answer(&Profile::new(), &Symbols::default(), question)
    }

    fn pictures(after: Duration, first: News) -> (Vec<String>, App) {
        let (sender, news) = mpsc::channel(4);
        let mut names = Vec::new();
        sender.try_send(first).expect("room for the first news");
        let mut port = Nobody(sender);
        let app = take_pictures(Facts::default(), after, &mut port, news, |name, picture| {
            assert!(picture.ends_with("</svg>\n"), "{name}: {picture}");
            names.push(name.to_owned());
            Ok(())
        });
        (names, app.expect("pictures"))
    }

    #[test]
    fn every_picture_is_taken_of_nothing_too() {
        // The end of the measuring comes before the hour is over.
        let ended = News::Ended("the measuring has ended".to_owned());
        let (names, app) = pictures(Duration::from_secs(3600), ended);
        let wanted: Vec<&str> = SHOTS.iter().map(|shot| shot.name).collect();
        assert_eq!(names, wanted);
        assert_eq!(app.ended.as_deref(), Some("the measuring has ended"));
    }

    #[test]
    fn what_has_failed_is_not_pictured() {
        let (names, app) = pictures(Duration::ZERO, News::Failed("no more".to_owned()));
        assert!(names.is_empty(), "{names:?}");
        assert_eq!(app.failed.as_deref(), Some("no more"));
    }
}
