//! Stacks as a prefix tree, so that a stack is one integer and stacks that begin alike share what
//! they have in common.
//!
//! Owns the tree alone: what a frame is, and whose stack it is, is not known here.

use super::{FrameId, Truncation, intern::Interner};

/// A stack, interned. Its caller part has a smaller identifier than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(u32);

/// What a stack has at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StackNode {
    /// A frame.
    Frame(FrameId),
    /// Only at the root: callers are missing, for this reason. A root of its own keeps truncated
    /// stacks apart from complete ones that begin with the same frame.
    Truncated(Truncation),
}

/// All stacks.
#[derive(Debug)]
pub(super) struct Stacks {
    /// `(caller part, code of the node)`.
    nodes: Interner<(u32, u32)>,
}

impl StackId {
    /// The stack without frames.
    pub const EMPTY: Self = Self(0);

    /// A number for it, smaller than those of the stacks that it is the caller part of.
    pub(crate) const fn index(self) -> u32 {
        self.0
    }
}

impl Default for Stacks {
    fn default() -> Self {
        let mut nodes = Interner::default();
        // Stands for the empty stack. No node can have this code: frames count up from 0.
        nodes.intern((0, ROOT));
        Self { nodes }
    }
}

const ROOT: u32 = u32::MAX;

impl Stacks {
    /// The stack that `caller` becomes when it calls `node`.
    pub(super) fn push(&mut self, caller: StackId, node: StackNode) -> StackId {
        StackId(self.nodes.intern((caller.0, encode(node))))
    }

    /// The callee-most node of a stack and the rest of the stack; `None` for the empty stack.
    pub(super) fn pop(&self, stack: StackId) -> Option<(StackId, StackNode)> {
        let (caller, code) = *self.nodes.get(stack.0)?;
        (code != ROOT).then(|| (StackId(caller), decode(code)))
    }

    /// How many there are, counting every stack that another begins with.
    pub(super) fn live(&self) -> usize {
        self.nodes.live()
    }

    /// Keeps a stack, and what it begins with, from the next sweep. Hands out its frames, but for
    /// those of a part that has been kept already.
    pub(super) fn mark(&mut self, stack: StackId, mut frame: impl FnMut(FrameId)) {
        let mut rest = stack;
        while self.nodes.mark(rest.0)
            && let Some((caller, node)) = self.pop(rest)
        {
            if let StackNode::Frame(id) = node {
                frame(id);
            }
            rest = caller;
        }
    }

    /// Sweeps away all stacks but those that have been marked since the last time; how many.
    pub(super) fn sweep(&mut self) -> usize {
        self.nodes.mark(StackId::EMPTY.0);
        self.nodes.sweep()
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes()
    }
}

/// Reasons take the top of the numbers, below [`ROOT`], and frames the rest.
fn encode(node: StackNode) -> u32 {
    match node {
        StackNode::Frame(frame) => frame.0,
        StackNode::Truncated(why) => ROOT - 1 - why.index(),
    }
}

fn decode(code: u32) -> StackNode {
    let reason = Truncation::ALL
        .into_iter()
        .find(|why| ROOT - 1 - why.index() == code);
    reason.map_or(StackNode::Frame(FrameId(code)), StackNode::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_one() {
        let mut stacks = Stacks::default();
        let [main, work] = [0, 1].map(|id| StackNode::Frame(FrameId(id)));
        let caller = stacks.push(StackId::EMPTY, main);
        let stack = stacks.push(caller, work);
        assert!(caller < stack);
        assert_eq!(stacks.push(caller, work), stack);
        assert_eq!(stacks.pop(stack), Some((caller, work)));
        assert_eq!(stacks.pop(caller), Some((StackId::EMPTY, main)));
        assert_eq!(stacks.pop(StackId::EMPTY), None);
    }

    #[test]
    fn a_stack_keeps_what_it_begins_with() {
        let mut stacks = Stacks::default();
        let nodes = [0, 1, 2].map(|id| StackNode::Frame(FrameId(id)));
        let [main, work, idle] = nodes;
        let caller = stacks.push(StackId::EMPTY, main);
        let [kept, gone] = [work, idle].map(|node| stacks.push(caller, node));
        let mut frames = Vec::new();
        stacks.mark(kept, |frame| frames.push(frame.0));
        stacks.mark(kept, |frame| frames.push(frame.0));
        assert_eq!(frames, [1, 0]);
        assert_eq!((stacks.sweep(), stacks.live()), (1, 3));
        assert_eq!(stacks.pop(gone), None);
        assert!(stacks.push(caller, idle) > gone);
        assert_eq!(stacks.push(caller, work), kept);
    }

    #[test]
    fn every_truncation_is_a_root_of_its_own() {
        let mut stacks = Stacks::default();
        for why in Truncation::ALL {
            let stack = stacks.push(StackId::EMPTY, StackNode::Truncated(why));
            assert_eq!(
                stacks.pop(stack),
                Some((StackId::EMPTY, StackNode::Truncated(why)))
            );
        }
    }
}
