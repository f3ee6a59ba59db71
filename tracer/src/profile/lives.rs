//! The processes that had each PID, one after the other.
//!
//! A PID has a list of *lives*, one per process that had it; a life has a list of spaces, one per
//! image. Facts name a PID and a time, samples a PID and a start time: the first sample of a
//! process ties the two. Owned here is which life is meant, and when one can be forgotten.

use rustc_hash::FxHashMap;

use super::{slots::table_bytes, space::Space};

/// A process as facts and samples show it.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) pid: u32,
    pub(super) start_ns: Option<u64>,
    /// When it was forked; `None`: before the first fact about it.
    pub(super) forked_ns: Option<u64>,
    /// When it ended, and the batch that said so.
    pub(super) ended: Option<(u64, u32)>,
    /// The last batch with a sample of it.
    pub(super) sampled: Option<u32>,
    /// The highest exec count that a sample had.
    pub(super) highest: u32,
    /// In order of time.
    pub(super) spaces: Vec<Space>,
}

/// All lives that samples may still come from.
#[derive(Debug, Default)]
pub(super) struct Lives {
    by_id: FxHashMap<u32, Life>,
    /// Oldest first.
    by_pid: FxHashMap<u32, Vec<u32>>,
    next: u32,
    batch: u32,
    /// Lives to look at when a batch has been applied: something of them has ended.
    stale: Vec<u32>,
}

/// Batches for which a sampled process outlives its end, and an image its successor: samples wait
/// for facts for two, and a hot process that exits is worth its mappings a little longer.
const KEPT: u32 = 40;

impl Lives {
    pub(super) fn begin_batch(&mut self) {
        self.batch = self.batch.saturating_add(1);
    }

    pub(super) fn batch(&self) -> u32 {
        self.batch
    }

    pub(super) fn get(&self, id: u32) -> Option<&Life> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Life> {
        self.by_id.get_mut(&id)
    }

