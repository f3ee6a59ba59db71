//! Which stacks have been handed on, and when they are forgotten, so that a run of hours needs no
//! more memory than a run of a minute. Knows stacks by their keys only.
//!
//! Programs send a stack when the table of what they have sent ([`Sent`]) does not hold its hash. An
//! epoch ends in a drain, after its grace period and before the ring is read: the table is cleared,
//! and what is known becomes *old*. From there on everything that is read is *new*.
//!
//! Why no later sample can name a stack that is only old. Programs that began before the drain made
//! the other generation current have ended when the table is cleared. So whoever writes into the
//! cleared table began after that, and wrote its record after that too, behind everything that
//! earlier drains have read: this drain reads it, or a later one, and it is new. A stack that the
//! table does not hold is sent again, and is new as well. Only programs that looked into the table
//! before it was cleared name old stacks; they count in the generation that this drain empties, or,
//! if they began after the switch, in the one that the next drain empties. From the second drain
//! after the clearing on, every stack that is named is new.
//!
//! What is old and has not become new by then could be forgotten, but those who hear of samples may
//! still wait for facts that these need: so it is kept for some drains more, and a stack that comes
//! again in the meantime was never forgotten.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tracer_common::SENT_SLOTS;

use super::{Error, Result, mapped::Mapped, object::Object};
use crate::profile::{Batch, StackKey};

/// How long an epoch is.
const EPOCH: Duration = Duration::from_secs(60);
/// The first drain after that of the clearing whose samples name new stacks only.
const ONLY_NEW: u32 = 2;
/// The drain after that of the clearing in which old stacks are forgotten: samples of drain 1 may
/// name them, and wait for the facts of two more.
const FORGET: u32 = 4;

/// The table of stacks that programs have sent: a slot for each, selected by its hash.
pub(super) struct Sent(Mapped);

impl Sent {
    pub(super) fn new(object: &Object) -> Result<Self> {
        let map = object.map(super::object::SENT)?;
        Mapped::new(map, SENT_SLOTS as usize * 8)
            .map(Self)
            .map_err(|error| Error::from_os("map a BPF map", error))
    }

    fn slots(&self) -> &[AtomicU64] {
        self.0.words(0, SENT_SLOTS as usize)
    }

