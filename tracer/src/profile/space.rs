//! The address space of one image: its mappings and how much is known of them.
//!
//! Owns the tying of the kernel's exec counts to the images that were seen to begin. Knows no
//! process.

use std::sync::Arc;

use super::{
    Image,
    mappings::{Mappings, Range},
};

/// The address space that began with an `exec`, with a fork, or before the measuring.
#[derive(Debug)]
pub(super) struct Space {
    /// Opaque, never reused.
    pub(super) id: u32,
    pub(super) began_ns: u64,
    /// The batch in which the next image took its place.
    pub(super) replaced: Option<u32>,
    /// The kernel's exec count, where it is known.
    pub(super) exec: Option<u32>,
    /// Whether a fact said so, rather than that it follows from its neighbours.
    pub(super) tied: bool,
    /// Shared with forked children until one of them maps something.
    pub(super) mappings: Arc<Mappings>,
    pub(super) knowledge: Knowledge,
    /// Rises with every change, over all spaces.
    pub(super) stamp: u64,
    /// The space that this one was copied from when that was not yet known itself.
    pub(super) copied_from: Option<SpaceRef>,
}

/// How much is known of the mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// Begun by an `exec`: nothing is mapped, and all that will be is going to be told.
    Begun,
    /// There were mappings before the first fact, and they have not been told.
    Partial,
    /// All of them.
    Full,
    /// They could not be read and never will be.
    Unreadable,
}

/// A space of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpaceRef {
    pub(super) life: u32,
    pub(super) space: u32,
}

impl Space {
    pub(super) fn new(id: u32, began_ns: u64, knowledge: Knowledge) -> Self {
        Self {
            id,
            began_ns,
            replaced: None,
            exec: None,
            tied: false,
            mappings: Arc::default(),
            knowledge,
            stamp: 0,
            copied_from: None,
        }
    }

    /// Its part of the mappings that it shares.
    pub(super) fn bytes(&self) -> usize {
        let all = size_of::<Mappings>() + 2 * size_of::<usize>() + self.mappings.bytes();
        all / Arc::strong_count(&self.mappings)
    }

    /// Whether nothing has been told of its mappings, or only that they cannot be read.
    pub(super) fn is_unknown(&self) -> bool {
        let told = matches!(self.knowledge, Knowledge::Begun | Knowledge::Full);
        !told && self.mappings.iter().next().is_none() && self.copied_from.is_none()
    }

    pub(super) fn map(&mut self, range: Range, stamp: u64) {
        self.stamp = stamp;
        Arc::make_mut(&mut self.mappings).insert(range);
        if self.knowledge == Knowledge::Begun {
            self.knowledge = Knowledge::Full;
        }
    }

    pub(super) fn replace(&mut self, all: Vec<Range>, time_ns: u64, stamp: u64) {
        self.stamp = stamp;
        Arc::make_mut(&mut self.mappings).replace(all, time_ns);
        self.knowledge = Knowledge::Full;
    }

    /// What is known of them says nothing until something is added to it.
    pub(super) fn refused(&mut self, stamp: u64) {
        if self.knowledge != Knowledge::Full {
            self.knowledge = Knowledge::Unreadable;
            self.stamp = stamp;
        }
    }
}

/// The space that was there at a time.
pub(super) fn at(spaces: &mut [Space], time_ns: u64) -> Option<&mut Space> {
    spaces
        .iter_mut()
        .rev()
        .find(|space| space.began_ns <= time_ns)
}

/// Enters a space in order of time, and counts it one above the one before.
pub(super) fn insert(spaces: &mut Vec<Space>, mut space: Space, batch: u32) {
    let index = spaces.partition_point(|other| other.began_ns <= space.began_ns);
    if let Some(before) = index
        .checked_sub(1)
        .and_then(|before| spaces.get_mut(before))
    {
        before.replaced = before.replaced.or(Some(batch));
        space.exec = before.exec.and_then(|exec| exec.checked_add(1));
    }
    if index < spaces.len() {
        space.replaced = Some(batch);
    }
    spaces.insert(index, space);
}

/// Ties a space to the kernel's count, and its neighbours with it, since the count rises by one
/// with each: up to those that have been tied themselves.
pub(super) fn tie(spaces: &mut [Space], index: usize, exec: u32) {
    let Some(space) = spaces.get_mut(index) else {
        return;
    };
    space.exec = Some(exec);
    space.tied = true;
    let (before, rest) = spaces.split_at_mut(index);
    let neighbours = before.iter_mut().rev().take_while(|space| !space.tied);
    for (space, below) in neighbours.zip(1..) {
        space.exec = exec.checked_sub(below);
    }
    let neighbours = rest.iter_mut().skip(1).take_while(|space| !space.tied);
    for (space, above) in neighbours.zip(1..) {
        space.exec = exec.checked_add(above);
    }
}

/// The space of an image, given the highest exec count that samples of the process have had.
///
/// Where counts are tied only the space of that count will do: a neighbour's names would be wrong.
/// Where none is, a single space is the only candidate; of several, the newest is taken for the
/// highest count and the others count down from it. That guess is wrong while the newest image has
/// not been sampled yet and an older one still is, and is made anew in every batch.
pub(super) fn select(spaces: &[Space], image: Image, highest: u32) -> Option<&Space> {
    if spaces.iter().any(|space| space.exec.is_some()) {
        return spaces
            .iter()
            .rev()
            .find(|space| space.exec == Some(image.exec));
    }
    if let [only] = spaces {
        return Some(only);
    }
    let back = usize::try_from(highest.checked_sub(image.exec)?).ok()?;
    spaces.iter().rev().nth(back)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces(count: u32) -> Vec<Space> {
        (0..count)
            .map(|id| Space::new(id, id.into(), Knowledge::Begun))
            .collect()
    }

    fn selected(spaces: &[Space], exec: u32, highest: u32) -> Option<u32> {
        let image = Image {
            pid: 1,
            start_ns: 1,
            exec,
        };
        select(spaces, image, highest).map(|space| space.id)
    }

    #[test]
    fn a_tie_counts_in_both_directions() {
        let mut all = spaces(4);
        tie(&mut all, 2, 7);
        for (exec, expected) in [
            (4, None),
            (5, Some(0)),
            (6, Some(1)),
            (8, Some(3)),
            (9, None),
        ] {
            assert_eq!(selected(&all, exec, 8), expected, "{exec}");
        }
        tie(&mut all, 3, 20);
        assert_eq!(
            [6, 7, 8, 20].map(|exec| selected(&all, exec, 20)),
            [Some(1), Some(2), None, Some(3)]
        );
        insert(&mut all, Space::new(9, 99, Knowledge::Begun), 1);
        assert_eq!(selected(&all, 21, 21), Some(9));
        tie(&mut spaces(2), 1, 0);
        tie(&mut all, 77, 0);
    }

    #[test]
    fn without_ties_the_newest_has_the_highest_count() {
        assert_eq!(selected(&spaces(1), 5, 9), Some(0));
        let all = spaces(3);
        for (exec, expected) in [
            (9, Some(2)),
            (8, Some(1)),
            (7, Some(0)),
            (6, None),
            (10, None),
        ] {
            assert_eq!(selected(&all, exec, 9), expected, "{exec}");
        }
        assert_eq!(selected(&[], 1, 1), None);
    }
}
