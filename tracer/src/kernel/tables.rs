//! The unwind tables that programs read: where they lie, whose they are, and who has asked for one.

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    sync::atomic::Ordering,
    time::Duration,
};

use aya::maps::{MapData, RingBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracer_common::{
    Plain as _,
    unwind::{
        CODE_NONE, CODE_UNSUPPORTED, FIRST_RULE, FileKey, FileTable, RULES, Rule, SEGMENT_WORDS,
        SEGMENTS, TABLE_NO_ROOM, TABLE_NONE, TABLE_PAGE, TABLE_READY, TABLE_UNREADABLE,
        TableRequest,
    },
};

use super::{
    Error, Result,
    arena::Arena,
    grace::GracePeriod,
    mapped::Mapped,
    object::{self, Object, TABLES_VERSION, UNWIND_RULES},
    sys,
};
use crate::{profile::Truncation, unwind::Table};

/// Files that are known at once: FILES has room for 8,192.
const MOST_FILES: usize = 7_000;
/// Of these, how many are forgotten when there are more.
const FORGOTTEN: usize = 1_000;
/// Bytes of a segment.
const SEGMENT_BYTES: u64 = SEGMENT_WORDS as u64 * 8;

/// Why a file has no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTable {
    /// It holds none.
    None,
    /// It could not be read.
    Unreadable,
}

/// What the tables take and how they fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUse {
    /// Files that are known.
    pub files: u32,
    /// Tables, some of them of several files.
    pub tables: u32,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of memory.
    pub bytes: u64,
    /// Tables that were thrown out for others.
    pub evicted: u64,
    /// Tables for which there was no room.
    pub refused: u64,
}

/// The tables.
pub struct Tables {
    files: OwnedFd,
    segment_map: OwnedFd,
    segments: Vec<Mapped>,
    rules: Mapped,
    rule_numbers: HashMap<Rule, u32>,
    version: Mapped,
    arena: Arena,
    grace_period: GracePeriod,
    /// By file: which table, if it has one.
    known: HashMap<FileKey, Option<u32>>,
    placed: HashMap<u32, Placed>,
    by_build_id: HashMap<Vec<u8>, u32>,
    next: u32,
    usage: TableUse,
}

/// Where programs ask for tables.
pub struct TableRequests(RingBuf<MapData>);

impl TableRequests {
    pub(super) fn new(object: &Object) -> Result<Self> {
        object.ring("TABLE_REQUESTS").map(Self)
    }

    /// Waits until programs ask for tables, but not longer than `timeout`. `None`: `hangup` is closed.
    pub fn wait(&mut self, timeout: Duration, hangup: BorrowedFd<'_>) -> Option<Vec<TableRequest>> {
        let mut ready = [
            PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(hangup, PollFlags::IN),
        ];
        let timeout = Timespec::try_from(timeout).ok();
        // What is in the ring is read however the waiting ended.
        _ = poll(&mut ready, timeout.as_ref());
        if !ready[1].revents().is_empty() {
            return None;
        }
        let mut requests = Vec::new();
        while let Some(record) = self.0.next() {
            requests.extend(TableRequest::read(&record));
        }
        Some(requests)
    }
}

/// A table in the segments.
struct Placed {
    build_id: Vec<u8>,
    /// Its files.
    files: Vec<FileKey>,
    /// First word and length of each run that it takes; the first has the pages.
    runs: Vec<(u32, u32)>,
    first_page: u32,
    pages: u32,
    rows: u64,
}

impl Tables {
    /// Those of an object; at most `budget` bytes.
    pub(super) fn new(object: &Object, budget: u64) -> Result<Self> {
        let os = |what| move |error| Error::from_os(what, error);
        let own = |name| -> Result<OwnedFd> {
            let map = object.map(name)?;
            map.try_clone_to_owned().map_err(os("use a BPF map"))
        };
        let map =
            |name, bytes: usize| Mapped::new(object.map(name)?, bytes).map_err(os("map a BPF map"));
        let most = (budget / SEGMENT_BYTES).clamp(1, SEGMENTS.into()) as u32;
        Ok(Self {
            files: own("FILES")?,
            segment_map: own("UNWIND_SEGMENTS")?,
            segments: Vec::new(),
            rules: map(UNWIND_RULES, RULES as usize * size_of::<Rule>())?,
            rule_numbers: HashMap::new(),
            version: map(TABLES_VERSION, 8)?,
            arena: Arena::new(SEGMENT_WORDS, most),
            grace_period: GracePeriod::new().map_err(os("create a BPF map"))?,
            known: HashMap::new(),
            placed: HashMap::new(),
            by_build_id: HashMap::new(),
            next: 0,
            usage: TableUse::default(),
        })
    }

