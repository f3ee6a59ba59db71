//! The pictures of the interface of latencies.

use std::{io, time::Duration};

use tokio::sync::mpsc;

use super::{App, Facts, News, Request, draw};
use crate::tui::{
    Port, Theme,
    picture::pictured,
    sitting::{self, Model, Shot, shot, tall},
};

const SHOTS: &[Shot] = &[
    shot("histogram", "1"),
    shot("heatmap", "2o"),
    shot("functions", "3"),
    shot("one", "3⏎"),
    shot("health", "4"),
    tall("help", "?"),
    Shot {
        size: (80, 24),
        ..shot("small", "1")
    },
    Shot {
        theme: Theme::Light,
        ..shot("light", "2")
    },
];

/// Waits until this much has been measured, or the measuring has ended; then takes all pictures, each
/// kept under its name. Gives the state at the end.
pub fn take_pictures(
    facts: Facts,
    after: Duration,
    port: &mut impl Port<Request>,
    news: mpsc::Receiver<News>,
    keep: impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<App> {
    let app = App::new(facts, (110, 32), Theme::Dark);
    sitting::take(app, ("", after), SHOTS, port, news, keep)
}

impl Model for App {
    fn anew(&self, size: (u16, u16), theme: Theme) -> Self {
        let mut app = Self::new(self.facts.clone(), size, theme);
        app.ended.clone_from(&self.ended);
        // Answers to what was asked for another picture are told by their numbers.
        app.asked = self.asked;
        app
    }

    fn is_answered(&self) -> bool {
        let shown = self.shown.as_ref();
        shown.is_some_and(|shown| shown.id == self.asked)
    }

    fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    fn picture(&self) -> String {
        pictured(self.size, self.theme, |frame| draw(self, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{profile::Latencies, view::calls::answer};

    /// Answers at once, of nothing.
    struct Nobody(mpsc::Sender<News>);

    impl Port<Request> for Nobody {
        fn send(&mut self, request: Request) {
            if let Request::Ask(question) = request {
                let latencies = Latencies::new(Vec::new(), Vec::new());
                let answer = Box::new(answer(&latencies, &[], &question));
                let news = News::Answer(answer, String::new());
                self.0.try_send(news).expect("room for an answer");
            }
        }
    }

    #[test]
    fn every_picture_is_taken_of_nothing_too() {
        let (sender, news) = mpsc::channel(4);
        // The end of the measuring comes before the hour is over.
        let ended = News::Ended("the measuring has ended".to_owned());
        sender.try_send(ended).expect("room for the first news");
        let mut names = Vec::new();
        let (mut port, hour) = (Nobody(sender), Duration::from_secs(3600));
        let keep = |name: &str, picture: &str| {
            assert!(picture.ends_with("</svg>\n"), "{name}: {picture}");
            names.push(name.to_owned());
            Ok(())
        };
        let app = take_pictures(Facts::default(), hour, &mut port, news, keep);
        let wanted: Vec<&str> = SHOTS.iter().map(|shot| shot.name).collect();
        let ended = app.expect("pictures").ended;
        assert_eq!(ended.as_deref(), Some("the measuring has ended"));
        assert_eq!(names, wanted);
    }
}
