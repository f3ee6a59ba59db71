//! The interface without a terminal and without a kernel: messages go in, questions are answered from
//! a scripted profile, and pictures come out.

use std::collections::VecDeque;

use ratatui::{
    Frame, Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind},
    layout::Position,
    text::Span as Text,
};
use tracer::{
    kernel::{Health, MapFill, ProgramRuns},
    profile::{Batch, Profile},
    symbol::Symbols,
    tui::{self, App, Effect, Facts, Message, News, Request, Theme, Vitals},
    view::{Answers, Question},
};

use crate::{cases::Name, naming::symbolize};

/// Owns the state and whoever it asks.
pub(crate) struct Driver {
    pub(crate) app: App,
    pub(crate) profile: Profile,
    pub(crate) symbols: Symbols,
    pub(crate) vitals: Vitals,
    /// What it asked last.
    pub(crate) question: Option<Question>,
    /// What it had done but asking, in words, since somebody looked.
    pub(crate) effects: Vec<String>,
    /// Answers only when told to.
    pub(crate) is_slow: bool,
    answers: Answers,
    names: &'static [Name],
    batches: VecDeque<Batch>,
}

impl Driver {
    /// With the names of some places, and batches that are still to come.
    pub(crate) fn new(batches: Vec<Batch>, names: &'static [Name], size: (u16, u16)) -> Self {
        let mut driver = Self {
            app: App::new(facts(), size, Theme::Dark),
            profile: Profile::new(),
            symbols: Symbols::default(),
            vitals: vitals(),
            question: None,
            effects: Vec::new(),
            is_slow: false,
            answers: Answers::default(),
            names,
            batches: batches.into(),
        };
        driver.question = Some(driver.app.question());
        driver
    }

    /// The same, when all batches have come.
    pub(crate) fn at_end(batches: Vec<Batch>, names: &'static [Name], size: (u16, u16)) -> Self {
        let mut driver = Self::new(batches, names, size);
        while driver.take() {}
        driver.answer();
        driver
    }

    /// Takes a batch in without telling anybody.
    fn take(&mut self) -> bool {
        let Some(batch) = self.batches.pop_front() else {
            return false;
        };
        self.profile.apply(batch);
        symbolize(&mut self.profile, &mut self.symbols, self.names);
        self.answers.changed();
        true
    }

    /// A batch comes, and the last question is answered anew.
    pub(crate) fn tick(&mut self) -> bool {
        let took = self.take();
        if !self.is_slow {
            self.answer();
        }
        took
    }

    /// Answers the last question.
    pub(crate) fn answer(&mut self) {
        let Some(question) = &self.question else {
            return;
        };
        let answer = self.answers.answer(&self.profile, &self.symbols, question);
        let news = News::Answer(Box::new(answer), self.vitals.clone());
        self.send(Message::News(news));
    }

    pub(crate) fn send(&mut self, message: Message) {
        let mut asked = false;
        for effect in tui::update(&mut self.app, message) {
            match effect {
                Effect::Request(Request::Ask(question)) => {
                    self.question = Some(*question);
                    asked = true;
                }
                Effect::Request(Request::Watch(watched)) => {
                    self.effects.push(format!("watch {watched}"));
                }
                Effect::Request(Request::Export { path, span, query }) => {
                    let filters: Vec<String> =
                        query.filters.iter().map(ToString::to_string).collect();
                    let filters = filters.join(", ");
                    self.effects
                        .push(format!("export {path} {span:?} [{filters}]"));
                }
                Effect::Suspend => self.effects.push("suspend".to_owned()),
                // Every picture here is drawn anew.
                Effect::Repaint => {}
                Effect::Quit => self.effects.push("quit".to_owned()),
            }
        }
        if asked && !self.is_slow {
            self.answer();
        }
    }

    pub(crate) fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.send(Message::Key(KeyEvent::new(code, modifiers)));
    }

    /// Presses keys: their names with spaces between them. `C-` stands for Control, `S-` for Shift,
    /// and what is in quotes is typed.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        for (code, modifiers) in keys_of(keys) {
            self.key(code, modifiers);
        }
        self
    }

    pub(crate) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        self.send(Message::Mouse(MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        }));
    }

    pub(crate) fn click(&mut self, column: u16, row: u16) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
        self.mouse(MouseEventKind::Up(MouseButton::Left), column, row);
    }

    pub(crate) fn resize(&mut self, (width, height): (u16, u16)) {
        self.send(Message::Resize(width, height));
    }

    pub(crate) fn picture(&self) -> Picture {
        picture_of(self.app.size, |frame| tui::draw(&self.app, frame))
    }
}

