//! Calls of user functions in the kernel: the object, the probes, and the drain of what they counted.

use std::{collections::HashMap, os::fd::OwnedFd};

use tracer_common::{
    BUCKETS, CALLS_BY_COMM, CALLS_BY_NOTHING, CALLS_BY_PROCESS, CALLS_BY_THREAD, CALLS_COUNTED,
    CALLS_DENSE, CallCell, CallConfig, CallCounters, CallHistogram, CallKey as WireKey, Counters,
    Plain,
};

use super::{
    AttachMode, Error, Meter, Result, SessionOptions, Target,
    account::take_counters,
    generation::Generations,
    object::Object,
    session, sys,
    uprobes::{self, Attached, Place, Programs},
};
use crate::{
    proc,
    profile::{CallBatch, CallKey, Calls, Comm, FunctionId, Histogram, Loss, SpanLedger},
};

/// What calls are told apart by in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Nothing but the function.
    #[default]
    Function,
    /// The process.
    Process,
    /// The thread.
    Thread,
    /// The thread's name.
    Comm,
}

/// What is measured of which functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallOptions {
    /// How many functions there are.
    pub functions: u32,
    /// What calls are told apart by.
    pub by: By,
    /// Calls that take less, in nanoseconds, are left out.
    pub least_ns: u64,
    /// Whether calls of tracer itself are measured.
    pub own: bool,
}

/// Entries that one system call takes out of a map.
const CHUNK: u32 = 1024;
/// The most memory that the histograms of a generation may take, on all CPUs together.
const MOST_DENSE: usize = 16 << 20;
/// Buckets of all functions and keys that a slice has room for, at least and at most.
const CELLS: (u32, u32) = (1 << 14, 1 << 18);
/// Of how many buckets a function is expected to need at most, in a slice.
const CELLS_EACH: u32 = 64;

/// Probes in the kernel. Closing it, or the end of this process however it comes, detaches and frees
/// everything.
pub struct CallSession {
    object: Object,
    generations: Generations,
    /// Kept for as long as processes are to be followed.
    followers: Vec<OwnedFd>,
    attached: Attached,
    config: CallConfig,
    pid: Option<u32>,
    possible_cpus: Vec<u32>,
    meter: Meter,
    slice_start_ns: u64,
}

impl CallSession {
    /// Loads the object; nothing is attached but what follows processes.
    pub fn open(options: &SessionOptions, calls: &CallOptions) -> Result<Self> {
        if proc::in_pid_namespace() {
            return Err(Error::PidNamespace);
        }
        let possible_cpus = session::cpus("possible")?;
        let functions = calls.functions.max(1);
        let each = size_of::<CallHistogram>() * possible_cpus.len();
        let dense = calls.by == By::Function
            && options.shrink.calls.is_none()
            && each.saturating_mul(functions as usize) <= MOST_DENSE;
        let cells = match options.shrink.calls {
            Some(cells) => cells,
            None if dense => 1,
            None => {
                let wanted = functions.saturating_mul(CELLS_EACH).next_power_of_two();
                wanted.clamp(CELLS.0, CELLS.1)
            }
        };
        let object = Object::load(|map| match map {
            "CALL_COUNTERS" => Some(2 * functions),
            "CALL_HISTOGRAMS" if dense => Some(2 * functions),
            "CALL_CELLS_0" | "CALL_CELLS_1" => Some(cells),
            // Of what is sampled.
            "COUNTS_0"
            | "COUNTS_1"
            | "KERNEL_STACKS_0"
            | "KERNEL_STACKS_1"
            | "SENT"
            | "SCRATCH"
            | "FILES"
            | "UNWIND_RULES"
            | "REMEMBERED_MAPPINGS" => Some(1),
            "RING" | "TABLE_REQUESTS" | "DEFERRED" => Some(4096),
            _ => None,
        })?;
        let own = if calls.own { 0 } else { std::process::id() };
        session::configure(&object, options, own, 0, 0)?;
        let config = CallConfig {
            flags: if dense { CALLS_DENSE } else { 0 },
            by: match calls.by {
                By::Function => CALLS_BY_NOTHING,
                By::Process => CALLS_BY_PROCESS,
                By::Thread => CALLS_BY_THREAD,
                By::Comm => CALLS_BY_COMM,
            },
            least_ns: calls.least_ns,
            functions,
            reserved: 0,
        };
        let mut session = Self {
            followers: Vec::new(),
            generations: Generations::new()?,
            object,
            attached: Attached::default(),
            config,
            pid: only_process(options),
            possible_cpus,
            meter: Meter::default(),
            slice_start_ns: proc::monotonic_ns(),
        };
        session.write_config()?;
        session.followers = session::follow(&mut session.object, options, false)?;
        Ok(session)
    }

