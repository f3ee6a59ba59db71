//! Which samples a query asks for, added up by stack.
//!
//! Owns the order of the result, which does not depend on the order in which samples came.

use rustc_hash::FxHashMap;

use super::{
    Group, Mode, Query,
    label::{Label, labels_of},
    processes::names,
};
use crate::{
    profile::{
        Comm, Frame, FrameId, ProcessId, Profile, StackId, StackNode, ThreadId, Truncation, Weight,
    },
    symbol::Symbols,
};

/// What a query asks for.
pub(super) struct Totals {
    /// What the first levels are called.
    pub(super) firsts: Vec<Label>,
    /// Ordered by first level and stack, each pair once.
    pub(super) rows: Vec<Total>,
}

/// The weight of a stack under a first level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Total {
    /// Index into [`Totals::firsts`].
    pub(super) first: u32,
    pub(super) stack: StackId,
    pub(super) weight: u64,
}

/// What a first level stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum First {
    Comm(Comm),
    Process(ProcessId),
    All,
}

/// The weight of each stack under each first level, over all threads and slices that a query asks
/// for.
pub(super) fn totals(profile: &Profile, symbols: &Symbols, query: &Query) -> Totals {
    let mut accepts = Accepts::new(profile, symbols, query);
    let mut numbers: FxHashMap<First, u32> = FxHashMap::default();
    let mut of_thread: FxHashMap<ThreadId, u32> = FxHashMap::default();
    let mut rows = Vec::new();
    for row in profile.weights(query.window).filter(|row| accepts.row(row)) {
        let first = *of_thread.entry(row.thread).or_insert_with(|| {
            let thread = profile.thread(row.thread);
            let first = match query.group {
                Group::Comm => First::Comm(thread.comm),
                Group::Process => First::Process(thread.process),
                Group::Merged => First::All,
            };
            let next = numbers.len() as u32;
            *numbers.entry(first).or_insert(next)
        });
        rows.push(Total {
            first,
            stack: row.stack,
            weight: row.weight,
        });
    }
    rows.sort_unstable_by_key(|row| (row.first, row.stack));
    rows.dedup_by(|row, kept| {
        let same = (row.first, row.stack) == (kept.first, kept.stack);
        if same {
            kept.weight = kept.weight.saturating_add(row.weight);
        }
        same
    });
    let mut firsts: Vec<(u32, First)> = numbers
        .into_iter()
        .map(|(first, number)| (number, first))
        .collect();
    firsts.sort_unstable_by_key(|(number, _)| *number);
    let processes = match query.group {
        Group::Process => names(profile, query),
        Group::Comm | Group::Merged => FxHashMap::default(),
    };
    let firsts = firsts.into_iter().map(|(_, first)| match first {
        First::Comm(comm) => Label::comm(comm),
        First::All => Label::all(),
        First::Process(process) => {
            let comm = processes.get(&process).copied().unwrap_or_default();
            Label::process(comm, profile.process(process).0)
        }
    });
    Totals {
        firsts: firsts.collect(),
        rows,
    }
}

/// Decides over samples, remembering what it has found out about threads, stacks and frames.
pub(super) struct Accepts<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    query: &'a Query,
    /// All filters are met.
    all: u64,
    threads: FxHashMap<ThreadId, Option<u64>>,
    stacks: FxHashMap<StackId, u64>,
    frames: FxHashMap<FrameId, u64>,
    path: Vec<(StackId, StackNode)>,
}

impl<'a> Accepts<'a> {
    /// Filters that can be told apart: what is more than these is not looked at.
    const MOST: usize = 64;

    pub(super) fn new(profile: &'a Profile, symbols: &'a Symbols, query: &'a Query) -> Self {
        let filters = query.filters.len().min(Self::MOST);
        Self {
            profile,
            symbols,
            query,
            all: (0..filters).fold(0, |all, bit| all | 1 << bit),
            threads: FxHashMap::default(),
            stacks: FxHashMap::default(),
            frames: FxHashMap::default(),
            path: Vec::new(),
        }
    }

    /// Whether the query asks for this, its time aside.
    pub(super) fn row(&mut self, row: &Weight) -> bool {
        let (profile, query, all) = (self.profile, self.query, self.all);
        let thread = *self.threads.entry(row.thread).or_insert_with(|| {
            let thread = profile.thread(row.thread);
            let process = query
                .processes
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&thread.process));
            let itself = query
                .thread
                .is_none_or(|wanted| wanted == (thread.process, thread.tid));
            (process && itself).then(|| matched(query, &Label::comm(thread.comm).text))
        });
        let Some(matched) = thread else { return false };
        if !self.mode(row.stack) {
            return false;
        }
        if all == 0 {
            return true;
        }
        let matched = matched | self.stack(row.stack);
        let wanted = |bit: usize| query.filters.get(bit).is_some_and(|filter| !filter.exclude);
        (0..query.filters.len().min(Self::MOST)).all(|bit| (matched & 1 << bit != 0) == wanted(bit))
    }

    fn mode(&self, stack: StackId) -> bool {
        let in_kernel = || match self.profile.stack(stack).next() {
            Some((_, StackNode::Frame(frame))) => {
                matches!(self.profile.frame(frame), Frame::Kernel { .. })
            }
            Some((_, StackNode::Truncated(why, _))) => why == Truncation::KernelUnreadable,
            // A task without a user part, whose kernel part is empty: the idle task.
            None => true,
        };
        match self.query.mode {
            Mode::All => true,
            Mode::User => !in_kernel(),
            Mode::Kernel => in_kernel(),
        }
    }

    /// The filters that any frame of a stack matches.
    fn stack(&mut self, stack: StackId) -> u64 {
        self.path.clear();
        let mut matched = 0;
        for (stack, node) in self.profile.stack(stack) {
            if let Some(known) = self.stacks.get(&stack) {
                matched = *known;
                break;
            }
            self.path.push((stack, node));
        }
        let (profile, symbols, query) = (self.profile, self.symbols, self.query);
        while let Some((stack, node)) = self.path.pop() {
            if let StackNode::Frame(frame) = node {
                matched |= *self.frames.entry(frame).or_insert_with(|| {
                    let labels = labels_of(profile, symbols, frame);
                    labels.iter().fold(0, |bits, label| {
                        bits | matched_by(query, &[&label.text, &label.dso])
                    })
                });
            }
            self.stacks.insert(stack, matched);
        }
        matched
    }
}

fn matched(query: &Query, text: &str) -> u64 {
    matched_by(query, &[text])
}

fn matched_by(query: &Query, texts: &[&str]) -> u64 {
    let filters = query.filters.iter().take(Accepts::MOST).enumerate();
    filters
        .filter(|(_, filter)| texts.iter().any(|text| filter.pattern.matches(text)))
        .fold(0, |bits, (bit, _)| bits | 1 << bit)
}
