//! Functions: how much time is spent in each, and below it; and who calls one, and whom it calls.
//!
//! Owns what *self* and *total* mean: self is the weight of samples with the function as their leaf,
//! total that of samples that have it anywhere, each counted once however often it recurs. A function
//! is told apart by its name and its file.

use rustc_hash::FxHashMap;

use super::{
    Kind, Query,
    label::{Label, labels_of},
    select::totals,
};
use crate::{
    profile::{FrameId, Profile, StackNode, Stop, Truncation},
    symbol::Symbols,
};

/// A function by name and file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    /// The displayed name.
    pub symbol: String,
    /// The name of its file.
    pub dso: String,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// Which function.
    pub key: FunctionKey,
    /// What it is.
    pub kind: Kind,
    /// The weight of samples with their leaf here.
    pub self_weight: u64,
    /// The weight of samples with this anywhere.
    pub total: u64,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// In the order that was asked for, and by name where that says nothing.
    pub rows: Vec<FunctionRow>,
    /// The weight of all samples: the sum of self over all rows.
    pub total: u64,
}

/// What a table is ordered by, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Self.
    #[default]
    SelfWeight,
    /// Total.
    Total,
    /// The name, A first.
    Name,
}

/// A function with its neighbours on the stacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The function; its weights are 0 where the query has no sample of it.
    pub function: FunctionRow,
    /// Who calls it, by the weight of samples in which they do (their total).
    pub callers: Vec<FunctionRow>,
    /// Whom it calls; self is the part of it with that one as leaf.
    pub callees: Vec<FunctionRow>,
    /// The weight of all samples of the query.
    pub total: u64,
}

/// The functions of what a query asks for.
pub fn functions(profile: &Profile, symbols: &Symbols, query: &Query, order: Order) -> Functions {
    let mut walk = Walk::new(profile, symbols);
    let mut weights: Vec<(u64, u64)> = Vec::new();
    let mut seen: Vec<u32> = Vec::new();
    let mut total = 0_u64;
    let totals = totals(profile, symbols, query);
    for (sample, row) in (1_u32..).zip(&totals.rows) {
        total = total.saturating_add(row.weight);
        walk.stack(row.stack, totals.firsts.get(row.first as usize));
        weights.resize(walk.labels.len(), (0, 0));
        seen.resize(walk.labels.len(), 0);
        for (depth, function) in walk
            .functions
            .iter()
            .map(|number| *number as usize)
            .enumerate()
        {
            let (own, below) = &mut weights[function];
            if depth == 0 {
                *own = own.saturating_add(row.weight);
            }
            // Once per sample, however often it recurs.
            if std::mem::replace(&mut seen[function], sample) != sample {
                *below = below.saturating_add(row.weight);
            }
        }
    }
    let rows = walk.labels.into_iter().zip(weights);
    let mut rows: Vec<FunctionRow> = rows
        .map(|(label, (self_weight, total))| row(label, self_weight, total))
        .collect();
    sort(&mut rows, order);
    Functions { rows, total }
}

/// A function among its neighbours.
pub fn focus(
    profile: &Profile,
    symbols: &Symbols,
    query: &Query,
    key: &FunctionKey,
    order: Order,
) -> Focus {
    let mut walk = Walk::new(profile, symbols);
    let mut function = FunctionRow {
        key: key.clone(),
        kind: Kind::Native,
        self_weight: 0,
        total: 0,
    };
    let mut total = 0_u64;
    // By function: the weight as caller, as callee, and as leaf that is called.
    let mut callers: FxHashMap<u32, u64> = FxHashMap::default();
    let mut callees: FxHashMap<u32, (u64, u64)> = FxHashMap::default();
    let totals = totals(profile, symbols, query);
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for row in &totals.rows {
        total = total.saturating_add(row.weight);
        walk.stack(row.stack, None);
        let first = totals.firsts.get(row.first as usize);
        let is_it = |walk: &Walk<'_>, number: u32| {
            let label = &walk.labels[number as usize];
            label.text == key.symbol && label.dso == key.dso
        };
        above.clear();
        below.clear();
        let stack = std::mem::take(&mut walk.functions);
        let mut found = false;
        for (depth, number) in stack.iter().enumerate() {
            if !is_it(&walk, *number) {
                continue;
            }
            found = true;
            function.kind = walk.labels[*number as usize].kind;
            match depth.checked_sub(1).and_then(|callee| stack.get(callee)) {
                None => function.self_weight = function.self_weight.saturating_add(row.weight),
                Some(callee) => below.push((*callee, depth == 1)),
            }
            match (stack.get(depth + 1), first) {
                (Some(caller), _) => above.push(*caller),
                (None, Some(first)) => above.push(walk.number(first.clone())),
                (None, None) => {}
            }
        }
        walk.functions = stack;
        if found {
            function.total = function.total.saturating_add(row.weight);
        }
        above.sort_unstable();
        above.dedup();
        for caller in &above {
            let sum = callers.entry(*caller).or_default();
            *sum = sum.saturating_add(row.weight);
        }
        // As a leaf first, so that this is the one that is kept.
        below.sort_unstable_by_key(|(callee, leaf)| (*callee, !leaf));
        below.dedup_by_key(|(callee, _)| *callee);
        for (callee, leaf) in &below {
            let (sum, own) = callees.entry(*callee).or_default();
            *sum = sum.saturating_add(row.weight);
            if *leaf {
                *own = own.saturating_add(row.weight);
            }
        }
    }
    let rows = |weights: Vec<(u32, u64, u64)>| {
        let rows = weights
            .into_iter()
            .map(|(number, own, total)| row(walk.labels[number as usize].clone(), own, total));
        let mut rows: Vec<FunctionRow> = rows.collect();
        sort(
            &mut rows,
            match order {
                Order::Name => Order::Name,
                Order::SelfWeight | Order::Total => Order::Total,
            },
        );
        rows
    };
    let callers = rows(
        callers
            .into_iter()
            .map(|(number, sum)| (number, 0, sum))
            .collect(),
    );
    let callees = callees.into_iter();
    let callees = rows(
        callees
            .map(|(number, (sum, own))| (number, own, sum))
            .collect(),
    );
    Focus {
        function,
        callers,
        callees,
        total,
    }
}

