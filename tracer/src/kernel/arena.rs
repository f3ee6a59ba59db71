//! Which words of the segments are in use. Knows nothing of what is in them.

use std::collections::BTreeMap;

/// Free runs of words, none longer than a segment.
pub(super) struct Arena {
    segment_words: u32,
    most_segments: u32,
    segments: u32,
    /// Start → length.
    free: BTreeMap<u32, u32>,
}

impl Arena {
    pub(super) fn new(segment_words: u32, most_segments: u32) -> Self {
        Self {
            segment_words,
            most_segments,
            segments: 0,
            free: BTreeMap::new(),
        }
    }

    /// Takes a run, the first that is long enough.
    pub(super) fn take(&mut self, words: u32) -> Option<u32> {
        let (start, length) = self
            .free
            .iter()
            .map(|(start, length)| (*start, *length))
            .find(|(_, length)| *length >= words)?;
        self.free.remove(&start);
        if length > words {
            self.free.insert(start + words, length - words);
        }
        Some(start)
    }

    /// Adds a segment, and says which; `None`: there may be no more.
    pub(super) fn grow(&mut self) -> Option<u32> {
        if self.segments == self.most_segments {
            return None;
        }
        let segment = self.segments;
        self.segments += 1;
        self.free
            .insert(segment * self.segment_words, self.segment_words);
        Some(segment)
    }

    /// The opposite of [`Self::grow`], where nothing has been taken since.
    pub(super) fn shrink(&mut self) {
        self.segments -= 1;
        self.free.remove(&(self.segments * self.segment_words));
    }

    /// Gives a run back.
    pub(super) fn give(&mut self, mut start: u32, mut words: u32) {
        let segment = |word: u32| word / self.segment_words;
        if let Some((before, length)) = self.free.range(..start).next_back()
            && before + length == start
            && segment(*before) == segment(start)
        {
            (start, words) = (*before, words + length);
        }
        let end = start + words;
        if segment(end) == segment(start)
            && let Some(length) = self.free.remove(&end)
        {
            words += length;
        }
        self.free.insert(start, words);
    }

    /// Segments so far.
    pub(super) fn segments(&self) -> u32 {
        self.segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_taken_again_whole() {
        let mut arena = Arena::new(100, 2);
        assert_eq!(arena.take(1), None);
        assert_eq!(
            (arena.grow(), arena.grow(), arena.grow()),
            (Some(0), Some(1), None)
        );
        let runs = [
            arena.take(60),
            arena.take(40),
            arena.take(50),
            arena.take(50),
        ];
        assert_eq!(runs, [Some(0), Some(60), Some(100), Some(150)]);
        assert_eq!(arena.take(1), None);
        for (start, words) in [(0, 60), (100, 50), (60, 40), (150, 50)] {
            arena.give(start, words);
        }
        // Never across segments.
        assert_eq!(arena.take(101), None);
        assert_eq!([arena.take(100), arena.take(100)], [Some(0), Some(100)]);
    }
}
