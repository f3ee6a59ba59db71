//! The flame graph in character cells: which frame is where.
//!
//! Owns the layout: a frame is as wide as its share of what is zoomed to, rounded so that neighbours
//! never overlap, and one that would be narrower than half a cell is left out with all above it.

use super::{Group, Label, Pattern, Tree};

/// A laid out flame graph, the root in the first row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flame {
    /// The frames of each depth, from left to right.
    pub rows: Vec<Vec<Block>>,
    /// How many rows at the beginning lead to what is zoomed to, each as wide as the picture.
    pub zoomed: usize,
    /// The weight of all samples.
    pub total: u64,
    /// With a search: the weight of samples with a frame that matches, within what is zoomed to.
    pub matched: Option<u64>,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its first column.
    pub x: u16,
    /// How many columns.
    pub width: u16,
    /// The place of its caller in the row above; meaningless in the first row.
    pub parent: usize,
    /// What it is.
    pub label: Label,
    /// The weight of samples that pass through here.
    pub total: u64,
    /// The weight of samples with their leaf here.
    pub self_weight: u64,
    /// Whether the search matches it.
    pub matched: bool,
}

/// Lays a tree out. `zoom` is the way from the root to the frame that is to be as wide as the
/// picture; as much of it as there is, is gone.
pub fn flame(
    tree: &Tree,
    group: Group,
    zoom: &[String],
    width: u16,
    search: Option<&Pattern>,
) -> Flame {
    let matches: Vec<bool> = tree
        .labels()
        .iter()
        .map(|label| search.is_some_and(|pattern| pattern.matches(&label.text)))
        .collect();
    let matched = |node: usize| {
        matches
            .get(tree.label_index(node))
            .copied()
            .unwrap_or(false)
    };
    let block = |node: usize, parent: usize, x: u16, width: u16| Block {
        x,
        width,
        parent,
        label: tree.label(node).cloned().unwrap_or_else(Label::all),
        total: tree.node(node).total,
        self_weight: tree.node(node).self_weight,
        matched: matched(node),
    };

    let mut top = Tree::ROOT;
    if group == Group::Merged {
        // Its only child says "all" too.
        top = tree.children(top).next().unwrap_or(top);
    }
    let mut rows = vec![vec![block(top, 0, 0, width)]];
    for name in zoom {
        let Some(child) = tree
            .children(top)
            .find(|child| tree.label(*child).is_some_and(|label| label.text == *name))
        else {
            break;
        };
        top = child;
        rows.push(vec![block(top, 0, 0, width)]);
    }
    let zoomed = rows.len() - 1;

    let whole = tree.node(top).total;
    let column = |weight: u64| {
        let cells = u128::from(weight) * u128::from(width) * 2;
        // Half a cell and more is a cell.
        u16::try_from((cells / u128::from(whole.max(1))).div_ceil(2)).unwrap_or(width)
    };
    // Nodes of the last row, with the weight to the left of each.
    let mut last: Vec<(usize, u64)> = vec![(top, 0)];
    while !last.is_empty() {
        let (mut nodes, mut row) = (Vec::new(), Vec::new());
        for (parent, (node, left)) in last.iter().enumerate() {
            let mut left = *left;
            for child in tree.children(*node) {
                let right = left.saturating_add(tree.node(child).total);
                let (from, to) = (column(left), column(right));
                if from < to {
                    nodes.push((child, left));
                    row.push(block(child, parent, from, to - from));
                }
                left = right;
            }
        }
        if !row.is_empty() {
            rows.push(row);
        }
        last = nodes;
    }
    Flame {
        rows,
        zoomed,
        total: tree.total(),
        matched: search.map(|_| weight_below(tree, top, matched)),
    }
}

/// The weight of samples that have a frame of which something holds, each counted once.
fn weight_below(tree: &Tree, top: usize, holds: impl Fn(usize) -> bool) -> u64 {
    let mut weight = 0_u64;
    let mut node = top;
    while node < tree.end(top) {
        if holds(node) {
            weight = weight.saturating_add(tree.node(node).total);
            node = tree.end(node);
        } else {
            node += 1;
        }
    }
    weight
}

impl Flame {
    /// The way from the root to a frame, by name; without the root, as [`flame`] takes it.
    pub fn path(&self, row: usize, index: usize) -> Vec<String> {
        let mut path = Vec::new();
        let (mut row, mut index) = (row, index);
        while row > 0 {
            let Some(block) = self.rows.get(row).and_then(|blocks| blocks.get(index)) else {
                break;
            };
            path.push(block.label.text.clone());
            index = block.parent;
            row -= 1;
        }
        path.reverse();
        path
    }

    /// Where the frame at the end of a way is, or the last on the way that is there.
    pub fn find(&self, path: &[String]) -> (usize, usize) {
        let (mut row, mut index) = (0, 0);
        for name in path {
            let below = self.rows.get(row + 1).into_iter().flatten();
            let found = below
                .enumerate()
                .find(|(_, block)| block.parent == index && block.label.text == *name);
            let Some((next, _)) = found else { break };
            (row, index) = (row + 1, next);
        }
        (row, index)
    }
}
