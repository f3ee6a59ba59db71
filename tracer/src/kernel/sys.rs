//! The system calls that nothing else wraps: bpf(2) and perf_event_open(2).

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_prog_info, bpf_stats_type, perf_event_attr};
use tracer_common::Plain;

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: `attr` is a whole, initialised `union bpf_attr` of the size that is passed; callers
    // below put only pointers to live memory of sufficient size into it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
            &raw mut *attr,
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// A descriptor that a call has just made.
fn new_fd(result: i64) -> io::Result<OwnedFd> {
    let raw = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned it, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of plain integers; the kernel takes zero for "not given" everywhere.
    unsafe { std::mem::zeroed() }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    // Descriptors are never negative.
    fd.as_raw_fd().unsigned_abs()
}

fn address<T: ?Sized>(of: &T) -> u64 {
    (&raw const *of).cast::<u8>() as u64
}

/// Of memory that the kernel is to write.
fn address_mut<T: ?Sized>(of: &mut T) -> u64 {
    (&raw mut *of).cast::<u8>() as u64
}

/// Copies a name into one of the kernel's 16-byte name fields.
fn set_name(field: &mut [std::ffi::c_char; 16], name: &str) {
    for (to, from) in field.iter_mut().take(15).zip(name.bytes()) {
        *to = from.cast_signed();
    }
}

/// What a map is made of.
pub(super) struct MapShape<'a> {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    pub(super) flags: u32,
    /// What a map of maps holds.
    pub(super) inner: Option<BorrowedFd<'a>>,
    /// Type information, and the numbers of the key's and the value's type in it.
    pub(super) types: Option<(BorrowedFd<'a>, u32, u32)>,
}

impl MapShape<'_> {
    pub(super) const fn new(
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    ) -> Self {
        Self {
            map_type,
            key_size,
            value_size,
            max_entries,
            flags: 0,
            inner: None,
            types: None,
        }
    }
}

/// Makes a map.
pub(super) fn map_create(name: &str, shape: &MapShape<'_>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_type = shape.map_type;
    create.key_size = shape.key_size;
    create.value_size = shape.value_size;
    create.max_entries = shape.max_entries;
    create.map_flags = shape.flags;
    create.inner_map_fd = shape.inner.map_or(0, raw);
    set_name(&mut create.map_name, name);
    if let Some((types, key, value)) = shape.types {
        create.btf_fd = raw(types);
        create.btf_key_type_id = key;
        create.btf_value_type_id = value;
    }
    new_fd(bpf(bpf_cmd::BPF_MAP_CREATE, &mut attr)?)
}

/// Calls that take a key and a value; both must have the map's sizes.
fn element(command: bpf_cmd, map: BorrowedFd<'_>, key: &[u8], value: u64) -> io::Result<()> {
    let mut attr = zeroed();
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = raw(map);
    element.key = address(key);
    element.__bindgen_anon_1.value = value;
    bpf(command, &mut attr).map(drop)
}

/// Sets an element.
pub(super) fn map_update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    element(bpf_cmd::BPF_MAP_UPDATE_ELEM, map, key, address(value))
}

/// Reads an element into `value`, which must have the size that the kernel writes.
pub(super) fn map_lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    element(bpf_cmd::BPF_MAP_LOOKUP_ELEM, map, key, address_mut(value))
}

/// Removes an element.
pub(super) fn map_delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<()> {
    element(bpf_cmd::BPF_MAP_DELETE_ELEM, map, key, 0)
}

/// The key after `key`; `None` for `key` asks for the first.
pub(super) fn map_next_key(
    map: BorrowedFd<'_>,
    key: Option<&[u8]>,
    next: &mut [u8],
) -> io::Result<()> {
    let mut attr = zeroed();
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = raw(map);
    element.key = key.map_or(0, address);
    element.__bindgen_anon_1.next_key = address_mut(next);
    bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr).map(drop)
}

