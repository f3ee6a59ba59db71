//! Processes, their images and their mappings over time: which file an address meant to a process
//! when it was sampled.
//!
//! Owns what each kind of fact does. With its parts it is all of the model that knows PIDs: above
//! it a process is a number that is never reused.

use super::{
    Dso, DsoId, Fact, FactKind, Image, Mapping,
    holders::{Holder, Holders},
    intern::Interner,
    lives::Lives,
    mappings::{Backing, Range},
    space::{self, Knowledge, Space, SpaceRef},
};

/// All processes that samples may still come from.
#[derive(Debug, Default)]
pub(super) struct Processes {
    lives: Lives,
    next_space: u32,
    stamp: u64,
    holders: Holders,
}

/// Where an address of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At this offset of a file.
    File(DsoId, u64),
    /// In memory that the process wrote itself.
    Memory,
    /// In no mapping, and they are all known.
    Outside,
    /// In no mapping that is known.
    Unknown,
}

/// The mappings of a sample's image, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'a> {
    /// From the image's own space towards the one that it was copied from.
    spaces: [Option<&'a Space>; 3],
}

impl Processes {
    /// Facts that follow belong to the next batch.
    pub(super) fn begin_batch(&mut self) {
        self.lives.begin_batch();
    }

    pub(super) fn apply(&mut self, fact: Fact, dsos: &mut Interner<Dso>) {
        let Fact { time_ns, pid, kind } = fact;
        self.stamp += 1;
        match kind {
            FactKind::Fork { parent } => self.fork(time_ns, pid, parent),
            FactKind::Exec => self.exec(time_ns, pid),
            FactKind::Image(image) => self.image(time_ns, pid, image),
            FactKind::Map(mapping) => {
                let range = range(mapping, time_ns, dsos);
                let stamp = self.stamp;
                let life = self.space_at(time_ns, pid, |space| space.map(range, stamp));
                self.hold(life, [range]);
            }
            FactKind::Snapshot(mappings) => {
                let ranges: Vec<Range> = mappings
                    .into_iter()
                    .map(|mapping| range(mapping, time_ns, dsos))
                    .collect();
                let stamp = self.stamp;
                let held = ranges.clone();
                let replace = |space: &mut Space| space.replace(ranges, time_ns, stamp);
                let life = self.space_at(time_ns, pid, replace);
                self.hold(life, held);
            }
            FactKind::Unreadable => {
                // Of an ended process this says nothing new, and must not begin another life.
                let life = self
                    .lives
                    .latest(pid)
                    .unwrap_or_else(|| self.lives.living(pid, time_ns));
                let stamp = self.stamp;
                self.change(life, time_ns, |space| space.refused(stamp));
            }
            FactKind::Exit => {
                // Also of a process that is not known yet: it keeps the next one of that PID apart.
                let id = self.lives.living(pid, time_ns);
                self.lives.end(id, time_ns);
            }
        }
    }

    /// Ties the start times that samples have to the lives that facts began. Which sample comes
    /// first makes no difference: newer processes are tied first, to the newest lives.
    pub(super) fn admit(&mut self, images: impl Iterator<Item = Image>) {
        let mut images: Vec<Image> = images.collect();
        images.sort_unstable_by_key(|image| (image.pid, image.start_ns, image.exec));
        images.dedup();
        let batch = self.lives.batch();
        for image in images.into_iter().rev() {
            let id = match self.lives.tied(image.pid, image.start_ns) {
                Some(id) => id,
                None => self.lives.tie_start(image.pid, image.start_ns),
            };
            if let Some(life) = self.lives.get_mut(id) {
                life.sampled = Some(batch);
                life.highest = life.highest.max(image.exec);
            }
        }
    }

    /// Forgets what no sample can need any more.
    pub(super) fn prune(&mut self) {
        self.lives.prune();
    }

    /// See [`Lives::forget_unknown`].
    pub(super) fn forget_unknown(&mut self, is_wanted: impl Fn((u32, u64)) -> bool) {
        self.lives.forget_unknown(is_wanted);
    }

