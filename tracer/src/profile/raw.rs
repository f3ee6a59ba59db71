//! The addresses of stacks as they arrived.
//!
//! A stack may be wanted again in any later batch, by another process (a forked child has its
//! parent's addresses), so it is kept until a batch says that it is not. Knows no process.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashSet};

use super::{
    RawStack, StackKey,
    slots::{Slots, table_bytes},
};

/// Stacks by key. Neighbouring return addresses are close to each other, so they are kept as
/// differences in as many bytes as each needs: about half of the plain size.
#[derive(Debug, Default)]
pub(super) struct RawStacks {
    /// Where each stack is: the chunk and the place in it.
    slots: Slots,
    /// Stacks one after the other, as [`Record`] says.
    chunks: Vec<Vec<u8>>,
    /// Bytes of all stacks, and of those that have been forgotten.
    used: usize,
    dead: usize,
    /// To be forgotten as soon as no sample waits that names them.
    doomed: FxHashSet<StackKey>,
    /// Where a stack is put together: kept only so as not to allocate for each.
    scratch: Vec<u8>,
}

/// A stack in a chunk: eight bytes of key, its length (with a lowest bit of 1 once it is
/// forgotten) and its addresses as differences.
struct Record<'a> {
    key: StackKey,
    dead: bool,
    addresses: &'a [u8],
    size: usize,
}

/// Bytes of a chunk; a stack that is larger has one to itself.
const CHUNK: usize = 1 << OFFSET_BITS;
/// Of where a stack is, the bits that tell the place in its chunk.
const OFFSET_BITS: u32 = 18;
/// Chunks that places can tell apart: four gigabytes of stacks.
const MOST_CHUNKS: usize = (1 << (u32::BITS - OFFSET_BITS)) - 1;

impl RawStacks {
    /// Keeps a stack. One that is known already stays as it is; one for which no place is left is
    /// not kept.
    pub(super) fn insert(&mut self, stack: &RawStack) {
        self.doomed.remove(&stack.id);
        if self.find(stack.id).is_some() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        let mut last = 0;
        for &address in &stack.addresses {
            put(&mut bytes, zigzag(address.wrapping_sub(last)));
            last = address;
        }
        self.append(stack.id, &bytes);
        self.scratch = bytes;
    }

    /// The addresses of a stack, leaf first, in place of what `addresses` held; whether the stack
    /// is known.
    pub(super) fn read(&self, key: StackKey, addresses: &mut Vec<u64>) -> bool {
        addresses.clear();
        let place = self.find(key);
        let Some(record) = place.and_then(|place| record_at(&self.chunks, place)) else {
            return false;
        };
        let mut rest = record.addresses;
        let mut last = 0_u64;
        while !rest.is_empty() {
            last = last.wrapping_add(unzigzag(take(&mut rest)));
            addresses.push(last);
        }
        true
    }

    /// These stacks will not be named again unless they are kept again.
    pub(super) fn doom(&mut self, keys: Vec<StackKey>) {
        self.doomed.extend(keys);
    }

    /// Forgets what is doomed, but for what is still needed.
    pub(super) fn forget(&mut self, needed: impl Iterator<Item = StackKey>) {
        if self.doomed.is_empty() {
            return;
        }
        let needed: FxHashSet<StackKey> = needed.collect();
        for key in std::mem::take(&mut self.doomed) {
            if needed.contains(&key) {
                self.doomed.insert(key);
            } else {
                self.kill(key);
            }
        }
        if self.dead * 2 > self.used && self.used > CHUNK {
            self.compact();
        }
    }

    /// What it takes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Vec::capacity).sum();
        let directory = self.chunks.capacity() * size_of::<Vec<u8>>();
        let doomed = table_bytes(self.doomed.capacity(), size_of::<StackKey>());
        chunks + directory + doomed + self.slots.bytes() + self.scratch.capacity()
    }

    fn find(&self, key: StackKey) -> Option<u32> {
        let is_it = |place| record_at(&self.chunks, place).is_some_and(|record| record.key == key);
        self.slots.find(hash(key), is_it)
    }

    fn append(&mut self, key: StackKey, addresses: &[u8]) {
        let mut head = Vec::with_capacity(size_of::<u64>() + 2);
        head.extend(key.0.to_le_bytes());
        put(&mut head, (addresses.len() as u64) << 1);
        let size = head.len() + addresses.len();
        let last = self.chunks.last();
        if last.is_none_or(|chunk| chunk.capacity() - chunk.len() < size) {
            if self.chunks.len() == MOST_CHUNKS {
                return;
            }
            self.chunks.push(Vec::with_capacity(size.max(CHUNK)));
        }
        let number = self.chunks.len() - 1;
        let Some(chunk) = self.chunks.last_mut() else {
            return;
        };
        let place = (number << OFFSET_BITS | chunk.len()) as u32;
        chunk.extend(head);
        chunk.extend(addresses);
        self.used += size;
        let chunks = &self.chunks;
        self.slots.insert(hash(key), place, |place| {
            record_at(chunks, place).map_or(0, |record| hash(record.key))
        });
    }

    fn kill(&mut self, key: StackKey) {
        let Some(place) = self.find(key) else {
            return;
        };
        let chunks = &self.chunks;
        self.slots.remove(hash(key), place, |place| {
            record_at(chunks, place).map_or(0, |record| hash(record.key))
        });
        self.dead += record_at(chunks, place).map_or(0, |record| record.size);
        let (chunk, offset) = split(place);
        let chunk = self.chunks.get_mut(chunk);
        if let Some(length) = chunk.and_then(|chunk| chunk.get_mut(offset + size_of::<u64>())) {
            *length |= 1;
        }
    }

    /// Moves what is not forgotten together. No more than one chunk is there twice at a time.
    fn compact(&mut self) {
        let chunks = std::mem::take(&mut self.chunks);
        (self.used, self.dead, self.slots) = Default::default();
        for chunk in chunks {
            let mut rest = chunk.as_slice();
            while let Some(record) = record(rest) {
                if !record.dead {
                    self.append(record.key, record.addresses);
                }
                rest = rest.get(record.size..).unwrap_or_default();
            }
        }
    }
}

