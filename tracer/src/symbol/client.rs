//! Asking for symbols. Buffers requests and opens files while their processes live; all waiting is
//! done by the supervisor's thread.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::jit::PerfMaps;
use super::recent::Recent;
use super::supervisor::Supervisor;
use super::work::{DsoWork, Held, JitWork, Work};
use super::{Holder, NoName, Place, Symbols, dso_file};
use crate::profile::{Dso, DsoId, FrameId, NoMapping};
use crate::worker::Answer;

/// The most files that are open because the worker has not been given them yet.
const MAX_HELD: usize = 128;

/// The most processes that are remembered for each file.
const MAX_HOLDERS: usize = 8;

/// The most DSOs of which it is remembered that the worker has been given their file; of others
/// it may be opened in vain.
const MAX_HANDED_OVER: usize = 4096;

/// How symbols are looked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where separate debug files are, in order of preference.
    pub debug_directories: Vec<PathBuf>,
    /// How long one request may take before the worker is taken to hang.
    pub patience: Duration,
    /// Where workers write what they have to say, such as why they crash; `None`: nowhere.
    pub log: Option<Arc<File>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            debug_directories: vec![PathBuf::from("/usr/lib/debug")],
            // A debug file of 1 GiB on a slow disk takes a few seconds, on a machine that is in
            // trouble, which is when people profile, several times that.
            patience: Duration::from_secs(20),
            log: None,
        }
    }
}

/// What the worker has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, of all workers if some have crashed.
    pub cpu: Duration,
    /// The most resident memory, in KiB.
    pub peak_kib: u64,
    /// How often a worker crashed or hung.
    pub crashes: u32,
}

/// The command that runs this program as its worker.
pub fn worker_command() -> Command {
    // The file that is running, whatever has become of its path.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("tracer").arg("--worker").env_clear();
    command
}

/// Names frames, in a worker process of its own. Dropping it ends the worker.
#[derive(Debug)]
pub struct Symbolizer {
    /// `None`: finished. Closing it tells the supervisor that nothing more will come.
    work: Option<Sender<Work>>,
    answers: Receiver<Vec<(FrameId, Answer)>>,
    /// Closing it interrupts the supervisor.
    hangup: Option<UnixStream>,
    supervisor: Option<JoinHandle<Usage>>,
    worker_pid: Arc<AtomicU32>,
    buffered: Buffered,
    /// DSOs whose file has been handed over.
    handed_over: Recent<DsoId, ()>,
    held: Held,
    perf_maps: PerfMaps,
    pending: usize,
}

/// Requests that have not been sent. Ordered, so that two runs ask in the same order.
#[derive(Debug, Default)]
struct Buffered {
    kernel: Vec<(FrameId, u64)>,
    dsos: BTreeMap<DsoId, DsoWork>,
    jit: BTreeMap<u32, JitWork>,
    /// Answers that took no asking.
    known: Vec<(FrameId, Answer)>,
}

impl Symbolizer {
    /// Starts the worker ([`worker_command`]).
    pub fn start(worker: Command) -> io::Result<Self> {
        Self::start_with(worker, Settings::default())
    }

