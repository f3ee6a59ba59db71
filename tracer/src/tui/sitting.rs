//! Pictures of a walk through the screens: an interface without a terminal, with a script for hands.

use std::{io, time::Duration};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    Port,
    message::Message,
    theme::Theme,
    turn::{Interface, heard, perform},
};

/// A picture: its name, its size, its colours, and the keys that lead to it from the beginning.
/// In keys: ⏎ is Enter, arrows are arrows, and ⧖ goes to the busiest stretch of time and selects it.
#[derive(Clone, Copy)]
pub(super) struct Shot {
    pub(super) name: &'static str,
    pub(super) size: (u16, u16),
    pub(super) theme: Theme,
    pub(super) keys: &'static str,
}

pub(super) const fn shot(name: &'static str, keys: &'static str) -> Shot {
    Shot {
        name,
        size: (110, 32),
        theme: Theme::Dark,
        keys,
    }
}

/// One for lists that are to be seen whole.
pub(super) const fn tall(name: &'static str, keys: &'static str) -> Shot {
    Shot {
        size: (110, 54),
        ..shot(name, keys)
    }
}

/// An interface that can be pictured.
pub(super) trait Model: Interface {
    /// The keys that come before those of every picture.
    const FIRST: &'static str = "";

    /// The same at its beginning, in a size and colours.
    fn anew(&self, size: (u16, u16), theme: Theme) -> Self;

    /// Whether what was asked last has been answered.
    fn is_answered(&self) -> bool;

    /// Whether the measuring has ended.
    fn has_ended(&self) -> bool;

    /// What is shown, as an SVG.
    fn picture(&self) -> String;

    /// The keys that select the busiest stretch of time.
    fn to_the_busiest(&self) -> String {
        String::new()
    }
}

/// Presses keys, waits until this much has been measured or the measuring has ended, then takes all
/// pictures, each kept under its name. Gives the state at the end.
pub(super) fn take<M: Model>(
    model: M,
    (keys, after): (&str, Duration),
    shots: &[Shot],
    port: &mut impl Port<M::Request>,
    news: mpsc::Receiver<M::News>,
    mut keep: impl FnMut(&str, &str) -> io::Result<()>,
) -> io::Result<M> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    runtime.block_on(async {
        let mut sitting = Sitting { model, port, news };
        let mut goes_on = sitting.ask().await? && sitting.press_all(keys).await?;
        goes_on = goes_on && sitting.wait(after).await?;
        for shot in shots {
            goes_on = goes_on && sitting.pose(shot).await?;
            if goes_on {
                keep(shot.name, &sitting.model.picture())?;
            }
        }
        Ok(sitting.model)
    })
}

/// The interface while it is pictured. Its methods give `false` once all has ended.
struct Sitting<'a, M: Model, P> {
    model: M,
    port: &'a mut P,
    news: mpsc::Receiver<M::News>,
}

impl<M: Model, P: Port<M::Request>> Sitting<'_, M, P> {
    /// Lets time pass.
    async fn wait(&mut self, after: Duration) -> io::Result<bool> {
        let end = Instant::now() + after;
        while !self.model.has_ended()
            && let Ok(told) = timeout_at(end, self.news.recv()).await
        {
            if !self.tell(heard::<M>(told))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Comes to a picture, from the beginning.
    async fn pose(&mut self, shot: &Shot) -> io::Result<bool> {
        self.model = self.model.anew(shot.size, shot.theme);
        Ok(self.ask().await?
            && self.press_all(M::FIRST).await?
            && self.press_all(shot.keys).await?)
    }

    /// Asks for what is to be shown, and waits until it is there.
    async fn ask(&mut self) -> io::Result<bool> {
        let request = self.model.ask();
        self.port.send(request);
        self.settle().await
    }

    async fn press_all(&mut self, keys: &str) -> io::Result<bool> {
        for key in keys.chars() {
            let pressed = if key == '⧖' {
                self.model.to_the_busiest()
            } else {
                key.to_string()
            };
            for key in pressed.chars() {
                if !self.press(key).await? {
                    return Ok(false);
                }
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

    /// Waits for the answer to the last question.
    async fn settle(&mut self) -> io::Result<bool> {
        while !self.model.is_answered() {
            let told = self.news.recv().await;
            if !self.tell(heard::<M>(told))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tell(&mut self, message: Message<M::News>) -> io::Result<bool> {
        perform(&mut self.model, message, self.port, None)
    }
}