fn hash(key: StackKey) -> u64 {
    FxBuildHasher.hash_one(key)
}

fn split(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place >> OFFSET_BITS, place & (CHUNK - 1))
}

fn record_at(chunks: &[Vec<u8>], place: u32) -> Option<Record<'_>> {
    let (chunk, offset) = split(place);
    record(chunks.get(chunk)?.get(offset..)?)
}

/// The stack that bytes begin with.
fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let (key, mut rest) = bytes.split_first_chunk()?;
    let length = take(&mut rest);
    let addresses = rest.get(..(length >> 1) as usize)?;
    Some(Record {
        key: StackKey(u64::from_le_bytes(*key)),
        dead: length & 1 != 0,
        addresses,
        size: bytes.len() - rest.len() + addresses.len(),
    })
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    let mut shift = 0;
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Small differences of either sign become small numbers.
fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ ((difference as i64 >> 63) as u64)
}

fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(key: u64, addresses: &[u64]) -> RawStack {
        RawStack {
            id: StackKey(key),
            addresses: addresses.to_vec(),
        }
    }

    fn read(stacks: &RawStacks, key: u64) -> Option<Vec<u64>> {
        let mut addresses = vec![1];
        let known = stacks.read(StackKey(key), &mut addresses);
        known.then_some(addresses)
    }

    #[test]
    fn addresses_come_back() {
        let stacks: [&[u64]; 7] = [
            &[],
            &[0],
            &[u64::MAX, 0, u64::MAX],
            &[0x7f12_3456_789a, 0x7f12_3456_0000, 0x5555_5555_4321],
            &[0xffff_ffff_8100_0000, 0xffff_ffff_8100_0010],
            &[1 << 63, (1 << 63) - 1, 1, 0x80, 0x7f],
            // Larger than a chunk.
            &[1 << 62; CHUNK],
        ];
        let mut kept = RawStacks::default();
        for (key, addresses) in (0..).zip(stacks) {
            kept.insert(&raw(key, addresses));
        }
        for (key, addresses) in (0..).zip(stacks) {
            assert_eq!(read(&kept, key).as_deref(), Some(addresses));
        }
        assert_eq!(read(&kept, 99), None);
    }

    #[test]
    fn what_is_forgotten_gives_its_memory_back() {
        let mut stacks = RawStacks::default();
        let addresses = |key: u64| [key << 32, 7, key];
        let mut sizes = Vec::new();
        for round in 0..20 {
            let keys = round * 40_000..(round + 1) * 40_000;
            keys.clone()
                .for_each(|key| stacks.insert(&raw(key, &addresses(key))));
            // One in a hundred stays.
            stacks.doom(keys.filter(|key| key % 100 != 0).map(StackKey).collect());
            stacks.forget(std::iter::empty());
            sizes.push(stacks.bytes());
        }
        for key in 0..800_000 {
            let expected = (key % 100 == 0).then(|| addresses(key).to_vec());
            assert_eq!(read(&stacks, key), expected, "{key}");
        }
        assert!(sizes[19] < sizes[9] * 3 / 2, "{sizes:?}");
    }

    #[test]
    fn what_is_needed_or_sent_again_is_not_forgotten() {
        let mut stacks = RawStacks::default();
        (1..=3).for_each(|key| stacks.insert(&raw(key, &[key])));
        stacks.doom([1, 2, 3, 4].map(StackKey).into());
        stacks.forget([1, 2].map(StackKey).into_iter());
        stacks.insert(&raw(1, &[1]));
        stacks.forget(std::iter::empty());
        let known = [1, 2, 3].map(|key| read(&stacks, key).is_some());
        assert_eq!(known, [true, false, false]);
    }
}
