//! When to draw: at once when somebody has pressed a key, but not more often than anybody can see.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Frames in a second, at most.
const MOST: usize = 30;
/// Between two frames, at least: a key that is held down does not fill the pipe to a slow terminal.
const SPACING: Duration = Duration::from_millis(12);

/// Remembers the frames of the last second.
#[derive(Debug, Default)]
pub(super) struct Pace {
    drawn: VecDeque<Instant>,
}

impl Pace {
    /// The earliest time for the next frame.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let after_last = self.drawn.back().map_or(now, |last| *last + SPACING);
        let within_second = match self.drawn.len().checked_sub(MOST) {
            Some(index) => self
                .drawn
                .get(index)
                .map_or(now, |old| *old + Duration::from_secs(1)),
            None => now,
        };
        after_last.max(within_second).max(now)
    }

    /// A frame has been drawn.
    pub(super) fn drew(&mut self, now: Instant) {
        self.drawn.push_back(now);
        while self.drawn.len() > MOST {
            self.drawn.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_key_is_answered_at_once_and_a_held_one_thirty_times_a_second() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(start), start);
        let mut now = start;
        let mut frames = 0;
        while now < start + Duration::from_secs(3) {
            let next = pace.next(now);
            assert!(frames > 20 || next - now <= Duration::from_millis(16));
            now = next;
            pace.drew(now);
            frames += 1;
        }
        assert!((88..=91).contains(&frames), "{frames}");
    }
}