    /// What is known of the mappings of a sample's image.
    pub(super) fn lookup(&self, image: Image) -> Lookup<'_> {
        let mut spaces = [None; 3];
        let life = self
            .lives
            .tied(image.pid, image.start_ns)
            .and_then(|id| self.lives.get(id));
        let mut next = life.and_then(|life| space::select(&life.spaces, image, life.highest));
        for slot in &mut spaces {
            let Some(space) = next else { break };
            *slot = Some(space);
            next = space.copied_from.and_then(|origin| {
                let life = self.lives.get(origin.life)?;
                life.spaces.iter().find(|space| space.id == origin.space)
            });
        }
        Lookup { spaces }
    }

    /// Living processes that have a file mapped: a few of the most recent, with where.
    pub(super) fn holding(&self, dso: DsoId) -> Vec<(u32, Range)> {
        let alive = |life: u32| self.lives.get(life).filter(|life| life.ended.is_none());
        let known = self.holders.of(dso).rev();
        let found: Vec<_> = known
            .filter_map(|holder| alive(holder.life).map(|life| (life.pid, holder.range)))
            .collect();
        if !found.is_empty() {
            return found;
        }
        // Everyone who was seen mapping it has ended; a forked child may have it still.
        let inherited = self.lives.alive().filter_map(|life| {
            let range = life
                .spaces
                .last()?
                .mappings
                .iter()
                .find(|range| range.dso == dso)?;
            Some((life.pid, *range))
        });
        inherited.take(Holders::MOST).collect()
    }

    /// PIDs and start times of the processes that are remembered and were sampled.
    pub(super) fn identities(&self) -> impl Iterator<Item = (u32, u64)> {
        let lives = self.lives.iter();
        lives.filter_map(|life| Some((life.pid, life.start_ns?)))
    }

    /// The files that are mapped somewhere; a file may come several times.
    pub(super) fn mapped(&self) -> impl Iterator<Item = DsoId> {
        let spaces = self.lives.iter().flat_map(|life| &life.spaces);
        let ranges = spaces.flat_map(|space| space.mappings.iter());
        ranges.map(|range| range.dso)
    }

    /// Forgets who held files that there are no more.
    pub(super) fn forget_files(&mut self, is_live: impl Fn(DsoId) -> bool) {
        self.holders.retain(is_live);
    }

    /// What it takes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.lives.bytes() + self.holders.bytes()
    }

    fn fork(&mut self, time_ns: u64, pid: u32, parent: u32) {
        // A parent that is not known yet is begun, so that what will be told of it holds for the
        // child too.
        let parent = self.space_at(time_ns, parent, |_| ());
        let origin = self.lives.get_mut(parent).and_then(|life| {
            let space = space::at(&mut life.spaces, time_ns)?;
            Some((
                space.exec,
                space.knowledge,
                space.mappings.clone(),
                space.id,
            ))
        });
        let mut copy = self.space(time_ns, Knowledge::Partial);
        if let Some((exec, knowledge, mappings, space)) = origin {
            copy.exec = exec;
            copy.tied = exec.is_some();
            copy.mappings = mappings;
            // What a copy of an unfinished space maps is not all that it has.
            copy.knowledge = match knowledge {
                Knowledge::Begun => Knowledge::Partial,
                told => told,
            };
            if knowledge != Knowledge::Full {
                copy.copied_from = Some(SpaceRef {
                    life: parent,
                    space,
                });
            }
        }
        let latest = self.lives.latest(pid);
        // Samples may have shown it before the news of its birth came.
        let unborn = latest.filter(|id| {
            self.lives
                .get(*id)
                .is_some_and(|life| life.ended.is_none() && life.spaces.is_empty())
        });
        let id = match (unborn, latest) {
            (Some(id), _) => id,
            (None, latest) => {
                if let Some(former) = latest {
                    self.lives.end(former, time_ns);
                }
                self.lives.append(pid)
            }
        };
        if let Some(life) = self.lives.get_mut(id) {
            life.forked_ns = Some(time_ns);
            life.spaces.push(copy);
        }
    }

    fn exec(&mut self, time_ns: u64, pid: u32) {
        let id = self.lives.living(pid, time_ns);
        let before = self.space(0, Knowledge::Partial);
        let begun = self.space(time_ns, Knowledge::Begun);
        let batch = self.lives.batch();
        if let Some(life) = self.lives.get_mut(id) {
            if life.spaces.is_empty() {
                life.spaces.push(before);
            }
            space::insert(&mut life.spaces, begun, batch);
            self.lives.age(id);
        }
    }

    fn image(&mut self, time_ns: u64, pid: u32, image: Image) {
        let id = match self.lives.tied(pid, image.start_ns) {
            Some(id) => id,
            None => {
                let id = self.lives.living(pid, time_ns);
                let free = self
                    .lives
                    .get(id)
                    .is_none_or(|life| life.start_ns.is_none());
                // Another process has the PID by now, and nobody said how.
                if free {
                    id
                } else {
                    self.lives.tie_start(pid, image.start_ns)
                }
            }
        };
        let before = self.space(0, Knowledge::Partial);
        let begun = self.space(time_ns, Knowledge::Begun);
        let batch = self.lives.batch();
        if let Some(life) = self.lives.get_mut(id) {
            life.start_ns = Some(image.start_ns);
            if life.spaces.is_empty() {
                life.spaces.push(before);
            }
            // The `exec` itself was not seen if the image that was there has another count, or is
            // still the parent's.
            if let Some(space) = space::at(&mut life.spaces, time_ns)
                && space.exec != Some(image.exec)
                && (space.tied || life.forked_ns == Some(space.began_ns))
            {
                space::insert(&mut life.spaces, begun, batch);
            }
            let index = life
                .spaces
                .iter()
                .rposition(|space| space.began_ns <= time_ns);
            space::tie(&mut life.spaces, index.unwrap_or(0), image.exec);
            self.lives.age(id);
        }
    }

    /// Does something to the space that a PID had at a time, and says whose it is.
    fn space_at(&mut self, time_ns: u64, pid: u32, change: impl FnOnce(&mut Space)) -> u32 {
        let id = self.lives.living(pid, time_ns);
        self.change(id, time_ns, change);
        id
    }

    /// Does something to the space that a life had at a time; its first is begun if it has none.
    fn change(&mut self, id: u32, time_ns: u64, change: impl FnOnce(&mut Space)) {
        let first = self.space(0, Knowledge::Partial);
        if let Some(life) = self.lives.get_mut(id) {
            if life.spaces.is_empty() {
                life.spaces.push(first);
            }
            // None: it was said of an image that has been forgotten.
            if let Some(space) = space::at(&mut life.spaces, time_ns) {
                change(space);
            }
        }
    }

    fn hold(&mut self, life: u32, ranges: impl IntoIterator<Item = Range>) {
        for range in ranges
            .into_iter()
            .filter(|range| range.backing == Backing::File)
        {
            self.holders.insert(Holder { life, range });
        }
    }

    fn space(&mut self, began_ns: u64, knowledge: Knowledge) -> Space {
        let id = self.next_space;
        self.next_space += 1;
        Space {
            stamp: self.stamp,
            ..Space::new(id, began_ns, knowledge)
        }
    }
}

