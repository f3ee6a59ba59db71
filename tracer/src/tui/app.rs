//! The state of the interface: one value, changed by `update` alone and drawn by `draw`.

use std::collections::BTreeSet;

use crate::{
    profile::{ProcessId, Window},
    view::{
        Answer, Content, Direction, Expansion, FunctionKey, Order, Pattern, ProcessRow, Query,
        Question, Span, Topic,
    },
};

use super::{lines::LineKey, message::Vitals, theme::Theme};

/// What does not change while this runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The machine's name.
    pub host: String,
    /// Its kernel.
    pub kernel: String,
    /// How many CPUs are sampled.
    pub cpus: usize,
    /// The source and its event.
    pub source: String,
    /// Samples a second on each CPU.
    pub hertz: u64,
    /// What is measured.
    pub target: String,
    /// How much of the past is kept.
    pub history_ns: u64,
}

/// The screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// Functions, and one function among its neighbours.
    Functions,
    /// Processes with their threads.
    Processes,
    /// The flame graph.
    Flame,
    /// The call tree.
    Tree,
    /// How far to trust all this.
    Health,
}

impl Screen {
    /// In the order of their keys.
    pub const ALL: [Self; 5] = [
        Self::Functions,
        Self::Processes,
        Self::Flame,
        Self::Tree,
        Self::Health,
    ];

    /// The title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Functions => "Functions",
            Self::Processes => "Processes",
            Self::Flame => "Flame",
            Self::Tree => "Tree",
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

/// Where in a list one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The selected line.
    pub at: usize,
    /// The first line that is shown.
    pub top: usize,
}

/// What a step can take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// The query.
    pub query: Query,
    /// The process or thread of the query, in words.
    pub who: Option<String>,
    /// The time.
    pub span: Span,
    /// The function whose neighbours are shown.
    pub focus: Option<FunctionKey>,
    /// What is zoomed to.
    pub zoom: Vec<String>,
}

/// What the keyboard is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The keys of the table.
    Normal,
    /// Typing.
    Prompt(Prompt),
    /// Selecting time.
    Time {
        /// Where one is.
        at_ns: u64,
        /// The other end.
        anchor_ns: Option<u64>,
        /// The span to go back to.
        before: Span,
    },
    /// Reading the keys, from this line on.
    Help(usize),
}

/// A line that is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt<K = PromptKind> {
    /// What for.
    pub kind: K,
    /// What has been typed.
    pub text: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// What is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// What to look for.
    Search,
    /// What to keep.
    Filter,
    /// What to leave out.
    Exclude,
    /// A file's name; the span to go back to.
    Export(Span),
}

/// What was answered last.
#[derive(Debug)]
pub struct Shown {
    /// The answer.
    pub answer: Answer,
    /// How tracer is doing.
    pub vitals: Vitals,
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
    /// The order of functions.
    pub order: Order,
    /// The order of processes.
    pub process_order: Order,
    /// Which way the tree goes.
    pub direction: Direction,
    /// What of the tree is open.
    pub expansion: Expansion,
    /// The processes whose threads are shown, or are not if `all_open`.
    pub toggled: BTreeSet<ProcessId>,
    /// Whether all processes show their threads.
    pub all_open: bool,
    /// What is marked.
    pub search: Option<Pattern>,
    /// Whether to go to the first of what is marked when the answer comes.
    pub jumps: bool,
    /// Where in each screen one is.
    pub cursors: [Cursor; 5],
    /// What was selected in each screen when it was left.
    pub(super) left: [Option<LineKey>; 5],
    /// What is selected in the flame graph: the way to it from the root.
    pub selected: Vec<String>,
    /// Whether the flame graph's colours are by file.
    pub by_dso: bool,
    /// What the keyboard is for.
    pub mode: Mode,
    /// The time that a column of the timeline stands for.
    pub column_ns: u64,
    /// Where the mouse went down on the timeline.
    pub drag_ns: Option<u64>,
    /// Whether it has been moved since: what it selects has become a step.
    pub is_dragged: bool,
    /// Whether what is selected was selected by a click.
    pub is_clicked: bool,
    /// The number of the last question.
    pub asked: u64,
    /// What was answered last.
    pub shown: Option<Shown>,
    /// A line for the user, until the next key.
    pub notice: Option<String>,
    /// Why the measuring has ended.
    pub ended: Option<String>,
    /// Why all of it has ended.
    pub failed: Option<String>,
}

