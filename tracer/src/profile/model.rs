//! The profile: what all batches so far have said.
//!
//! Owns the order in which the parts of a batch are taken in, and the samples that wait for facts
//! about their process. Pure: time arrives inside the batches.

use super::{
    Batch, Comm, Dso, DsoId, Frame, FrameId, Image, Ledger, Mapping, ProcessId, Sample, SliceRef,
    StackId, StackNode, Thread, ThreadId, Weight, Window,
    intern::Interner,
    process::Processes,
    resolve::{Resolver, Unresolved},
    slice::{Slice, Slices},
};

/// Everything that was observed, interned.
#[derive(Debug, Default)]
pub struct Profile {
    ledger: Ledger,
    /// Of all batches together; `None` before the first.
    time_ns: Option<(u64, u64)>,
    pub(super) dsos: Interner<Dso>,
    /// (PID, start time).
    pub(super) identities: Interner<(u32, u64)>,
    pub(super) threads: Interner<Thread>,
    pub(super) processes: Processes,
    pub(super) resolver: Resolver,
    pub(super) slices: Slices,
    pub(super) pending: Vec<Pending>,
    batch: u32,
    /// Frames below this have been handed out by [`Profile::new_frames`].
    reported: u32,
}

/// Samples whose mappings may still come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) batch: u32,
    image: Image,
    pub(super) thread: ThreadId,
    stack: Unresolved,
    weight: u64,
}

/// Batches that samples wait for the mappings of their process, which may be read after them.
const PATIENCE: u32 = 2;

/// What an identifier stands for that is not live.
const NO_FILE: &Dso = &Dso {
    path: Vec::new(),
    device: (0, 0),
    inode: 0,
};

impl Profile {
    /// A profile of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what one drain found.
    pub fn apply(&mut self, batch: Batch) {
        let Batch {
            start_ns,
            end_ns,
            mut facts,
            user_stacks,
            kernel_stacks,
            samples,
            forgotten_user_stacks,
            forgotten_kernel_stacks,
            ledger,
        } = batch;
        self.ledger.add(&ledger);
        let (first, last) = self.time_ns.unwrap_or((start_ns, end_ns));
        self.time_ns = Some((first.min(start_ns), last.max(end_ns)));
        self.batch = self.batch.saturating_add(1);

        // All facts come before all samples: a mapping that is told in the same batch holds for
        // them, whichever was first.
        self.processes.begin_batch();
        facts.sort_by_key(|fact| fact.time_ns);
        for fact in facts {
            self.processes.apply(fact, &mut self.dsos);
        }
        user_stacks
            .iter()
            .for_each(|stack| self.resolver.keep_user(stack));
        kernel_stacks
            .iter()
            .for_each(|stack| self.resolver.keep_kernel(stack));
        let with_user_part = samples.iter().filter(|sample| sample.user.is_some());
        self.processes
            .admit(with_user_part.map(|sample| sample.image));

        let mut rows = Vec::with_capacity(samples.len());
        for sample in samples {
            let pending = self.enter(sample);
            match self.settle(&pending, false) {
                Some(row) => rows.push(row),
                None => self.pending.push(pending),
            }
        }
        let slice = Slice::new(self.batch, (start_ns, end_ns), ledger, rows);
        self.slices.push(slice);
        self.resolver
            .doom(forgotten_user_stacks, forgotten_kernel_stacks);
        self.settle_pending(PATIENCE);
        self.processes.prune();
    }

    /// Resolves what still waits for facts, which are not going to come.
    pub fn finish(&mut self) {
        self.settle_pending(0);
    }

    /// The account of all batches, also of those that are no longer held.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The account of the slices that begin in a window and are held.
    pub fn ledger_of(&self, window: Window) -> Ledger {
        let mut sum = Ledger::default();
        self.within(window).for_each(|slice| sum.add(slice.ledger));
        sum
    }

    /// How long was measured in a window: the time of the held slices that begin in it.
    pub fn covered_ns(&self, window: Window) -> u64 {
        let slices = self
            .slices()
            .filter(|slice| window.contains(slice.start_ns));
        slices.fold(0, |sum, slice| {
            sum + slice.end_ns.saturating_sub(slice.start_ns)
        })
    }

    /// The weight of samples that are in the ledgers and not yet in [`Profile::weights`], because
    /// they wait for facts.
    pub fn pending(&self) -> u64 {
        self.pending
            .iter()
            .fold(0, |sum, pending| sum.saturating_add(pending.weight))
    }

    /// The time up to which no sample waits for facts: the weights of a window that ends by then
    /// are all that its ledger says is recorded.
    pub fn settled_ns(&self) -> u64 {
        let waiting = self.pending.iter().map(|pending| pending.batch).min();
        self.slices.settled_ns(waiting)
    }

    /// When the first batch began, CLOCK_MONOTONIC; 0 without one.
    pub fn start_ns(&self) -> u64 {
        self.time_ns.map_or(0, |(start, _)| start)
    }

    /// When the last batch ended, CLOCK_MONOTONIC; 0 without one.
    pub fn end_ns(&self) -> u64 {
        self.time_ns.map_or(0, |(_, end)| end)
    }

    /// What was observed in the slices that begin in a window and are held; a pair of thread and
    /// stack may come several times.
    pub fn weights(&self, window: Window) -> impl Iterator<Item = Weight> {
        self.within(window).flat_map(|slice| slice.weights())
    }