/// Makes a map read-only for the user side.
pub(super) fn map_freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = zeroed();
    attr.__bindgen_anon_2.map_fd = raw(map);
    bpf(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Takes everything out of a hash map (Linux 5.6), `chunk` entries a call.
pub(super) fn map_take_all<K: Plain, V: Plain>(
    map: BorrowedFd<'_>,
    chunk: u32,
    mut entry: impl FnMut(K, V),
) -> io::Result<()> {
    let (key_size, value_size) = (size_of::<K>(), size_of::<V>());
    let mut keys = vec![0u8; key_size * chunk as usize];
    let mut values = vec![0u8; value_size * chunk as usize];
    let mut token = 0u64;
    let mut first = true;
    loop {
        let mut attr = zeroed();
        // `keys` and `values` have room for `chunk` entries; a hash map's token takes 4 bytes.
        attr.batch.in_batch = if first { 0 } else { address(&token) };
        attr.batch.out_batch = address_mut(&mut token);
        attr.batch.keys = address_mut(keys.as_mut_slice());
        attr.batch.values = address_mut(values.as_mut_slice());
        attr.batch.count = chunk;
        attr.batch.map_fd = raw(map);
        let result = bpf(bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut attr);
        let last = match result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel has written how many entries it has copied.
        let count = unsafe { attr.batch.count } as usize;
        let pairs = keys
            .chunks_exact(key_size)
            .zip(values.chunks_exact(value_size));
        for (key, value) in pairs.take(count) {
            if let (Some(key), Some(value)) = (K::read(key), V::read(value)) {
                entry(key, value);
            }
        }
        if last {
            return Ok(());
        }
        first = false;
    }
}

/// Loads type information.
pub(super) fn btf_load(data: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let load = unsafe { &mut attr.__bindgen_anon_7 };
    load.btf = address(data);
    load.btf_size = u32::try_from(data.len()).map_err(io::Error::other)?;
    new_fd(bpf(bpf_cmd::BPF_BTF_LOAD, &mut attr)?)
}

/// A program as it goes to the verifier.
pub(super) struct ProgramLoad<'a> {
    pub(super) name: &'a str,
    pub(super) program_type: u32,
    /// `enum bpf_attach_type`; 0 where the type says it all.
    pub(super) attach_type: u32,
    pub(super) function: &'a aya_obj::Function,
    pub(super) license: &'a CStr,
    pub(super) btf: Option<BorrowedFd<'a>>,
}

/// Loads a program; with a log if there is room for one.
pub(super) fn program_load(program: &ProgramLoad<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let function = program.function;
    let func_info = function.func_info.func_info_bytes();
    let line_info = function.line_info.line_info_bytes();
    let count = |len: usize| u32::try_from(len).map_err(io::Error::other);
    let mut attr = zeroed();
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    set_name(&mut load.prog_name, program.name);
    load.prog_type = program.program_type;
    load.expected_attach_type = program.attach_type;
    load.insns = address(function.instructions.as_slice());
    load.insn_cnt = count(function.instructions.len())?;
    load.license = program.license.as_ptr() as u64;
    if let Some(btf) = program.btf {
        load.prog_btf_fd = raw(btf);
        load.func_info = address(func_info.as_slice());
        load.func_info_cnt = count(function.func_info.len())?;
        load.func_info_rec_size = count(function.func_info_rec_size)?;
        load.line_info = address(line_info.as_slice());
        load.line_info_cnt = count(function.line_info.len())?;
        load.line_info_rec_size = count(function.line_info_rec_size)?;
    }
    if !log.is_empty() {
        load.log_level = 1;
        load.log_buf = address_mut(log);
        load.log_size = count(log.len())?;
    }
    new_fd(bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr)?)
}

/// Attaches a program to a raw tracepoint (Linux 4.17). It stays until the descriptor is closed.
pub(super) fn raw_tracepoint_open(name: &CStr, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.raw_tracepoint.name = name.as_ptr() as u64;
    attr.raw_tracepoint.prog_fd = raw(program);
    new_fd(bpf(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)?)
}

/// Where to attach a program in one file: offsets, each with the cookie that the program gets.
pub(super) struct UprobeMulti<'a> {
    pub(super) path: &'a CStr,
    pub(super) offsets: &'a [u64],
    pub(super) cookies: &'a [u64],
    /// Whether at the returns of the functions there.
    pub(super) at_return: bool,
    /// A process, or 0: all.
    pub(super) pid: u32,
}