/// Lengths of the live span; the last means all that is held.
pub(super) const SPANS: [u64; 7] = [1, 5, 10, 30, 60, 300, u64::MAX];
/// Times that a column of the timeline may stand for: none that a slice does not fit into, or there
/// would be columns without any.
pub(super) const COLUMNS: [u64; 6] = [
    500_000_000,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    60 * SECOND,
];
pub(super) const SECOND: u64 = 1_000_000_000;

impl App {
    /// The state at the beginning.
    pub fn new(facts: Facts, size: (u16, u16), theme: Theme) -> Self {
        Self {
            facts,
            size,
            theme,
            place: Place {
                screen: Screen::Functions,
                query: Query::default(),
                who: None,
                span: Span::Last(10 * SECOND),
                focus: None,
                zoom: Vec::new(),
            },
            steps: Vec::new(),
            paused: None,
            live: Span::Last(10 * SECOND),
            order: Order::SelfWeight,
            process_order: Order::SelfWeight,
            direction: Direction::Down,
            expansion: Expansion::default(),
            toggled: Default::default(),
            all_open: false,
            search: None,
            jumps: false,
            cursors: [Cursor::default(); 5],
            left: Default::default(),
            selected: Vec::new(),
            by_dso: false,
            mode: Mode::Normal,
            column_ns: SECOND,
            drag_ns: None,
            is_dragged: false,
            is_clicked: false,
            asked: 0,
            shown: None,
            notice: None,
            ended: None,
            failed: None,
        }
    }

    /// What to ask for what is to be shown.
    pub fn question(&mut self) -> Question {
        self.asked += 1;
        if !self.is_fixed() {
            self.live = self.place.span;
        }
        let topic = match self.place.screen {
            Screen::Functions => match &self.place.focus {
                Some(key) => Topic::Focus(key.clone(), self.order),
                None => Topic::Functions(self.order),
            },
            Screen::Processes => Topic::Processes(self.process_order),
            Screen::Flame => Topic::Flame {
                zoom: self.place.zoom.clone(),
                width: self.size.0,
            },
            Screen::Tree => Topic::Tree(self.direction, self.expansion.clone()),
            Screen::Health => Topic::Health,
        };
        Question {
            id: self.asked,
            span: self.place.span,
            query: self.place.query.clone(),
            search: self.search.clone(),
            topic,
        }
    }

    /// What was answered, if it is about the screen that is shown.
    pub fn content(&self) -> Option<&Content> {
        let content = &self.shown.as_ref()?.answer.content;
        let fits = match (self.place.screen, content) {
            (Screen::Functions, Content::Functions(..)) => self.place.focus.is_none(),
            (Screen::Functions, Content::Focus(..)) => self.place.focus.is_some(),
            (Screen::Processes, Content::Processes(..))
            | (Screen::Flame, Content::Flame(..))
            | (Screen::Tree, Content::Tree(..))
            | (Screen::Health, Content::Health(..)) => true,
            _ => false,
        };
        fits.then_some(content)
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

    /// The window that is shown.
    pub fn window(&self) -> Option<Window> {
        self.shown.as_ref().map(|shown| shown.answer.query.window)
    }

    /// Whether a process's threads are shown. A single one would say the same once more.
    pub fn is_open(&self, row: &ProcessRow) -> bool {
        row.threads.len() > 1 && self.all_open != self.toggled.contains(&row.process)
    }
}
