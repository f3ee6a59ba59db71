//! A memory of bounded size: what was entered first is forgotten first. Knows nothing of symbols.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Values by key, the most recent ones.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    most: usize,
    values: HashMap<K, V>,
    /// The first to be forgotten first.
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    /// Remembers at most `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    /// Enters a value; a key that is known keeps its place.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key, value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that are entered into a memory of two, and those that it has then.
    #[track_caller]
    fn check(entered: &[u8], kept: &[u8]) {
        let mut recent = Recent::new(2);
        for key in entered {
            recent.insert(*key, u32::from(*key));
        }
        let found: Vec<u8> = (0..=9).filter(|key| recent.get(key).is_some()).collect();
        assert_eq!(found, kept);
        assert!(recent.order.len() <= 2 && recent.values.len() == recent.order.len());
    }

    #[test]
    fn the_oldest_is_forgotten() {
        check(&[], &[]);
        check(&[1, 2], &[1, 2]);
        check(&[1, 2, 3], &[2, 3]);
        check(&[1, 2, 1, 3], &[2, 3]);
        check(&[1, 1, 1, 2], &[1, 2]);
    }
}