    /// As [`Self::start`], with other settings.
    pub fn start_with(worker: Command, settings: Settings) -> io::Result<Self> {
        let (work, work_here) = channel();
        let (answers_here, answers) = channel();
        let (started_here, started) = channel();
        let (hangup, hangup_here) = UnixStream::pair()?;
        // The worker asks to be killed when the *thread* that started it ends, so it is started
        // by the one that it works for.
        let worker_pid = Arc::new(AtomicU32::new(0));
        let pid = Arc::clone(&worker_pid);
        let run = move || {
            let supervisor = Supervisor::new(worker, settings, hangup_here, answers_here, pid);
            match supervisor {
                Ok(supervisor) => {
                    drop(started_here.send(Ok(())));
                    supervisor.run(&work_here)
                }
                Err(why) => {
                    drop(started_here.send(Err(why)));
                    Usage::default()
                }
            }
        };
        let supervisor = std::thread::Builder::new()
            .name("symbols".to_owned())
            .spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self {
            work: Some(work),
            answers,
            hangup: Some(hangup),
            supervisor: Some(supervisor),
            worker_pid,
            buffered: Buffered::default(),
            handed_over: Recent::new(MAX_HANDED_OVER),
            held: Arc::new(()),
            perf_maps: PerfMaps::default(),
            pending: 0,
        })
    }

    /// The PID of the worker that was started last: one that follows a crash has another.
    pub fn worker_pid(&self) -> u32 {
        self.worker_pid.load(Ordering::Relaxed)
    }

    /// Asks for the symbol of a frame. The file that it is in is opened now, before its process
    /// ends or its path is given to another; the rest waits for [`Self::flush`].
    pub fn request(&mut self, frame: FrameId, place: Place<'_>) {
        self.pending += 1;
        match place {
            Place::Kernel { address } => self.buffered.kernel.push((frame, address)),
            Place::File {
                dso,
                info,
                offset,
                holders,
            } => {
                self.request_in_file(frame, dso, info, offset, holders);
            }
            Place::Jit { pid, address } => {
                let perf_maps = &mut self.perf_maps;
                let work = self.buffered.jit.entry(pid);
                let work = work.or_insert_with(|| JitWork::new(pid, perf_maps.open(pid)));
                work.frames.push((frame, address));
            }
            Place::Unmapped(why) => {
                let why = match why {
                    NoMapping::ProcessGone => NoName::ProcessGone,
                    NoMapping::OutsideMappings => NoName::Unmapped,
                };
                self.buffered.known.push((frame, Err(why)));
            }
        }
    }

    fn request_in_file(
        &mut self,
        frame: FrameId,
        dso: DsoId,
        info: &Dso,
        offset: u64,
        holders: &[Holder],
    ) {
        let mut is_new = false;
        let work = self.buffered.dsos.entry(dso).or_insert_with(|| {
            is_new = true;
            DsoWork::new(dso, info.clone())
        });
        work.frames.push((frame, offset));
        let before = work.holders.len();
        for holder in holders {
            if work.holders.len() < MAX_HOLDERS && !work.holders.contains(holder) {
                work.holders.push(*holder);
            }
        }
        // Again for each process that may still have what the others have not.
        let worth_it = is_new || (work.file.is_err() && work.holders.len() > before);
        if worth_it
            && self.handed_over.get(&dso).is_none()
            && Arc::strong_count(&self.held) <= MAX_HELD
        {
            let found = dso_file::find(info, &work.holders[before..]);
            work.file = found.map(|file| Some((file, Arc::clone(&self.held))));
        }
    }

    /// Sends what has been asked for.
    pub fn flush(&mut self) {
        let buffered = std::mem::take(&mut self.buffered);
        let mut work = Vec::new();
        if !buffered.kernel.is_empty() {
            work.push(Work::Kernel(buffered.kernel));
        }
        for (id, dso) in buffered.dsos {
            match &dso.file {
                Err(why) => {
                    let known = dso.frames.iter().map(|(frame, _)| (*frame, Err(*why)));
                    self.buffered.known.extend(known);
                }
                Ok(file) => {
                    if file.is_some() {
                        self.handed_over.insert(id, ());
                    }
                    work.push(Work::Dso(dso));
                }
            }
        }
        work.extend(buffered.jit.into_values().map(Work::Jit));
        self.buffered.known.extend(buffered.known);
        for work in work {
            // Fails only if the supervisor is gone, which `receive` reports.
            if let Some(supervisor) = &self.work {
                drop(supervisor.send(work));
            }
        }
    }

    /// Lets go of all files but these: no other is going to be asked for again.
    pub fn keep(&mut self, wanted: HashSet<DsoId>) {
        if let Some(supervisor) = &self.work {
            drop(supervisor.send(Work::Keep(wanted)));
        }
    }

    /// How many frames have been asked for, sent or not, and not been received.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Enters the answers that have come. If none has, waits for one, but not longer than
    /// `timeout`. Gives the number of answers.
    pub fn receive(&mut self, symbols: &mut Symbols, timeout: Duration) -> io::Result<usize> {
        let mut answers = std::mem::take(&mut self.buffered.known);
        if answers.is_empty() && self.pending > 0 {
            match self.answers.recv_timeout(timeout) {
                Ok(received) => answers = received,
                Err(RecvTimeoutError::Timeout) => return Ok(0),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the symbolizer has ended"));
                }
            }
        }
        answers.extend(self.answers.try_iter().flatten());
        let count = answers.len();
        for (frame, answer) in answers {
            symbols.insert(frame, answer);
        }
        self.pending = self.pending.saturating_sub(count);
        Ok(count)
    }

    /// Ends the worker, whatever it is doing, and says what it has used. What has not been
    /// received is lost.
    pub fn finish(mut self) -> io::Result<Usage> {
        self.stop().unwrap_or_else(|| Ok(Usage::default()))
    }

    fn stop(&mut self) -> Option<io::Result<Usage>> {
        self.work = None;
        self.hangup = None;
        let ended = self.supervisor.take()?.join();
        Some(ended.map_err(|_| io::Error::other("the symbolizer's thread has panicked")))
    }
}

impl Drop for Symbolizer {
    fn drop(&mut self) {
        drop(self.stop());
    }
}
