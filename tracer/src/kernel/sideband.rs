//! What happens to processes, as perf events report it: forks, execs and executable mappings, each
//! with its time. (An exit is reported for each thread, and none tells whether it was the last.)
//!
//! The kernel writes these records as things happen, so they are there for a process that lives
//! for a millisecond, whose `/proc` entry nobody could read in time. Layouts: `struct
//! perf_event_mmap_page` and the record descriptions in `include/uapi/linux/perf_event.h`.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Error, Result, mapped::Mapped, sys};
use crate::profile::{Dso, Fact, FactKind, Mapping};

const SOFTWARE: u32 = 1;
const DUMMY: u64 = 9;
const SAMPLE_TID: u64 = 1 << 1;
const SAMPLE_TIME: u64 = 1 << 2;
/// What `sample_id_all` appends with these: PID, TID, time.
const TRAILER: usize = 16;

const RECORD_LOST: u32 = 2;
const RECORD_COMM: u32 = 3;
const RECORD_FORK: u32 = 7;
const RECORD_MMAP2: u32 = 10;
const MISC_COMM_EXEC: u16 = 1 << 13;

const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// One ring per CPU.
pub(super) struct Sideband {
    rings: Vec<Ring>,
    lost: u64,
}

impl Sideband {
    /// Opens and starts the events; `bytes_per_cpu` must be a power of two of pages.
    pub(super) fn open(cpus: &[u32], bytes_per_cpu: usize) -> Result<Self> {
        let mut attr = sys::perf_attr();
        attr.type_ = SOFTWARE;
        attr.config = DUMMY;
        attr.sample_type = SAMPLE_TID | SAMPLE_TIME;
        attr.set_mmap(1);
        attr.set_mmap2(1);
        attr.set_comm(1);
        attr.set_comm_exec(1);
        attr.set_task(1);
        attr.set_sample_id_all(1);
        attr.set_use_clockid(1);
        attr.clockid = libc::CLOCK_MONOTONIC;
        attr.set_watermark(1);
        // Nobody waits for it.
        attr.__bindgen_anon_2.wakeup_watermark = u32::MAX;
        let rings = cpus
            .iter()
            .map(|cpu| {
                let event = sys::perf_event_open(&attr, *cpu)
                    .map_err(|error| Error::from_os("open a perf event", error))?;
                Ring::map(event, bytes_per_cpu)
            })
            .collect::<Result<_>>()?;
        Ok(Self { rings, lost: 0 })
    }

    /// Takes what has been written since the last call, in no particular order.
    pub(super) fn read(&mut self, facts: &mut Vec<Fact>) {
        for ring in &mut self.rings {
            ring.read(|record| match parse(record) {
                Some(Parsed::Fact(fact)) => facts.push(fact),
                Some(Parsed::Lost(count)) => self.lost += count,
                None => {}
            });
        }
    }

    /// Records that there was no room for.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

/// A mapped ring buffer of a perf event.
struct Ring {
    _event: OwnedFd,
    mapped: Mapped,
    data: usize,
    size: usize,
    record: Vec<u8>,
}

impl Ring {
    fn map(event: OwnedFd, bytes: usize) -> Result<Self> {
        let page = rustix::param::page_size();
        let mapped = Mapped::new(event.as_fd(), page + bytes)
            .map_err(|error| Error::from_os("map a perf ring", error))?;
        Ok(Self {
            _event: event,
            mapped,
            data: page,
            size: bytes,
            record: Vec::new(),
        })
    }

    fn position(&self, at: usize) -> &AtomicU64 {
        &self.mapped.words(at, 1)[0]
    }

    /// Copies what is at `position` out of the ring: between tail and head the kernel does not
    /// write.
    fn copy(&self, position: u64, to: &mut [u8]) {
        let offset = position as usize & (self.size - 1);
        let (first, rest) = to.split_at_mut(to.len().min(self.size - offset));
        self.mapped.copy(self.data + offset, first);
        self.mapped.copy(self.data, rest);
    }

    fn read(&mut self, mut each: impl FnMut(&[u8])) {
        let head = self.position(DATA_HEAD).load(Ordering::Acquire);
        let mut tail = self.position(DATA_TAIL).load(Ordering::Relaxed);
        let mut record = std::mem::take(&mut self.record);
        while tail < head {
            let mut header = [0; 8];
            self.copy(tail, &mut header);
            let len = usize::from(u16::from_ne_bytes([header[6], header[7]]));
            if len < header.len() {
                // Not a record; nothing after it can be trusted.
                tail = head;
                break;
            }
            record.resize(len, 0);
            self.copy(tail, &mut record);
            each(&record);
            tail += len as u64;
        }
        self.record = record;
        self.position(DATA_TAIL).store(tail, Ordering::Release);
    }
}

enum Parsed {
    Fact(Fact),
    Lost(u64),
}

/// Reads one record; `None`: not of interest.
fn parse(record: &[u8]) -> Option<Parsed> {
    let word = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_ne_bytes(record.get(at..at + 8)?.try_into().ok()?));
    let kind = word(0)?;
    let misc = u16::from_ne_bytes(record.get(4..6)?.try_into().ok()?);
    if kind == RECORD_LOST {
        return Some(Parsed::Lost(long(16)?));
    }
    let body_end = record.len().checked_sub(TRAILER)?;
    let time_ns = long(body_end + 8)?;
    let pid = word(8)?;
    let kind = match kind {
        RECORD_COMM if misc & MISC_COMM_EXEC != 0 => FactKind::Exec,
        // PID, parent's PID, TID, parent's TID; a thread has its process's PID.
        RECORD_FORK => {
            let parent = word(12)?;
            (parent != pid).then_some(FactKind::Fork { parent })?
        }
        RECORD_MMAP2 => {
            let start = long(16)?;
            let path = record.get(72..body_end)?;
            let path = path.split(|byte| *byte == 0).next()?;
            FactKind::Map(Mapping {
                start,
                end: start.saturating_add(long(24)?),
                file_offset: long(32)?,
                dso: Dso {
                    path: path.to_vec(),
                    device: (word(40)?, word(44)?),
                    inode: long(48)?,
                },
            })
        }
        _ => return None,
    };
    Some(Parsed::Fact(Fact { time_ns, pid, kind }))
}
