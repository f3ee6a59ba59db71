//! A hash table of small numbers that stand for values kept elsewhere.
//!
//! Owns probing, growing and removing. What a number stands for, callers say: they compare and hash.

/// Numbers by hash with linear probing. Grows by half, not to the double: the largest tables of the
/// model are made of this.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<u32>,
    used: usize,
}

/// A slot that holds no number, and so the one number that cannot be in a table.
pub(super) const VACANT: u32 = u32::MAX;

impl Slots {
    /// The number with a hash of which `is_it` holds.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut slot = self.home(hash);
        loop {
            match *self.slots.get(slot)? {
                VACANT => return None,
                number if is_it(number) => return Some(number),
                _ => slot = self.after(slot),
            }
        }
    }

    /// Enters a number that is not in it.
    pub(crate) fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        // Beyond three quarters linear probing gets long.
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let size = self.slots.len() + self.slots.len() / 2;
            let numbers = std::mem::take(&mut self.slots);
            self.allot(size);
            for number in numbers.into_iter().filter(|number| *number != VACANT) {
                self.put(hash_of(number), number);
            }
        }
        self.put(hash, number);
        self.used += 1;
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let mut hole = self.home(hash);
        loop {
            match self.slots.get(hole) {
                None | Some(&VACANT) => return,
                Some(other) if *other == number => break,
                Some(_) => hole = self.after(hole),
            }
        }
        // What was pushed on by it moves back, so that no search ends too early.
        let mut slot = self.after(hole);
        while self.slots[slot] != VACANT {
            let home = self.home(hash_of(self.slots[slot]));
            if self.distance(home, slot) >= self.distance(hole, slot) {
                self.slots[hole] = self.slots[slot];
                hole = slot;
            }
            slot = self.after(slot);
        }
        self.slots[hole] = VACANT;
        self.used -= 1;
    }

    /// Starts anew with `count` numbers and their hashes, in no more room than they need.
    pub(super) fn rebuild(&mut self, count: usize, numbers: impl Iterator<Item = (u64, u32)>) {
        self.slots = Vec::new();
        self.used = 0;
        self.allot(count * 3 / 2);
        for (hash, number) in numbers {
            self.put(hash, number);
            self.used += 1;
        }
    }

    /// What it takes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
    }

    fn allot(&mut self, size: usize) {
        self.slots = vec![VACANT; size.max(16)];
    }

    fn put(&mut self, hash: u64, number: u32) {
        let mut slot = self.home(hash);
        while self.slots[slot] != VACANT {
            slot = self.after(slot);
        }
        self.slots[slot] = number;
    }

    /// Where a hash belongs: its upper half, as a fraction of the table.
    fn home(&self, hash: u64) -> usize {
        let spread = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        ((spread * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, slot: usize) -> usize {
        let next = slot + 1;
        if next == self.slots.len() { 0 } else { next }
    }

    /// From one slot on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.slots.len() - from
        }
    }
}

/// What a hash table of the standard library takes on the heap: a power of two of entries, of which
/// it fills seven eighths, and a byte for each.
pub(super) fn table_bytes(capacity: usize, entry: usize) -> usize {
    match capacity {
        0 => 0,
        _ => (capacity * 8 / 7).next_power_of_two() * (entry + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hash_of: fn(u32) -> u64) {
        let has = |slots: &Slots, number| {
            slots
                .find(hash_of(number), |other| other == number)
                .is_some()
        };
        let mut slots = Slots::default();
        assert!(!has(&slots, 1));
        slots.remove(hash_of(1), 1, hash_of);
        (0..500).for_each(|number| slots.insert(hash_of(number), number, hash_of));
        // In an order that is neither that of entering nor its opposite.
        let gone = |number: u32| number % 3 == 1;
        for number in (0..500).map(|number| number * 7 % 500).filter(|n| gone(*n)) {
            slots.remove(hash_of(number), number, hash_of);
        }
        for number in 0..500 {
            assert_eq!(has(&slots, number), !gone(number), "{number}");
        }
        let size = slots.bytes();
        slots.rebuild(20, (0..20).map(|number| (hash_of(number), number)));
        assert!(slots.bytes() < size);
        assert!(has(&slots, 19) && !has(&slots, 20));
    }

    #[test]
    fn what_is_entered_is_found_until_it_is_taken_out() {
        check(|number| u64::from(number).wrapping_mul(0x1234_5678_9abc_def1));
        check(u64::from);
        // All in each other's way.
        check(|_| 7);
        check(|number| u64::from(number % 5) << 40);
    }
}
