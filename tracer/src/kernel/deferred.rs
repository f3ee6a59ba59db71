//! Threads that programs could not unwind, for want of a table: they sent registers, mappings and a copy
//! of the stack, and by the next drain the table is there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aya::maps::{MapData, RingBuf};
use tracer_common::{
    CodeMapping, DeferredHeader, MAX_DEFERRED_MAPPINGS, MAX_USER_FRAMES, Plain as _, StackHeader,
    unwind::{CODE_NONE, End, FileKey, Frame, Machine, Rule, step},
};

use super::{Result, Tables, object::Object};
use crate::profile::Truncation;

/// Where the stack begins in a record.
const STACK: usize = size_of::<DeferredHeader>()
    + MAX_DEFERRED_MAPPINGS * size_of::<CodeMapping>()
    + size_of::<StackHeader>();
/// Words of a frame that is linked by frame pointers.
const LINKED: u64 = 16;

/// What programs have sent and nobody has asked for.
pub(super) struct Deferred {
    ring: RingBuf<MapData>,
    tables: Option<Arc<Mutex<Tables>>>,
    waiting: HashMap<u64, Thread>,
}

/// A stack that was walked afterwards.
pub(super) struct Walked {
    pub(super) addresses: Vec<u64>,
    pub(super) truncated: Option<Truncation>,
}

/// A thread as it was.
struct Thread {
    header: DeferredHeader,
    mappings: Vec<CodeMapping>,
    stack: Vec<u8>,
}

impl Deferred {
    pub(super) fn new(object: &Object) -> Result<Self> {
        Ok(Self {
            ring: object.ring("DEFERRED")?,
            tables: None,
            waiting: HashMap::new(),
        })
    }

    /// The tables to walk with.
    pub(super) fn use_tables(&mut self, tables: Arc<Mutex<Tables>>) {
        self.tables = Some(tables);
    }

    /// Takes what has been sent.
    pub(super) fn read(&mut self) {
        while let Some(record) = self.ring.next() {
            let Some(thread) = Thread::read(&record) else {
                continue;
            };
            self.waiting.insert(thread.header.id, thread);
        }
    }

    /// Walks up the stack of a thread; `None`: it has not been sent.
    pub(super) fn walk(&mut self, id: u64) -> Option<Walked> {
        let thread = self.waiting.remove(&id)?;
        let Some(tables) = &self.tables else {
            return Some(thread.unknown());
        };
        let tables = tables.lock().unwrap_or_else(PoisonError::into_inner);
        Some(thread.walk(&tables))
    }
}

impl Thread {
    fn read(record: &[u8]) -> Option<Self> {
        let header = DeferredHeader::read(record)?;
        let mappings = record.get(size_of::<DeferredHeader>()..STACK)?;
        let mappings = mappings.chunks_exact(size_of::<CodeMapping>());
        let stack = record.get(STACK..)?;
        Some(Self {
            header,
            mappings: mappings
                .take(header.mappings as usize)
                .filter_map(CodeMapping::read)
                .collect(),
            stack: stack[..stack.len().min(header.stack as usize)].to_vec(),
        })
    }

    fn unknown(&self) -> Walked {
        Walked {
            addresses: vec![self.header.ip],
            truncated: Some(Truncation::TableLate),
        }
    }

    /// As programs do, by the same steps.
    fn walk(&self, tables: &Tables) -> Walked {
        let mut frame = Frame {
            ip: self.header.ip,
            sp: self.header.sp,
            fp: self.header.fp,
            called: self.header.called != 0,
        };
        let mut addresses = Vec::new();
        let end = loop {
            let code_at = frame.ip.wrapping_sub(u64::from(frame.called));
            let mapping = self
                .mappings
                .iter()
                .find(|mapping| (mapping.start..mapping.end).contains(&code_at));
            if mapping.is_none() && !addresses.is_empty() {
                break Some(Truncation::NoMapping);
            }
            if addresses.len() == MAX_USER_FRAMES {
                break Some(Truncation::TooDeep);
            }
            // See the programs: one less is always in the code that was running.
            let exact = !addresses.is_empty() && !frame.called;
            addresses.push(frame.ip.wrapping_add(u64::from(exact)));
            let Some(mapping) = mapping else {
                break Some(Truncation::NoMapping);
            };
            match self.up(frame, code_at, mapping, tables, addresses.len()) {
                Ok(caller) => frame = caller,
                Err(end) => break end,
            }
        };
        Walked {
            addresses,
            truncated: end,
        }
    }

    fn up(
        &self,
        frame: Frame,
        code_at: u64,
        mapping: &CodeMapping,
        tables: &Tables,
        frames: usize,
    ) -> std::result::Result<Frame, Option<Truncation>> {
        let place = code_at.wrapping_add(mapping.to_file);
        let (code, why) = if mapping.file == FileKey::NONE {
            (CODE_NONE, Truncation::NoFramePointer)
        } else {
            tables.code(mapping.file, place)
        };
        if why == Truncation::TableLate {
            return Err(Some(why));
        }
        let machine = Copied {
            thread: self,
            tables,
            is_leaf: frames == 1,
        };
        match step(code, frame, &machine) {
            Ok(caller) => return Ok(caller),
            Err(End::Root) => return Err(None),
            Err(End::Unsupported) => return Err(Some(Truncation::Unsupported)),
            // The copy ends there.
            Err(End::Unreadable) => return Err(Some(Truncation::TableLate)),
            Err(End::NoProgress) => return Err(Some(Truncation::NoProgress)),
            Err(End::Unknown | End::FramePointer) => {}
        }
        if frame.fp == 0 && frames > 2 {
            return Err(None);
        }
        if !frame.fp.is_multiple_of(8) || frame.fp < frame.sp {
            return Err(Some(why));
        }
        let (Some(fp), Some(ip)) = (self.word(frame.fp), self.word(frame.fp.wrapping_add(8)))
        else {
            return Err(Some(Truncation::TableLate));
        };
        if ip == 0 {
            return Err(None);
        }
        Ok(Frame {
            ip,
            sp: frame.fp + LINKED,
            fp,
            called: true,
        })
    }

    fn word(&self, address: u64) -> Option<u64> {
        let at = usize::try_from(address.checked_sub(self.header.sp)?).ok()?;
        u64::read(self.stack.get(at..)?)
    }
}

/// A thread's copied stack, to step through.
struct Copied<'a> {
    thread: &'a Thread,
    tables: &'a Tables,
    is_leaf: bool,
}

impl Machine for Copied<'_> {
    fn word(&self, address: u64) -> Option<u64> {
        self.thread.word(address)
    }

    fn register(&self, number: u32) -> Option<u64> {
        let registers = self.is_leaf.then_some(&self.thread.header.registers)?;
        registers.get(number as usize).copied()
    }

    fn rule(&self, index: u32) -> Option<Rule> {
        self.tables.rule_at(index)
    }
}