    /// Whether a build ID's table is there already; then the file has it too.
    pub fn share(&mut self, file: FileKey, build_id: &[u8]) -> Result<bool> {
        let version = self.version();
        let Some(&number) = self.by_build_id.get(build_id) else {
            return Ok(false);
        };
        if let Some(placed) = self.placed.get_mut(&number) {
            placed.files.push(file);
            let table = placed.wire(version);
            self.set(file, Some(number), table)?;
            self.announce();
        }
        Ok(true)
    }

    /// Enters the table of a file. Whether there was room.
    pub fn insert(&mut self, file: FileKey, build_id: Vec<u8>, table: &Table) -> Result<bool> {
        let version = self.version();
        let number = match self.place(table)? {
            Some(mut placed) => {
                let number = self.next;
                self.next += 1;
                if !build_id.is_empty() {
                    self.by_build_id.insert(build_id.clone(), number);
                }
                placed.build_id = build_id;
                placed.files.push(file);
                let wire = placed.wire(version);
                self.usage.rows += placed.rows;
                self.placed.insert(number, placed);
                self.set(file, Some(number), wire)?;
                Some(number)
            }
            None => {
                self.usage.refused += 1;
                self.set(file, None, state(TABLE_NO_ROOM))?;
                None
            }
        };
        self.announce();
        Ok(number.is_some())
    }

    /// Enters that a file has no table.
    pub fn insert_none(&mut self, file: FileKey, why: NoTable) -> Result<()> {
        let why = match why {
            NoTable::None => TABLE_NONE,
            NoTable::Unreadable => TABLE_UNREADABLE,
        };
        self.set(file, None, state(why))?;
        self.announce();
        Ok(())
    }

    /// Forgets that a file was asked for: whoever meets it next asks again.
    pub fn forget(&mut self, file: FileKey) {
        self.known.remove(&file);
        // It is gone in any case.
        _ = sys::map_delete(self.files.as_fd(), file.bytes());
    }

    /// What the table of a file says of a place in it, and why that is nothing if it is.
    pub(super) fn code(&self, file: FileKey, place: u64) -> (u32, Truncation) {
        let table = match self.known.get(&file) {
            None => return (CODE_NONE, Truncation::TableLate),
            Some(None) => return (CODE_NONE, Truncation::NoTable),
            Some(Some(number)) => self.placed.get(number),
        };
        let code = table.and_then(|table| {
            let page = (place / TABLE_PAGE).checked_sub(table.first_page.into())?;
            let page = u32::try_from(page)
                .ok()
                .filter(|page| *page < table.pages)?;
            let word = self.word(table.runs[0].0 + page)?;
            let (first, rows) = (word as u32, (word >> 32) as u32);
            let row = |index: u32| {
                let word = self.word(index / 2)?;
                Some((word >> (index % 2 * 32)) as u32)
            };
            let rows: Vec<u32> = (first..first.checked_add(rows)?).filter_map(row).collect();
            let offset = (place % TABLE_PAGE) as u32;
            let behind = rows.partition_point(|row| row & 0xfff <= offset);
            Some(rows.get(behind.checked_sub(1)?)? >> 12)
        });
        (code.unwrap_or(CODE_NONE), Truncation::NoRow)
    }

    /// A rule, counted from 0.
    pub(super) fn rule_at(&self, index: u32) -> Option<Rule> {
        if index >= self.rule_numbers.len() as u32 {
            return None;
        }
        let mut bytes = [0; size_of::<Rule>()];
        self.rules
            .copy(index as usize * size_of::<Rule>(), &mut bytes);
        Rule::read(&bytes)
    }

    fn word(&self, word: u32) -> Option<u64> {
        let segment = self.segments.get((word / SEGMENT_WORDS) as usize)?;
        let word = &segment.words((word % SEGMENT_WORDS) as usize * 8, 1)[0];
        Some(word.load(Ordering::Relaxed))
    }

    /// What they take.
    pub fn usage(&self) -> TableUse {
        TableUse {
            files: self.known.len() as u32,
            tables: self.placed.len() as u32,
            bytes: u64::from(self.arena.segments()) * SEGMENT_BYTES,
            ..self.usage
        }
    }

