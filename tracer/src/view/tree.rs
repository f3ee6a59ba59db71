//! The call tree: who called what, merged by displayed name.
//!
//! Owns merging: stacks that read alike are one, whatever addresses they had. The first level under
//! the root are comms; the kernel part of a stack is called from its user part.

use rustc_hash::FxHashMap;

use super::{
    Query,
    label::{Label, LabelId, Labels},
    totals,
};
use crate::{
    profile::{Comm, Profile, StackId, StackNode},
    symbol::Symbols,
};

/// A call tree. Nodes are in the order in which one would read it: a node, then its children with
/// all that is under them, children by name. So equal profiles make equal trees, whatever the order
/// in which samples came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The first is the root, which has no label.
    nodes: Vec<Node>,
    labels: Vec<Label>,
}

/// A node of a call tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    label: Option<LabelId>,
    /// Index after the last node under this one.
    end: u32,
    /// The weight of samples with their leaf here.
    pub self_weight: u64,
    /// The weight of samples that pass through here: that of this node and of all under it.
    pub total: u64,
}

/// The call tree of what a query asks for.
pub fn tree(profile: &Profile, symbols: &Symbols, query: &Query) -> Tree {
    let mut growing = Growing::new(Labels::new(profile, symbols));
    for ((comm, stack), weight) in totals(profile, query) {
        growing.add(profile, comm, stack, weight);
    }
    growing.finish()
}

impl Tree {
    /// The index of the root: there always is one.
    pub const ROOT: usize = 0;

    /// The weight of all samples.
    pub fn total(&self) -> u64 {
        self.node(Self::ROOT).total
    }

    /// All nodes; a parent comes before its children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node of this tree.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The label of a node; `None` for the root.
    pub fn label(&self, index: usize) -> Option<&Label> {
        self.node(index)
            .label
            .map(|label| &self.labels[label.0 as usize])
    }

    /// The children of a node, ordered by name.
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> {
        let end = self.node(index).end as usize;
        let mut next = index + 1;
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.node(child).end as usize;
            Some(child)
        })
    }
}

/// A tree while stacks are added to it: nodes in order of arrival.
struct Growing<'a> {
    labels: Labels<'a>,
    /// Parent, label and self weight; the root is its own parent.
    nodes: Vec<(u32, Option<LabelId>, u64)>,
    children: FxHashMap<(u32, LabelId), u32>,
    /// Where a stack under a comm ended up, so that what stacks share is walked once.
    known: FxHashMap<(u32, StackId), u32>,
    path: Vec<(StackId, StackNode)>,
    names: Vec<LabelId>,
}

impl<'a> Growing<'a> {
    fn new(labels: Labels<'a>) -> Self {
        Self {
            labels,
            nodes: vec![(0, None, 0)],
            children: FxHashMap::default(),
            known: FxHashMap::default(),
            path: Vec::new(),
            names: Vec::new(),
        }
    }

    fn add(&mut self, profile: &Profile, comm: Comm, stack: StackId, weight: u64) {
        let comm = self.labels.comm(comm);
        let comm = self.child(0, comm);
        let mut node = comm;
        self.path.clear();
        for (stack, what) in profile.stack(stack) {
            if let Some(known) = self.known.get(&(comm, stack)) {
                node = *known;
                break;
            }
            self.path.push((stack, what));
        }
        while let Some((stack, what)) = self.path.pop() {
            let mut names = std::mem::take(&mut self.names);
            self.labels.extend(&mut names, what);
            node = names
                .drain(..)
                .fold(node, |node, name| self.child(node, name));
            self.names = names;
            self.known.insert((comm, stack), node);
        }
        if let Some((_, _, self_weight)) = self.nodes.get_mut(node as usize) {
            *self_weight = self_weight.saturating_add(weight);
        }
    }

    fn child(&mut self, parent: u32, label: LabelId) -> u32 {
        *self.children.entry((parent, label)).or_insert_with(|| {
            self.nodes.push((parent, Some(label), 0));
            self.nodes.len() as u32 - 1
        })
    }

    fn finish(self) -> Tree {
        let Self { labels, nodes, .. } = self;
        let labels = labels.into_labels();
        let mut by_name: Vec<u32> = (0..labels.len() as u32).collect();
        by_name.sort_unstable_by(|one, other| {
            labels[*one as usize]
                .text
                .cmp(&labels[*other as usize].text)
        });
        let mut rank = vec![0; labels.len()];
        for (place, label) in by_name.into_iter().enumerate() {
            rank[label as usize] = place;
        }
        // Children behind each other by parent, each family by name.
        let mut family: Vec<u32> = (1..nodes.len() as u32).collect();
        family.sort_unstable_by_key(|node| {
            let (parent, label, _) = nodes[*node as usize];
            (parent, label.map_or(0, |label| rank[label.0 as usize]))
        });
        let mut first = vec![0; nodes.len() + 1];
        for node in &family {
            first[nodes[*node as usize].0 as usize + 1] += 1;
        }
        for parent in 0..nodes.len() {
            first[parent + 1] += first[parent];
        }
        let children = |node: u32| &family[first[node as usize]..first[node as usize + 1]];

        let mut ordered = Vec::with_capacity(nodes.len());
        // Nodes to put down, and below each the place of one whose subtree is then complete.
        let mut to_do = vec![Step::Open(0)];
        while let Some(step) = to_do.pop() {
            match step {
                Step::Open(node) => {
                    let (_, label, self_weight) = nodes[node as usize];
                    to_do.push(Step::Close(ordered.len()));
                    ordered.push(Node {
                        label,
                        end: 0,
                        self_weight,
                        total: self_weight,
                    });
                    to_do.extend(children(node).iter().rev().map(|child| Step::Open(*child)));
                }
                Step::Close(place) => {
                    let end = ordered.len();
                    let mut total = ordered[place].self_weight;
                    let mut child = place + 1;
                    while child < end {
                        total = total.saturating_add(ordered[child].total);
                        child = ordered[child].end as usize;
                    }
                    let node = &mut ordered[place];
                    (node.end, node.total) = (end as u32, total);
                }
            }
        }
        Tree {
            nodes: ordered,
            labels,
        }
    }
}

enum Step {
    Open(u32),
    Close(usize),
}
