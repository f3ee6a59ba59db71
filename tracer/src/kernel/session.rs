//! What all sources share: the object in the kernel, who is measured, what happens to processes, and
//! the drain.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use tracer_common::{
    Config, FLAG_FOLLOW, FLAG_FRAME_POINTERS, FLAG_IDLE, FLAG_REPORT, FLAG_TABLES, Plain as _,
    SCRATCH_SLOTS, TARGET_ALL, TARGET_CGROUP, TARGET_PROCESSES, TARGET_THREADS,
};

use super::{
    Due, Error, Health, Result, Shrink, TableRequests, Tables,
    drain::Drain,
    health::{self, Watch},
    object::Object,
    sideband::Sideband,
    sys,
};
use crate::{
    proc,
    profile::{Batch, Fact},
};

/// Who is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everything that runs on the chosen CPUs.
    All,
    /// Processes: PID and start time in ticks of `/proc/PID/stat`.
    Processes(Vec<(u32, u64)>),
    /// Threads: TID and start time in ticks.
    Threads(Vec<(u32, u64)>),
    /// A cgroup (version 2) and those below it.
    Cgroup {
        /// Its identifier.
        id: u64,
        /// Its depth below the root.
        level: u32,
    },
}

/// What is measured, and how much room there is for it.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Who is measured.
    pub target: Target,
    /// Whether children of target processes are targets.
    pub follow: bool,
    /// Whether the idle task counts.
    pub idle: bool,
    /// A process that becomes a target with its next exec.
    pub launched: Option<u32>,
    /// The process that names symbols for this one, which is left out as this one is.
    pub worker: Option<u32>,
    /// Observations of a slice that may all be different.
    pub room: u32,
    /// Map sizes, for tests.
    pub shrink: Shrink,
}

/// What the measuring itself cost and missed; totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Time spent in tracer's programs, on all CPUs.
    pub bpf_ns: u64,
    /// When the first sample that counts was taken, CLOCK_MONOTONIC.
    pub first_ns: Option<u64>,
    /// Execs and exits whose report was lost: samples around them may have wrong names.
    pub reports_lost: u64,
    /// Forks of targets that could not be followed.
    pub forks_lost: u64,
    /// Reports on processes for which the perf rings had no room.
    pub facts_lost: u64,
    /// CPU time that making unwind tables took.
    pub tables_cpu_ns: u64,
}

/// tracer in the kernel. Closing it, or the end of this process however it comes, detaches and
/// frees everything.
pub struct Session {
    object: Object,
    drain: Drain,
    sideband: Sideband,
    _links: Vec<OwnedFd>,
    config: Config,
    watch: Watch,
    meter: Meter,
    slice_start_ns: u64,
}

impl Session {
    /// Loads the object, and attaches what follows processes.
    pub fn open(options: &SessionOptions) -> Result<Self> {
        if proc::in_pid_namespace() {
            return Err(Error::PidNamespace);
        }
        let room = options.room.clamp(4096, 1 << 18).next_power_of_two();
        let sizes = Shrink {
            counts: options.shrink.counts.or(Some(room)),
            // A quarter of what could be needed, were all stacks new and of 32 frames.
            ring: options.shrink.ring.or(Some((room * 64).max(1 << 20))),
            ..options.shrink
        };
        let mut object = Object::load(|map| sizes.entries(map))?;
        let hash_seed = random()?;
        let config = configure(&object, options, std::process::id(), hash_seed, FLAG_REPORT)?;
        let links = follow(&mut object, options, true)?;
        // Processes move between CPUs, so all are watched, whichever are sampled.
        let (online, possible) = (cpus("online")?, cpus("possible")?);
        let sideband = sideband(&online)?;
        let drain = Drain::new(
            &object,
            hash_seed,
            options.idle,
            possible,
            options.shrink.epoch,
        )?;
        Ok(Self {
            object,
            drain,
            sideband,
            _links: links,
            config,
            watch: Watch::No,
            meter: Meter::default(),
            slice_start_ns: proc::monotonic_ns(),
        })
    }

