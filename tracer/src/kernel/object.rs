//! The embedded BPF object: its maps and programs in the kernel.
//!
//! aya parses and relocates it; maps and programs are made here. aya's own loader reads the whole
//! of the kernel's type information first (60 ms), which nothing in the object needs.

use std::{
    collections::{HashMap, HashSet},
    ffi::CStr,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use aya::maps::{Map, MapData, RingBuf};
use aya_obj::{
    ProgramSection,
    generated::{bpf_map_type, bpf_prog_type},
};
use tracer_common::{MAX_KERNEL_FRAMES, unwind::SEGMENT_WORDS};

use super::{
    Error, Result,
    btf::{self, Btf},
    sys,
};

static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/tracer.x86_64.bpf.o");

/// Kernel facts that programs read: symbol, structure, member.
const FACTS: [(&str, &str, &str); 7] = [
    ("TASK_PID", "task_struct", "pid"),
    ("TASK_TGID", "task_struct", "tgid"),
    ("TASK_GROUP_LEADER", "task_struct", "group_leader"),
    ("TASK_START_BOOTTIME", "task_struct", "start_boottime"),
    ("TASK_SELF_EXEC_ID", "task_struct", "self_exec_id"),
    ("TASK_SIGNAL", "task_struct", "signal"),
    ("SIGNAL_LIVE", "signal_struct", "live"),
];
/// Those that only programs at probes in user code read: a kernel without such probes has no need of them.
const FACTS_OF_PROBES: [(&str, &str, &str); 4] = [
    ("TASK_MM", "task_struct", "mm"),
    ("MM_UPROBES_STATE", "mm_struct", "uprobes_state"),
    ("UPROBES_STATE_AREA", "uprobes_state", "xol_area"),
    ("AREA_ADDRESS", "xol_area", "vaddr"),
];

/// Those with which stacks are unwound from tables: a kernel that lacks one has frame pointers only.
const FACTS_OF_UNWINDING: [(&str, &str, &str); 15] = [
    ("TASK_MM", "task_struct", "mm"),
    ("MM_TREE", "mm_struct", "mm_mt"),
    ("TREE_ROOT", "maple_tree", "ma_root"),
    ("VMA_START", "vm_area_struct", "vm_start"),
    ("VMA_END", "vm_area_struct", "vm_end"),
    ("VMA_FLAGS", "vm_area_struct", "vm_flags"),
    ("VMA_PAGE_OFFSET", "vm_area_struct", "vm_pgoff"),
    ("VMA_FILE", "vm_area_struct", "vm_file"),
    ("FILE_INODE", "file", "f_inode"),
    ("INODE_NUMBER", "inode", "i_ino"),
    ("INODE_GENERATION", "inode", "i_generation"),
    ("INODE_SUPER", "inode", "i_sb"),
    ("SUPER_DEVICE", "super_block", "s_dev"),
    ("MM_CONTEXT", "mm_struct", "context"),
    ("CONTEXT_VDSO", "mm_context_t", "vdso"),
];
/// Those that unwinding does without, if need be: how often mappings have changed, and what waits for
/// return probes.
const FACTS_OF_MORE: [(&str, &str, &str); 8] = [
    ("MM_LOCK_SEQUENCE", "mm_struct", "mm_lock_seq"),
    ("TASK_UTASK", "task_struct", "utask"),
    ("UTASK_FROM", "uprobe_task", "vaddr"),
    ("UTASK_SLOT", "uprobe_task", "xol_vaddr"),
    ("UTASK_RETURNS", "uprobe_task", "return_instances"),
    ("RETURN_ADDRESS", "return_instance", "orig_ret_vaddr"),
    ("RETURN_STACK", "return_instance", "stack"),
    ("RETURN_NEXT", "return_instance", "next"),
];

/// The map of stacks that have been sent, which is cleared through memory.
pub(super) const SENT: &str = "SENT";
/// What unwinding reads, and the user side writes through memory.
pub(super) const UNWIND_RULES: &str = "UNWIND_RULES";
pub(super) const TABLES_VERSION: &str = "TABLES_VERSION";
const UNWIND_SEGMENTS: &str = "UNWIND_SEGMENTS";
/// `BPF_F_MMAPABLE` (Linux 5.5).
const MMAPABLE: u32 = 1 << 10;

/// How a program is going to be attached (`enum bpf_attach_type`).
#[derive(Clone, Copy)]
pub(super) enum AttachType {
    /// As its type always is.
    Usual = 0,
    /// To many places in user code (`BPF_TRACE_UPROBE_MULTI`, Linux 6.6).
    UprobeMulti = 48,
}

/// The object: its maps are in the kernel, its programs are not until they are asked for.
pub(super) struct Object {
    parsed: aya_obj::Object,
    btf: Option<OwnedFd>,
    maps: HashMap<String, LoadedMap>,
    /// Programs that are in the kernel.
    programs: Vec<(&'static str, OwnedFd)>,
    kernel_frames: usize,
    can_unwind: bool,
}

struct LoadedMap {
    fd: OwnedFd,
    entries: u32,
}

impl Object {
    /// Parses the object, writes the kernel facts into it, makes its maps.
    /// `sizes` says how many entries a map shall have, if not as many as the object says.
    pub(super) fn load(sizes: impl Fn(&str) -> Option<u32>) -> Result<Self> {
        let kernel = Btf::of_kernel()?;
        let mut facts = HashMap::new();
        for (symbol, structure, member) in FACTS {
            let offset = kernel
                .offset(structure, member)
                .ok_or(Error::UnknownKernel(member))?;
            facts.insert(symbol, offset.to_ne_bytes());
        }
        for (symbol, structure, member) in FACTS_OF_PROBES {
            let offset = kernel.offset(structure, member).unwrap_or(0);
            facts.insert(symbol, offset.to_ne_bytes());
        }
        let mut can_unwind = true;
        for (symbol, structure, member) in FACTS_OF_UNWINDING {
            let offset = kernel.offset(structure, member);
            can_unwind &= offset.is_some();
            facts.insert(symbol, offset.unwrap_or(0).to_ne_bytes());
        }
        for (symbol, structure, member) in FACTS_OF_MORE {
            let offset = kernel.offset(structure, member).unwrap_or(0);
            facts.insert(symbol, offset.to_ne_bytes());
        }
        // In one structure until Linux 6.10, with the nanoseconds behind the seconds.
        let inode = |member| kernel.offset("inode", member);
        let together = inode("i_mtime");
        let seconds = inode("i_mtime_sec").or(together).unwrap_or(0);
        let nanoseconds = inode("i_mtime_nsec").or(together.map(|at| at + 8));
        facts.insert("INODE_MTIME", seconds.to_ne_bytes());
        facts.insert("INODE_MTIME_NS", nanoseconds.unwrap_or(0).to_ne_bytes());
        let sum = |one: &str, other: &str| {
            let of = |symbol| facts.get(symbol).copied().map_or(0, u32::from_ne_bytes);
            (of(one) + of(other)).to_ne_bytes()
        };
        let vdso = sum("MM_CONTEXT", "CONTEXT_VDSO");
        let uprobes = sum("MM_UPROBES_STATE", "UPROBES_STATE_AREA");
        facts.remove("MM_CONTEXT");
        facts.remove("CONTEXT_VDSO");
        facts.insert("MM_VDSO", vdso);
        facts.insert("MM_UPROBES", uprobes);
        drop(kernel);

        let mut parsed = aya_obj::Object::parse(OBJECT).map_err(unusable)?;
        parsed
            .patch_map_data(
                facts
                    .iter()
                    .map(|(symbol, offset)| (*symbol, (offset.as_slice(), true)))
                    .collect(),
            )
            .map_err(unusable)?;
        let features = aya::features();
        let btf = match features.btf() {
            Some(features) => match parsed.fixup_and_sanitize_btf(features).map_err(unusable)? {
                Some(btf) => Some(
                    sys::btf_load(&btf.to_bytes())
                        .map_err(|error| Error::from_os("load type information", error))?,
                ),
                None => None,
            },
            None => None,
        };

        let kernel_frames = kernel_frames();
        let mut maps = HashMap::new();
        for (name, map) in &parsed.maps {
            let entries = sizes(name).unwrap_or(map.max_entries());
            let fd = create(name, map, entries, kernel_frames)?;
            maps.insert(name.clone(), LoadedMap { fd, entries });
        }
        let code: HashSet<usize> = parsed
            .functions
            .keys()
            .map(|(section, _)| *section)
            .collect();
        let descriptions = parsed.maps.clone();
        let descriptors = descriptions
            .iter()
            .filter_map(|(name, map)| Some((name.as_str(), maps.get(name)?.fd.as_raw_fd(), map)));
        parsed.relocate_maps(descriptors, &code).map_err(unusable)?;
        parsed.relocate_calls(&code).map_err(unusable)?;
        parsed.sanitize_functions(features);
        Ok(Self {
            parsed,
            btf,
            maps,
            programs: Vec::new(),
            kernel_frames,
            can_unwind,
        })
    }

    /// A map of the object.
    pub(super) fn map(&self, name: &'static str) -> Result<BorrowedFd<'_>> {
        self.maps
            .get(name)
            .map(|map| map.fd.as_fd())
            .ok_or_else(|| unusable(name))
    }

    /// How many entries a map has room for; bytes, if it is the ring.
    pub(super) fn capacity(&self, name: &'static str) -> u64 {
        self.maps.get(name).map_or(0, |map| map.entries.into())
    }

    /// Frames that the kernel hands out of one of its stacks.
    pub(super) fn kernel_frames(&self) -> usize {
        self.kernel_frames
    }

    /// Whether the kernel has what programs need to unwind with tables.
    pub(super) fn can_unwind(&self) -> bool {
        self.can_unwind
    }

    /// A ring buffer.
    pub(super) fn ring(&self, name: &'static str) -> Result<RingBuf<MapData>> {
        let fd = self
            .map(name)?
            .try_clone_to_owned()
            .map_err(|error| Error::from_os("read the ring", error))?;
        let data = MapData::from_fd(fd).map_err(unusable)?;
        RingBuf::try_from(Map::RingBuf(data)).map_err(unusable)
    }

    /// Loads a program; it stays in the kernel for as long as the object does.
    pub(super) fn program(&mut self, name: &'static str) -> Result<BorrowedFd<'_>> {
        self.program_for(name, AttachType::Usual)
    }

    /// Loads a program for a way of attaching it, the same whenever it is asked for.
    pub(super) fn program_for(
        &mut self,
        name: &'static str,
        attach: AttachType,
    ) -> Result<BorrowedFd<'_>> {
        let index = match self.programs.iter().position(|(loaded, _)| *loaded == name) {
            Some(index) => index,
            None => {
                self.programs.push((name, self.load_program(name, attach)?));
                self.programs.len() - 1
            }
        };
        Ok(self.programs[index].1.as_fd())
    }

    /// Loads a program that the object does not keep.
    pub(super) fn spare_program(&self, name: &'static str, attach: AttachType) -> Result<OwnedFd> {
        self.load_program(name, attach)
    }

    /// The programs that have been loaded.
    pub(super) fn programs(&self) -> &[(&'static str, OwnedFd)] {
        &self.programs
    }

    fn load_program(&self, name: &'static str, attach: AttachType) -> Result<OwnedFd> {
        let program = self
            .parsed
            .programs
            .get(name)
            .ok_or_else(|| unusable(name))?;
        let function = self
            .parsed
            .functions
            .get(&program.function_key())
            .ok_or_else(|| unusable(name))?;
        let program_type = match program.section {
            ProgramSection::PerfEvent => bpf_prog_type::BPF_PROG_TYPE_PERF_EVENT,
            ProgramSection::RawTracePoint => bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT,
            ProgramSection::UProbe { .. } | ProgramSection::URetProbe { .. } => {
                bpf_prog_type::BPF_PROG_TYPE_KPROBE
            }
            _ => return Err(unusable(name)),
        };
        let load = sys::ProgramLoad {
            name,
            program_type: program_type as u32,
            attach_type: attach as u32,
            function,
            license: &program.license,
            btf: self.btf.as_ref().map(|btf| btf.as_fd()),
        };
        let source = match sys::program_load(&load, &mut []) {
            Ok(program) => return Ok(program),
            Err(source) => source,
        };
        if matches!(source.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) {
            return Err(Error::from_os("load a BPF program", source));
        }
        // Once more, to hear the reason.
        let mut log = vec![0; 1 << 20];
        match sys::program_load(&load, &mut log) {
            Ok(program) => Ok(program),
            Err(source) => Err(Error::Verifier {
                program: name.to_owned(),
                source,
                log: tail(&log),
            }),
        }
    }
}

/// `kernel.perf_event_max_stack`: a stack-trace map with room for more is refused.
fn kernel_frames() -> usize {
    let text = std::fs::read_to_string("/proc/sys/kernel/perf_event_max_stack");
    let most = text.ok().and_then(|text| text.trim().parse().ok());
    MAX_KERNEL_FRAMES.min(most.unwrap_or(MAX_KERNEL_FRAMES))
}

fn create(name: &str, map: &aya_obj::Map, entries: u32, kernel_frames: usize) -> Result<OwnedFd> {
    let stack_trace = bpf_map_type::BPF_MAP_TYPE_STACK_TRACE as u32;
    let value_size = if map.map_type() == stack_trace {
        u32::try_from(kernel_frames * 8).unwrap_or(map.value_size())
    } else {
        map.value_size()
    };
    let mut shape = sys::MapShape::new(map.map_type(), map.key_size(), value_size, entries);
    let through_memory = [SENT, UNWIND_RULES, TABLES_VERSION].contains(&name);
    shape.flags = map.map_flags() | if through_memory { MMAPABLE } else { 0 };
    let inner = (name == UNWIND_SEGMENTS).then(segment).transpose()?;
    shape.inner = inner.as_ref().map(|inner| inner.as_fd());
    let types = if map.map_type() == bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE as u32 {
        let types = sys::btf_load(&btf::plain_value(value_size))
            .map_err(|error| Error::from_os("load type information", error))?;
        Some(types)
    } else {
        None
    };
    shape.types = types
        .as_ref()
        .map(|types| (types.as_fd(), btf::KEY, btf::VALUE));
    let fd =
        sys::map_create(name, &shape).map_err(|error| Error::from_os("create a BPF map", error))?;
    if !map.data().is_empty() {
        sys::map_update(fd.as_fd(), &0u32.to_ne_bytes(), map.data())
            .and_then(|()| sys::map_freeze(fd.as_fd()))
            .map_err(|error| Error::from_os("write read-only data", error))?;
    }
    Ok(fd)
}

/// A segment of the memory that unwind tables lie in.
pub(super) fn segment() -> Result<OwnedFd> {
    let array = bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
    let mut shape = sys::MapShape::new(array, 4, 8, SEGMENT_WORDS);
    shape.flags = MMAPABLE;
    sys::map_create("unwind_segment", &shape)
        .map_err(|error| Error::from_os("create a BPF map", error))
}

/// The last lines of a verifier log.
fn tail(log: &[u8]) -> String {
    let text = CStr::from_bytes_until_nul(log)
        .map(CStr::to_string_lossy)
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn unusable(error: impl ToString) -> Error {
    Error::Object(error.to_string())
}
