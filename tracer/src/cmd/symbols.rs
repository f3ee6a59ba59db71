//! Asking for the names of a profile's frames.

use std::{io, time::Duration};

use crate::{
    profile::{Frame, Profile},
    symbol::{Holder, Place, Symbolizer, Symbols, Usage, worker_command},
};

/// The worker, and what it has answered.
pub(super) struct Naming {
    symbolizer: Symbolizer,
    /// What is known.
    pub(super) symbols: Symbols,
}

impl Naming {
    /// Starts the worker.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self {
            symbolizer: Symbolizer::start(worker_command())?,
            symbols: Symbols::default(),
        })
    }

    /// The worker's PID.
    pub(super) fn worker(&self) -> u32 {
        self.symbolizer.worker_pid()
    }

    /// Asks for frames that are new in the profile, and enters what has been answered: so many
    /// answers.
    pub(super) fn advance(&mut self, profile: &mut Profile) -> io::Result<usize> {
        for id in profile.new_frames() {
            match profile.frame(id) {
                Frame::Kernel { address } => self.symbolizer.request(id, Place::Kernel { address }),
                Frame::File { dso, offset } => {
                    let holders: Vec<Holder> = profile
                        .mapped(dso)
                        .into_iter()
                        .map(|(pid, mapping)| Holder {
                            pid,
                            start: mapping.start,
                            end: mapping.end,
                        })
                        .collect();
                    let info = profile.dso(dso);
                    self.symbolizer.request(
                        id,
                        Place::File {
                            dso,
                            info,
                            offset,
                            holders: &holders,
                        },
                    );
                }
                Frame::Jit { process, address } => {
                    let (pid, _) = profile.process(process);
                    self.symbolizer.request(id, Place::Jit { pid, address });
                }
                Frame::Unmapped { why, .. } => self.symbolizer.request(id, Place::Unmapped(why)),
            }
        }
        self.symbolizer.flush();
        self.receive(Duration::ZERO)
    }

    /// Enters answers, waiting for some.
    pub(super) fn receive(&mut self, timeout: Duration) -> io::Result<usize> {
        self.symbolizer.receive(&mut self.symbols, timeout)
    }

    /// Frames that have not been answered.
    pub(super) fn pending(&self) -> usize {
        self.symbolizer.pending()
    }

    /// Forgets what is about frames and files that the profile has forgotten.
    pub(super) fn prune(&mut self, profile: &Profile) {
        self.symbols.retain(|frame| profile.is_live_frame(frame));
        self.symbolizer.keep(profile.dsos().collect());
    }

    /// Ends the worker: what is known, and what it took.
    pub(super) fn finish(self) -> io::Result<(Symbols, Usage)> {
        Ok((self.symbols, self.symbolizer.finish()?))
    }
}
