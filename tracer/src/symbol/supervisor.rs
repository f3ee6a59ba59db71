//! Keeps a worker running and gives it one request at a time, so that a crash has one culprit:
//! that file is never sent again, everything else is asked of the next worker.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::{Failure, Process};
use super::work::{DsoWork, JitWork, Work};
use super::{NoName, Settings, Usage, clean, debug_file, dso_file, open};
use crate::profile::{DsoId, FrameId};
use crate::worker::{Answer, BATCH, Reply, Request, Wanted};

/// The most that the worker has open: a DSO takes up to four descriptors there.
const MAX_OPEN: usize = 96;

/// The most perf maps: their descriptors are kept, for the next worker.
const MAX_MAPS: usize = 64;

/// What the worker is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Kernel,
    Dso(DsoId),
    Map(u32),
}

/// The caller is no longer interested.
struct HungUp;

/// The owner of the worker process.
pub(super) struct Supervisor {
    command: Command,
    settings: Settings,
    hangup: UnixStream,
    answers: Sender<Vec<(FrameId, Answer)>>,
    worker: Option<Process>,
    /// The PID of the worker that was started last, for others to see.
    worker_pid: Arc<AtomicU32>,
    /// What this worker has open, the longest unused first.
    open: VecDeque<Subject>,
    /// Perf maps that have been found, the longest unused first.
    maps: VecDeque<(u32, File)>,
    crashed: HashSet<Subject>,
    used: Usage,
}

impl Supervisor {
    pub(super) fn new(
        mut command: Command,
        settings: Settings,
        hangup: UnixStream,
        answers: Sender<Vec<(FrameId, Answer)>>,
        worker_pid: Arc<AtomicU32>,
    ) -> io::Result<Self> {
        let worker = Process::start(&mut command, settings.log.as_deref())?;
        worker_pid.store(worker.pid(), Ordering::Relaxed);
        Ok(Self {
            command,
            settings,
            hangup,
            answers,
            worker: Some(worker),
            worker_pid,
            open: VecDeque::new(),
            maps: VecDeque::new(),
            crashed: HashSet::new(),
            used: Usage::default(),
        })
    }

    /// Works until there is no more work or nobody who wants it.
    pub(super) fn run(mut self, work: &Receiver<Work>) -> Usage {
        while let Ok(work) = work.recv() {
            let done = match work {
                _ if self.hung_up() => Err(HungUp),
                Work::Kernel(frames) => self.name(Subject::Kernel, &frames, |addresses| {
                    Request::Kernel { addresses }
                }),
                Work::Dso(work) => self.name_in_dso(work),
                Work::Jit(work) => self.name_jit(work),
                Work::Keep(wanted) => self.close_all_but(&wanted),
            };
            if done.is_err() {
                break;
            }
        }
        if let Some(worker) = self.worker.take() {
            self.account(worker.end());
        }
        self.used
    }

    fn hung_up(&self) -> bool {
        let mut hangup = [PollFd::new(&self.hangup, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        matches!(poll(&mut hangup, Some(&now)), Ok(ready) if ready > 0)
    }

    fn account(&mut self, usage: Usage) {
        self.used.cpu += usage.cpu;
        self.used.peak_kib = self.used.peak_kib.max(usage.peak_kib);
    }

    /// Asks the worker, starting it if there is none. If that kills it, the subject is to blame.
    fn ask(
        &mut self,
        subject: Subject,
        request: &Request,
        file: Option<&File>,
    ) -> Result<Result<Reply, NoName>, HungUp> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => match Process::start(&mut self.command, self.settings.log.as_deref()) {
                Ok(worker) => {
                    self.worker_pid.store(worker.pid(), Ordering::Relaxed);
                    worker
                }
                Err(_) => return Ok(Err(NoName::WorkerCrashed)),
            },
        };
        let hangup = Some(self.hangup.as_fd());
        match worker.ask(request, file, self.settings.patience, hangup) {
            Ok(reply) => {
                self.worker = Some(worker);
                Ok(Ok(reply))
            }
            Err(failure) => {
                self.account(worker.kill());
                self.open.clear();
                if failure == Failure::HungUp {
                    return Err(HungUp);
                }
                self.used.crashes += 1;
                self.crashed.insert(subject);
                Ok(Err(NoName::WorkerCrashed))
            }
        }
    }

