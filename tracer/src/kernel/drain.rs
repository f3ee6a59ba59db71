//! Emptying the maps: one drain is one slice of time.
//!
//! Programs write one of two generations. A drain makes the other one current, waits until no
//! program that saw the old word still runs (a grace period), and then has the retired generation
//! to itself: nothing is lost and nothing is counted twice.

use std::{
    collections::HashMap,
    os::fd::BorrowedFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use tracer_common::{
    KERNEL_FAILED, KERNEL_HASHED, KERNEL_MAP, Plain, ProcessRecord, RECORD_EXEC, RECORD_EXIT,
    RECORD_KERNEL_STACK, RECORD_USER_STACK, SampleKey, StackHeader, USER_DEFERRED,
    USER_FOREIGN_ABI, USER_NO_FRAME_POINTER, USER_NO_MAPPING, USER_NO_MEMORY, USER_NO_PROGRESS,
    USER_NO_ROOM, USER_NO_ROW, USER_NO_TABLE, USER_NONE, USER_READ_FAULT, USER_TABLE_LATE,
    USER_TOO_DEEP, USER_UNSUPPORTED, mix,
};

use super::{
    Due, Error, Result, Tables,
    account::{Account, take_counters},
    deferred::{Deferred, Walked},
    generation::Generations,
    known::{Known, Sent, Stacks},
    object::Object,
    session::Meter,
    sys,
};
use crate::profile::{Batch, Comm, Fact, FactKind, Image, RawStack, Sample, StackKey, Truncation};

/// Maps of one generation.
struct Maps {
    counts: &'static str,
    kernel_stacks: &'static str,
}

const MAPS: [Maps; 2] = [
    Maps {
        counts: "COUNTS_0",
        kernel_stacks: "KERNEL_STACKS_0",
    },
    Maps {
        counts: "COUNTS_1",
        kernel_stacks: "KERNEL_STACKS_1",
    },
];

/// How often the ring is read for a stack that must be there, and the time between.
const RING_ATTEMPTS: u32 = 20;
const RING_PAUSE: Duration = Duration::from_millis(1);
/// Entries that one system call takes out of a map.
const CHUNK: u32 = 1024;

/// How much of the maps one drain found in use.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    /// The generation's map of counts, and entries in it.
    pub(super) counts: (&'static str, u64),
    /// The generation's stack-trace map, and entries in it.
    pub(super) kernel_stacks: (&'static str, u64),
    /// Bytes of the ring.
    pub(super) ring: u64,
}

/// What has to be known from one drain to the next.
pub(super) struct Drain {
    ring: RingBuf<MapData>,
    generations: Generations,
    hash_seed: u64,
    possible_cpus: Vec<u32>,
    /// Frames that the kernel hands out of one of its stacks.
    kernel_frames: usize,
    /// Stacks that have been handed on.
    known: Known,
    sent: Sent,
    /// What the last drain found in the maps.
    found: Found,
    account: Account,
    deferred: Deferred,
}

impl Drain {
    pub(super) fn new(
        object: &Object,
        hash_seed: u64,
        idle_wanted: bool,
        possible_cpus: Vec<u32>,
        epoch: Option<u32>,
    ) -> Result<Self> {
        Ok(Self {
            ring: object.ring("RING")?,
            generations: Generations::new()?,
            hash_seed,
            possible_cpus,
            kernel_frames: object.kernel_frames(),
            known: Known::new(epoch),
            sent: Sent::new(object)?,
            found: Found::default(),
            account: Account::new(idle_wanted),
            deferred: Deferred::new(object)?,
        })
    }

    /// What could not be unwound is unwound with these.
    pub(super) fn use_tables(&mut self, tables: Arc<Mutex<Tables>>) {
        self.deferred.use_tables(tables);
    }

    /// Empties the current generation into `batch`. `due` says how often each CPU's timer was due;
    /// `stopped`: the timers stand, so that it is exact.
    pub(super) fn drain(
        &mut self,
        object: &Object,
        due: &[Due],
        stopped: bool,
        batch: &mut Batch,
        meter: &mut Meter,
    ) -> Result<()> {
        // What is counted from here on belongs to the next slice.
        let (retired, end_ns) = self.generations.retire(object)?;
        batch.end_ns = end_ns;
        self.known.begin_drain(&self.sent);

        let maps = &MAPS[retired as usize];
        let mut drained: Vec<(SampleKey, u64)> = Vec::new();
        sys::map_take_all(
            object.map(maps.counts)?,
            CHUNK,
            |key: SampleKey, count: u64| {
                drained.push((key, count));
            },
        )
        .map_err(|error| Error::from_os("read the map of counts", error))?;
        let counters = take_counters(object, retired, self.possible_cpus.len())?;
        self.read_stacks_of(&drained, batch);
        let kernel_stacks = self.take_kernel_stacks(object.map(maps.kernel_stacks)?, batch)?;
        self.found.counts = (maps.counts, drained.len() as u64);
        self.found.kernel_stacks = (maps.kernel_stacks, kernel_stacks.len() as u64);
        self.deferred.read();
        for (key, weight) in drained {
            let kernel = match key.kernel_kind() {
                KERNEL_MAP => kernel_stacks.get(&(key.kernel as u32)).copied(),
                KERNEL_HASHED => Some(StackKey(key.kernel)),
                _ => None,
            };
            let mut sample = sample(&key, weight, kernel, &self.known.kernel, self.kernel_frames);
            if key.user_end() == USER_DEFERRED {
                self.unwind_deferred(&mut sample, batch);
            }
            batch.samples.push(sample);
        }
        self.known.end_drain(batch);
        let counted = self.possible_cpus.iter().copied().zip(counters);
        batch.ledger = self
            .account
            .ledger(counted, due, stopped, &batch.samples, meter);
        Ok(())
    }

    /// Gives a sample the stack that programs left to be unwound.
    fn unwind_deferred(&mut self, sample: &mut Sample, batch: &mut Batch) {
        let walked = sample.user.and_then(|id| self.deferred.walk(id.0));
        let Walked {
            addresses,
            truncated,
        } = walked.unwrap_or(Walked {
            addresses: Vec::new(),
            truncated: Some(Truncation::TableLate),
        });
        // The hash that programs would have made.
        let hash = addresses
            .iter()
            .fold(self.hash_seed, |hash, address| mix(hash, *address));
        let stack = RawStack {
            id: StackKey(hash),
            addresses,
        };
        sample.user = Some(stack.id);
        sample.truncated = sample.truncated.or(truncated);
        hand_on(&mut self.known.user, stack, &mut batch.user_stacks);
    }

    /// Reads the ring until the stacks of all these keys have come. The ring is read in order, so a
    /// record that a program of the new generation is writing hides those behind it for a moment.
    fn read_stacks_of(&mut self, keys: &[(SampleKey, u64)], batch: &mut Batch) {
        for attempt in 0..RING_ATTEMPTS {
            let bytes = self.read_ring(batch);
            if attempt == 0 {
                self.found.ring = bytes;
            }
            let known = &self.known;
            let missing = |(key, _): &(SampleKey, u64)| {
                (!matches!(key.user_end(), USER_NONE | USER_DEFERRED)
                    && !known.has_arrived(&known.user, StackKey(key.user)))
                    || (key.kernel_kind() == KERNEL_HASHED
                        && !known.has_arrived(&known.kernel, StackKey(key.kernel)))
            };
            if !keys.iter().any(missing) {
                return;
            }
            std::thread::sleep(RING_PAUSE);
        }
    }

    /// Reads the ring to its end; how many bytes of it were in use.
    fn read_ring(&mut self, batch: &mut Batch) -> u64 {
        let mut bytes = 0;
        while let Some(record) = self.ring.next() {
            // A header, and records begin at multiples of 8 (`bpf_ringbuf_reserve`).
            bytes += 8 + record.len().next_multiple_of(8) as u64;
            let Some(kind) = u32::read(&record) else {
                continue;
            };
            match kind {
                RECORD_USER_STACK | RECORD_KERNEL_STACK => {
                    let Some(header) = StackHeader::read(&record) else {
                        continue;
                    };
                    let words = record[size_of::<StackHeader>()..].chunks_exact(8);
                    let addresses: Vec<u64> = words
                        .filter_map(u64::read)
                        .take(header.frames as usize)
                        .collect();
                    let stack = RawStack {
                        id: StackKey(header.hash),
                        addresses,
                    };
                    if kind == RECORD_KERNEL_STACK {
                        hand_on(&mut self.known.kernel, stack, &mut batch.kernel_stacks);
                    } else {
                        hand_on(&mut self.known.user, stack, &mut batch.user_stacks);
                    }
                }
                RECORD_EXEC | RECORD_EXIT => {
                    let Some(record) = ProcessRecord::read(&record) else {
                        continue;
                    };
                    batch.facts.push(fact(&record));
                }
                _ => {}
            }
        }
        bytes
    }

    /// What the last drain found in use.
    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// Slots of the table of stacks sent that are taken.
    pub(super) fn sent(&self) -> u64 {
        self.sent.used()
    }

    /// Empties a stack-trace map: the stack of each identifier.
    fn take_kernel_stacks(
        &mut self,
        map: BorrowedFd<'_>,
        batch: &mut Batch,
    ) -> Result<HashMap<u32, StackKey>> {
        let mut stacks = HashMap::new();
        let mut id = [0; 4];
        while sys::map_next_key(map, None, &mut id).is_ok() {
            let failed = |error| Error::from_os("read a kernel stack", error);
            let mut value = vec![0u8; self.kernel_frames * 8];
            sys::map_lookup(map, &id, &mut value).map_err(failed)?;
            sys::map_delete(map, &id).map_err(failed)?;
            let addresses = value.chunks_exact(8).filter_map(u64::read);
            let addresses: Vec<u64> = addresses.take_while(|address| *address != 0).collect();
            // The same hash as the programs use where a bucket is taken, so that a stack has one
            // name whichever way it came.
            let hash = addresses
                .iter()
                .fold(self.hash_seed, |hash, address| mix(hash, *address));
            stacks.insert(u32::from_ne_bytes(id), StackKey(hash));
            let stack = RawStack {
                id: StackKey(hash),
                addresses,
            };
            hand_on(&mut self.known.kernel, stack, &mut batch.kernel_stacks);
        }
        Ok(stacks)
    }
}

/// Hands a stack on, unless it has been.
fn hand_on(known: &mut Stacks, stack: RawStack, to: &mut Vec<RawStack>) {
    if known.enter(stack.id, stack.addresses.len()) {
        to.push(stack);
    }
}

/// What a program reports of a process.
fn fact(record: &ProcessRecord) -> Fact {
    let ProcessRecord {
        kind,
        tgid: pid,
        start_ns,
        time_ns,
        exec,
        reserved: _,
    } = *record;
    let kind = if kind == RECORD_EXIT {
        FactKind::Exit
    } else {
        FactKind::Image(Image {
            pid,
            start_ns,
            exec,
        })
    };
    Fact { time_ns, pid, kind }
}

fn sample(
    key: &SampleKey,
    weight: u64,
    kernel: Option<StackKey>,
    kernel_stacks: &Stacks,
    kernel_frames: usize,
) -> Sample {
    let end = key.user_end();
    let kernel_depth = kernel
        .and_then(|stack| kernel_stacks.frames(stack))
        .unwrap_or(0);
    let truncated = match end {
        _ if key.kernel_kind() == KERNEL_FAILED => Some(Truncation::KernelUnreadable),
        _ if kernel_depth >= kernel_frames => Some(Truncation::KernelTooDeep),
        USER_NO_FRAME_POINTER => Some(Truncation::NoFramePointer),
        USER_READ_FAULT => Some(Truncation::ReadFault),
        USER_TOO_DEEP => Some(Truncation::TooDeep),
        USER_FOREIGN_ABI => Some(Truncation::ForeignAbi),
        USER_NO_TABLE => Some(Truncation::NoTable),
        USER_TABLE_LATE => Some(Truncation::TableLate),
        USER_NO_ROOM => Some(Truncation::NoRoom),
        USER_NO_ROW => Some(Truncation::NoRow),
        USER_UNSUPPORTED => Some(Truncation::Unsupported),
        USER_NO_MAPPING => Some(Truncation::NoMapping),
        USER_NO_PROGRESS => Some(Truncation::NoProgress),
        USER_NO_MEMORY => Some(Truncation::NoMemory),
        _ => None,
    };
    Sample {
        image: Image {
            pid: key.tgid,
            start_ns: key.start_ns,
            exec: key.exec,
        },
        tid: key.tid,
        comm: Comm(key.comm),
        user: (end != USER_NONE).then_some(StackKey(key.user)),
        kernel,
        truncated,
        weight,
    }
}
