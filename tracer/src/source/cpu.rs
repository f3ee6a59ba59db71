//! On-CPU sampling: a timer or a hardware counter on each CPU, and the stack of what it interrupts.

use std::{process::Command, time::Duration};

use super::{Spec, tables::Loader};
use crate::{
    kernel::{Error, Event, Health, Meter, Result, Session, SessionOptions, Ticks},
    profile::{Batch, Fact},
};

/// How long, and how often, it is looked what runs before the sampling begins.
const AHEAD: Duration = Duration::from_millis(50);
const AHEAD_HERTZ: u32 = 499;
/// How long that is waited for the tables of it.
const MOST_SETTLING: Duration = Duration::from_millis(250);

/// How to sample.
#[derive(Clone, Debug)]
pub struct CpuOptions {
    /// The event.
    pub event: Event,
    /// Samples a second on each CPU.
    pub hertz: u32,
    /// The CPUs.
    pub cpus: Vec<u32>,
}

/// A running measurement.
pub struct Cpu {
    session: Session,
    tables: Option<Loader>,
    /// The worker that is left out of the measurement.
    tables_worker: u32,
    frame_pointers: bool,
    /// CPUs on which others run already.
    ahead: Option<Vec<u32>>,
    ticks: Ticks,
    stopped: bool,
}

impl Cpu {
    /// What it is.
    pub const SPEC: Spec = Spec {
        title: "on-CPU",
        unit: "samples",
        // `bpf_loop`, with which stacks are walked.
        kernel: (5, 17),
    };

    /// Attaches to a new session; nothing is sampled before [`Self::start`].
    pub fn open(options: &CpuOptions, session: &SessionOptions) -> Result<Self> {
        Error::check_version(Self::SPEC.title, Self::SPEC.kernel)?;
        let CpuOptions { event, hertz, cpus } = options;
        let ahead = session.launched.is_none().then(|| cpus.clone());
        let mut session = Session::open(session)?;
        let ticks = Ticks::open(&mut session, "cpu_sample", *event, *hertz, cpus)?;
        Ok(Self {
            session,
            tables: None,
            tables_worker: 0,
            frame_pointers: true,
            ahead,
            ticks,
            stopped: false,
        })
    }

    /// Unwinds with tables, which `worker` makes, of at most `budget` bytes; `frame_pointers`: follows
    /// these where there is no table. Whether the kernel has what that takes.
    pub fn use_tables(
        &mut self,
        worker: Command,
        budget: u64,
        frame_pointers: bool,
    ) -> Result<bool> {
        let Some((tables, requests)) = self.session.tables(budget)? else {
            return Ok(false);
        };
        let loader = Loader::start(tables, requests, worker).map_err(|source| Error::Os {
            what: "start the worker process",
            source,
        })?;
        self.tables_worker = loader.worker();
        self.frame_pointers = frame_pointers;
        self.session
            .use_tables(self.tables_worker, frame_pointers)?;
        self.tables = Some(loader);
        Ok(true)
    }

    /// The event that was chosen.
    pub fn event(&self) -> Event {
        self.ticks.event()
    }

    /// Starts sampling.
    pub fn start(&mut self) -> Result<()> {
        self.load_ahead()?;
        self.session.begin();
        self.ticks.enable()
    }

    /// Has tables made for what runs now, so that the first samples are not without.
    fn load_ahead(&mut self) -> Result<()> {
        let (Some(tables), Some(cpus)) = (&self.tables, &self.ahead) else {
            return Ok(());
        };
        let mut ticks = Ticks::open(
            &mut self.session,
            "cpu_ahead",
            Event::CpuClock,
            AHEAD_HERTZ,
            cpus,
        )?;
        ticks.enable()?;
        std::thread::sleep(AHEAD);
        ticks.disable()?;
        tables.settle(MOST_SETTLING);
        Ok(())
    }

    /// Stops sampling; what has been sampled waits for the last drain.
    pub fn stop(&mut self) -> Result<()> {
        self.stopped = true;
        self.ticks.disable()
    }

    /// Everything since the last drain.
    pub fn drain(&mut self) -> Result<Batch> {
        if let Some(tables) = &self.tables
            && tables.worker() != self.tables_worker
        {
            // Another one, after a crash.
            self.tables_worker = tables.worker();
            self.session
                .use_tables(self.tables_worker, self.frame_pointers)?;
        }
        let due = self.ticks.due(self.stopped)?;
        self.session.drain(&due, self.stopped)
    }

    /// What has happened to processes since the last call.
    pub fn read_facts(&mut self, facts: &mut Vec<Fact>) {
        self.session.read_facts(facts);
    }

    /// The process that names symbols is another one now: it is left out instead.
    pub fn set_worker(&mut self, pid: u32) -> Result<()> {
        self.session.set_worker(pid)
    }

    /// Whether runs of the programs are counted, for [`Self::health`].
    pub fn watch(&mut self, wanted: bool) {
        self.session.watch(wanted);
    }

    /// How the maps and programs are doing, as of the last drain.
    pub fn health(&self) -> Health {
        self.session.health()
    }

    /// What the measuring cost so far.
    pub fn meter(&self) -> Meter {
        Meter {
            tables_cpu_ns: self.tables.as_ref().map_or(0, Loader::cpu_ns),
            ..self.session.meter()
        }
    }
}