    /// As [`Self::ask`], with a file, or a copy if the worker may not open the file itself.
    fn ask_with_file(
        &mut self,
        subject: Subject,
        request: &Request,
        file: &File,
    ) -> Result<Result<Reply, NoName>, HungUp> {
        let reply = self.ask(subject, request, Some(file))?;
        if !matches!(reply, Ok(Reply::Denied)) {
            return Ok(reply);
        }
        match open::copy(file) {
            Ok(copy) => self.ask(subject, request, Some(&copy)),
            Err(_) => Ok(Err(NoName::Unreadable)),
        }
    }

    /// Names frames in what is open.
    fn name(
        &mut self,
        subject: Subject,
        frames: &[(FrameId, u64)],
        request: impl Fn(Vec<u64>) -> Request,
    ) -> Result<(), HungUp> {
        for (index, batch) in frames.chunks(BATCH).enumerate() {
            let rest = &frames[index * BATCH..];
            if self.crashed.contains(&subject) {
                self.refuse(rest, NoName::WorkerCrashed);
                return Ok(());
            }
            let places = batch.iter().map(|(_, place)| *place).collect();
            match self.ask(subject, &request(places), None)? {
                Ok(Reply::Answers(answers)) if answers.len() == batch.len() => {
                    let frames = batch.iter().map(|(frame, _)| *frame);
                    self.answer(
                        frames
                            .zip(answers)
                            .map(|(frame, answer)| (frame, checked(answer))),
                    );
                }
                Ok(_) => self.refuse(batch, NoName::WorkerCrashed),
                Err(why) => {
                    self.refuse(rest, why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn refuse(&self, frames: &[(FrameId, u64)], why: NoName) {
        self.answer(frames.iter().map(|(frame, _)| (*frame, Err(why))));
    }

    fn answer(&self, answers: impl Iterator<Item = (FrameId, Answer)>) {
        // The receiver goes only together with the work.
        drop(self.answers.send(answers.collect()));
    }

    fn name_in_dso(&mut self, mut work: DsoWork) -> Result<(), HungUp> {
        let subject = Subject::Dso(work.dso);
        if self.crashed.contains(&subject) {
            self.refuse(&work.frames, NoName::WorkerCrashed);
            return Ok(());
        }
        if let Err(why) = self.open_dso(subject, &mut work)? {
            self.refuse(&work.frames, why);
            return Ok(());
        }
        let dso = work.dso.0;
        self.name(subject, &work.frames, |offsets| Request::Offsets {
            dso,
            offsets,
        })
    }

    fn open_dso(
        &mut self,
        subject: Subject,
        work: &mut DsoWork,
    ) -> Result<Result<(), NoName>, HungUp> {
        if self.touch(subject) {
            return Ok(Ok(()));
        }
        let file = match std::mem::replace(&mut work.file, Ok(None)) {
            Ok(Some((file, _))) => file,
            Ok(None) => match dso_file::find(&work.info, &work.holders) {
                Ok(file) => file,
                Err(why) => return Ok(Err(why)),
            },
            Err(why) => return Ok(Err(why)),
        };
        self.make_room()?;
        let dso = work.dso.0;
        match self.ask_with_file(subject, &Request::Open { dso }, &file)? {
            Ok(Reply::Opened(wanted)) => {
                self.open.push_back(subject);
                match wanted {
                    Some(wanted) => self.add_debug_file(subject, work, &wanted),
                    None => Ok(Ok(())),
                }
            }
            Ok(_) => Ok(Err(NoName::Unreadable)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn add_debug_file(
        &mut self,
        subject: Subject,
        work: &DsoWork,
        wanted: &Wanted,
    ) -> Result<Result<(), NoName>, HungUp> {
        let path = Path::new(OsStr::from_bytes(&work.info.path));
        let directories = self.settings.debug_directories.clone();
        for file in debug_file::candidates(wanted, path, &directories) {
            let request = Request::Debug { dso: work.dso.0 };
            match self.ask_with_file(subject, &request, &file)? {
                Ok(Reply::Done) => break,
                Ok(_) | Err(NoName::Unreadable) => {}
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(()))
    }

    /// Whether the worker has it open; if so, it is the latest that was used.
    fn touch(&mut self, subject: Subject) -> bool {
        let found = self.open.iter().position(|open| *open == subject);
        let found = found.and_then(|index| self.open.remove(index));
        self.open.extend(found);
        found.is_some()
    }

    fn make_room(&mut self) -> Result<(), HungUp> {
        while self.open.len() >= MAX_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.close(oldest)?;
        }
        Ok(())
    }

    /// Closes the files that nothing is going to be asked about any more.
    fn close_all_but(&mut self, wanted: &HashSet<DsoId>) -> Result<(), HungUp> {
        let is_gone =
            |subject: &Subject| matches!(subject, Subject::Dso(dso) if !wanted.contains(dso));
        let gone: Vec<Subject> = self.open.iter().copied().filter(is_gone).collect();
        self.open.retain(|subject| !is_gone(subject));
        self.crashed.retain(|subject| !is_gone(subject));
        gone.into_iter().try_for_each(|subject| self.close(subject))
    }

    /// Has the worker let go of what is no longer in the list.
    fn close(&mut self, subject: Subject) -> Result<(), HungUp> {
        let request = match subject {
            Subject::Dso(dso) => Request::Close { dso: dso.0 },
            Subject::Map(map) => Request::CloseMap { map },
            Subject::Kernel => return Ok(()),
        };
        // A crash here is already accounted for, and what follows starts another worker.
        self.ask(subject, &request, None).map(drop)
    }

    fn name_jit(&mut self, work: JitWork) -> Result<(), HungUp> {
        let JitWork { pid, map, frames } = work;
        let subject = Subject::Map(pid);
        if self.crashed.contains(&subject) {
            self.refuse(&frames, NoName::WorkerCrashed);
            return Ok(());
        }
        let kept = self.maps.iter().position(|(kept, _)| *kept == pid);
        let kept = kept
            .and_then(|index| self.maps.remove(index))
            .map(|(_, file)| file);
        let map = match (kept, map) {
            (Some(kept), Some(map)) if same(&kept, &map) => kept,
            // The PID is another process's by now, or the runtime has begun a new map.
            (_, Some(map)) => {
                self.open.retain(|open| *open != subject);
                map
            }
            (Some(kept), None) => kept,
            (None, None) => {
                self.refuse(&frames, NoName::NoPerfMap);
                return Ok(());
            }
        };
        if !self.touch(subject) {
            self.make_room()?;
            match self.ask(subject, &Request::OpenMap { map: pid }, Some(&map))? {
                Ok(Reply::Done) => self.open.push_back(subject),
                Ok(_) => {}
                Err(why) => {
                    self.refuse(&frames, why);
                    return Ok(());
                }
            }
        }
        self.maps.push_back((pid, map));
        if self.maps.len() > MAX_MAPS {
            self.maps.pop_front();
        }
        self.name(subject, &frames, |addresses| Request::Jit {
            map: pid,
            addresses,
        })
    }
}

/// The worker may have been taken over by what it reads.
fn checked(answer: Answer) -> Answer {
    match answer {
        Ok(symbol) if symbol.functions.is_empty() => Err(NoName::WorkerCrashed),
        answer => answer.map(clean::symbol),
    }
}

fn same(one: &File, other: &File) -> bool {
    let id = |file: &File| {
        file.metadata()
            .ok()
            .map(|metadata| (metadata.dev(), metadata.ino()))
    };
    id(one).is_some_and(|one| Some(one) == id(other))
}
