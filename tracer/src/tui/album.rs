//! Pictures of a walk through the screens: the interface without a terminal, with a script for hands.

use std::{io, time::Duration};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    App, Facts, Message, News, Port, Request,
    picture::picture,
    theme::Theme,
    time::busiest,
    turn::{heard, perform},
};

/// A picture: its name, its size, its colours, and the keys that lead to it from the beginning.
struct Shot {
    name: &'static str,
    size: (u16, u16),
    theme: Theme,
    keys: &'static str,
}

const fn shot(name: &'static str, keys: &'static str) -> Shot {
    Shot {
        name,
        size: (110, 32),
        theme: Theme::Dark,
        keys,
    }
}

/// One for lists that are to be seen whole.
const fn tall(name: &'static str, keys: &'static str) -> Shot {
    Shot {
        size: (110, 54),
        ..shot(name, keys)
    }
}

/// In keys: ⏎ is Enter, arrows are arrows, and ⧖ goes to the busiest stretch of time and selects it.
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

/// A finer timeline than at the beginning: what is pictured has not been measured for long.
const FINER: &str = ">";

/// The columns of a stretch of time: two seconds.
const BUSIEST: usize = 4;

/// Waits until this much has been measured, or the measuring has ended; then takes all pictures, each
/// kept under its name. Gives the state at the end.
pub fn take_pictures(
    facts: Facts,
    after: Duration,
    port: &mut impl Port,
    news: mpsc::Receiver<News>,
    mut keep: impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<App> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let mut sitting = Sitting {
            app: App::new(facts, (110, 32), Theme::Dark),
            port,
            news,
        };
        // Programs are observed while this screen is open.
        let mut goes_on = sitting.press('5').await? && sitting.wait(after).await?;
        for shot in SHOTS {
            goes_on = goes_on && sitting.pose(shot).await?;
            if goes_on {
                keep(shot.name, &picture(&sitting.app))?;
            }
        }
        Ok(sitting.app)
    })
}

/// The interface while it is pictured. Its methods give `false` once all has ended.
struct Sitting<'a, P> {
    app: App,
    port: &'a mut P,
    news: mpsc::Receiver<News>,
}

impl<P: Port> Sitting<'_, P> {
    /// Lets time pass.
    async fn wait(&mut self, after: Duration) -> io::Result<bool> {
        let end = Instant::now() + after;
        while self.app.ended.is_none()
            && let Ok(told) = timeout_at(end, self.news.recv()).await
        {
            if !self.tell(heard::<App>(told))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Comes to a picture, from the beginning.
    async fn pose(&mut self, shot: &Shot) -> io::Result<bool> {
        let asked = self.app.asked;
        let ended = self.app.ended.take();
        self.app = App::new(self.app.facts.clone(), shot.size, shot.theme);
        self.app.ended = ended;
        // Answers to what was asked for another picture are told by their numbers.
        self.app.asked = asked;
        self.port.send(Request::Ask(Box::new(self.app.question())));
        if !self.settle().await? {
            return Ok(false);
        }
        for key in FINER.chars().chain(shot.keys.chars()) {
            let goes_on = match key {
                '⧖' => self.select_busiest().await?,
                key => self.press(key).await?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Presses a key, and waits until what it asks for is there.
    async fn press(&mut self, key: char) -> io::Result<bool> {
        let code = match key {
            '⏎' => KeyCode::Enter,
            '←' => KeyCode::Left,
            '→' => KeyCode::Right,
            '↑' => KeyCode::Up,
            '↓' => KeyCode::Down,
            key => KeyCode::Char(key),
        };
        let key = KeyEvent::new(code, KeyModifiers::NONE);
        Ok(self.tell(Message::Key(key))? && self.settle().await?)
    }

    async fn select_busiest(&mut self) -> io::Result<bool> {
        let Some((first, last)) = busiest(&self.app, BUSIEST) else {
            return Ok(true);
        };
        let newest = usize::from(self.app.size.0).saturating_sub(1);
        let to_last = std::iter::repeat_n('←', newest.saturating_sub(last));
        let to_first = std::iter::repeat_n('←', last - first);
        for key in to_last.chain(['v']).chain(to_first) {
            if !self.press(key).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for the answer to the last question.
    async fn settle(&mut self) -> io::Result<bool> {
        let is_answered = |app: &App| {
            let shown = app.shown.as_ref();
            shown.is_some_and(|shown| shown.answer.id == app.asked)
        };
        while !is_answered(&self.app) {
            let told = self.news.recv().await;
            if !self.tell(heard::<App>(told))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tell(&mut self, message: Message) -> io::Result<bool> {
        perform(&mut self.app, message, self.port, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