    /// Those that have not ended, the newest first.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Life> {
        let mut alive: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, life)| life.ended.is_none())
            .collect();
        alive.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(**id));
        alive.into_iter().map(|(_, life)| life)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Life> {
        self.by_id.values()
    }

    pub(super) fn bytes(&self) -> usize {
        let spaces = self.iter().map(|life| {
            let own = life.spaces.capacity() * size_of::<Space>();
            own + life.spaces.iter().map(Space::bytes).sum::<usize>()
        });
        let lists = self.by_pid.values().map(Vec::capacity).sum::<usize>() + self.stale.capacity();
        spaces.sum::<usize>()
            + lists * size_of::<u32>()
            + table_bytes(self.by_id.capacity(), size_of::<(u32, Life)>())
            + table_bytes(self.by_pid.capacity(), size_of::<(u32, Vec<u32>)>())
    }

    /// Some image of this life has ended: it will have to be forgotten.
    pub(super) fn age(&mut self, id: u32) {
        self.stale.push(id);
    }

    /// Forgets what no sample can need any more.
    pub(super) fn prune(&mut self) {
        let batch = self.batch;
        let aged = |since: u32, kept: u32| since.saturating_add(kept) < batch;
        let mut stale = std::mem::take(&mut self.stale);
        stale.retain(|id| {
            let Some(life) = self.by_id.get_mut(id) else {
                return false;
            };
            let over = life
                .ended
                .is_some_and(|(_, since)| aged(since, life.sampled.map_or(0, |_| KEPT)));
            if over {
                self.remove(*id);
                return false;
            }
            life.spaces
                .retain(|space| !space.replaced.is_some_and(|since| aged(since, KEPT)));
            life.ended.is_some() || life.spaces.len() > 1
        });
        stale.sort_unstable();
        stale.dedup();
        self.stale = stale;
    }

    /// Forgets those of which nothing is known and that were sampled long ago, unless they are
    /// wanted: nobody may ever say that they have ended.
    pub(super) fn forget_unknown(&mut self, is_wanted: impl Fn((u32, u64)) -> bool) {
        let batch = self.batch;
        let over = self.by_id.iter().filter(|(_, life)| {
            let long_ago = |since: u32| since.saturating_add(KEPT) < batch;
            life.ended.is_none()
                && life.sampled.is_some_and(long_ago)
                && life.spaces.iter().all(Space::is_unknown)
                && !life
                    .start_ns
                    .is_some_and(|start| is_wanted((life.pid, start)))
        });
        let over: Vec<u32> = over.map(|(id, _)| *id).collect();
        over.into_iter().for_each(|id| self.remove(id));
    }

    fn remove(&mut self, id: u32) {
        let Some(life) = self.by_id.remove(&id) else {
            return;
        };
        if let Some(lives) = self.by_pid.get_mut(&life.pid) {
            lives.retain(|other| *other != id);
            if lives.is_empty() {
                self.by_pid.remove(&life.pid);
            }
        }
    }

    pub(super) fn latest(&self, pid: u32) -> Option<u32> {
        self.by_pid.get(&pid)?.last().copied()
    }

    /// The life that has a PID at a time: the one that had not ended by then, or a new one.
    pub(super) fn living(&mut self, pid: u32, time_ns: u64) -> u32 {
        let lives = self.by_pid.get(&pid).into_iter().flatten().rev();
        let mut at_the_time = lives.copied().filter(|id| {
            self.by_id.get(id).is_some_and(|life| {
                life.forked_ns.is_none_or(|forked| forked <= time_ns)
                    && life.ended.is_none_or(|(ended, _)| time_ns <= ended)
            })
        });
        match at_the_time.next() {
            Some(id) => id,
            None => self.append(pid),
        }
    }

    pub(super) fn tied(&self, pid: u32, start_ns: u64) -> Option<u32> {
        let mut lives = self.by_pid.get(&pid)?.iter().rev().copied();
        lives.find(|id| {
            self.by_id
                .get(id)
                .is_some_and(|life| life.start_ns == Some(start_ns))
        })
    }

    /// Ties a start time to the newest life that has none and stands in order among those that
    /// have one, or to a new life.
    pub(super) fn tie_start(&mut self, pid: u32, start_ns: u64) -> u32 {
        let lives = self.by_pid.get(&pid).cloned().unwrap_or_default();
        let start_of = |id: &u32| self.by_id.get(id).and_then(|life| life.start_ns);
        let earlier = lives
            .iter()
            .rposition(|id| start_of(id).is_some_and(|other| other < start_ns));
        let from = earlier.map_or(0, |index| index + 1);
        let later = lives
            .iter()
            .position(|id| start_of(id).is_some_and(|other| other > start_ns));
        let to = later.unwrap_or(lives.len()).max(from);
        let mut candidates = lives.get(from..to).unwrap_or_default().iter().rev();
        // Start times are since boot and count time asleep, times of facts do not: a process
        // cannot have started much before its fork was seen, later in these terms it can.
        let plausible = |id: &&u32| {
            let forked = self.by_id.get(id).and_then(|life| life.forked_ns);
            forked.is_none_or(|forked| start_ns.saturating_add(1_000_000_000) >= forked)
        };
        let found = candidates
            .clone()
            .find(plausible)
            .or_else(|| candidates.next())
            .copied();
        let id = found.unwrap_or_else(|| {
            // Its predecessor's end was not seen, or it is itself a predecessor.
            if let Some(former) = to.checked_sub(1).and_then(|index| lives.get(index)) {
                self.end(*former, 0);
            }
            let id = self.begin(pid, to);
            if to < lives.len() {
                self.end(id, 0);
            }
            id
        });
        if let Some(life) = self.by_id.get_mut(&id) {
            life.start_ns = Some(start_ns);
        }
        id
    }

    /// A new life of a PID, after all others.
    pub(super) fn append(&mut self, pid: u32) -> u32 {
        self.begin(pid, usize::MAX)
    }

    fn begin(&mut self, pid: u32, index: usize) -> u32 {
        let id = self.next;
        self.next += 1;
        let life = Life {
            pid,
            start_ns: None,
            forked_ns: None,
            ended: None,
            sampled: None,
            highest: 0,
            spaces: Vec::new(),
        };
        self.by_id.insert(id, life);
        let lives = self.by_pid.entry(pid).or_default();
        lives.insert(index.min(lives.len()), id);
        id
    }

    pub(super) fn end(&mut self, id: u32, time_ns: u64) {
        let batch = self.batch;
        if let Some(life) = self.by_id.get_mut(&id) {
            life.ended.get_or_insert((time_ns, batch));
            self.stale.push(id);
        }
    }

    /// How many lives and PIDs are remembered.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.by_id.len(), self.by_pid.len())
    }
}