    /// Loads a program of the object.
    pub(super) fn program(&mut self, name: &'static str) -> Result<BorrowedFd<'_>> {
        self.object.program(name)
    }

    /// The first slice begins now.
    pub fn begin(&mut self) {
        self.slice_start_ns = proc::monotonic_ns();
    }

    /// Everything since the last drain, given how often timers were due so far; `stopped`: they
    /// stand. Takes as long as a grace period, 5 to 20 ms.
    pub fn drain(&mut self, due: &[Due], stopped: bool) -> Result<Batch> {
        let mut batch = Batch {
            start_ns: self.slice_start_ns,
            ..Batch::default()
        };
        self.drain
            .drain(&self.object, due, stopped, &mut batch, &mut self.meter)?;
        self.read_facts(&mut batch.facts);
        self.slice_start_ns = batch.end_ns;
        Ok(batch)
    }

    /// What has happened to processes since the last call.
    pub fn read_facts(&mut self, facts: &mut Vec<Fact>) {
        self.sideband.read(facts);
        self.meter.facts_lost = self.sideband.lost();
    }

    /// What the measuring cost so far.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// The process that names symbols is another one now: it is left out instead.
    pub fn set_worker(&mut self, pid: u32) -> Result<()> {
        self.config.worker_tgid = pid;
        write_config(&self.object, &self.config)
    }

    /// The unwind tables, at most `budget` bytes, and where they are asked for; `None`: this kernel does not keep what a process has
    /// mapped in a way that programs can read.
    pub fn tables(&mut self, budget: u64) -> Result<Option<(Arc<Mutex<Tables>>, TableRequests)>> {
        if !self.object.can_unwind() {
            return Ok(None);
        }
        let requests = TableRequests::new(&self.object)?;
        let tables = Arc::new(Mutex::new(Tables::new(&self.object, budget)?));
        self.drain.use_tables(Arc::clone(&tables));
        Ok(Some((tables, requests)))
    }

    /// Programs unwind with tables from now on, which this process makes: it is left out too.
    /// `frame_pointers`: where there is no table, they follow these.
    pub fn use_tables(&mut self, worker: u32, frame_pointers: bool) -> Result<()> {
        self.config.flags |= FLAG_TABLES;
        if frame_pointers {
            self.config.flags |= FLAG_FRAME_POINTERS;
        }
        self.config.tables_tgid = worker;
        write_config(&self.object, &self.config)
    }

    /// Whether runs of the programs are counted. The kernel then counts those of all programs on
    /// the machine, which costs each a little: only while somebody looks.
    pub fn watch(&mut self, wanted: bool) {
        if wanted && !self.watch.has_begun() {
            self.watch = Watch::begin(&self.object);
        } else if !wanted {
            self.watch = Watch::No;
        }
    }

    /// How full the maps were in the last drain, and what the programs have done since they are
    /// watched.
    pub fn health(&self) -> Health {
        health::health(&self.object, &self.drain, &self.watch)
    }
}

/// Attaches what follows processes; `ends`: their ends matter too, not only their beginnings.
pub(super) fn follow(
    object: &mut Object,
    options: &SessionOptions,
    ends: bool,
) -> Result<Vec<OwnedFd>> {
    let mut programs = vec![("process_exec", c"sched_process_exec")];
    if ends {
        programs.push(("process_exit", c"sched_process_exit"));
    }
    if options.follow && matches!(options.target, Target::Processes(_)) {
        programs.push(("process_fork", c"sched_process_fork"));
        programs.push(("process_free", c"sched_process_free"));
    }
    let attach = |(program, tracepoint)| {
        let program = object.program(program)?;
        sys::raw_tracepoint_open(tracepoint, program)
            .map_err(|error| Error::from_os("attach to a tracepoint", error))
    };
    programs.into_iter().map(attach).collect()
}

/// Writes the settings: `own_tgid` is left out; with these flags besides those that the options ask for.
pub(super) fn configure(
    object: &Object,
    options: &SessionOptions,
    own_tgid: u32,
    hash_seed: u64,
    flags: u32,
) -> Result<Config> {
    let (target, cgroup, cgroup_level) = match &options.target {
        Target::All => (TARGET_ALL, 0, 0),
        Target::Processes(_) => (TARGET_PROCESSES, 0, 0),
        Target::Threads(_) => (TARGET_THREADS, 0, 0),
        Target::Cgroup { id, level } => (TARGET_CGROUP, *id, *level),
    };
    let config = Config {
        target,
        flags: flags
            | if options.idle { FLAG_IDLE } else { 0 }
            | if options.follow { FLAG_FOLLOW } else { 0 },
        own_tgid,
        worker_tgid: options.worker.unwrap_or(0),
        cgroup,
        cgroup_level,
        scratch_slots: options
            .shrink
            .scratch
            .unwrap_or(SCRATCH_SLOTS)
            .min(SCRATCH_SLOTS),
        launched_tgid: options.launched.unwrap_or(0),
        tables_tgid: 0,
        hash_seed,
    };
    write_config(object, &config)?;
    if let Target::Processes(tasks) | Target::Threads(tasks) = &options.target {
        // `/proc` shifts start times in a time namespace, the programs' clock is not shifted.
        let shift = proc::boot_time_shift_ticks();
        for (number, ticks) in tasks {
            let ticks = ticks.saturating_add_signed(-shift);
            write(
                object,
                "TARGETS",
                &number.to_ne_bytes(),
                &ticks.to_ne_bytes(),
            )?;
        }
    }
    Ok(config)
}

/// Programs may run meanwhile: what stays the same is read as it was.
fn write_config(object: &Object, config: &Config) -> Result<()> {
    write(object, "CONFIG", &0u32.to_ne_bytes(), config.bytes())
}

/// Sets an element of a map of settings.
pub(super) fn write(object: &Object, map: &'static str, key: &[u8], value: &[u8]) -> Result<()> {
    sys::map_update(object.map(map)?, key, value)
        .map_err(|error| Error::from_os("write settings", error))
}

/// The numbers of the CPUs on one of the kernel's lists.
pub(super) fn cpus(list: &str) -> Result<Vec<u32>> {
    proc::cpus(list).map_err(|source| Error::Os {
        what: "read the list of CPUs",
        source,
    })
}

/// Room for a quarter of a second of a storm of short-lived processes on each CPU, but not without
/// bound on large machines, and less where a user may not lock that much memory.
fn sideband(cpus: &[u32]) -> Result<Sideband> {
    const MOST: usize = 64 << 20;
    const LEAST_EACH: usize = 16 << 10;
    let each = (MOST / cpus.len().max(1)).clamp(64 << 10, 1 << 20);
    // The largest power of two that is not more.
    let mut each = (each + 1).next_power_of_two() / 2;
    loop {
        match Sideband::open(cpus, each) {
            Err(Error::Denied { .. } | Error::Refused { .. }) if each > LEAST_EACH => each /= 2,
            opened => return opened,
        }
    }
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
        .map_err(|source| Error::Os {
            what: "read /dev/urandom",
            source,
        })?;
    Ok(u64::from_ne_bytes(bytes))
}