fn row(label: Label, self_weight: u64, total: u64) -> FunctionRow {
    FunctionRow {
        key: FunctionKey {
            symbol: label.text,
            dso: label.dso,
        },
        kind: label.kind,
        self_weight,
        total,
    }
}

fn sort(rows: &mut [FunctionRow], order: Order) {
    use std::cmp::Reverse;
    rows.sort_unstable_by(|one, other| {
        let (more, less) = match order {
            Order::SelfWeight => (
                (one.self_weight, one.total),
                (other.self_weight, other.total),
            ),
            Order::Total => (
                (one.total, one.self_weight),
                (other.total, other.self_weight),
            ),
            Order::Name => ((0, 0), (0, 0)),
        };
        (Reverse(more), &one.key).cmp(&(Reverse(less), &other.key))
    });
}

impl Order {
    /// The one that follows, in a circle.
    pub const fn next(self) -> Self {
        match self {
            Self::SelfWeight => Self::Total,
            Self::Total => Self::Name,
            Self::Name => Self::SelfWeight,
        }
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SelfWeight => "Self",
            Self::Total => "Total",
            Self::Name => "name",
        }
    }
}

/// Stacks as functions, leaf first.
struct Walk<'a> {
    profile: &'a Profile,
    symbols: &'a Symbols,
    labels: Vec<Label>,
    numbers: FxHashMap<FunctionKey, u32>,
    by_frame: FxHashMap<FrameId, Box<[u32]>>,
    by_cut: FxHashMap<(Truncation, Stop), u32>,
    /// The last stack.
    functions: Vec<u32>,
}

impl<'a> Walk<'a> {
    fn new(profile: &'a Profile, symbols: &'a Symbols) -> Self {
        Self {
            profile,
            symbols,
            labels: Vec::new(),
            numbers: FxHashMap::default(),
            by_frame: FxHashMap::default(),
            by_cut: FxHashMap::default(),
            functions: Vec::new(),
        }
    }

    /// Walks a stack. One without frames is its first level alone, if that is given: nothing that
    /// was observed is left out.
    fn stack(&mut self, stack: crate::profile::StackId, first: Option<&Label>) {
        self.functions.clear();
        for (_, node) in self.profile.stack(stack) {
            match node {
                StackNode::Truncated(why, stop) => {
                    let number = match self.by_cut.get(&(why, stop)) {
                        Some(known) => *known,
                        None => self.number(Label::truncated(self.profile, why, stop)),
                    };
                    self.by_cut.insert((why, stop), number);
                    self.functions.push(number);
                }
                StackNode::Frame(frame) => {
                    if let Some(known) = self.by_frame.get(&frame) {
                        self.functions.extend(known);
                        continue;
                    }
                    // Inlined functions are further from the root.
                    let labels = labels_of(self.profile, self.symbols, frame)
                        .into_iter()
                        .rev();
                    let numbers: Box<[u32]> = labels.map(|label| self.number(label)).collect();
                    self.functions.extend(&numbers);
                    self.by_frame.insert(frame, numbers);
                }
            }
        }
        if let (true, Some(first)) = (self.functions.is_empty(), first) {
            let number = self.number(first.clone());
            self.functions.push(number);
        }
    }

    fn number(&mut self, label: Label) -> u32 {
        let key = FunctionKey {
            symbol: label.text,
            dso: label.dso,
        };
        if let Some(known) = self.numbers.get(&key) {
            return *known;
        }
        let number = self.labels.len() as u32;
        self.labels.push(Label {
            text: key.symbol.clone(),
            kind: label.kind,
            dso: key.dso.clone(),
        });
        self.numbers.insert(key, number);
        number
    }
}
