//! What the interface of latencies asks, and what it is answered: everything that one screen shows, no
//! larger than a screen needs however many calls there were.

mod columns;
mod cost;
mod rows;
mod scale;
pub(super) mod selection;

use tracer_common::bucket_of;

pub use columns::{Columns, Moment};
pub use cost::{Cost, cost};
pub use rows::{Call, Order, Row, Rows};
pub use scale::{Scale, bars};
pub use selection::Selection;

use super::{Heatmap, Pattern, Span, heatmap::heatmap_of, printable};
use crate::profile::{FunctionId, Histogram, Latencies, SpanLedger, Window};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Tells the answers apart.
    pub id: u64,
    /// When.
    pub span: Span,
    /// Which calls.
    pub selection: Selection,
    /// What to mark.
    pub search: Option<Pattern>,
    /// What to show of it.
    pub topic: Topic,
}

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The histogram, and how it came about in at most so many columns of time.
    Histogram(usize),
    /// When there were calls of which latency.
    Heatmap {
        /// Columns of time, at most.
        columns: usize,
        /// Rows of latency.
        rows: usize,
    },
    /// The functions, or what else calls are told apart by.
    Rows(Order),
    /// How far to trust all this.
    Health,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question's.
    pub id: u64,
    /// The window that the span came to.
    pub window: Window,
    /// How long was measured within the window.
    pub covered_ns: u64,
    /// Up to when everything is known.
    pub now_ns: u64,
    /// The calls that were asked for.
    pub calls: Histogram,
    /// The account of the functions that were asked for, in the window.
    pub ledger: SpanLedger,
    /// The same since the start.
    pub whole: SpanLedger,
    /// What probing all functions cost in the window, if that is known.
    pub cost: Option<Cost>,
    /// What was asked for.
    pub content: Content,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// The columns of time; the histogram is in the answer already.
    Histogram(Columns, Vec<Moment>),
    /// The heatmap, with what is known of each of its columns.
    Heatmap(Heatmap, Vec<Moment>),
    /// The table.
    Rows(Rows),
    /// The account of every function that lost calls, most first.
    Health(Vec<(String, SpanLedger)>),
}

/// Functions with losses that are handed on.
const MOST_LOSSES: usize = 100;

/// Answers a question. `costs` says what a call of each function costs its caller, if it is known, in
/// nanoseconds.
pub fn answer(latencies: &Latencies, costs: &[f64], question: &Question) -> Answer {
    let Question {
        id,
        span,
        selection,
        search,
        topic,
    } = question;
    let window = window(latencies, *span);
    let mut accepts = selection.on(latencies);
    let mut calls = Histogram::default();
    latencies.each(window, |function, key, histogram| {
        if accepts.call(function, key) {
            calls.merge(histogram);
        }
    });
    let content = match topic {
        Topic::Histogram(most) => {
            let columns = Columns::of(latencies, window, *most);
            let moments = columns.moments(latencies, &mut accepts);
            Content::Histogram(columns, moments)
        }
        Topic::Heatmap { columns, rows } => {
            let columns = Columns::of(latencies, window, *columns);
            let moments = columns.moments(latencies, &mut accepts);
            let scale = Scale::filling(range(&calls), *rows);
            let map = heatmap_of(latencies, &mut accepts, columns, scale);
            Content::Heatmap(map, moments)
        }
        Topic::Rows(order) => Content::Rows(rows::rows(
            latencies,
            &mut accepts,
            window,
            *order,
            search.as_ref(),
        )),
        Topic::Health => Content::Health(losses(latencies, window, MOST_LOSSES)),
    };
    let functions = accepts.functions();
    let wanted = |function: FunctionId| functions.contains(&function);
    Answer {
        id: *id,
        window,
        covered_ns: covered(latencies, window),
        now_ns: latencies.settled_ns(),
        calls,
        ledger: latencies.ledger(window, wanted),
        whole: latencies.ledger(Window::ALL, wanted),
        cost: cost(latencies, costs, window),
        content,
    }
}

/// The window that a span comes to: it ends where nothing is missing any more.
pub fn window(latencies: &Latencies, span: Span) -> Window {
    let end_ns = latencies.settled_ns();
    let start_ns = match span {
        Span::Fixed(window) => return window,
        Span::All => return Window::ALL,
        Span::Last(length) => end_ns.saturating_sub(length),
        Span::Since(start) => start,
    };
    Window { start_ns, end_ns }
}

/// How long was measured within a window.
fn covered(latencies: &Latencies, window: Window) -> u64 {
    if window == Window::ALL {
        let first = latencies.first_ns();
        return first.map_or(0, |first| latencies.settled_ns().saturating_sub(first));
    }
    let slices = latencies.slices();
    let within = slices.filter(|(start, _)| (window.start_ns..window.end_ns).contains(start));
    within.map(|(start, end)| end.saturating_sub(start)).sum()
}

/// The numbers of the first and the last bucket that are not empty.
fn range(calls: &Histogram) -> Option<(u32, u32)> {
    let mut buckets = calls.buckets().map(|bucket| bucket_of(bucket.low));
    let first = buckets.next()?;
    Some((first, buckets.next_back().unwrap_or(first)))
}

fn losses(latencies: &Latencies, window: Window, most: usize) -> Vec<(String, SpanLedger)> {
    let mut losses = std::collections::BTreeMap::<FunctionId, SpanLedger>::new();
    latencies.each_ledger(window, |function, ledger| {
        if ledger.lost_total() > 0 {
            losses.entry(function).or_default().add(ledger);
        }
    });
    let mut losses: Vec<_> = losses.into_iter().collect();
    losses.sort_by_key(|(function, ledger)| (std::cmp::Reverse(ledger.lost_total()), *function));
    losses.truncate(most);
    let name = |function| latencies.function(function).map(|of| printable(&of.name));
    let named = losses.into_iter();
    named
        .map(|(function, ledger)| (name(function).unwrap_or_default(), ledger))
        .collect()
}

/// When there were calls of which latency, for whoever has nothing else to ask: the span in at most so
/// many columns, its latencies in so many rows.
pub fn heatmap(
    latencies: &Latencies,
    selection: &Selection,
    span: Span,
    columns: usize,
    rows: usize,
) -> Heatmap {
    let question = Question {
        id: 0,
        span,
        selection: selection.clone(),
        search: None,
        topic: Topic::Heatmap { columns, rows },
    };
    match answer(latencies, &[], &question).content {
        Content::Heatmap(map, _) => map,
        Content::Histogram(..) | Content::Rows(..) | Content::Health(..) => Heatmap::default(),
    }
}
