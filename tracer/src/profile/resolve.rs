//! From the addresses of a sample to a stack of frames.
//!
//! Owns what the two have in common: raw stacks, the stack tree, frames, and a cache so that a
//! stack that was seen before costs one look-up. Knows mappings only through [`Lookup`].

use rustc_hash::FxHashMap;

use super::{
    Frame, FrameId, NoMapping, ProcessId, RawStack, StackId, StackKey, StackNode, Stop, Truncation,
    intern::Interner,
    process::{Lookup, Place},
    raw::RawStacks,
    slots::table_bytes,
    stack::Stacks,
};

/// The stack of a sample, not yet looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unresolved {
    pub(super) process: ProcessId,
    pub(super) user: Option<StackKey>,
    pub(super) kernel: Option<StackKey>,
    pub(super) truncated: Option<Truncation>,
}

/// Turns stacks of addresses into stacks of frames.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    user: RawStacks,
    kernel: RawStacks,
    frames: Interner<Frame>,
    stacks: Stacks,
    cache: FxHashMap<CacheKey, (u64, StackId)>,
    /// Where raw stacks are read to: kept only so as not to allocate for each.
    addresses: Vec<u64>,
}

/// What a resolved stack depends on, but for the version of the mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CacheKey {
    user: u64,
    kernel: u64,
    space: u32,
    /// Which parts there are, and why it is truncated.
    shape: u32,
}

/// Entries in the cache, which starts anew beyond that: as many as 20 MB of table hold. To build
/// a stack once more takes microseconds.
const CACHED: usize = 7 << 16;

impl Resolver {
    /// Keeps a user stack for the samples that name it.
    pub(super) fn keep_user(&mut self, stack: &RawStack) {
        self.user.insert(stack);
    }

    /// Keeps a kernel stack for the samples that name it.
    pub(super) fn keep_kernel(&mut self, stack: &RawStack) {
        self.kernel.insert(stack);
    }

    /// The stack of a sample, given the mappings of its image (which only a user part needs).
    pub(super) fn resolve(&mut self, sample: Unresolved, lookup: Option<Lookup<'_>>) -> StackId {
        // Where nothing is known of the mappings, nothing tells one such process from another.
        let version = match (sample.user, lookup) {
            (None, _) => Some((0, 0)),
            (Some(_), Some(lookup)) => lookup.version(),
            (Some(_), None) => None,
        };
        let Some((space, version)) = version else {
            return self.build(sample, lookup);
        };
        let key = CacheKey::new(sample, space);
        match self.cache.get(&key) {
            Some(&(of, stack)) if of == version => stack,
            _ => {
                let stack = self.build(sample, lookup);
                if self.cache.len() >= CACHED {
                    self.cache.clear();
                }
                self.cache.insert(key, (version, stack));
                stack
            }
        }
    }

    /// See [`Stacks::pop`].
    pub(super) fn pop(&self, stack: StackId) -> Option<(StackId, StackNode)> {
        self.stacks.pop(stack)
    }

    /// The frame of an identifier, if it is live.
    pub(super) fn frame(&self, frame: FrameId) -> Option<Frame> {
        self.frames.get(frame.0).copied()
    }

    /// Frames have smaller identifiers than this.
    pub(super) fn next_frame(&self) -> u32 {
        self.frames.next()
    }

    /// How many frames there are, and how many stacks with all that they begin with.
    pub(super) fn live(&self) -> (usize, usize) {
        (self.frames.live(), self.stacks.live())
    }

    /// No sample after those that have been seen names these stacks, unless they are sent again.
    pub(super) fn doom(&mut self, user: Vec<StackKey>, kernel: Vec<StackKey>) {
        self.user.doom(user);
        self.kernel.doom(kernel);
    }

