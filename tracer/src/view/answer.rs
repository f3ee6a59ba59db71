//! What an interface asks, and what it is answered: everything that one screen shows, small enough to
//! be drawn at once however much there is to look at.
//!
//! Owns the way from a moving span of time to a window, and the one thing that is worth keeping
//! between questions: the call tree.

use super::{
    Bar, CallTree, Direction, Expansion, Flame, Focus, FunctionKey, Functions, Order, Pattern,
    Processes, Quality, Query, Tree, Unnamed, call_tree, caller_tree, flame, focus, functions,
    processes, quality, timeline, tree, unnamed,
};
use crate::{
    profile::{Held, Ledger, Profile, Window},
    symbol::Symbols,
};

/// A stretch of time that may move along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The last so many nanoseconds.
    Last(u64),
    /// From a moment on.
    Since(u64),
    /// All that is held.
    All,
    /// This, whatever comes.
    Fixed(Window),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Tells the answers apart.
    pub id: u64,
    /// When; it takes the place of the query's window.
    pub span: Span,
    /// What.
    pub query: Query,
    /// What to mark.
    pub search: Option<Pattern>,
    /// What to show of it.
    pub topic: Topic,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The table of functions.
    Functions(Order),
    /// One function among its neighbours.
    Focus(FunctionKey, Order),
    /// The table of processes.
    Processes(Order),
    /// The flame graph.
    Flame {
        /// The way to what is zoomed to.
        zoom: Vec<String>,
        /// The width in columns.
        width: u16,
    },
    /// The call tree.
    Tree(Direction, Expansion),
    /// How far to trust all this.
    Health,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The question's.
    pub id: u64,
    /// The query with the window that the span came to.
    pub query: Query,
    /// How long was measured within the window.
    pub covered_ns: u64,
    /// The account of the window, for everybody.
    pub ledger: Ledger,
    /// The weight that the query asks for.
    pub total: u64,
    /// All that is held.
    pub timeline: Vec<Bar>,
    /// How much is held.
    pub held: Held,
    /// What was asked for.
    pub content: Content,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Content {
    /// The table of functions, with the rows that the search marks, and rows that were left out.
    Functions(Functions, Vec<usize>, LeftOut),
    /// A function among its neighbours.
    Focus(Focus),
    /// The table of processes, with the rows that the search marks.
    Processes(Processes, Vec<usize>, LeftOut),
    /// The flame graph.
    Flame(Flame),
    /// The call tree.
    Tree(CallTree),
    /// How far to trust all this: the account since the start, the stacks, missing names.
    Health(Box<Ledger>, Quality, Unnamed),
}

/// Rows of a table that are too many to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub rows: usize,
    /// Their weight.
    pub weight: u64,
}

/// Rows of a table that are handed on.
const MOST: usize = 10_000;

/// Answers questions about a profile. It is told when the profile or the names have changed.
#[derive(Debug, Default)]
pub struct Answers {
    tree: Option<(Query, Tree)>,
}

impl Answers {
    /// The profile or the names are not what they were.
    pub fn changed(&mut self) {
        self.tree = None;
    }

    /// Answers a question.
    pub fn answer(&mut self, profile: &Profile, symbols: &Symbols, question: &Question) -> Answer {
        let Question {
            id,
            span,
            query,
            search,
            topic,
        } = question;
        let query = Query {
            window: window(profile, *span),
            ..query.clone()
        };
        let search = search.as_ref();
        if self.tree.as_ref().is_some_and(|(of, _)| *of != query) {
            self.tree = None;
        }
        let (content, total) = match topic {
            Topic::Functions(order) => {
                let mut table = functions(profile, symbols, &query, *order);
                let total = table.total;
                let cut = table.rows.split_off(table.rows.len().min(MOST));
                let left_out = left_out(cut.iter().map(|row| row.self_weight));
                let marks = marks(&table.rows, |row| {
                    search.is_some_and(|search| {
                        search.matches(&row.key.symbol) || search.matches(&row.key.dso)
                    })
                });
                (Content::Functions(table, marks, left_out), total)
            }
            Topic::Focus(key, order) => {
                let focus = focus(profile, symbols, &query, key, *order);
                let total = focus.total;
                (Content::Focus(focus), total)
            }
            Topic::Processes(order) => {
                let mut table = processes(profile, symbols, &query, *order);
                let total = table.total;
                let cut = table.rows.split_off(table.rows.len().min(MOST));
                let left_out = left_out(cut.iter().map(|row| row.weight));
                let marks = marks(&table.rows, |row| {
                    search.is_some_and(|search| {
                        search.matches(&row.comm) || search.matches(&row.pid.to_string())
                    })
                });
                (Content::Processes(table, marks, left_out), total)
            }
            Topic::Flame { zoom, width } => {
                let group = query.group;
                let tree = self.tree(profile, symbols, &query);
                let total = tree.total();
                (
                    Content::Flame(flame(tree, group, zoom, *width, search)),
                    total,
                )
            }
            Topic::Tree(Direction::Down, expansion) => {
                let tree = self.tree(profile, symbols, &query);
                let total = tree.total();
                (Content::Tree(call_tree(tree, expansion, search)), total)
            }
            Topic::Tree(Direction::Up, expansion) => {
                let tree = caller_tree(profile, symbols, &query, expansion, search);
                let total = tree.total;
                (Content::Tree(tree), total)
            }
            Topic::Health => {
                let quality = quality(profile, symbols, &query);
                let unnamed = unnamed(profile, symbols, &query);
                let total = unnamed.samples;
                let ledger = Box::new(profile.ledger().clone());
                (Content::Health(ledger, quality, unnamed), total)
            }
        };
        Answer {
            id: *id,
            covered_ns: profile.covered_ns(query.window),
            ledger: profile.ledger_of(query.window),
            total,
            timeline: timeline(profile, symbols, &query),
            held: profile.held(),
            content,
            query,
        }
    }

    /// The call tree, made anew if it is another one that is kept. The old one goes first: there is
    /// not always room for two.
    fn tree(&mut self, profile: &Profile, symbols: &Symbols, query: &Query) -> &Tree {
        let (_, tree) = self
            .tree
            .get_or_insert_with(|| (query.clone(), tree(profile, symbols, query)));
        tree
    }
}

/// The window that a span comes to. One that moves along ends where nothing is missing any more, so
/// that what is shown adds up to the account.
pub fn window(profile: &Profile, span: Span) -> Window {
    let end_ns = profile.settled_ns();
    let start_ns = match span {
        Span::Fixed(window) => return window,
        Span::Last(length) => end_ns.saturating_sub(length),
        Span::Since(start) => start,
        Span::All => 0,
    };
    Window { start_ns, end_ns }
}

fn marks<T>(rows: &[T], marked: impl Fn(&T) -> bool) -> Vec<usize> {
    let marked = rows.iter().enumerate().filter(|(_, row)| marked(row));
    marked.map(|(index, _)| index).collect()
}

fn left_out(weights: impl ExactSizeIterator<Item = u64>) -> LeftOut {
    LeftOut {
        rows: weights.len(),
        weight: weights.fold(0, u64::saturating_add),
    }
}