    fn set(&mut self, file: FileKey, number: Option<u32>, table: FileTable) -> Result<()> {
        if self.known.len() >= MOST_FILES {
            self.forget_files()?;
        }
        self.known.insert(file, number);
        sys::map_update(self.files.as_fd(), file.bytes(), table.bytes())
            .map_err(|error| Error::from_os("write an unwind table", error))
    }

    /// What programs remember of look-ups is void.
    fn announce(&self) {
        // The map's element is the lower half.
        self.version.words(0, 1)[0].fetch_add(1, Ordering::SeqCst);
    }

    fn version(&self) -> u32 {
        self.version.words(0, 1)[0].load(Ordering::Relaxed) as u32
    }

    /// Writes a table into the segments; `None`: there is no room.
    fn place(&mut self, table: &Table) -> Result<Option<Placed>> {
        let Ok(pages) = u32::try_from(table.pages.len()) else {
            return Ok(None);
        };
        let mut placed = Placed {
            build_id: Vec::new(),
            files: Vec::new(),
            runs: Vec::new(),
            first_page: table.first_page,
            pages,
            rows: table.rows.len() as u64,
        };
        let rules: Vec<u32> = table.rules.iter().map(|rule| self.rule(rule)).collect();
        let fits = pages > 0 && pages <= SEGMENT_WORDS && self.run(pages, &mut placed)?.is_some();
        if !fits || !self.place_rows(table, 0, table.pages.len(), &rules, &mut placed)? {
            for (start, words) in placed.runs {
                self.arena.give(start, words);
            }
            return Ok(None);
        }
        Ok(Some(placed))
    }

    /// Writes the rows of some pages in one run, or each half of them for itself.
    fn place_rows(
        &mut self,
        table: &Table,
        from: usize,
        to: usize,
        rules: &[u32],
        placed: &mut Placed,
    ) -> Result<bool> {
        let bounds = |page: u64| {
            let first = page as u32 as usize;
            (first, first + (page >> 32) as usize)
        };
        let first_row = bounds(table.pages[from]).0;
        let end_row = bounds(table.pages[to - 1]).1;
        let Some(rows) = table.rows.get(first_row..end_row) else {
            return Ok(false);
        };
        let words = rows.len().div_ceil(2) as u32;
        if words > SEGMENT_WORDS || (to - from > 1 && !self.has_room(words)) {
            if to - from < 2 {
                return Ok(false);
            }
            let middle = from.midpoint(to);
            return Ok(self.place_rows(table, from, middle, rules, placed)?
                && self.place_rows(table, middle, to, rules, placed)?);
        }
        let Some(start) = self.run(words, placed)? else {
            return Ok(false);
        };
        let row = |row: &u32| {
            let code = row >> 12;
            if code < FIRST_RULE {
                return *row;
            }
            let number = rules.get((code - FIRST_RULE) as usize);
            number.copied().unwrap_or(CODE_UNSUPPORTED) << 12 | row & 0xfff
        };
        let to_word = |pair: &[u32]| {
            u64::from(row(&pair[0])) | pair.get(1).map_or(0, |next| u64::from(row(next)) << 32)
        };
        self.write(start, rows.chunks(2).map(to_word));
        let pages = table.pages[from..to].iter().map(|page| {
            let (first, end) = bounds(*page);
            (u64::from(start) * 2 + (first - first_row) as u64) | ((end - first) as u64) << 32
        });
        let page_base = placed.runs[0].0;
        self.write(page_base + from as u32, pages);
        Ok(true)
    }

    /// Whether a run could be taken as things are, without splitting.
    fn has_room(&mut self, words: u32) -> bool {
        if let Some(start) = self.arena.take(words) {
            self.arena.give(start, words);
            return true;
        }
        self.arena.grow().is_some_and(|_| {
            self.arena.shrink();
            true
        })
    }

    /// Takes a run, with more memory or at the expense of other tables if need be.
    fn run(&mut self, words: u32, placed: &mut Placed) -> Result<Option<u32>> {
        loop {
            if let Some(start) = self.arena.take(words) {
                placed.runs.push((start, words));
                return Ok(Some(start));
            }
            if !self.grow()? && !self.evict()? {
                return Ok(None);
            }
        }
    }