    /// The slices that are held, oldest first.
    pub fn slices(&self) -> impl DoubleEndedIterator<Item = SliceRef<'_>> {
        self.slices.iter()
    }

    /// The frames that have been interned since the last call and are live: those to find names
    /// for.
    pub fn new_frames(&mut self) -> Vec<FrameId> {
        let from = self.reported;
        self.reported = self.resolver.next_frame();
        let new = (from..self.reported).map(FrameId);
        new.filter(|frame| self.is_live_frame(*frame)).collect()
    }

    /// A frame of this profile. Of one that is no longer live: the kernel address 0.
    pub fn frame(&self, frame: FrameId) -> Frame {
        let frame = self.resolver.frame(frame);
        frame.unwrap_or(Frame::Kernel { address: 0 })
    }

    /// A file of this profile. Of one that is no longer live: a file without a path.
    pub fn dso(&self, dso: DsoId) -> &Dso {
        self.dsos.get(dso.0).unwrap_or(NO_FILE)
    }

    /// Every file that is live.
    pub fn dsos(&self) -> impl Iterator<Item = DsoId> {
        self.dsos.iter().map(|(id, _)| DsoId(id))
    }

    /// A process of this profile: its PID and its start time, nanoseconds since boot. Of one that
    /// is no longer live: zeros.
    pub fn process(&self, process: ProcessId) -> (u32, u64) {
        self.identities.get(process.0).copied().unwrap_or_default()
    }

    /// Every process that was sampled and is live.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.identities.iter().map(|(id, _)| ProcessId(id))
    }

    /// A thread of this profile. Of one that is no longer live: a nameless thread 0.
    pub fn thread(&self, thread: ThreadId) -> Thread {
        self.threads.get(thread.0).copied().unwrap_or(Thread {
            process: ProcessId(u32::MAX),
            tid: 0,
            comm: Comm::default(),
        })
    }

    /// A stack of this profile from its leaf to its root; each node comes with the stack that
    /// ends in it. One that is no longer live has no nodes.
    pub fn stack(&self, stack: StackId) -> impl Iterator<Item = (StackId, StackNode)> {
        let mut rest = stack;
        std::iter::from_fn(move || {
            let here = rest;
            let (caller, node) = self.resolver.pop(here)?;
            rest = caller;
            Some((here, node))
        })
    }

    /// PIDs of living processes that have a file mapped, at most four and the most recent first,
    /// each with one of the mappings. Whoever opens them must check that they still hold the file:
    /// that a process ended is known only when the next batch arrives.
    pub fn mapped(&self, dso: DsoId) -> Vec<(u32, Mapping)> {
        let holding = self.processes.holding(dso).into_iter();
        let mapped = holding.map(|(pid, range)| {
            let dso = self.dso(range.dso).clone();
            let (start, end, file_offset) = (range.start, range.end, range.file_offset);
            (
                pid,
                Mapping {
                    start,
                    end,
                    file_offset,
                    dso,
                },
            )
        });
        mapped.collect()
    }

    fn within(&self, window: Window) -> impl Iterator<Item = SliceRef<'_>> {
        let slices = self.slices.iter();
        slices.filter(move |slice| window.contains(slice.start_ns))
    }

    /// The sample in terms of the model, but for its addresses.
    fn enter(&mut self, sample: Sample) -> Pending {
        let Sample {
            image,
            tid,
            comm,
            user,
            kernel,
            truncated,
            weight,
        } = sample;
        let process = ProcessId(self.identities.intern((image.pid, image.start_ns)));
        let thread = ThreadId(self.threads.intern(Thread { process, tid, comm }));
        let stack = Unresolved {
            process,
            user,
            kernel,
            truncated,
        };
        Pending {
            batch: self.batch,
            image,
            thread,
            stack,
            weight,
        }
    }

    /// The sample resolved; `None` if the mappings may still come and it has time to wait.
    fn settle(&mut self, pending: &Pending, now: bool) -> Option<Weight> {
        let Pending {
            batch: _,
            image,
            thread,
            stack,
            weight,
        } = *pending;
        let lookup = stack.user.is_some().then(|| self.processes.lookup(image));
        if !now && lookup.is_some_and(|lookup| !lookup.is_settled()) {
            return None;
        }
        Some(Weight {
            thread,
            stack: self.resolver.resolve(stack, lookup),
            weight,
        })
    }

    /// Tries again to resolve what waits; what has waited for some batches is resolved as it is.
    /// What nothing waits for any more can be forgotten.
    fn settle_pending(&mut self, patience: u32) {
        let mut late: Vec<(u32, Weight)> = Vec::new();
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|pending| {
            let age = self.batch.saturating_sub(pending.batch);
            let row = self.settle(pending, age >= patience);
            late.extend(row.map(|row| (pending.batch, row)));
            row.is_none()
        });
        self.pending = pending;
        late.sort_unstable_by_key(|(batch, _)| *batch);
        for same in late.chunk_by(|one, other| one.0 == other.0) {
            let batch = same.first().map_or(0, |(batch, _)| *batch);
            self.slices.add(batch, same.iter().map(|(_, row)| *row));
        }
        let waiting = self.pending.iter().map(|pending| &pending.stack);
        self.resolver.forget(waiting);
    }
}
