//! What a profile that stays open holds in memory, and how it gives it back.
//!
//! Owns what reaches what: slices and samples that wait reach threads and stacks, those reach
//! processes and frames, those reach files. What to forget, and when, is decided by the caller.

use super::{DsoId, Frame, FrameId, Profile, model::Pending};

/// What a profile holds in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Slices.
    pub slices: usize,
    /// Weights in all slices together.
    pub rows: usize,
    /// Stacks, counting every stack that another begins with.
    pub stacks: usize,
    /// Frames.
    pub frames: usize,
    /// Processes.
    pub processes: usize,
    /// Threads.
    pub threads: usize,
    /// What all of it takes on the heap, without what the allocator adds.
    pub bytes: usize,
    /// When the oldest slice begins, CLOCK_MONOTONIC; 0 without one.
    pub start_ns: u64,
    /// When the newest slice ends.
    pub end_ns: u64,
}

/// What a collection has freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Frames, whose names are of no use any more.
    pub frames_freed: usize,
    /// Stacks, counting every stack that another begins with.
    pub stacks_freed: usize,
    /// Threads.
    pub threads_freed: usize,
    /// Processes.
    pub processes_freed: usize,
    /// Files.
    pub dsos_freed: usize,
}

impl Profile {
    /// What is in memory.
    pub fn held(&self) -> Held {
        let (slices, rows) = self.slices.size();
        let (frames, stacks) = self.resolver.live();
        let paths = self.dsos.iter().map(|(_, dso)| dso.path.capacity());
        let bytes = [
            paths.sum(),
            self.dsos.bytes(),
            self.identities.bytes(),
            self.threads.bytes(),
            self.processes.bytes(),
            self.resolver.bytes(),
            self.slices.bytes(),
            self.pending.capacity() * size_of::<Pending>(),
        ];
        let mut held = self.slices();
        let oldest = held.next();
        let newest = held.next_back().or(oldest);
        Held {
            slices,
            rows,
            stacks,
            frames,
            processes: self.identities.live(),
            threads: self.threads.live(),
            bytes: bytes.iter().sum(),
            start_ns: oldest.map_or(0, |slice| slice.start_ns),
            end_ns: newest.map_or(0, |slice| slice.end_ns),
        }
    }

    /// Drops the slices that begin before a time, but never the newest.
    pub fn forget_before(&mut self, start_ns: u64) {
        self.slices.forget_before(start_ns);
        self.forget_waiting();
    }

    /// Makes the weights that are held no more than `most`: coalesces older slices as long as that
    /// saves some, then drops the oldest, but never the newest.
    pub fn bound_rows(&mut self, most: usize) {
        self.slices.bound_rows(most);
        self.forget_waiting();
    }

    /// Frees what neither a slice that is held nor a sample that waits reaches, nor a process that
    /// may still be sampled. Identifiers of what is left stay as they are; those of what is freed
    /// are not given again.
    pub fn collect_garbage(&mut self) -> Garbage {
        for slice in self.slices.iter() {
            for row in slice.weights() {
                self.threads.mark(row.thread.0);
                self.resolver.mark(row.stack);
            }
        }
        for pending in &self.pending {
            self.threads.mark(pending.thread.0);
        }
        for thread in self.threads.marked() {
            self.identities.mark(thread.process.0);
        }
        for frame in self.resolver.marked() {
            match frame {
                Frame::Kernel { .. } => false,
                Frame::File { dso, .. } => self.dsos.mark(dso.0),
                Frame::Jit { process, .. } | Frame::Unmapped { process, .. } => {
                    self.identities.mark(process.0)
                }
            };
        }
        let identities = &self.identities;
        self.processes.forget_unknown(|identity| {
            let id = identities.find(&identity);
            id.is_some_and(|id| identities.is_marked(id))
        });
        for identity in self.processes.identities() {
            if let Some(id) = self.identities.find(&identity) {
                self.identities.mark(id);
            }
        }
        for dso in self.processes.mapped() {
            self.dsos.mark(dso.0);
        }
        let (frames_freed, stacks_freed) = self.resolver.sweep();
        let dsos_freed = self.dsos.sweep();
        let dsos = &self.dsos;
        self.processes
            .forget_files(|DsoId(id)| dsos.get(id).is_some());
        Garbage {
            frames_freed,
            stacks_freed,
            threads_freed: self.threads.sweep(),
            processes_freed: self.identities.sweep(),
            dsos_freed,
        }
    }

    /// Whether a frame has not been freed.
    pub fn is_live_frame(&self, frame: FrameId) -> bool {
        self.resolver.frame(frame).is_some()
    }

    /// A sample that waits goes with its slice, whose ledger it is in.
    fn forget_waiting(&mut self) {
        let slices = &self.slices;
        self.pending.retain(|pending| slices.holds(pending.batch));
    }
}