    /// Through memory: it takes less than 0.1 ms, and unlike a system call on a map it does not keep the
    /// CPU's ticks from being sampled (`bpf_disable_instrumentation`).
    fn clear(&self) {
        for slot in self.slots() {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Slots that are taken.
    pub(super) fn used(&self) -> u64 {
        let taken = |slot: &&AtomicU64| slot.load(Ordering::Relaxed) != 0;
        self.slots().iter().filter(taken).count() as u64
    }
}

/// Stacks of one kind: how many frames each has.
#[derive(Default)]
pub(super) struct Stacks {
    new: HashMap<StackKey, usize>,
    old: HashMap<StackKey, usize>,
}

impl Stacks {
    /// Enters a stack; whether it has to be handed on.
    pub(super) fn enter(&mut self, key: StackKey, frames: usize) -> bool {
        self.new.insert(key, frames).is_none() && !self.old.contains_key(&key)
    }

    /// How many frames a stack has; `None`: it has not been handed on.
    pub(super) fn frames(&self, key: StackKey) -> Option<usize> {
        self.new.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn age(&mut self) {
        self.old = std::mem::take(&mut self.new);
    }

    fn forget(&mut self) -> Vec<StackKey> {
        let old = std::mem::take(&mut self.old).into_keys();
        old.filter(|key| !self.new.contains_key(key)).collect()
    }
}

/// What has been handed on.
pub(super) struct Known {
    pub(super) user: Stacks,
    pub(super) kernel: Stacks,
    epoch: Epoch,
    began: Instant,
    /// Drains of this epoch so far.
    drains: u32,
}

/// When an epoch ends.
#[derive(Clone, Copy)]
enum Epoch {
    Lasts(Duration),
    Drains(u32),
}

impl Known {
    /// `epoch`: how many drains an epoch has, if it is not to end by time.
    pub(super) fn new(epoch: Option<u32>) -> Self {
        Self {
            user: Stacks::default(),
            kernel: Stacks::default(),
            epoch: epoch.map_or(Epoch::Lasts(EPOCH), Epoch::Drains),
            began: Instant::now(),
            // Nothing is old.
            drains: FORGET,
        }
    }

    /// To be called in each drain, between the grace period and the reading of the ring.
    pub(super) fn begin_drain(&mut self, sent: &Sent) {
        self.drains = self.drains.saturating_add(1);
        let due = match self.epoch {
            Epoch::Lasts(time) => self.began.elapsed() >= time,
            Epoch::Drains(count) => self.drains >= count,
        };
        // Old stacks must have been forgotten.
        if due && self.drains > FORGET {
            sent.clear();
            self.age();
        }
    }

    fn age(&mut self) {
        self.user.age();
        self.kernel.age();
        self.began = Instant::now();
        self.drains = 0;
    }

    /// Whether the record of a stack that this drain's samples name has been read.
    pub(super) fn has_arrived(&self, stacks: &Stacks, key: StackKey) -> bool {
        stacks.new.contains_key(&key) || (self.drains < ONLY_NEW && stacks.old.contains_key(&key))
    }

    /// To be called in each drain when all stacks have been entered.
    pub(super) fn end_drain(&mut self, batch: &mut Batch) {
        if self.drains == FORGET {
            batch.forgotten_user_stacks = self.user.forget();
            batch.forgotten_kernel_stacks = self.kernel.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drains after the clearing: the stacks that each reads; which are handed on, and which
    /// forgotten in the last. Stacks 1 and 2 are known before.
    #[track_caller]
    fn check(read: [&[u64]; FORGET as usize + 1], handed_on: &[u64], forgotten: &[u64]) {
        let mut known = Known::new(Some(1));
        for key in [1, 2] {
            assert!(known.user.enter(StackKey(key), 3));
        }
        let mut on = Vec::new();
        let mut batch = Batch::default();
        known.age();
        for (drain, keys) in read.into_iter().enumerate() {
            if drain > 0 {
                known.drains += 1;
            }
            assert!(batch.forgotten_user_stacks.is_empty(), "drain {drain}");
            let old = known.has_arrived(&known.user, StackKey(2)) && !keys.contains(&2);
            assert_eq!(old, drain < 2, "drain {drain}");
            let fresh = |key: &&u64| known.user.enter(StackKey(**key), 3);
            on.extend(keys.iter().filter(fresh));
            known.end_drain(&mut batch);
        }
        assert_eq!(on, handed_on);
        batch.forgotten_user_stacks.sort_unstable();
        let forgotten: Vec<_> = forgotten.iter().copied().map(StackKey).collect();
        assert_eq!(batch.forgotten_user_stacks, forgotten);
        let frames = |key| known.user.frames(StackKey(key));
        for key in &forgotten {
            assert_eq!(frames(key.0), None);
        }
        for key in on {
            assert_eq!(frames(key), Some(3));
        }
    }

    #[test]
    fn what_is_not_seen_again_is_forgotten() {
        check([&[], &[], &[], &[], &[]], &[], &[1, 2]);
        check([&[1], &[], &[], &[], &[]], &[], &[2]);
        check([&[], &[], &[], &[], &[1]], &[], &[2]);
        check([&[3], &[3, 1], &[], &[4], &[]], &[3, 4], &[2]);
    }

    #[test]
    fn epochs_do_not_overlap() {
        let known = Known::new(Some(1));
        assert!(known.drains >= FORGET, "the first drain may end an epoch");
        let mut stacks = Stacks::default();
        stacks.enter(StackKey(1), 1);
        stacks.age();
        assert_eq!(stacks.frames(StackKey(1)), Some(1));
        assert_eq!(stacks.forget(), [StackKey(1)]);
        assert_eq!(stacks.frames(StackKey(1)), None);
        assert!(stacks.enter(StackKey(1), 1));
    }
}
