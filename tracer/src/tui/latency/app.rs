//! The state of the interface: one value, changed by `update` alone and drawn by `draw`.

use crate::{
    profile::Window,
    tui::{Cursor, Prompt, Theme},
    view::{
        Heatmap, Pattern, Span,
        calls::{Answer, Call, Content, Moment, Order, Question, Rows, Selection, Topic},
    },
};

use super::{layout, screen};

/// What does not change while this runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The machine's name.
    pub host: String,
    /// Its kernel.
    pub kernel: String,
    /// The probes, as they were typed.
    pub probes: Vec<String>,
    /// How many functions they matched.
    pub functions: usize,
    /// Whose calls are measured.
    pub target: String,
    /// What calls are told apart by, besides the function.
    pub by: Option<String>,
}

/// The screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// How long calls took.
    Histogram,
    /// When calls took how long.
    Heatmap,
    /// One row for each function, and for whoever calls it.
    Functions,
    /// How far to trust all this.
    Health,
}

impl Screen {
    /// In the order of their keys.
    pub const ALL: [Self; 4] = [
        Self::Histogram,
        Self::Heatmap,
        Self::Functions,
        Self::Health,
    ];

    /// The title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Histogram => "Histogram",
            Self::Heatmap => "Heatmap",
            Self::Functions => "Functions",
            Self::Health => "Health",
        }
    }

    /// The place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The one that follows by so many, in a circle.
    pub(super) fn after(self, by: usize) -> Self {
        Self::ALL[(self.index() + by) % Self::ALL.len()]
    }
}

/// What a step can take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// Which calls.
    pub selection: Selection,
    /// The row that is looked at alone, in words.
    pub only: Option<String>,
    /// The time.
    pub span: Span,
}

/// What the keyboard is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The keys of the table.
    Normal,
    /// Typing.
    Prompt(Prompt<PromptKind>),
    /// Reading the keys, from this line on.
    Help(usize),
}

/// What is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// What to look for.
    Search,
    /// What to keep.
    Filter,
    /// What to leave out.
    Exclude,
    /// Where to write; what is shown is held meanwhile, and this was shown before.
    Export(Span),
}

/// All of it.
#[derive(Debug)]
pub struct App {
    /// What does not change.
    pub facts: Facts,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Colours.
    pub theme: Theme,
    /// Where one is.
    pub place: Place,
    /// Where one was before each step.
    pub steps: Vec<Place>,
    /// The span to go back to from a pause.
    pub paused: Option<Span>,
    /// The last span that moved along.
    pub live: Span,
    /// The order of the rows.
    pub order: Order,
    /// What is marked.
    pub search: Option<Pattern>,
    /// Whether to go to the first of what is marked when the answer comes.
    pub jumps: bool,
    /// How many times narrower the bars of the histogram are than those that fit.
    pub finer: i8,
    /// Where in each screen one is.
    pub cursors: [Cursor; 4],
    /// The row that is selected, wherever it goes; `None`: whichever is first.
    pub selected: Option<Call>,
    /// The cell of the heatmap that is looked at: a moment in it, and a latency.
    pub cell: Option<(u64, u64)>,
    /// Whether percentiles are drawn over the heatmap.
    pub overlay: bool,
    /// What the keyboard is for.
    pub mode: Mode,
    /// The number of the last question.
    pub asked: u64,
    /// What was answered last.
    pub shown: Option<Answer>,
    /// The time of that, for names of files.
    pub stamp: String,
    /// A line for the user, until the next key.
    pub notice: Option<String>,
    /// Why the measuring has ended.
    pub ended: Option<String>,
    /// Why all of it has ended.
    pub failed: Option<String>,
}

/// Lengths of the live span in seconds; the last means everything since the start.
pub(super) const SPANS: [u64; 8] = [1, 5, 10, 30, 60, 300, 900, u64::MAX];
pub(super) const SECOND: u64 = 1_000_000_000;
const MINUTE: Span = Span::Last(60 * SECOND);

impl App {
    /// The state at the beginning. Where there are many rows, they are shown first.
    pub fn new(facts: Facts, size: (u16, u16), theme: Theme) -> Self {
        let many = facts.functions > 1 || facts.by.is_some();
        Self {
            size,
            theme,
            place: Place {
                screen: if many {
                    Screen::Functions
                } else {
                    Screen::Histogram
                },
                selection: Selection::default(),
                only: None,
                span: MINUTE,
            },
            steps: Vec::new(),
            paused: None,
            live: MINUTE,
            order: Order::default(),
            search: None,
            jumps: false,
            finer: 0,
            cursors: [Cursor::default(); 4],
            selected: None,
            cell: None,
            overlay: false,
            mode: Mode::Normal,
            asked: 0,
            shown: None,
            stamp: String::new(),
            notice: None,
            ended: None,
            failed: None,
            facts,
        }
    }

    /// What to ask for what is to be shown.
    pub fn question(&mut self) -> Question {
        self.asked += 1;
        if !self.is_fixed() {
            self.live = self.place.span;
        }
        let body = layout::areas(self.size).body;
        let topic = match self.place.screen {
            Screen::Histogram => Topic::Histogram(screen::histogram::columns(body)),
            Screen::Heatmap => {
                let (columns, rows) = screen::heatmap::size(self.theme, body);
                Topic::Heatmap { columns, rows }
            }
            Screen::Functions => Topic::Rows(self.order),
            Screen::Health => Topic::Health,
        };
        Question {
            id: self.asked,
            span: self.place.span,
            selection: self.place.selection.clone(),
            search: self.search.clone(),
            topic,
        }
    }

    /// What was answered, if it is about the screen that is shown.
    pub fn content(&self) -> Option<&Content> {
        let content = &self.shown.as_ref()?.content;
        let fits = matches!(
            (self.place.screen, content),
            (Screen::Histogram, Content::Histogram(..))
                | (Screen::Heatmap, Content::Heatmap(..))
                | (Screen::Functions, Content::Rows(..))
                | (Screen::Health, Content::Health(..))
        );
        fits.then_some(content)
    }

    /// The table, if it is shown.
    pub(super) fn rows(&self) -> Option<&Rows> {
        match self.content()? {
            Content::Rows(rows) => Some(rows),
            Content::Histogram(..) | Content::Heatmap(..) | Content::Health(..) => None,
        }
    }

    /// The heatmap, if it is shown.
    pub(super) fn heatmap(&self) -> Option<(&Heatmap, &[Moment])> {
        match self.content()? {
            Content::Heatmap(map, moments) => Some((map, moments)),
            Content::Histogram(..) | Content::Rows(..) | Content::Health(..) => None,
        }
    }

    /// The column and the row of the cell that is looked at; one that time has left behind is none.
    pub fn cell(&self) -> Option<(usize, usize)> {
        let (map, _) = self.heatmap()?;
        let (at_ns, latency_ns) = self.cell?;
        let column = map.columns.column_of(at_ns)?;
        Some((column, map.scale.row_of(latency_ns).0))
    }

    /// Where in the shown screen one is.
    pub fn cursor(&self) -> Cursor {
        self.cursors[self.place.screen.index()]
    }

    pub(super) fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.cursors[self.place.screen.index()]
    }

    /// Whether the picture does not follow time.
    pub fn is_fixed(&self) -> bool {
        matches!(self.place.span, Span::Fixed(_))
    }

    /// The window that is shown, with an end that does not move.
    pub(super) fn window(&self) -> Option<Window> {
        let shown = self.shown.as_ref()?;
        Some(Window {
            start_ns: shown.window.start_ns,
            end_ns: shown.window.end_ns.min(shown.now_ns),
        })
    }
}
