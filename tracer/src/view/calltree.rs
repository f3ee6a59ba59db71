//! The call tree as lines that open and close, from the root down or from the leaves up.
//!
//! Owns which lines there are. What is open is remembered by the names on the way to it, so that it
//! stays open when the numbers change.

use std::{cmp::Reverse, collections::BTreeSet};

use rustc_hash::FxHashMap;

use super::{
    Label, Pattern, Query, Tree,
    label::{LabelId, Labels},
    select::totals,
};
use crate::{
    profile::{Profile, StackId, StackNode},
    symbol::Symbols,
};

/// Which way to read stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the root: whom each calls.
    #[default]
    Down,
    /// From the leaf: by whom each is called.
    Up,
}

/// Which lines are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// What is open unless it has been toggled.
    pub base: Base,
    /// The lines that are not as the base says.
    pub toggled: BTreeSet<PathKey>,
}

/// What is open by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// What has a large share of everything.
    #[default]
    Large,
    /// As much as fits.
    All,
    /// Nothing.
    None,
}

/// A line, by the names on the way to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathKey(u64);

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// Which.
    pub key: PathKey,
    /// How many lines lead to it.
    pub depth: u16,
    /// What it is.
    pub label: Label,
    /// The weight of samples that end here: with their leaf, or with their root if read upwards.
    pub self_weight: u64,
    /// The weight of samples that pass through here.
    pub total: u64,
    /// Whether there is anything below.
    pub has_children: bool,
    /// Whether that is shown.
    pub open: bool,
    /// Whether the search matches it.
    pub matched: bool,
}

/// The lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTree {
    /// Each followed by what is below it, the largest first.
    pub rows: Vec<CallRow>,
    /// Lines that were not made because there are too many.
    pub left_out: usize,
    /// The weight of all samples.
    pub total: u64,
}

/// Lines that are made at most.
const MOST: usize = 20_000;

/// The part of everything that a line must have to be open by itself: one in so many.
const LARGE: u64 = 20;

/// From the root down.
pub fn call_tree(tree: &Tree, expansion: &Expansion, search: Option<&Pattern>) -> CallTree {
    let mut lines = Lines::new(tree.total(), expansion, search);
    // What is to come, the next one last.
    let mut to_do = vec![(Tree::ROOT, PathKey::default(), 0)];
    while let Some((node, above, depth)) = to_do.pop() {
        let mut below = (above, true);
        if let Some(label) = tree.label(node) {
            let what = tree.node(node);
            let has_children = tree.children(node).next().is_some();
            below = lines.push(
                above,
                depth,
                label,
                what.self_weight,
                what.total,
                has_children,
            );
        }
        if let (key, true) = below {
            let mut children: Vec<usize> = tree.children(node).collect();
            // Children are in the order of their names, which decides among equals.
            children.sort_by_key(|child| tree.node(*child).total);
            let depth = if node == Tree::ROOT { 0 } else { depth + 1 };
            to_do.extend(children.into_iter().map(|child| (child, key, depth)));
        }
    }
    lines.done
}

/// From the leaves up.
pub fn caller_tree(
    profile: &Profile,
    symbols: &Symbols,
    query: &Query,
    expansion: &Expansion,
    search: Option<&Pattern>,
) -> CallTree {
    let totals = totals(profile, symbols, query);
    let mut climb = Climb::new(profile, symbols);
    let firsts: Vec<LabelId> = totals
        .firsts
        .into_iter()
        .map(|label| climb.labels.intern(label))
        .collect();
    let members: Vec<Member> = totals
        .rows
        .iter()
        .map(|row| Member {
            rest: Rest::Stack(row.stack, 0),
            first: firsts.get(row.first as usize).copied(),
            weight: row.weight,
        })
        .collect();
    let total = weight_of(&members);
    let mut lines = Lines::new(total, expansion, search);
    let mut to_do: Vec<(Vec<Member>, LabelId, PathKey, u16)> = Vec::new();
    let mut children = climb.split(members);
    let (mut above, mut depth) = (PathKey::default(), 0);
    loop {
        // The largest is done first, so it is put down last.
        children.sort_by_cached_key(|(members, label)| {
            let name = climb.labels.get(*label).text.clone();
            (weight_of(members), Reverse(name))
        });
        to_do.extend(
            children
                .drain(..)
                .map(|(members, label)| (members, label, above, depth)),
        );
        let Some((members, label, parent, at)) = to_do.pop() else {
            break;
        };
        let ends = members.iter().filter(|member| member.rest == Rest::Nothing);
        let ends = ends.fold(0, |sum: u64, member| sum.saturating_add(member.weight));
        let all = weight_of(&members);
        let label = climb.labels.get(label).clone();
        let (key, open) = lines.push(parent, at, &label, ends, all, ends < all);
        if open {
            children = climb.split(members);
            (above, depth) = (key, at + 1);
        }
    }
    lines.done
}