    /// Attaches to functions; gives those that the kernel refused, with its reasons. Nothing is
    /// counted before [`Self::count`].
    pub fn attach(&mut self, places: &[Place<'_>], mode: AttachMode) -> Result<Vec<(u32, String)>> {
        self.attach_programs(Programs::Measuring, places, mode)
    }

    /// The same with other programs, in place of what was attached before.
    pub(super) fn attach_programs(
        &mut self,
        programs: Programs,
        places: &[Place<'_>],
        mode: AttachMode,
    ) -> Result<Vec<(u32, String)>> {
        self.attached = Attached::default();
        self.attached = uprobes::attach(&mut self.object, programs, places, mode, self.pid)?;
        let refused = self.attached.refused.drain(..);
        Ok(refused
            .map(|(function, error)| (function, error.to_string()))
            .collect())
    }

    /// Starts or stops counting, in all functions at once.
    pub fn count(&mut self, wanted: bool) -> Result<()> {
        self.config.flags &= !CALLS_COUNTED;
        if wanted {
            self.config.flags |= CALLS_COUNTED;
            self.slice_start_ns = proc::monotonic_ns();
        }
        self.write_config()
    }

    fn write_config(&self) -> Result<()> {
        let config = self.config.bytes();
        session::write(&self.object, "CALL_CONFIG", &0u32.to_ne_bytes(), config)
    }

    /// What the measuring cost and missed so far.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Everything since the last drain. Takes as long as a grace period, 5 to 20 ms.
    pub fn drain(&mut self) -> Result<CallBatch> {
        let (retired, end_ns) = self.generations.retire(&self.object)?;
        let mut batch = CallBatch {
            start_ns: std::mem::replace(&mut self.slice_start_ns, end_ns),
            end_ns,
            ..CallBatch::default()
        };
        let cpus = self.possible_cpus.len();
        for counters in take_counters(&self.object, retired, cpus)? {
            let Counters {
                bpf_ns, forks_lost, ..
            } = counters;
            self.meter.bpf_ns += bpf_ns;
            self.meter.forks_lost += forks_lost;
        }
        let counted = self.take_call_counters(retired)?;
        if self.config.flags & CALLS_DENSE != 0 {
            for (function, _) in counted.iter().filter(|(_, counters)| counters.closed > 0) {
                let histogram = self.take_histogram(retired, *function)?;
                if histogram.count() > 0 {
                    batch.calls.push(Calls {
                        function: FunctionId(*function),
                        key: CallKey::All,
                        histogram,
                    });
                }
            }
        } else {
            batch.calls = self.take_cells(retired)?;
        }
        let mut recorded: HashMap<u32, u64> = HashMap::new();
        for Calls {
            function,
            histogram,
            ..
        } in &batch.calls
        {
            *recorded.entry(function.0).or_default() += histogram.count();
        }
        for (function, counters) in counted {
            let recorded = recorded.remove(&function).unwrap_or(0);
            let ledger = ledger(&counters, recorded);
            batch.ledgers.push((FunctionId(function), ledger));
        }
        Ok(batch)
    }

    /// Reads and clears the counters of a generation: those of functions of which anything happened,
    /// all CPUs added up.
    fn take_call_counters(&self, generation: u32) -> Result<Vec<(u32, CallCounters)>> {
        let map = self.object.map("CALL_COUNTERS")?;
        let functions = self.config.functions;
        let stride = size_of::<CallCounters>() * self.possible_cpus.len();
        let mut values = Vec::new();
        sys::array_read(map, generation * functions, functions, stride, &mut values)
            .map_err(|error| Error::from_os("read counters", error))?;
        let zeros = vec![0u8; stride];
        let mut counted = Vec::new();
        for (function, of_cpus) in (0..functions).zip(values.chunks_exact(stride)) {
            if of_cpus.iter().all(|byte| *byte == 0) {
                continue;
            }
            let key = generation * functions + function;
            sys::map_update(map, &key.to_ne_bytes(), &zeros)
                .map_err(|error| Error::from_os("clear counters", error))?;
            let each = of_cpus.chunks_exact(size_of::<CallCounters>());
            let sum = each.filter_map(CallCounters::read).reduce(add);
            counted.extend(sum.map(|sum| (function, sum)));
        }
        Ok(counted)
    }

    /// Reads and clears the histogram of a function, all CPUs added up.
    fn take_histogram(&self, generation: u32, function: u32) -> Result<Histogram> {
        let map = self.object.map("CALL_HISTOGRAMS")?;
        let key = (generation * self.config.functions + function).to_ne_bytes();
        let mut values = vec![0u8; size_of::<CallHistogram>() * self.possible_cpus.len()];
        sys::map_lookup(map, &key, &mut values)
            .map_err(|error| Error::from_os("read a histogram", error))?;
        let mut histogram = Histogram::default();
        for of_cpu in values.chunks_exact(size_of::<CallHistogram>()) {
            let words: Vec<u64> = of_cpu.chunks_exact(8).filter_map(u64::read).collect();
            let [sum, min_complement, max, buckets @ ..] = words.as_slice() else {
                continue;
            };
            let mut sum = *sum;
            for (bucket, count) in (0..BUCKETS).zip(buckets).filter(|(_, count)| **count > 0) {
                // The sum is that of all buckets; it goes in with the first.
                let sum = std::mem::take(&mut sum);
                histogram.add_bucket(bucket, *count, sum, (!min_complement, *max));
            }
        }
        values.fill(0);
        sys::map_update(map, &key, &values)
            .map_err(|error| Error::from_os("clear a histogram", error))?;
        Ok(histogram)
    }

    /// Takes the latencies out of the hash map of a generation.
    fn take_cells(&self, generation: u32) -> Result<Vec<Calls>> {
        let map = if generation == 0 {
            "CALL_CELLS_0"
        } else {
            "CALL_CELLS_1"
        };
        let mut histograms: HashMap<(u32, [u8; 16]), Histogram> = HashMap::new();
        sys::map_take_all(
            self.object.map(map)?,
            CHUNK,
            |key: WireKey, cell: CallCell| {
                let WireKey {
                    function,
                    bucket,
                    who,
                } = key;
                let CallCell {
                    count,
                    sum,
                    min_complement,
                    max,
                } = cell;
                histograms.entry((function, who)).or_default().add_bucket(
                    bucket,
                    count,
                    sum,
                    (!min_complement, max),
                );
            },
        )
        .map_err(|error| Error::from_os("read latencies", error))?;
        let mut calls: Vec<Calls> = histograms
            .into_iter()
            .map(|((function, who), histogram)| Calls {
                function: FunctionId(function),
                key: self.key(who),
                histogram,
            })
            .collect();
        calls.sort_by_key(|calls| (calls.function, calls.key));
        Ok(calls)
    }

    fn key(&self, who: [u8; 16]) -> CallKey {
        let [a, b, c, d, ..] = who;
        let number = u32::from_ne_bytes([a, b, c, d]);
        match self.config.by {
            CALLS_BY_PROCESS => CallKey::Process(number),
            CALLS_BY_THREAD => CallKey::Thread(number),
            CALLS_BY_COMM => CallKey::Comm(Comm(who)),
            _ => CallKey::All,
        }
    }
}

/// The process that is measured, if it is one and alone: then the others need no probes. One that is to
/// begin the user's command keeps them when it does.
fn only_process(options: &SessionOptions) -> Option<u32> {
    if options.follow {
        return None;
    }
    match (&options.target, options.launched) {
        (Target::Processes(processes), None) => match processes.as_slice() {
            [(pid, _)] => Some(*pid),
            _ => None,
        },
        (_, launched) => launched,
    }
}

fn add(one: CallCounters, other: CallCounters) -> CallCounters {
    CallCounters {
        fired: one.fired + other.fired,
        filtered: one.filtered + other.filtered,
        lost_stack: one.lost_stack + other.lost_stack,
        lost_depth: one.lost_depth + other.lost_depth,
        no_return: one.no_return + other.no_return,
        closed: one.closed + other.closed,
        too_short: one.too_short + other.too_short,
        lost_map: one.lost_map + other.lost_map,
    }
}

/// The account: what was counted at the entries, what became of the calls that were opened, and what
/// has arrived.
fn ledger(counters: &CallCounters, recorded: u64) -> SpanLedger {
    let CallCounters {
        fired,
        filtered,
        lost_stack,
        lost_depth,
        no_return,
        closed,
        too_short,
        lost_map,
    } = *counters;
    let opened = fired - filtered - lost_stack - lost_depth;
    SpanLedger {
        fired,
        recorded,
        filtered: filtered + too_short,
        thinned: 0,
        open: opened.wrapping_sub(closed + no_return).cast_signed(),
        lost: [
            (Loss::MapFull, lost_stack + lost_map),
            (Loss::NoReturn, no_return),
            (Loss::UretprobeDepth, lost_depth),
        ]
        .into(),
    }
}
