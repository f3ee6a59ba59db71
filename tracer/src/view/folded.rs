//! Folded stacks: one line per stack, root first, with its count.
//!
//! Owns the order of the lines, which is that of their bytes, and makes it without holding them:
//! the text of all stacks together is many times the size of the tree.

use std::fmt::Write;

use super::Tree;

/// A tree's lines, in order; see [`folded`].
pub struct Folded<'a> {
    tree: &'a Tree,
    /// What is still to be written, the next one last.
    to_do: Vec<Step>,
    /// The frames that lead to where we are, and after that the count.
    line: String,
}

enum Step {
    /// The stack that ends in this node.
    Line(usize),
    /// This node and all under it.
    Enter(usize),
    /// Everything under a node is done: back to a line of this length.
    Leave(usize),
}

/// Every stack with its count, in the order of the bytes of `STACK COUNT`. No stack comes twice and
/// none has count 0.
pub fn folded(tree: &Tree) -> Folded<'_> {
    let mut folded = Folded {
        tree,
        to_do: Vec::new(),
        line: String::new(),
    };
    folded.enter_children(Tree::ROOT);
    folded
}

impl Folded<'_> {
    /// The next stack and its count.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it lends is overwritten by the next"
    )]
    pub fn next(&mut self) -> Option<(&str, u64)> {
        loop {
            match self.to_do.pop()? {
                Step::Line(node) => {
                    self.to_do.push(Step::Leave(self.line.len()));
                    self.push(node);
                    return Some((&self.line, self.tree.node(node).self_weight));
                }
                Step::Enter(node) => {
                    self.to_do.push(Step::Leave(self.line.len()));
                    self.push(node);
                    self.enter_children(node);
                }
                Step::Leave(length) => self.line.truncate(length),
            }
        }
    }

    fn push(&mut self, node: usize) {
        if !self.line.is_empty() {
            self.line.push(';');
        }
        self.line.push_str(name(self.tree, node));
    }

    /// A name can be the beginning of another (`main`, `main(int)`), and then the lines of the one
    /// may stand on both sides of those of the other: what follows the name decides.
    fn enter_children(&mut self, parent: usize) {
        let mut steps: Vec<(String, Step)> = Vec::new();
        for child in self.tree.children(parent) {
            let name = name(self.tree, child);
            let weight = self.tree.node(child).self_weight;
            if weight > 0 {
                let mut line = format!("{name} ");
                // Writing to a string cannot fail.
                write!(line, "{weight}").unwrap_or_default();
                steps.push((line, Step::Line(child)));
            }
            if self.tree.children(child).next().is_some() {
                steps.push((format!("{name};"), Step::Enter(child)));
            }
        }
        steps.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        self.to_do.extend(steps.into_iter().map(|(_, step)| step));
    }
}

fn name(tree: &Tree, node: usize) -> &str {
    tree.label(node).map_or("", |label| &label.text)
}