/// Lines while they are made.
struct Lines<'a> {
    expansion: &'a Expansion,
    search: Option<&'a Pattern>,
    done: CallTree,
}

impl<'a> Lines<'a> {
    fn new(total: u64, expansion: &'a Expansion, search: Option<&'a Pattern>) -> Self {
        Self {
            expansion,
            search,
            done: CallTree {
                total,
                ..CallTree::default()
            },
        }
    }

    /// Adds a line: its key, and whether it is open.
    fn push(
        &mut self,
        above: PathKey,
        depth: u16,
        label: &Label,
        self_weight: u64,
        total: u64,
        has_children: bool,
    ) -> (PathKey, bool) {
        let key = above.then(&label.text);
        if self.done.rows.len() >= MOST {
            self.done.left_out += 1;
            return (key, false);
        }
        let Expansion { base, toggled } = self.expansion;
        let by_itself = match base {
            Base::Large => total.saturating_mul(LARGE) >= self.done.total,
            Base::All => true,
            Base::None => false,
        };
        let open = has_children && (by_itself != toggled.contains(&key));
        self.done.rows.push(CallRow {
            key,
            depth,
            label: label.clone(),
            self_weight,
            total,
            has_children,
            open,
            matched: self
                .search
                .is_some_and(|pattern| pattern.matches(&label.text)),
        });
        (key, open)
    }
}

impl PathKey {
    /// One step further. FNV-1a: the same in every run.
    fn then(self, name: &str) -> Self {
        let start = self.0 ^ 0xcbf2_9ce4_8422_2325;
        let hash = name.bytes().chain([0xff]).fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash)
    }
}

/// Samples that have been alike from their leaf to here.
#[derive(Clone, Copy)]
struct Member {
    rest: Rest,
    first: Option<LabelId>,
    weight: u64,
}

/// What is still above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// A stack, and how many functions of its innermost frame have been passed.
    Stack(StackId, u16),
    Nothing,
}

struct Climb<'a> {
    profile: &'a Profile,
    labels: Labels<'a>,
    /// Innermost function first.
    by_node: FxHashMap<StackNode, Box<[LabelId]>>,
}

impl<'a> Climb<'a> {
    fn new(profile: &'a Profile, symbols: &'a Symbols) -> Self {
        Self {
            profile,
            labels: Labels::new(profile, symbols),
            by_node: FxHashMap::default(),
        }
    }

    /// One step towards the root: those that take the same step stay together. Those that have
    /// arrived are left out.
    fn split(&mut self, members: Vec<Member>) -> Vec<(Vec<Member>, LabelId)> {
        let mut by_label: FxHashMap<LabelId, Vec<Member>> = FxHashMap::default();
        for member in members {
            if let Some((label, next)) = self.step(member) {
                by_label.entry(label).or_default().push(next);
            }
        }
        by_label
            .into_iter()
            .map(|(label, members)| (members, label))
            .collect()
    }

    fn step(&mut self, member: Member) -> Option<(LabelId, Member)> {
        let Rest::Stack(stack, passed) = member.rest else {
            return None;
        };
        let at = |rest| Member { rest, ..member };
        let mut frames = self.profile.stack(stack);
        let Some((_, node)) = frames.next() else {
            return Some((member.first?, at(Rest::Nothing)));
        };
        let caller = frames.next().map_or(StackId::EMPTY, |(caller, _)| caller);
        let labels = &mut self.labels;
        let functions = self.by_node.entry(node).or_insert_with(|| {
            let mut functions = Vec::new();
            labels.extend(&mut functions, node);
            functions.reverse();
            functions.into_boxed_slice()
        });
        let label = *functions.get(usize::from(passed))?;
        let next = if usize::from(passed) + 1 < functions.len() {
            Rest::Stack(stack, passed + 1)
        } else {
            Rest::Stack(caller, 0)
        };
        Some((label, at(next)))
    }
}

fn weight_of(members: &[Member]) -> u64 {
    members
        .iter()
        .fold(0, |sum, member| sum.saturating_add(member.weight))
}
