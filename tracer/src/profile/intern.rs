//! Values kept once and named by small integers.
//!
//! Owns the numbering: identifiers count up from 0 and are never reused. Knows nothing about what
//! it holds.

use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

/// A list of distinct values. Unlike a hash map it stores each value once, not also as a key: the
/// largest tables of the model are made of this.
#[derive(Debug)]
pub(super) struct Interner<T> {
    items: Vec<T>,
    /// Indices into `items` by hash with linear probing; a power of two of them, or none.
    slots: Vec<u32>,
}

/// A slot that holds no index.
const VACANT: u32 = u32::MAX;

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            slots: Vec::new(),
        }
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The identifier of a value, which is entered if it is new.
    pub(super) fn intern(&mut self, item: T) -> u32 {
        // Grows at two thirds: beyond that, linear probing gets long.
        if (self.items.len() + 1) * 3 > self.slots.len() * 2 {
            self.grow();
        }
        let slot = self.slot_of(&item);
        if self.slots[slot] == VACANT {
            self.slots[slot] = self.items.len() as u32;
            self.items.push(item);
        }
        self.slots[slot]
    }

    /// The value that an identifier of this interner stands for.
    pub(super) fn get(&self, id: u32) -> &T {
        &self.items[id as usize]
    }

    /// How many values there are: identifiers are below this.
    pub(super) fn len(&self) -> u32 {
        self.items.len() as u32
    }

    /// The slot that holds a value, or the vacant one where it belongs.
    fn slot_of(&self, item: &T) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = FxBuildHasher.hash_one(item) as usize & mask;
        loop {
            match self.slots[slot] {
                VACANT => return slot,
                id if self.items[id as usize] == *item => return slot,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(16);
        self.slots.clear();
        self.slots.resize(slots, VACANT);
        for id in 0..self.items.len() {
            let slot = self.slot_of(&self.items[id]);
            self.slots[slot] = id as u32;
        }
    }
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
            assert_eq!(*interner.get(n as u32), n * n);
        }
        assert_eq!(interner.len(), 10_000);
    }
}
