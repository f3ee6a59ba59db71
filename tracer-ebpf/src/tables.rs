//! Unwind tables: of which file there is one, and what it says of an address in the file.
//!
//! The user side makes them and writes them into memory that it shares with the programs. Whoever
//! meets a file that is not known asks for its table, once.

use core::{arch::asm, cell::UnsafeCell};

use aya_ebpf::{
    bindings::{BPF_NOEXIST, bpf_map_def, bpf_map_type::BPF_MAP_TYPE_ARRAY_OF_MAPS},
    helpers::generated::{bpf_map_lookup_elem, bpf_ringbuf_output},
    macros::map,
    maps::{Array, HashMap, RingBuf},
};
use tracer_common::unwind::{
    CODE_NONE, FileKey, FileTable, MAX_PAGE_ROWS, RULES, Rule, SEGMENT_WORDS, SEGMENTS,
    TABLE_NO_ROOM, TABLE_REQUESTED, TableRequest,
};

#[map]
static FILES: HashMap<FileKey, FileTable> = HashMap::with_max_entries(8192, 0);

/// Rises with every change in FILES that the user side makes.
#[map]
static TABLES_VERSION: Array<u32> = Array::with_max_entries(1, 0);

/// [`TableRequest`]s. Unlike the other ring it wakes its reader: each request means that samples are
/// being taken without a table.
#[map]
static TABLE_REQUESTS: RingBuf = RingBuf::with_byte_size(1 << 16, 0);

#[map]
static UNWIND_RULES: Array<Rule> = Array::with_max_entries(RULES, 0);

/// Arrays of SEGMENT_WORDS words, made when they are needed.
#[repr(transparent)]
struct Segments(UnsafeCell<bpf_map_def>);

// SAFETY: nothing ever reads or writes the definition; the kernel gets a reference to the map.
unsafe impl Sync for Segments {}

#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
static UNWIND_SEGMENTS: Segments = Segments(UnsafeCell::new(bpf_map_def {
    type_: BPF_MAP_TYPE_ARRAY_OF_MAPS,
    key_size: 4,
    value_size: 4,
    max_entries: SEGMENTS,
    map_flags: 0,
    id: 0,
    pinning: 0,
}));

/// The version that lookups are made in.
#[inline(always)]
pub fn version() -> u32 {
    TABLES_VERSION
        .get_ptr(0)
        // SAFETY: the element exists for as long as the map does.
        .map_or(0, |version| unsafe { version.read_volatile() })
}

/// Where the table of a file is. `request`: asks for it, if nobody has, and says so by `reserved` 1.
#[inline(always)]
pub fn of_file(version: u32, request: &TableRequest) -> FileTable {
    let mut unknown = FileTable {
        state: TABLE_REQUESTED,
        page_base: 0,
        pages: 0,
        first_page: 0,
        used: version,
        reserved: 0,
    };
    if let Some(table) = FILES.get_ptr_mut(&request.file) {
        // SAFETY: a pointer to a map element; the user side writes elements whole, and what is read
        // in the middle of that is an index that is checked where it is used.
        return unsafe {
            (&raw mut (*table).used).write_volatile(version);
            FileTable {
                reserved: 0,
                ..table.read()
            }
        };
    }
    if FILES
        .insert(&request.file, &unknown, BPF_NOEXIST.into())
        .is_err()
    {
        // Full, or another CPU was first.
        unknown.state = TABLE_NO_ROOM;
        return unknown;
    }
    // SAFETY: the map and the memory are what the helper expects.
    let sent = unsafe {
        bpf_ringbuf_output(
            (&raw const TABLE_REQUESTS).cast_mut().cast(),
            (&raw const *request).cast_mut().cast(),
            size_of::<TableRequest>() as u64,
            0,
        )
    };
    if sent != 0 {
        // The next one asks again.
        _ = FILES.remove(&request.file);
    }
    unknown.reserved = 1;
    unknown
}

/// A rule, counted from 0.
#[inline(always)]
pub fn rule(index: u32) -> Option<Rule> {
    UNWIND_RULES.get(index).copied()
}

/// What a table says of a place in its file; `page` and `offset` are the place's.
#[inline(always)]
pub fn code(page_base: u32, page: u32, offset: u32) -> u32 {
    let word = page_base.wrapping_add(page);
    let Some(segment) = segment(word / SEGMENT_WORDS) else {
        return CODE_NONE;
    };
    let Some(page) = segment.word(word % SEGMENT_WORDS) else {
        return CODE_NONE;
    };
    // 2 rows to a word.
    let first = page as u32;
    let rows = (page >> 32) as u32 & (2 * MAX_PAGE_ROWS - 1);
    let Some(segment) = self::segment(first / (2 * SEGMENT_WORDS)) else {
        return CODE_NONE;
    };
    let first = u64::from(first % (2 * SEGMENT_WORDS));
    search(&segment, first, rows.into(), offset.into()).unwrap_or(CODE_NONE)
}

/// The code of the last of `rows` rows from `first` on that begins at or before `offset`.
///
/// The length is halved whatever is found, and what is found is kept by masks: with a branch, the
/// verifier would follow every way through the search.
#[inline(always)]
fn search(segment: &Segment, first: u64, rows: u64, offset: u64) -> Option<u32> {
    let mut base = first;
    let mut left = rows;
    let mut best = u64::from(segment.row(base)?);
    let mut round = 0;
    while round < MAX_PAGE_ROWS.ilog2() {
        if left <= 1 {
            break;
        }
        let half = left >> 1;
        let row = u64::from(segment.row(base + half)?);
        let behind = negative(offset as i64 - (row & 0xfff) as i64);
        base += half & !behind;
        best = best & behind | row & !behind;
        left -= half;
        round += 1;
    }
    (rows > 0).then_some((best >> 12) as u32)
}

/// All ones if the number is negative, else 0, without a branch.
#[inline(always)]
pub fn negative(number: i64) -> u64 {
    let mut sign = number;
    // SAFETY: one instruction on a register. In Rust, the compiler makes a branch of it.
    unsafe { asm!("{0} s>>= 63", inout(reg) sign, options(pure, nomem, nostack)) };
    sign as u64
}

/// One of the arrays.
struct Segment(*mut core::ffi::c_void);

#[inline(always)]
fn segment(index: u32) -> Option<Segment> {
    // SAFETY: the helper gives null or a map that lives while the program runs.
    let map = unsafe {
        bpf_map_lookup_elem(
            (&raw const UNWIND_SEGMENTS).cast_mut().cast(),
            (&raw const index).cast(),
        )
    };
    (!map.is_null()).then_some(Segment(map.cast()))
}

impl Segment {
    #[inline(always)]
    fn word(&self, index: u32) -> Option<u64> {
        // SAFETY: the helper gives null or an element of 8 bytes.
        unsafe {
            let word = bpf_map_lookup_elem(self.0.cast(), (&raw const index).cast());
            (!word.is_null()).then(|| word.cast::<u64>().read_volatile())
        }
    }

    #[inline(always)]
    fn row(&self, index: u64) -> Option<u32> {
        let word = self.word((index >> 1) as u32)?;
        Some((word >> ((index & 1) << 5)) as u32)
    }
}
