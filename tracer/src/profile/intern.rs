//! Values kept once and named by small integers.
//!
//! Owns the numbering: identifiers count up from 0 and are never reused, also not when a value has
//! been swept away. Knows nothing about what it holds.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

use super::slots::{Slots, VACANT};

/// A list of distinct values. Unlike a hash map it stores each value once, not also as a key: the
/// largest tables of the model are made of this.
#[derive(Debug)]
pub(super) struct Interner<T> {
    /// In two steps, so that what is left of values that are gone is next to nothing.
    groups: Vec<Vec<Chunk<T>>>,
    next: u32,
    live: usize,
    slots: Slots,
}

/// Values with neighbouring identifiers. Gives its memory back when all of them are gone.
#[derive(Debug)]
struct Chunk<T> {
    items: Vec<T>,
    /// A bit for each value that is there.
    live: u64,
    /// A bit for each value that the next sweep keeps.
    marked: u64,
}

/// Values of a chunk.
const CHUNK: u32 = u64::BITS;
/// Chunks of a group.
const GROUP: usize = 512;

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            next: 0,
            live: 0,
            slots: Slots::default(),
        }
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The identifier of a value, which is entered if it is new.
    pub(super) fn intern(&mut self, item: T) -> u32 {
        let hash = hash(&item);
        let known = self.slots.find(hash, |id| self.get(id) == Some(&item));
        known.unwrap_or_else(|| self.push(item, hash))
    }

    /// The identifier of a value that is known.
    pub(super) fn find(&self, item: &T) -> Option<u32> {
        self.slots.find(hash(item), |id| self.get(id) == Some(item))
    }

    /// The value that an identifier stands for; `None` if it has been swept away.
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        get(&self.groups, id)
    }

    /// Identifiers are below this.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// How many values there are.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The values that there are, in order of their identifiers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        iter(&self.groups, |chunk| chunk.live)
    }

    /// Keeps a value from the next sweep; whether it is there and had not been kept yet.
    pub(super) fn mark(&mut self, id: u32) -> bool {
        let (group, chunk, bit) = place(id);
        let group = self.groups.get_mut(group);
        group
            .and_then(|group| group.get_mut(chunk))
            .is_some_and(|chunk| {
                let is_new = chunk.live & !chunk.marked & bit != 0;
                chunk.marked |= chunk.live & bit;
                is_new
            })
    }

    /// Whether the next sweep keeps a value.
    pub(super) fn is_marked(&self, id: u32) -> bool {
        let (group, chunk, bit) = place(id);
        let chunk = self.groups.get(group).and_then(|group| group.get(chunk));
        chunk.is_some_and(|chunk| chunk.marked & bit != 0)
    }

    /// The values that the next sweep keeps.
    pub(super) fn marked(&self) -> impl Iterator<Item = &T> {
        iter(&self.groups, |chunk| chunk.marked).map(|(_, item)| item)
    }

    /// Sweeps away all values but those that have been marked since the last sweep; how many.
    pub(super) fn sweep(&mut self) -> usize {
        let before = self.live;
        self.live = 0;
        for group in &mut self.groups {
            for chunk in group.iter_mut() {
                chunk.live = std::mem::take(&mut chunk.marked);
                self.live += chunk.live.count_ones() as usize;
                // One that is not full yet has identifiers to give.
                if chunk.live == 0 && chunk.items.len() == CHUNK as usize {
                    chunk.items = Vec::new();
                }
            }
            let is_over = |chunk: &Chunk<T>| chunk.items.capacity() == 0;
            if group.len() == GROUP && group.iter().all(is_over) {
                *group = Vec::new();
            }
        }
        let gone = before - self.live;
        if gone > 0 {
            let live = iter(&self.groups, |chunk| chunk.live);
            self.slots
                .rebuild(self.live, live.map(|(id, item)| (hash(item), id)));
        }
        gone
    }

    /// What it takes on the heap, without what the values themselves have there.
    pub(super) fn bytes(&self) -> usize {
        let chunks: usize = self
            .groups
            .iter()
            .map(|group| {
                let items = group.iter().map(|chunk| chunk.items.capacity());
                group.capacity() * size_of::<Chunk<T>>() + items.sum::<usize>() * size_of::<T>()
            })
            .sum();
        chunks + self.groups.capacity() * size_of::<Vec<Chunk<T>>>() + self.slots.bytes()
    }

    fn push(&mut self, item: T, hash: u64) -> u32 {
        let id = self.next;
        // More than four billion values: no identifier is left, and the last one does for all.
        if id == VACANT {
            return VACANT - 1;
        }
        let (group, chunk, bit) = place(id);
        if self.groups.len() <= group {
            self.groups.push(Vec::new());
        }
        let group = &mut self.groups[group];
        if group.len() <= chunk {
            group.push(Chunk {
                items: Vec::with_capacity(CHUNK as usize),
                live: 0,
                marked: 0,
            });
        }
        let chunk = &mut group[chunk];
        chunk.items.push(item);
        chunk.live |= bit;
        self.next += 1;
        self.live += 1;
        let groups = &self.groups;
        self.slots
            .insert(hash, id, |id| get(groups, id).map_or(0, self::hash));
        id
    }
}

