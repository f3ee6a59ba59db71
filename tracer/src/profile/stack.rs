//! Stacks as a prefix tree, so that a stack is one integer and stacks that begin alike share what
//! they have in common.
//!
//! Owns the tree alone: what a frame is, and whose stack it is, is not known here.

use super::{DsoId, Frame, FrameId, Truncation, intern::Interner};

/// A stack, interned. Its caller part has a smaller identifier than itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(u32);

/// What a stack has at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StackNode {
    /// A frame.
    Frame(FrameId),
    /// Only at the root: callers are missing, for this reason, from here on. A root of its own keeps
    /// truncated stacks apart from complete ones that begin with the same frame.
    Truncated(Truncation, Stop),
}

/// What a truncated stack stops in: what its outermost frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stop {
    /// Code of a file. The frame keeps the file from being forgotten.
    File(DsoId),
    /// Code that was compiled at run time.
    Jit,
    /// An address for which no mapping is known.
    Unmapped,
    /// The kernel, whose part is the one that is cut short.
    Kernel,
    /// No frame was found.
    Nothing,
}

/// All stacks.
#[derive(Debug)]
pub(super) struct Stacks {
    /// `(caller part, code of the node)`.
    nodes: Interner<(u32, u32)>,
    /// What truncated stacks begin with.
    cuts: Interner<(Truncation, Stop)>,
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
        Self {
            nodes,
            cuts: Interner::default(),
        }
    }
}

const ROOT: u32 = u32::MAX;

impl Stacks {
    /// The stack that `caller` becomes when it calls `node`.
    pub(super) fn push(&mut self, caller: StackId, node: StackNode) -> StackId {
        // Cuts take the top of the numbers, below [`ROOT`], and frames the rest.
        let code = match node {
            StackNode::Frame(frame) => frame.0,
            StackNode::Truncated(why, stop) => ROOT - 1 - self.cuts.intern((why, stop)),
        };
        StackId(self.nodes.intern((caller.0, code)))
    }

    /// The callee-most node of a stack and the rest of the stack; `None` for the empty stack.
    pub(super) fn pop(&self, stack: StackId) -> Option<(StackId, StackNode)> {
        let (caller, code) = *self.nodes.get(stack.0)?;
        if code == ROOT {
            return None;
        }
        let node = match self.cut(code) {
            None => StackNode::Frame(FrameId(code)),
            Some(cut) => {
                let (why, stop) = *self.cuts.get(cut)?;
                StackNode::Truncated(why, stop)
            }
        };
        Some((StackId(caller), node))
    }

    /// The cut that a code stands for, if it is one's.
    fn cut(&self, code: u32) -> Option<u32> {
        Some(ROOT - 1 - code).filter(|cut| *cut < self.cuts.next())
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
            match node {
                StackNode::Frame(id) => frame(id),
                StackNode::Truncated(why, stop) => {
                    let cut = self.cuts.find(&(why, stop));
                    cut.map(|cut| self.cuts.mark(cut));
                }
            }
            rest = caller;
        }
    }

    /// Sweeps away all stacks but those that have been marked since the last time; how many.
    pub(super) fn sweep(&mut self) -> usize {
        self.nodes.mark(StackId::EMPTY.0);
        self.cuts.sweep();
        self.nodes.sweep()
    }

    pub(super) fn bytes(&self) -> usize {
        self.nodes.bytes() + self.cuts.bytes()
    }
}

impl Stop {
    /// Where a stack stops that was cut short for this reason and of whose user part this is the
    /// outermost frame.
    pub(super) fn of(why: Truncation, outermost: Option<Frame>) -> Self {
        if why.is_of_kernel() {
            return Self::Kernel;
        }
        match outermost {
            None => Self::Nothing,
            Some(Frame::File { dso, .. }) => Self::File(dso),
            Some(Frame::Jit { .. }) => Self::Jit,
            Some(Frame::Unmapped { .. }) => Self::Unmapped,
            Some(Frame::Kernel { .. }) => Self::Kernel,
        }
    }
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
        let mut seen = Vec::new();
        for why in Truncation::ALL {
            let files = [0, 1, u32::MAX].map(|id| Stop::File(DsoId(id)));
            let others = [Stop::Jit, Stop::Unmapped, Stop::Kernel, Stop::Nothing];
            for stop in files.into_iter().chain(others) {
                let node = StackNode::Truncated(why, stop);
                let stack = stacks.push(StackId::EMPTY, node);
                assert_eq!(stacks.push(StackId::EMPTY, node), stack);
                assert_eq!(stacks.pop(stack), Some((StackId::EMPTY, node)));
                assert!(!seen.contains(&stack));
                seen.push(stack);
            }
        }
    }

    #[test]
    fn a_stack_keeps_why_it_is_truncated() {
        let mut stacks = Stacks::default();
        let frame = StackNode::Frame(FrameId(0));
        let [kept, gone] = [0, 1].map(|dso| {
            let cut = StackNode::Truncated(Truncation::NoTable, Stop::File(DsoId(dso)));
            let root = stacks.push(StackId::EMPTY, cut);
            (cut, stacks.push(root, frame))
        });
        let all = stacks.bytes();
        stacks.mark(kept.1, |_| {});
        assert_eq!((stacks.sweep(), stacks.live()), (2, 3));
        assert_eq!((stacks.pop(gone.1), stacks.cuts.live()), (None, 1));
        assert!(stacks.bytes() <= all);
        let (root, node) = stacks.pop(kept.1).unwrap();
        assert_eq!(
            (node, stacks.pop(root)),
            (frame, Some((StackId::EMPTY, kept.0)))
        );
        // What comes back is another.
        let again = stacks.push(StackId::EMPTY, gone.0);
        assert_eq!(stacks.pop(again), Some((StackId::EMPTY, gone.0)));
    }
}