    fn grow(&mut self) -> Result<bool> {
        let Some(segment) = self.arena.grow() else {
            return Ok(false);
        };
        let make = || -> Result<Mapped> {
            let map = object::segment()?;
            let memory = Mapped::new(map.as_fd(), SEGMENT_BYTES as usize)
                .map_err(|error| Error::from_os("map a BPF map", error))?;
            let value = map.as_raw_fd().to_ne_bytes();
            sys::map_update(self.segment_map.as_fd(), &segment.to_ne_bytes(), &value)
                .map_err(|error| Error::from_os("add memory for unwind tables", error))?;
            Ok(memory)
        };
        match make() {
            Ok(memory) => self.segments.push(memory),
            Err(error) => {
                self.arena.shrink();
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Throws out the table that has not been looked up for longest, unless all are in use.
    fn evict(&mut self) -> Result<bool> {
        let version = self.version();
        let used = |placed: &Placed| placed.files.iter().map(|file| self.used(*file)).max();
        let oldest = self
            .placed
            .iter()
            .map(|(number, placed)| (used(placed).unwrap_or(0), *number))
            .min();
        let Some((used, number)) = oldest else {
            return Ok(false);
        };
        // In this version, or in that before: nothing is idle.
        if used.wrapping_add(1) >= version {
            return Ok(false);
        }
        let Some(placed) = self.placed.remove(&number) else {
            return Ok(false);
        };
        self.by_build_id.remove(&placed.build_id);
        for file in &placed.files {
            self.forget(*file);
        }
        self.announce();
        // Whoever found it before reads it still.
        self.grace_period
            .wait()
            .map_err(|error| Error::from_os("wait for a grace period", error))?;
        for (start, words) in placed.runs {
            self.arena.give(start, words);
        }
        self.usage.rows -= placed.rows;
        self.usage.evicted += 1;
        Ok(true)
    }

    /// Files that were not looked up for longest, and have no table of their own to lose.
    fn forget_files(&mut self) -> Result<()> {
        let mut idle: Vec<(u32, FileKey)> = self
            .known
            .keys()
            .map(|file| (self.used(*file), *file))
            .collect();
        idle.sort_unstable_by_key(|(used, file)| (*used, file.inode));
        for (_, file) in idle.into_iter().take(FORGOTTEN) {
            let number = self.known.get(&file).copied().flatten();
            self.forget(file);
            let Some(number) = number else { continue };
            let Some(placed) = self.placed.get_mut(&number) else {
                continue;
            };
            placed.files.retain(|other| *other != file);
        }
        Ok(())
    }

    /// The version in which a file was last looked up.
    fn used(&self, file: FileKey) -> u32 {
        let mut table = [0; size_of::<FileTable>()];
        sys::map_lookup(self.files.as_fd(), file.bytes(), &mut table)
            .ok()
            .and_then(|()| FileTable::read(&table))
            .map_or(0, |table| table.used)
    }

    fn write(&self, word: u32, words: impl Iterator<Item = u64>) {
        let segment = &self.segments[(word / SEGMENT_WORDS) as usize];
        let at = (word % SEGMENT_WORDS) as usize;
        let slots = segment.words(at * 8, SEGMENT_WORDS as usize - at);
        for (slot, word) in slots.iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
    }

    /// The code of a rule.
    fn rule(&mut self, rule: &Rule) -> u32 {
        let next = self.rule_numbers.len() as u32;
        let number = *self.rule_numbers.entry(*rule).or_insert(next);
        if number >= RULES {
            self.rule_numbers.remove(rule);
            return CODE_UNSUPPORTED;
        }
        if number == next {
            let bytes = rule.bytes().chunks_exact(8);
            let words = self.rules.words(number as usize * size_of::<Rule>(), 2);
            for (slot, bytes) in words.iter().zip(bytes) {
                slot.store(
                    u64::from_ne_bytes(bytes.try_into().unwrap_or_default()),
                    Ordering::Relaxed,
                );
            }
        }
        FIRST_RULE + number
    }
}

impl Placed {
    fn wire(&self, version: u32) -> FileTable {
        FileTable {
            state: TABLE_READY,
            page_base: self.runs[0].0,
            pages: self.pages,
            first_page: self.first_page,
            used: version,
            reserved: 0,
        }
    }
}

fn state(state: u32) -> FileTable {
    FileTable {
        state,
        page_base: 0,
        pages: 0,
        first_page: 0,
        used: 0,
        reserved: 0,
    }
}