/// Attaches a program to many places in user code at once (Linux 6.6). It stays until the descriptor
/// is closed.
pub(super) fn uprobe_multi(
    program: BorrowedFd<'_>,
    attach_type: u32,
    probes: &UprobeMulti<'_>,
) -> io::Result<OwnedFd> {
    if probes.offsets.len() != probes.cookies.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut attr = zeroed();
    attr.link_create.__bindgen_anon_1.prog_fd = raw(program);
    attr.link_create.attach_type = attach_type;
    // SAFETY: writing to a field of a zeroed union of plain integers.
    let multi = unsafe { &mut attr.link_create.__bindgen_anon_3.uprobe_multi };
    multi.path = probes.path.as_ptr() as u64;
    multi.offsets = address(probes.offsets);
    multi.cookies = address(probes.cookies);
    multi.cnt = u32::try_from(probes.offsets.len()).map_err(io::Error::other)?;
    // `BPF_F_UPROBE_MULTI_RETURN`.
    multi.flags = probes.at_return.into();
    multi.pid = probes.pid;
    new_fd(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

/// Attaches a program to a perf event (Linux 5.15). It stays until the descriptor is closed, which
/// also holds the event.
pub(super) fn perf_event_link(
    program: BorrowedFd<'_>,
    event: BorrowedFd<'_>,
    attach_type: u32,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.link_create.__bindgen_anon_1.prog_fd = raw(program);
    attr.link_create.__bindgen_anon_2.target_fd = raw(event);
    attr.link_create.attach_type = attach_type;
    attr.link_create.__bindgen_anon_3.perf_event.bpf_cookie = cookie;
    new_fd(bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)?)
}

/// Reads the elements `first..first + count` of an array (Linux 5.6; per-CPU: 5.13), `size` bytes
/// each, into `values`.
pub(super) fn array_read(
    map: BorrowedFd<'_>,
    first: u32,
    count: u32,
    size: usize,
    values: &mut Vec<u8>,
) -> io::Result<()> {
    values.clear();
    values.resize(size * count as usize, 0);
    let mut keys = vec![0u32; count as usize];
    let (mut read, mut token) = (0u32, first.wrapping_sub(1));
    while read < count {
        let mut attr = zeroed();
        let mut next = 0u32;
        // The call goes on behind the element that the token names.
        attr.batch.in_batch = if first + read == 0 {
            0
        } else {
            address(&token)
        };
        attr.batch.out_batch = address_mut(&mut next);
        attr.batch.keys = address_mut(&mut keys[read as usize..]);
        attr.batch.values = address_mut(&mut values[size * read as usize..]);
        attr.batch.count = count - read;
        attr.batch.map_fd = raw(map);
        match bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
        // SAFETY: the kernel has written how many elements it has copied.
        let copied = unsafe { attr.batch.count };
        if copied == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read += copied;
        token = first + read - 1;
    }
    Ok(())
}

/// Has the kernel count runs and time of all programs while the descriptor is open (Linux 5.8).
pub(super) fn count_runs() -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.enable_stats.type_ = bpf_stats_type::BPF_STATS_RUN_TIME as u32;
    new_fd(bpf(bpf_cmd::BPF_ENABLE_STATS, &mut attr)?)
}

/// What a program has done while it was counted.
#[derive(Clone, Copy, Default)]
pub(super) struct ProgramStatistics {
    pub(super) runs: u64,
    pub(super) time_ns: u64,
    pub(super) misses: u64,
}

/// Reads a program's statistics. Kernels without one of them (misses: before 5.12) leave it 0.
pub(super) fn program_statistics(program: BorrowedFd<'_>) -> io::Result<ProgramStatistics> {
    // SAFETY: a structure of plain integers, which asks for nothing where it is zero.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    let mut attr = zeroed();
    attr.info.bpf_fd = raw(program);
    attr.info.info_len = size_of::<bpf_prog_info>() as u32;
    attr.info.info = address_mut(&mut info);
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(ProgramStatistics {
        runs: info.run_cnt,
        time_ns: info.run_time_ns,
        misses: info.recursion_misses,
    })
}

/// Opens a perf event for everything that runs on one CPU.
pub(super) fn perf_event_open(attr: &perf_event_attr, cpu: u32) -> io::Result<OwnedFd> {
    let cpu = libc::c_int::try_from(cpu).map_err(io::Error::other)?;
    perf_event_of(attr, -1, cpu)
}

/// Opens a perf event for a process wherever it runs; `None`: for all, which is then counted on one
/// CPU but happens on each (probes do).
pub(super) fn perf_event_of_process(
    attr: &perf_event_attr,
    pid: Option<u32>,
) -> io::Result<OwnedFd> {
    match pid {
        Some(pid) => {
            let pid = libc::c_int::try_from(pid).map_err(io::Error::other)?;
            perf_event_of(attr, pid, -1)
        }
        None => perf_event_of(attr, -1, 0),
    }
}

fn perf_event_of(
    attr: &perf_event_attr,
    pid: libc::c_int,
    cpu: libc::c_int,
) -> io::Result<OwnedFd> {
    const CLOSE_ON_EXEC: libc::c_ulong = 8;
    // SAFETY: `attr` is initialised and carries its own size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const *attr,
            pid,
            cpu,
            -1,
            CLOSE_ON_EXEC,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        new_fd(result)
    }
}

/// `PERF_EVENT_IOC_ENABLE`.
pub(super) const PERF_ENABLE: libc::c_ulong = 0x2400;
/// `PERF_EVENT_IOC_DISABLE`.
pub(super) const PERF_DISABLE: libc::c_ulong = 0x2401;
/// `PERF_EVENT_IOC_SET_BPF`: its argument is a program's descriptor.
const PERF_SET_BPF: libc::c_ulong = 0x4004_2408;

/// Switches a perf event.
pub(super) fn perf_switch(event: BorrowedFd<'_>, request: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these requests take an integer, no pointer.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request, 0) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Has a program run at each overflow of an event, until the event is closed.
pub(super) fn perf_set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes a descriptor by value.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), PERF_SET_BPF, program.as_raw_fd()) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// An empty `struct perf_event_attr`.
pub(super) fn perf_attr() -> perf_event_attr {
    // SAFETY: a structure of plain integers, for which the kernel takes zero as "not given".
    let mut attr: perf_event_attr = unsafe { std::mem::zeroed() };
    attr.size = size_of::<perf_event_attr>() as u32;
    attr
}
