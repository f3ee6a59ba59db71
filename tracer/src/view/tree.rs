//! The call tree: who called what, merged by displayed name.
//!
//! Owns merging: stacks that read alike are one, whatever addresses they had. The first level under
//! the root is what the query groups by; the kernel part of a stack is called from its user part.

use super::{
    Query,
    label::{Label, LabelId, Labels},
    pages::Pages,
    select::{Total, totals},
};
use crate::{
    profile::{Profile, Slots, StackId, StackNode},
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
    /// [`ROOT_LABEL`] for the root.
    label: LabelId,
    /// Index after the last node under this one.
    end: u32,
    /// The weight of samples with their leaf here.
    pub self_weight: u64,
    /// The weight of samples that pass through here: that of this node and of all under it.
    pub total: u64,
}

/// The root has no label, and no other node has this one.
const ROOT_LABEL: LabelId = LabelId(u32::MAX);

/// The call tree of what a query asks for.
pub fn tree(profile: &Profile, symbols: &Symbols, query: &Query) -> Tree {
    let totals = totals(profile, symbols, query);
    let mut growing = Growing::new(Labels::new(profile, symbols));
    let mut firsts = totals.firsts.into_iter();
    for under_first in totals.rows.chunk_by(|one, other| one.first == other.first) {
        if let Some(first) = firsts.next() {
            growing.add(profile, first, under_first);
        }
    }
    drop(totals.rows);
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
        self.labels.get(self.node(index).label.0 as usize)
    }

    /// All labels, each once; [`Tree::label_index`] counts in this list.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The place of a node's label in [`Tree::labels`]; beyond its end for the root.
    pub fn label_index(&self, index: usize) -> usize {
        self.node(index).label.0 as usize
    }

    /// Index after the last node under this one.
    pub fn end(&self, index: usize) -> usize {
        self.node(index).end as usize
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
    nodes: Vec<(u32, LabelId, u64)>,
    /// Nodes by parent and label.
    children: Slots,
    /// Where a stack under the current first level ended up, so that what stacks share is walked
    /// once.
    known: Pages,
    path: Vec<(StackId, StackNode)>,
    names: Vec<LabelId>,
}

impl<'a> Growing<'a> {
    fn new(labels: Labels<'a>) -> Self {
        Self {
            labels,
            nodes: vec![(0, ROOT_LABEL, 0)],
            children: Slots::default(),
            known: Pages::default(),
            path: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Adds the stacks of one first level. One that reads like an earlier one becomes part of it.
    fn add(&mut self, profile: &Profile, first: Label, rows: &[Total]) {
        let first = self.labels.intern(first);
        let first = self.child(0, first);
        self.known.clear();
        for row in rows {
            let mut node = first;
            self.path.clear();
            for (stack, what) in profile.stack(row.stack) {
                if let Some(known) = self.known.get(stack.index()) {
                    node = known;
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
                self.known.set(stack.index(), node);
            }
            if let Some((_, _, self_weight)) = self.nodes.get_mut(node as usize) {
                *self_weight = self_weight.saturating_add(row.weight);
            }
        }
    }

    fn child(&mut self, parent: u32, label: LabelId) -> u32 {
        let hash = |parent: u32, label: LabelId| u64::from(parent) << 32 | u64::from(label.0);
        let nodes = &mut self.nodes;
        let is_it = |node: u32| {
            let (of, name, _) = nodes[node as usize];
            (of, name) == (parent, label)
        };
        if let Some(known) = self.children.find(hash(parent, label), is_it) {
            return known;
        }
        let node = nodes.len() as u32;
        nodes.push((parent, label, 0));
        self.children.insert(hash(parent, label), node, |node| {
            let (parent, label, _) = nodes[node as usize];
            hash(parent, label)
        });
        node
    }

    /// What is looked up in while a tree grows is as large as the tree.
    fn without_indexes(self) -> Self {
        Self {
            children: Slots::default(),
            known: Pages::default(),
            ..self
        }
    }

    fn finish(self) -> Tree {
        let Self {
            labels, mut nodes, ..
        } = self.without_indexes();
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
            (parent, rank[label.0 as usize])
        });
        // From here on a node has the beginning of its own family in the place of its parent, which
        // comes before it.
        let mut place = 0;
        for node in 0..nodes.len() {
            let first = place;
            let is_child = |child: &u32| nodes[*child as usize].0 as usize == node;
            place += family[first..]
                .iter()
                .take_while(|child| is_child(child))
                .count();
            nodes[node].0 = first as u32;
        }
        let first = |node: usize| nodes.get(node).map_or(family.len(), |node| node.0 as usize);
        let children = |node: u32| &family[first(node as usize)..first(node as usize + 1)];

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