/// What is drawn on a terminal of a size.
pub(crate) fn picture_of(
    (width, height): (u16, u16),
    draw: impl FnOnce(&mut Frame<'_>),
) -> Picture {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut drawn = Buffer::default();
    let mut cursor = None;
    terminal
        .draw(|frame| {
            draw(frame);
            drawn = frame.buffer_mut().clone();
        })
        .unwrap();
    if terminal.backend().cursor_visible() {
        cursor = Some(terminal.get_cursor_position().unwrap());
    }
    Picture {
        buffer: drawn,
        cursor,
    }
}

/// Keys by their names, as [`Driver::press`] has them.
pub(crate) fn keys_of(keys: &str) -> Vec<(KeyCode, KeyModifiers)> {
    let mut pressed = Vec::new();
    for (index, part) in keys.split('"').enumerate() {
        if index % 2 == 1 {
            let typed = part.chars().map(KeyCode::Char);
            pressed.extend(typed.map(|code| (code, KeyModifiers::NONE)));
        } else {
            pressed.extend(part.split_whitespace().map(key_of));
        }
    }
    pressed
}

fn key_of(name: &str) -> (KeyCode, KeyModifiers) {
    let (name, modifiers) = match name.split_at_checked(2) {
        Some(("C-", name)) => (name, KeyModifiers::CONTROL),
        Some(("S-", name)) => (name, KeyModifiers::SHIFT),
        _ => (name, KeyModifiers::NONE),
    };
    let mut characters = name.chars();
    let code = match (characters.next(), characters.as_str()) {
        (Some(character), "") => KeyCode::Char(character),
        (Some('F'), number) if number.parse::<u8>().is_ok() => KeyCode::F(number.parse().unwrap()),
        _ => match name {
            "Space" => KeyCode::Char(' '),
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "BackTab" => KeyCode::BackTab,
            "Backspace" => KeyCode::Backspace,
            "Up" => KeyCode::Up,
            "Down" => KeyCode::Down,
            "Left" => KeyCode::Left,
            "Right" => KeyCode::Right,
            "PageUp" => KeyCode::PageUp,
            "PageDown" => KeyCode::PageDown,
            "Home" => KeyCode::Home,
            "End" => KeyCode::End,
            _ => panic!("{name:?} is no key"),
        },
    };
    (code, modifiers)
}

/// What is on the screen.
pub(crate) struct Picture {
    pub(crate) buffer: Buffer,
    /// Where the text cursor blinks.
    pub(crate) cursor: Option<Position>,
}

impl Picture {
    pub(crate) fn cell(&self, x: u16, y: u16) -> &Cell {
        self.buffer.cell((x, y)).unwrap()
    }

    /// The cells of a row that begin a character, each with its column and how many it takes.
    pub(crate) fn cells(&self, y: u16) -> Vec<(u16, &Cell, u16)> {
        let mut cells = Vec::new();
        let mut x = 0;
        while x < self.buffer.area.width {
            let cell = self.cell(x, y);
            let wide = Text::raw(cell.symbol()).width().max(1) as u16;
            cells.push((x, cell, wide));
            x += wide;
        }
        cells
    }

    pub(crate) fn row(&self, y: u16) -> String {
        let cells = self.cells(y);
        cells.iter().map(|(_, cell, _)| cell.symbol()).collect()
    }

    /// All rows, without spaces at their ends.
    pub(crate) fn text(&self) -> String {
        let rows = (0..self.buffer.area.height).map(|y| format!("{}\n", self.row(y).trim_end()));
        rows.collect()
    }

    /// The first cell of a text, which must be on the screen.
    pub(crate) fn find(&self, text: &str) -> &Cell {
        for y in 0..self.buffer.area.height {
            let row = self.row(y);
            if let Some(at) = row.find(text) {
                let x = Text::raw(&row[..at]).width() as u16;
                return self.cell(x, y);
            }
        }
        panic!("no {text:?} in\n{}", self.text());
    }
}

pub(crate) fn facts() -> Facts {
    Facts {
        host: "box".to_owned(),
        kernel: "6.12.1".to_owned(),
        cpus: 4,
        source: "on-CPU, cpu-clock".to_owned(),
        hertz: 100,
        target: "everything".to_owned(),
        history_ns: 600_000_000_000,
    }
}

fn vitals() -> Vitals {
    Vitals {
        cost_percent: Some(1.25),
        bpf_percent: Some(0.5),
        troubles: Vec::new(),
        health: Health {
            maps: vec![
                MapFill {
                    name: "COUNTS_0",
                    what: "counts",
                    used: 1234,
                    capacity: 40_960,
                    unit: "keys",
                },
                MapFill {
                    name: "RING",
                    what: "stacks in the ring",
                    used: 90_000,
                    capacity: 8 << 20,
                    unit: "bytes",
                },
            ],
            programs: vec![ProgramRuns {
                name: "sample".to_owned(),
                runs: 4000,
                time_ns: 8_000_000,
                misses: 2,
            }],
            refused: None,
        },
        stamp: "20250102T030405Z".to_owned(),
    }
}
