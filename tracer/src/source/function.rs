//! Calls of user functions and how long they take: a probe at the function, one at its return.

use std::{collections::HashSet, fs, time::Duration};

use super::Spec;
pub use crate::kernel::By;
use crate::{
    kernel::{AttachMode, CallOptions, CallSession, Error, Meter, Place, Result, SessionOptions},
    probe::Site,
    profile::{CallBatch, CallKey},
};

/// What to measure.
#[derive(Clone, Debug)]
pub struct FunctionOptions {
    /// The functions.
    pub sites: Vec<Site>,
    /// What calls are told apart by, besides the function.
    pub by: By,
    /// Calls that are shorter are left out.
    pub slower_than: Duration,
    /// How to attach.
    pub mode: AttachMode,
}

/// A running measurement of calls.
pub struct Function {
    session: CallSession,
    refused: Vec<(usize, String)>,
    /// Processes and threads whose names have been asked for.
    named: HashSet<CallKey>,
}

impl Function {
    /// What it is.
    pub const SPEC: Spec = Spec {
        title: "function latency",
        unit: "calls",
        // Before it, probes that other programs interrupted were skipped without a count.
        kernel: (6, 0),
    };

    /// Loads and attaches; nothing is counted before [`Self::start`].
    pub fn open(options: &FunctionOptions, session: &SessionOptions) -> Result<Self> {
        Error::check_version(Self::SPEC.title, Self::SPEC.kernel)?;
        let FunctionOptions {
            sites,
            by,
            slower_than,
            mode,
        } = options;
        let calls = CallOptions {
            functions: u32::try_from(sites.len()).unwrap_or(u32::MAX),
            by: *by,
            least_ns: u64::try_from(slower_than.as_nanos()).unwrap_or(u64::MAX),
            own: false,
        };
        let places: Vec<Place<'_>> = (0..)
            .zip(sites)
            .map(|(function, site)| Place {
                function,
                file: &site.file,
                offset: site.offset,
                exits: &site.exits,
            })
            .collect();
        let mut session = CallSession::open(session, &calls)?;
        let refused = session.attach(&places, *mode)?;
        Ok(Self {
            session,
            refused: refused
                .into_iter()
                .map(|(function, why)| (function as usize, why))
                .collect(),
            named: HashSet::new(),
        })
    }

    /// Sites that the kernel refused, by their place in the options, each with the reason.
    pub fn refused(&self) -> &[(usize, String)] {
        &self.refused
    }

    /// Starts counting: at once in all functions.
    pub fn start(&mut self) -> Result<()> {
        self.session.count(true)
    }

    /// Stops counting. What has been counted waits for the last drain.
    pub fn stop(&mut self) -> Result<()> {
        self.session.count(false)
    }

    /// Everything since the last drain.
    pub fn drain(&mut self) -> Result<CallBatch> {
        let mut batch = self.session.drain()?;
        for calls in &batch.calls {
            if self.named.insert(calls.key) {
                let name = name(calls.key);
                batch.names.extend(name.map(|name| (calls.key, name)));
            }
        }
        Ok(batch)
    }

    /// What the measuring cost and missed so far.
    pub fn meter(&self) -> Meter {
        self.session.meter()
    }
}

/// The name of a process or thread, if it is still there.
fn name(key: CallKey) -> Option<String> {
    let (CallKey::Process(id) | CallKey::Thread(id)) = key else {
        return None;
    };
    let comm = fs::read(format!("/proc/{id}/comm")).ok()?;
    let comm = comm.strip_suffix(b"\n").unwrap_or(&comm);
    Some(String::from_utf8_lossy(comm).into_owned())
}