    /// Forgets raw stacks that are not going to be named, but for those that samples wait for.
    pub(super) fn forget<'a>(&mut self, waiting: impl Iterator<Item = &'a Unresolved> + Clone) {
        let user = waiting.clone().filter_map(|stack| stack.user);
        self.user.forget(user);
        let kernel = waiting.filter_map(|stack| stack.kernel);
        self.kernel.forget(kernel);
    }

    /// Keeps a stack, all that it begins with and their frames from the next sweep.
    pub(super) fn mark(&mut self, stack: StackId) {
        let frames = &mut self.frames;
        self.stacks.mark(stack, |frame| {
            frames.mark(frame.0);
        });
    }

    /// The frames that the next sweep keeps.
    pub(super) fn marked(&self) -> impl Iterator<Item = &Frame> {
        self.frames.marked()
    }

    /// Sweeps away what has not been marked: how many frames, and how many stacks.
    pub(super) fn sweep(&mut self) -> (usize, usize) {
        // Most of what it knows is of processes that have ended; the rest is soon built again.
        self.cache = FxHashMap::default();
        (self.frames.sweep(), self.stacks.sweep())
    }

    /// What it takes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.user.bytes()
            + self.kernel.bytes()
            + self.frames.bytes()
            + self.stacks.bytes()
            + table_bytes(
                self.cache.capacity(),
                size_of::<(CacheKey, (u64, StackId))>(),
            )
            + self.addresses.capacity() * size_of::<u64>()
    }

    fn build(&mut self, sample: Unresolved, lookup: Option<Lookup<'_>>) -> StackId {
        let Unresolved {
            process,
            user,
            kernel,
            truncated,
        } = sample;
        let frame = |address| {
            let place = lookup.map_or(Place::Unknown, |of| of.find(address));
            user_frame(process, address, place)
        };
        let mut addresses = std::mem::take(&mut self.addresses);
        addresses.clear();
        if let Some(key) = user {
            self.user.read(key, &mut addresses);
        }
        let mut stack = StackId::EMPTY;
        if let Some(why) = truncated {
            if let Some(lookup) = lookup {
                addresses.truncate(believable(&addresses, lookup));
            }
            let stop = Stop::of(why, outermost(&addresses).map(frame));
            stack = self.stacks.push(stack, StackNode::Truncated(why, stop));
        }
        stack = self.grow(stack, &addresses, frame);
        if let Some(key) = kernel {
            self.kernel.read(key, &mut addresses);
            stack = self.grow(stack, &addresses, |address| Frame::Kernel { address });
        }
        self.addresses = addresses;
        stack
    }

    /// Puts the frames of one part on a stack.
    fn grow(&mut self, on: StackId, part: &[u64], frame: impl Fn(u64) -> Frame) -> StackId {
        let Some((leaf, callers)) = part.split_first() else {
            return on;
        };
        let calls = callers.iter().rev().map(|address| call(*address));
        calls.chain([*leaf]).fold(on, |stack, address| {
            let frame = FrameId(self.frames.intern(frame(address)));
            self.stacks.push(stack, StackNode::Frame(frame))
        })
    }
}

impl CacheKey {
    fn new(sample: Unresolved, space: u32) -> Self {
        let Unresolved {
            process: _,
            user,
            kernel,
            truncated,
        } = sample;
        let parts = u32::from(user.is_some()) | u32::from(kernel.is_some()) << 1;
        let why = truncated.map_or(0, |why| why.index() + 1);
        Self {
            user: user.map_or(0, |key| key.0),
            kernel: kernel.map_or(0, |key| key.0),
            space,
            shape: parts | why << 2,
        }
    }
}

/// Where a function called that is returned to here. A return address may lie beyond that function.
fn call(address: u64) -> u64 {
    address.saturating_sub(1)
}

/// The outermost address of a part. Its leaf is an instruction pointer; the others are return
/// addresses.
fn outermost(part: &[u64]) -> Option<u64> {
    let (leaf, callers) = part.split_first()?;
    Some(callers.last().map_or(*leaf, |address| call(*address)))
}

/// How many addresses of a stack that was cut short to keep. What made the walk go wrong did so at
/// the latest before it found a return address where no code is.
fn believable(addresses: &[u64], lookup: Lookup<'_>) -> usize {
    let callers = addresses.iter().skip(1);
    let mut callers = callers.map(|address| lookup.find(call(*address)));
    let code = callers.position(|place| matches!(place, Place::Outside));
    code.map_or(addresses.len(), |callers| callers + 1)
}

fn user_frame(process: ProcessId, address: u64, place: Place) -> Frame {
    match place {
        Place::File(dso, offset) => Frame::File { dso, offset },
        Place::Memory => Frame::Jit { process, address },
        Place::Outside => Frame::Unmapped {
            process,
            address,
            why: NoMapping::OutsideMappings,
        },
        Place::Unknown => Frame::Unmapped {
            process,
            address,
            why: NoMapping::ProcessGone,
        },
    }
}
