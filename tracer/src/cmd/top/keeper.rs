//! Keeps a profile that is looked at for hours from growing.

use std::time::{Duration, Instant};

use crate::cmd::measuring::Measuring;

/// The most pairs of stack and thread that are held, over all slices: 64 MB.
const MOST_ROWS: usize = 4 << 20;
/// Time between two collections of garbage.
const PAUSE: Duration = Duration::from_secs(30);

/// Remembers when garbage was collected.
pub(super) struct Keeper {
    history: Duration,
    collected: Instant,
}

impl Keeper {
    pub(super) fn new(history: Duration) -> Self {
        Self {
            history,
            collected: Instant::now(),
        }
    }

    /// Forgets what is older than the history, and what only that was made of.
    pub(super) fn keep<R: Send + 'static>(&mut self, measuring: &mut Measuring<R>) {
        let profile = &mut measuring.profile;
        let history = u64::try_from(self.history.as_nanos()).unwrap_or(u64::MAX);
        profile.forget_before(profile.end_ns().saturating_sub(history));
        profile.bound_rows(MOST_ROWS);
        if self.collected.elapsed() >= PAUSE {
            self.collect(measuring);
        }
    }

    fn collect<R: Send + 'static>(&mut self, measuring: &mut Measuring<R>) {
        let begun = Instant::now();
        let garbage = measuring.profile.collect_garbage();
        measuring.prune_names();
        self.collected = Instant::now();
        log::debug!(
            "garbage collected in {:?}: {garbage:?}; held {:?}",
            begun.elapsed(),
            measuring.profile.held(),
        );
    }
}
