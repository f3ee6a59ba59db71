//! What the kernel says of BPF programs, maps and links, without the help of the code that is
//! tested.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// The largest `union bpf_attr` that is used here, in words; commands take what they know of it.
type Attributes = [u32; 32];

const MAP_CREATE: i32 = 0;
const PROG_GET_NEXT_ID: i32 = 11;
const MAP_GET_NEXT_ID: i32 = 12;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const MAP_LOOKUP_BATCH: i32 = 24;
const MAP_UPDATE_BATCH: i32 = 26;
const LINK_GET_NEXT_ID: i32 = 31;
const ENABLE_STATS: i32 = 32;

const TYPE_PERF_EVENT: u32 = 7;

fn bpf(command: i32, attributes: &mut Attributes) -> io::Result<i64> {
    let size = size_of::<Attributes>();
    // SAFETY: the kernel reads and writes `size` bytes of `attributes`, which is as large. Pointers
    // inside of it are to buffers that live and are large enough, by the callers below.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn bpf_fd(command: i32, attributes: &mut Attributes) -> io::Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the command returned a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A pointer as two words, in the machine's order.
fn words<T>(pointer: *const T) -> [u32; 2] {
    let bytes = (pointer as u64).to_ne_bytes();
    let word =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [word(0), word(4)]
}

fn ids(command: i32) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    let mut attributes: Attributes = [0; 32];
    while bpf(command, &mut attributes).is_ok() {
        let next = attributes[1];
        ids.insert(next);
        attributes = [0; 32];
        attributes[0] = next;
    }
    ids
}

/// Everything of BPF that lives in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) programs: BTreeSet<u32>,
    pub(crate) maps: BTreeSet<u32>,
    pub(crate) links: BTreeSet<u32>,
}

impl Census {
    pub(crate) fn take() -> Self {
        Self {
            programs: ids(PROG_GET_NEXT_ID),
            maps: ids(MAP_GET_NEXT_ID),
            links: ids(LINK_GET_NEXT_ID),
        }
    }

    /// What was not there before.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let new = |now: &BTreeSet<u32>, before| now.difference(before).copied().collect();
        Self {
            programs: new(&self.programs, &before.programs),
            maps: new(&self.maps, &before.maps),
            links: new(&self.links, &before.links),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.maps.is_empty() && self.links.is_empty()
    }
}

/// The kernel counts the runs of every program while this is held.
pub(crate) fn count_runs() -> OwnedFd {
    bpf_fd(ENABLE_STATS, &mut [0; 32]).expect("root may count runs")
}

/// A program that was found in the kernel; it stays readable after its loader has ended.
pub(crate) struct Program(OwnedFd);

impl Program {
    pub(crate) fn by_id(id: u32) -> io::Result<Self> {
        let mut attributes: Attributes = [0; 32];
        attributes[0] = id;
        bpf_fd(PROG_GET_FD_BY_ID, &mut attributes).map(Self)
    }

    pub(crate) fn is_perf_event(&self) -> bool {
        // struct bpf_prog_info begins with the type.
        self.info()[0] & u64::from(u32::MAX) == u64::from(TYPE_PERF_EVENT)
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        // `name`, 16 bytes from byte 64 on.
        let info = self.info();
        let words = info[8..10].iter().flat_map(|word| word.to_ne_bytes());
        let bytes: Vec<u8> = words.take_while(|byte| *byte != 0).collect();
        bytes == name.as_bytes()
    }

    /// How often it ran while runs were counted.
    pub(crate) fn runs(&self) -> u64 {
        // `run_cnt`, at byte 200 of struct bpf_prog_info.
        self.info()[25]
    }

    fn info(&self) -> [u64; 28] {
        let mut info = [0_u64; 28];
        let mut attributes: Attributes = [0; 32];
        attributes[0] = self.0.as_raw_fd().cast_unsigned();
        attributes[1] = u32::try_from(size_of_val(&info)).expect("a small buffer");
        attributes[2..4].copy_from_slice(&words(info.as_mut_ptr()));
        bpf(OBJ_GET_INFO_BY_FD, &mut attributes).expect("an open program tells about itself");
        info
    }
}

/// A hash map that is read again and again: while the kernel works on it for user space it lets no
/// program of a timer run on that CPU.
pub(crate) struct Guarded {
    map: OwnedFd,
    keys: Vec<u64>,
    values: Vec<u64>,
}

const ENTRIES: u32 = 1 << 16;

impl Guarded {
    pub(crate) fn new() -> Self {
        // BPF_MAP_TYPE_HASH, size of key and of value, entries.
        let mut attributes: Attributes = [0; 32];
        attributes[..4].copy_from_slice(&[1, 8, 8, ENTRIES]);
        let map = bpf_fd(MAP_CREATE, &mut attributes).expect("root may create maps");
        let keys: Vec<u64> = (0..u64::from(ENTRIES)).collect();
        let guarded = Self {
            map,
            values: keys.clone(),
            keys,
        };
        guarded.update();
        guarded
    }

    fn batch(&self, keys: *const u64, values: *const u64) -> Attributes {
        // in_batch, out_batch, keys, values, count, map_fd.
        let mut attributes: Attributes = [0; 32];
        attributes[4..6].copy_from_slice(&words(keys));
        attributes[6..8].copy_from_slice(&words(values));
        attributes[8] = ENTRIES;
        attributes[9] = self.map.as_raw_fd().cast_unsigned();
        attributes
    }

    /// Writes every entry.
    pub(crate) fn update(&self) {
        let mut attributes = self.batch(self.keys.as_ptr(), self.values.as_ptr());
        bpf(MAP_UPDATE_BATCH, &mut attributes).expect("every key fits");
    }

    /// Reads every entry.
    pub(crate) fn read(&mut self) {
        let (keys, values) = (self.keys.as_mut_ptr(), self.values.as_mut_ptr());
        let mut attributes = self.batch(keys, values);
        let mut next = 0_u64;
        attributes[2..4].copy_from_slice(&words(&raw mut next));
        // The end of the map is an error, after everything was read.
        if let Err(error) = bpf(MAP_LOOKUP_BATCH, &mut attributes) {
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
        }
    }
}

/// Whether a process holds a descriptor of BPF's or perf's.
pub(crate) fn holds_descriptors(pid: u32) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        link.contains("bpf") || link.contains("perf_event")
    })
}

#[test]
fn a_map_is_seen_while_it_lives() {
    let Some(_kernel) = super::guard::kernel("a_map_is_seen_while_it_lives") else {
        return;
    };
    let before = Census::take();
    let mut map = Guarded::new();
    map.values.fill(0);
    map.read();
    map.values.sort_unstable();
    assert_eq!(
        map.values.last(),
        Some(&u64::from(ENTRIES - 1)),
        "every entry was read"
    );
    assert_eq!(Census::take().since(&before).maps.len(), 1);
    drop(map);
    let gone = super::tracer::soon(std::time::Duration::from_secs(2), || {
        Census::take().since(&before).is_empty()
    });
    assert!(gone, "{:?}", Census::take().since(&before));
}

#[test]
fn a_pointer_keeps_its_bits() {
    let value = 0x0123_4567_89ab_cdef_usize;
    let [low, high] = words(value as *const File);
    let (first, second) = if cfg!(target_endian = "little") {
        (low, high)
    } else {
        (high, low)
    };
    assert_eq!((first, second), (0x89ab_cdef, 0x0123_4567));
}
