//! The thread that makes unwind tables: hears from the programs which files they meet, has a worker
//! read them, and hands the tables on.
//!
//! A worker of its own: naming symbols can take seconds, and until a table is there, samples are cut
//! short.

use std::{
    fs::File,
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::Command,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
        mpsc::channel,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tracer_common::unwind::{FileKey, TableRequest};

use crate::{
    kernel::{self, NoTable, TableRequests, Tables},
    symbol::{self, Failure, Process},
    worker::{Reply, Request},
};

/// It is woken, and does not look.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether it is at work.
const MOMENT: Duration = Duration::from_millis(2);
/// How long a file may take.
const PATIENCE_WITH_WORKER: Duration = Duration::from_secs(20);
/// Samples are cut short while this waits for a CPU, and it never needs one for long.
const NICE: i32 = -15;
/// How often a worker is started again.
const MOST_WORKERS: u32 = 20;

/// The running thread. Dropping it ends it, and its worker.
pub(super) struct Loader {
    hangup: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

/// What the thread says of itself.
#[derive(Default)]
struct Shared {
    worker: AtomicU32,
    cpu_ns: AtomicU64,
    /// Whether there are requests that it has not answered.
    busy: AtomicBool,
}

impl Loader {
    /// Starts it and its worker.
    pub(super) fn start(
        tables: Arc<Mutex<Tables>>,
        requests: TableRequests,
        worker: Command,
    ) -> io::Result<Self> {
        let (hangup, hangup_here) = UnixStream::pair()?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let (started, has_started) = channel();
        // The worker asks to be killed when the *thread* that started it ends.
        let run = move || {
            let mut worker = worker;
            // Where it may not, tables come later on a busy machine. The worker inherits it.
            _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
            match Process::start(&mut worker, None) {
                Ok(process) => {
                    theirs.worker.store(process.pid(), Ordering::Relaxed);
                    drop(started.send(Ok(())));
                    let mut loading = Loading {
                        tables,
                        requests,
                        command: worker,
                        worker: Some(process),
                        workers: 1,
                        hangup: hangup_here,
                        shared: theirs,
                    };
                    loading.run();
                }
                Err(why) => drop(started.send(Err(why))),
            }
        };
        let thread = std::thread::Builder::new()
            .name("tables".to_owned())
            .spawn(run)?;
        has_started.recv().map_err(io::Error::other)??;
        Ok(Self {
            hangup: Some(hangup),
            thread: Some(thread),
            shared,
        })
    }

    /// The worker's PID; one that follows a crash has another.
    pub(super) fn worker(&self) -> u32 {
        self.shared.worker.load(Ordering::Relaxed)
    }

    /// Waits until everything that has been asked for is there, but not longer than `most`.
    pub(super) fn settle(&self, most: Duration) {
        let until = Instant::now() + most;
        // It is woken when somebody asks, and is at work a moment later.
        let mut idle = 0;
        while idle < 2 && Instant::now() < until {
            std::thread::sleep(MOMENT);
            let busy = self.shared.busy.load(Ordering::Relaxed);
            idle = if busy { 0 } else { idle + 1 };
        }
    }

    /// CPU time that workers have used.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.shared.cpu_ns.load(Ordering::Relaxed)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.hangup = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            _ = thread.join();
        }
    }
}

/// What the thread has.
struct Loading {
    tables: Arc<Mutex<Tables>>,
    requests: TableRequests,
    command: Command,
    /// `None`: it has crashed.
    worker: Option<Process>,
    workers: u32,
    hangup: UnixStream,
    shared: Arc<Shared>,
}

/// Nobody wants tables any more.
struct HungUp;

impl Loading {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&mut self) {
        while let Some(requests) = self.requests.wait(PATIENCE, self.hangup.as_fd()) {
            self.shared.busy.store(true, Ordering::Relaxed);
            for request in requests {
                match self.load(&request) {
                    Ok(Ok(())) => {}
                    // Without memory for tables, the stacks that need them are cut short, and say so.
                    Ok(Err(_)) => self.tables().forget(request.file),
                    Err(HungUp) => return,
                }
            }
            self.shared.busy.store(false, Ordering::Relaxed);
        }
        if let Some(worker) = self.worker.take() {
            _ = worker.end();
        }
    }

    fn load(&mut self, request: &TableRequest) -> Result<kernel::Result<()>, HungUp> {
        let file = request.file;
        let Ok(open) = symbol::mapped_file(request.tgid, request.start) else {
            // The process has ended. The next one that maps the file asks again.
            self.tables().forget(file);
            return Ok(Ok(()));
        };
        let reply = self.ask(&open)?;
        Ok(self.enter(file, reply))
    }

    fn enter(&mut self, file: FileKey, reply: Option<Reply>) -> kernel::Result<()> {
        match reply {
            Some(Reply::Table {
                build_id,
                table,
                cpu_ns,
            }) => {
                self.shared.cpu_ns.store(cpu_ns, Ordering::Relaxed);
                if !build_id.is_empty() && self.tables().share(file, &build_id)? {
                    return Ok(());
                }
                match table.unpack() {
                    Some(table) => self.tables().insert(file, build_id, &table).map(drop),
                    None => self.tables().insert_none(file, NoTable::Unreadable),
                }
            }
            Some(Reply::NoTable) => self.tables().insert_none(file, NoTable::None),
            _ => self.tables().insert_none(file, NoTable::Unreadable),
        }
    }

    /// The worker's reply; `None`: the file has crashed it.
    fn ask(&mut self, file: &File) -> Result<Option<Reply>, HungUp> {
        let Some(worker) = self.worker.as_ref() else {
            return Ok(None);
        };
        let hangup = Some(self.hangup.as_fd());
        match worker.ask(&Request::Table, Some(file), PATIENCE_WITH_WORKER, hangup) {
            Ok(reply) => Ok(Some(reply)),
            Err(Failure::HungUp) => Err(HungUp),
            Err(Failure::Crashed) => {
                if let Some(worker) = self.worker.take() {
                    _ = worker.kill();
                }
                if self.workers < MOST_WORKERS {
                    self.workers += 1;
                    self.worker = Process::start(&mut self.command, None).ok();
                    let pid = self.worker.as_ref().map_or(0, Process::pid);
                    self.shared.worker.store(pid, Ordering::Relaxed);
                }
                Ok(None)
            }
        }
    }
}