impl Lookup<'_> {
    /// Whether nothing that may still come would change the answers.
    pub(super) fn is_settled(&self) -> bool {
        let settled =
            |space: &&Space| matches!(space.knowledge, Knowledge::Full | Knowledge::Unreadable);
        self.spaces.iter().flatten().any(settled)
    }

    /// Identifies the mappings: equal only if they are the same, of the same process, unchanged.
    /// `None` where nothing is known.
    pub(super) fn version(&self) -> Option<(u32, u64)> {
        let own = self.spaces.first()?.as_ref()?;
        let stamp = self
            .spaces
            .iter()
            .flatten()
            .map(|space| space.stamp)
            .max()?;
        Some((own.id, stamp))
    }

    /// Where an address is.
    pub(super) fn find(&self, address: u64) -> Place {
        for space in self.spaces.iter().flatten() {
            if let Some(range) = space.mappings.find(address) {
                return match range.backing {
                    Backing::Memory => Place::Memory,
                    Backing::File => {
                        let within = address.wrapping_sub(range.start);
                        Place::File(range.dso, within.wrapping_add(range.file_offset))
                    }
                };
            }
            if space.knowledge == Knowledge::Full {
                return Place::Outside;
            }
        }
        Place::Unknown
    }
}

fn range(mapping: Mapping, time_ns: u64, dsos: &mut Interner<Dso>) -> Range {
    let Mapping {
        start,
        end,
        file_offset,
        dso,
    } = mapping;
    let backing = Backing::of(&dso);
    let dso = DsoId(dsos.intern(dso));
    Range {
        start,
        end,
        file_offset,
        time_ns,
        dso,
        backing,
    }
}

#[cfg(test)]
mod tests;
