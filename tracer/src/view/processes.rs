//! Processes with their threads: how much time each took, and in which function most of it.
//!
//! Owns what a process is called: as its main thread is, where that was seen.

use rustc_hash::FxHashMap;

use super::{
    FunctionKey, Order, Query,
    label::{Label, labels_of},
    name::clean_bytes,
    select::Accepts,
};
use crate::{
    profile::{Comm, ProcessId, Profile, StackId, StackNode, ThreadId},
    symbol::Symbols,
};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Which.
    pub process: ProcessId,
    /// Its PID.
    pub pid: u32,
    /// What it is called.
    pub comm: String,
    /// The weight of its samples.
    pub weight: u64,
    /// The function with the most of it as leaf, and how much.
    pub hottest: Option<(FunctionKey, u64)>,
    /// The most first.
    pub threads: Vec<ThreadRow>,
}

/// A thread of a process, under all its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRow {
    /// Its TID.
    pub tid: u32,
    /// What it is called, or was last.
    pub comm: String,
    /// The weight of its samples.
    pub weight: u64,
    /// The function with the most of it as leaf, and how much.
    pub hottest: Option<(FunctionKey, u64)>,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// The most first, or by name.
    pub rows: Vec<ProcessRow>,
    /// The weight of all samples.
    pub total: u64,
}

/// The processes of what a query asks for.
pub fn processes(profile: &Profile, symbols: &Symbols, query: &Query, order: Order) -> Processes {
    let mut accepts = Accepts::new(profile, symbols, query);
    let mut leaves: Leaves<'_> = Leaves::new(profile, symbols);
    // By process and TID: the latest name, and the weight by leaf.
    type Thread = (ThreadId, FxHashMap<u32, u64>);
    let mut threads: FxHashMap<(ProcessId, u32), Thread> = FxHashMap::default();
    let mut total = 0_u64;
    for row in profile.weights(query.window) {
        if !accepts.row(&row) {
            continue;
        }
        total = total.saturating_add(row.weight);
        let thread = profile.thread(row.thread);
        let leaf = leaves.of(row.stack);
        let (named, by_leaf) = threads
            .entry((thread.process, thread.tid))
            .or_insert_with(|| (row.thread, FxHashMap::default()));
        *named = (*named).max(row.thread);
        let sum = by_leaf.entry(leaf).or_default();
        *sum = sum.saturating_add(row.weight);
    }
    let mut by_process: FxHashMap<ProcessId, (Vec<ThreadRow>, FxHashMap<u32, u64>)> =
        FxHashMap::default();
    for ((process, tid), (named, by_leaf)) in threads {
        let (rows, all) = by_process.entry(process).or_default();
        for (leaf, weight) in &by_leaf {
            let sum = all.entry(*leaf).or_default();
            *sum = sum.saturating_add(*weight);
        }
        rows.push(ThreadRow {
            tid,
            comm: clean_bytes(profile.thread(named).comm.as_bytes()),
            weight: sum(&by_leaf),
            hottest: leaves.hottest(&by_leaf),
        });
    }
    let names = names(profile, query);
    let rows = by_process
        .into_iter()
        .map(|(process, (mut threads, by_leaf))| {
            threads.sort_unstable_by_key(|row| (std::cmp::Reverse(row.weight), row.tid));
            ProcessRow {
                process,
                pid: profile.process(process).0,
                comm: clean_bytes(names.get(&process).copied().unwrap_or_default().as_bytes()),
                weight: sum(&by_leaf),
                hottest: leaves.hottest(&by_leaf),
                threads,
            }
        });
    let mut rows: Vec<ProcessRow> = rows.collect();
    match order {
        Order::SelfWeight | Order::Total => {
            rows.sort_unstable_by_key(|row| (std::cmp::Reverse(row.weight), row.pid, row.process));
        }
        Order::Name => rows.sort_unstable_by(|one, other| {
            (&one.comm, one.pid, one.process).cmp(&(&other.comm, other.pid, other.process))
        }),
    }
    Processes { rows, total }
}

/// What the processes of a window are called: by the main thread's last name, or by the first in the
/// alphabet where the main thread was not seen.
pub(super) fn names(profile: &Profile, query: &Query) -> FxHashMap<ProcessId, Comm> {
    let mut best: FxHashMap<ProcessId, (bool, Option<ThreadId>, Comm)> = FxHashMap::default();
    let mut last = None;
    for row in profile.weights(query.window) {
        // Rows of a slice are ordered by thread.
        if last.replace(row.thread) == Some(row.thread) {
            continue;
        }
        let thread = profile.thread(row.thread);
        let main = thread.tid == profile.process(thread.process).0;
        let new = (main, main.then_some(row.thread), thread.comm);
        best.entry(thread.process)
            .and_modify(|known| {
                let better = match (known.0, main) {
                    (true, true) => new.1 > known.1,
                    (false, false) => new.2 < known.2,
                    (known, new) => new && !known,
                };
                if better {
                    *known = new;
                }
            })
            .or_insert(new);
    }
    best.into_iter()
        .map(|(process, (_, _, comm))| (process, comm))
        .collect()
}

fn sum(by_leaf: &FxHashMap<u32, u64>) -> u64 {
    by_leaf.values().copied().fold(0, u64::saturating_add)
}

/// The innermost function of each stack.
struct Leaves<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    /// 0 is that of a stack without frames.
    keys: Vec<FunctionKey>,
    numbers: FxHashMap<FunctionKey, u32>,
    by_node: FxHashMap<StackNode, u32>,
}

impl<'a> Leaves<'a> {
    fn new(profile: &'a Profile, symbols: &'a Symbols) -> Self {
        let none = FunctionKey {
            symbol: "[no stack]".to_owned(),
            dso: String::new(),
        };
        Self {
            profile,
            symbols,
            keys: vec![none],
            numbers: FxHashMap::default(),
            by_node: FxHashMap::default(),
        }
    }

    fn of(&mut self, stack: StackId) -> u32 {
        let Some((_, node)) = self.profile.stack(stack).next() else {
            return 0;
        };
        if let Some(known) = self.by_node.get(&node) {
            return *known;
        }
        let label = match node {
            StackNode::Truncated(why, stop) => Some(Label::truncated(self.profile, why, stop)),
            StackNode::Frame(frame) => labels_of(self.profile, self.symbols, frame).pop(),
        };
        let number = label.map_or(0, |label| {
            let key = FunctionKey {
                symbol: label.text,
                dso: label.dso,
            };
            if let Some(known) = self.numbers.get(&key) {
                return *known;
            }
            let number = self.keys.len() as u32;
            self.keys.push(key.clone());
            self.numbers.insert(key, number);
            number
        });
        self.by_node.insert(node, number);
        number
    }

    fn hottest(&self, by_leaf: &FxHashMap<u32, u64>) -> Option<(FunctionKey, u64)> {
        let weights = by_leaf.iter();
        let keyed = weights.map(|(leaf, weight)| (*weight, &self.keys[*leaf as usize]));
        let most = keyed.max_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(one.1)));
        most.map(|(weight, key)| (key.clone(), weight))
    }
}