fn hash<T: Hash>(item: &T) -> u64 {
    FxBuildHasher.hash_one(item)
}

/// The group of an identifier, the chunk in the group and its bit there.
fn place(id: u32) -> (usize, usize, u64) {
    let chunk = (id / CHUNK) as usize;
    (chunk / GROUP, chunk % GROUP, 1 << (id % CHUNK))
}

fn get<T>(groups: &[Vec<Chunk<T>>], id: u32) -> Option<&T> {
    let (group, chunk, bit) = place(id);
    let chunk = groups.get(group)?.get(chunk)?;
    if chunk.live & bit == 0 {
        return None;
    }
    chunk.items.get((id % CHUNK) as usize)
}

fn iter<T>(
    groups: &[Vec<Chunk<T>>],
    bits: impl Fn(&Chunk<T>) -> u64,
) -> impl Iterator<Item = (u32, &T)> {
    let numbered = groups.iter().enumerate().flat_map(|(group, chunks)| {
        let chunks = chunks.iter().enumerate();
        chunks.map(move |(chunk, of)| ((group * GROUP + chunk) as u32 * CHUNK, of))
    });
    numbered.flat_map(move |(first, chunk)| {
        let bits = bits(chunk);
        let items = (0..).zip(&chunk.items);
        let there = items.filter(move |(index, _)| bits >> index & 1 != 0);
        there.map(move |(index, item): (u32, &T)| (first + index, item))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number() {
        let mut interner = Interner::default();
        let ids: Vec<u32> = (0..10_000_u64).map(|n| interner.intern(n * n)).collect();
        assert_eq!(ids, (0..10_000).collect::<Vec<u32>>());
        for n in 0..10_000_u64 {
            assert_eq!(interner.intern(n * n), n as u32);
            assert_eq!(interner.get(n as u32), Some(&(n * n)));
        }
        assert_eq!((interner.next(), interner.live()), (10_000, 10_000));
        assert_eq!(interner.get(10_000), None);
    }

    #[test]
    fn what_is_swept_away_comes_back_as_another() {
        let mut interner = Interner::default();
        for n in 0..100_000_u64 {
            interner.intern(n);
        }
        let full = interner.bytes();
        assert!(interner.mark(99_999) && interner.mark(7) && !interner.mark(7));
        assert_eq!([6, 7].map(|id| interner.is_marked(id)), [false, true]);
        assert_eq!(interner.marked().collect::<Vec<_>>(), [&7, &99_999]);
        assert_eq!(interner.sweep(), 99_998);
        assert!(interner.bytes() < full / 10, "{}", interner.bytes());
        assert_eq!(
            [6, 7, 99_999].map(|id| interner.get(id)),
            [None, Some(&7), Some(&99_999)]
        );
        assert_eq!(
            [7, 99_999, 6].map(|n| interner.intern(n)),
            [7, 99_999, 100_000]
        );
        assert_eq!([6, 7].map(|n| interner.find(&n)), [Some(100_000), Some(7)]);
        assert!(!interner.mark(6));
        let all: Vec<_> = interner.iter().map(|(id, n)| (id, *n)).collect();
        assert_eq!(all, [(7, 7), (99_999, 99_999), (100_000, 6)]);
        assert_eq!(interner.sweep(), 3);
        assert_eq!(interner.intern(1), 100_001);
    }
}
