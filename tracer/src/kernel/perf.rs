//! The ticks that sampling programs run at: one perf event per CPU.
//!
//! Events count whatever runs on their CPU; programs choose what is measured. Events of single
//! tasks would start a full period before their first tick in every new process, and so never see
//! one that lives for less.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use tracer_common::{Plain as _, START_TICK_NS};

use super::{Due, Error, Result, Session, sys};

const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const CPU_CYCLES: u64 = 0;
const CPU_CLOCK: u64 = 0;
/// `PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING`.
const READ_TIMES: u64 = 3;
/// The longest time over which CPUs start to tick.
const MOST_SPREAD: Duration = Duration::from_millis(10);

/// What makes a CPU take a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Hardware cycles where the machine has them, else the CPU clock.
    Auto,
    /// Hardware cycles, at a frequency that the kernel keeps by adjusting the period.
    Cycles,
    /// A timer on each CPU with a fixed period.
    CpuClock,
}

impl Event {
    /// Its name on the command line and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cycles => "cycles",
            Self::CpuClock => "cpu-clock",
        }
    }
}

/// One event on each CPU.
pub struct Ticks {
    event: Event,
    /// Time between two ticks, where it is fixed.
    period_ns: Option<u64>,
    per_cpu: Vec<(u32, File)>,
    idle_at_start: HashMap<u32, u64>,
}

impl Ticks {
    /// Opens the events, disabled, with a program of the object at each tick.
    pub fn open(
        session: &mut Session,
        program: &'static str,
        event: Event,
        hertz: u32,
        cpus: &[u32],
    ) -> Result<Self> {
        let program = session.program(program)?;
        let event = match event {
            Event::Auto
                if open_event(Event::Cycles, hertz, *cpus.first().unwrap_or(&0)).is_ok() =>
            {
                Event::Cycles
            }
            Event::Auto => Event::CpuClock,
            chosen => chosen,
        };
        let mut per_cpu = Vec::with_capacity(cpus.len());
        for cpu in cpus {
            let opened =
                open_event(event, hertz, *cpu).map_err(|error| match error.raw_os_error() {
                    Some(libc::ENOENT | libc::EOPNOTSUPP | libc::ENODEV)
                        if event == Event::Cycles =>
                    {
                        Error::NoEvent("cycles")
                    }
                    _ => Error::from_os("open a perf event", error),
                })?;
            sys::perf_set_program(opened.as_fd(), program)
                .map_err(|error| Error::from_os("attach a program to a perf event", error))?;
            per_cpu.push((*cpu, File::from(opened)));
        }
        let period_ns = (event == Event::CpuClock).then(|| period_ns(hertz));
        Ok(Self {
            event,
            period_ns,
            per_cpu,
            idle_at_start: HashMap::new(),
        })
    }

    /// The event that was chosen.
    pub fn event(&self) -> Event {
        self.event
    }

    /// Starts all, spread over a period. Were they to tick together, each tick would find the other
    /// CPUs in a program too, and what waits for them in a lock.
    pub fn enable(&mut self) -> Result<()> {
        self.idle_at_start = crate::proc::idle_ns().unwrap_or_default();
        let period = self.period_ns.map_or(MOST_SPREAD, Duration::from_nanos);
        let each =
            period.min(MOST_SPREAD) / u32::try_from(self.per_cpu.len().max(1)).unwrap_or(u32::MAX);
        for (index, (_, event)) in self.per_cpu.iter().enumerate() {
            if index > 0 {
                std::thread::sleep(each);
            }
            switch(event, sys::PERF_ENABLE)?;
        }
        Ok(())
    }

    /// Stops all: no program runs after this.
    pub fn disable(&self) -> Result<()> {
        self.per_cpu
            .iter()
            .try_for_each(|(_, event)| switch(event, sys::PERF_DISABLE))
    }

    /// How often the timer of each CPU was due so far; empty where the period is not fixed.
    /// While they run, idle time is rounded up, for the kernel rounds it down; `stopped`: as it is,
    /// so that no loss is taken for idleness.
    pub fn due(&self, stopped: bool) -> Result<Vec<Due>> {
        let Some(period) = self.period_ns else {
            return Ok(Vec::new());
        };
        let idle = crate::proc::idle_ns().unwrap_or_default();
        self.per_cpu
            .iter()
            .map(|(cpu, event)| {
                // `struct read_format`: value, time enabled, time running.
                let mut counts = [0u8; 24];
                (&*event)
                    .read_exact(&mut counts)
                    .map_err(|error| Error::from_os("read a perf event", error))?;
                let running = u64::read(&counts[16..]).unwrap_or(0);
                let before = self.idle_at_start.get(cpu).copied().unwrap_or(0);
                let idle = idle.get(cpu).map_or(0, |now| now.saturating_sub(before));
                let idle = if stopped || idle == 0 {
                    idle
                } else {
                    idle + 2 * START_TICK_NS
                };
                Ok(Due {
                    cpu: *cpu,
                    ticks: running / period,
                    idle: idle.div_ceil(period),
                })
            })
            .collect()
    }
}

fn switch(event: &File, request: libc::c_ulong) -> Result<()> {
    sys::perf_switch(event.as_fd(), request)
        .map_err(|error| Error::from_os("switch a perf event", error))
}

/// Nanoseconds between two ticks.
fn period_ns(hertz: u32) -> u64 {
    1_000_000_000 / u64::from(hertz.max(1))
}

fn open_event(event: Event, hertz: u32, cpu: u32) -> io::Result<OwnedFd> {
    let mut attr = sys::perf_attr();
    attr.read_format = READ_TIMES;
    attr.set_disabled(1);
    match event {
        Event::Cycles => {
            attr.type_ = HARDWARE;
            attr.config = CPU_CYCLES;
            attr.set_freq(1);
            attr.__bindgen_anon_1.sample_freq = u64::from(hertz);
        }
        Event::Auto | Event::CpuClock => {
            attr.type_ = SOFTWARE;
            attr.config = CPU_CLOCK;
            attr.__bindgen_anon_1.sample_period = period_ns(hertz);
        }
    }
    sys::perf_event_open(&attr, cpu)
}
