//! The addresses of stacks as they arrived.
//!
//! A stack travels once per run and may be wanted again in any later batch, by another process
//! (a forked child has its parent's addresses), so none is ever thrown away. Knows no process.

use rustc_hash::FxHashMap;

use super::{RawStack, StackKey};

/// Stacks by key. Neighbouring return addresses are close to each other, so they are kept as
/// differences in as many bytes as each needs: about half of the plain size.
#[derive(Debug, Default)]
pub(super) struct RawStacks {
    starts: FxHashMap<StackKey, usize>,
    bytes: Vec<u8>,
}

impl RawStacks {
    /// Keeps a stack. One that is known already stays as it is.
    pub(super) fn insert(&mut self, stack: &RawStack) {
        if self.starts.contains_key(&stack.id) {
            return;
        }
        self.starts.insert(stack.id, self.bytes.len());
        self.put(stack.addresses.len() as u64);
        let mut last = 0;
        for &address in &stack.addresses {
            self.put(zigzag(address.wrapping_sub(last)));
            last = address;
        }
    }

    /// The addresses of a stack, leaf first, in place of what `addresses` held. Empty if the stack
    /// is not known.
    pub(super) fn read(&self, key: StackKey, addresses: &mut Vec<u64>) {
        addresses.clear();
        let Some(&start) = self.starts.get(&key) else {
            return;
        };
        let mut bytes = self.bytes[start..].iter().copied();
        let count = take(&mut bytes);
        let mut last = 0_u64;
        for _ in 0..count {
            last = last.wrapping_add(unzigzag(take(&mut bytes)));
            addresses.push(last);
        }
    }

    /// Seven bits a byte, lowest first; the top bit says that more follow.
    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

fn take(bytes: &mut impl Iterator<Item = u8>) -> u64 {
    let mut value = 0;
    for (place, byte) in bytes.enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
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

    #[test]
    fn addresses_come_back() {
        let stacks: [&[u64]; 6] = [
            &[],
            &[0],
            &[u64::MAX, 0, u64::MAX],
            &[0x7f12_3456_789a, 0x7f12_3456_0000, 0x5555_5555_4321],
            &[0xffff_ffff_8100_0000, 0xffff_ffff_8100_0010],
            &[1 << 63, (1 << 63) - 1, 1, 0x80, 0x7f],
        ];
        let mut raw = RawStacks::default();
        for (key, addresses) in (0..).zip(stacks) {
            raw.insert(&RawStack {
                id: StackKey(key),
                addresses: addresses.to_vec(),
            });
        }
        let mut read = vec![1];
        for (key, addresses) in (0..).zip(stacks) {
            raw.read(StackKey(key), &mut read);
            assert_eq!(read, addresses);
        }
        raw.read(StackKey(99), &mut read);
        assert!(read.is_empty());
    }
}
