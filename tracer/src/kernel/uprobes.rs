//! Attaching the programs of calls to functions in files.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use tracer_common::CALL_HAS_EXITS;

use super::{
    AttachMode, Error, Result,
    object::{AttachType, Object},
    sys::{self, UprobeMulti},
};

/// What runs at the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Programs {
    /// What measures calls.
    Measuring,
    /// Nothing, to see what that costs.
    Empty,
}

/// A program, where it goes, and how.
struct Job<'a> {
    program: &'static str,
    at_return: bool,
    targets: Vec<Target<'a>>,
}

/// One offset in a file, of a function.
#[derive(Clone, Copy)]
struct Target<'a> {
    function: u32,
    file: &'a Path,
    offset: u64,
    has_exits: bool,
}

impl Target<'_> {
    /// What the programs get to know it by.
    fn cookie(&self) -> u64 {
        let function = u64::from(self.function);
        if self.has_exits {
            function | CALL_HAS_EXITS
        } else {
            function
        }
    }
}

impl Programs {
    /// In the order in which they are attached: a call that is seen to begin is seen to return.
    fn jobs<'a>(self, places: &[Place<'a>]) -> Vec<Job<'a>> {
        let (at_return, at_exit, at_entry) = match self {
            Self::Measuring => ("call_return", "call_exit", "call_entry"),
            Self::Empty => ("empty_return", "empty_entry", "empty_entry"),
        };
        let target = |place: &Place<'a>, offset| Target {
            function: place.function,
            file: place.file,
            offset,
            has_exits: !place.exits.is_empty(),
        };
        let with_return = places.iter().filter(|place| place.exits.is_empty());
        let exits = places.iter().flat_map(|place| {
            let exits = place.exits.iter();
            exits.map(move |exit| target(place, *exit))
        });
        let jobs = [
            Job {
                program: at_return,
                at_return: true,
                targets: with_return
                    .map(|place| target(place, place.offset))
                    .collect(),
            },
            Job {
                program: at_exit,
                at_return: false,
                targets: exits.collect(),
            },
            Job {
                program: at_entry,
                at_return: false,
                targets: places
                    .iter()
                    .map(|place| target(place, place.offset))
                    .collect(),
            },
        ];
        jobs.into_iter()
            .filter(|job| !job.targets.is_empty())
            .collect()
    }
}

/// `BPF_PERF_EVENT`.
const PERF_EVENT: u32 = 41;

/// A place to attach to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The number by which the programs know the function.
    pub function: u32,
    /// The file.
    pub file: &'a Path,
    /// Where in the file, in bytes: at the start of an instruction before which the function has left
    /// the stack pointer as it was.
    pub offset: u64,
    /// Where the function ends, likewise: at instructions that leave it, with the return address on top
    /// of the stack. None: a return probe says when it ends.
    pub exits: &'a [u64],
}

/// What is attached, until it is dropped.
#[derive(Default)]
pub(super) struct Attached {
    links: Vec<OwnedFd>,
    /// Perf events of single links, which must outlive them.
    events: Vec<OwnedFd>,
    /// Functions that the kernel refused, with its answer.
    pub(super) refused: Vec<(u32, io::Error)>,
}

/// Which of the two ways is to be used.
fn choose(object: &Object, mode: AttachMode) -> AttachType {
    let multi = match mode {
        AttachMode::Single => false,
        AttachMode::Multi => true,
        AttachMode::Auto => has_uprobe_multi(object),
    };
    if multi {
        AttachType::UprobeMulti
    } else {
        AttachType::Usual
    }
}

/// Asks to attach to a directory: a kernel that knows the request finds that out, an older one does
/// not come so far.
fn has_uprobe_multi(object: &Object) -> bool {
    let Ok(program) = object.spare_program("empty_entry", AttachType::UprobeMulti) else {
        return false;
    };
    let probes = UprobeMulti {
        path: c"/",
        offsets: &[0],
        cookies: &[0],
        at_return: false,
        pid: 0,
    };
    let answer = sys::uprobe_multi(program.as_fd(), AttachType::UprobeMulti as u32, &probes);
    answer.is_err_and(|error| error.raw_os_error() == Some(libc::EBADF))
}

/// Attaches to all places that the kernel takes; `pid`: only in that process.
pub(super) fn attach(
    object: &mut Object,
    programs: Programs,
    places: &[Place<'_>],
    mode: AttachMode,
    pid: Option<u32>,
) -> Result<Attached> {
    let attach = choose(object, mode);
    let mut attached = Attached::default();
    for job in programs.jobs(places) {
        let Job {
            program,
            at_return,
            mut targets,
        } = job;
        let refused = &attached.refused;
        targets.retain(|target| {
            refused
                .iter()
                .all(|(function, _)| *function != target.function)
        });
        // Stable: functions of a file stay in their order.
        targets.sort_by_key(|target| target.file);
        let program = object.program_for(program, attach)?;
        for of_file in targets.chunk_by(|one, other| one.file == other.file) {
            match attach {
                AttachType::UprobeMulti => attached.multi(program, at_return, of_file, pid)?,
                AttachType::Usual => attached.single(program, at_return, of_file, pid)?,
            }
        }
    }
    Ok(attached)
}

impl Attached {
    /// In one step; where that is refused, in two halves, until it is known what is refused.
    fn multi(
        &mut self,
        program: BorrowedFd<'_>,
        at_return: bool,
        targets: &[Target<'_>],
        pid: Option<u32>,
    ) -> Result<()> {
        let Some(Target { file, .. }) = targets.first() else {
            return Ok(());
        };
        let path = c_path(file)?;
        let offsets: Vec<u64> = targets.iter().map(|target| target.offset).collect();
        let cookies: Vec<u64> = targets.iter().map(Target::cookie).collect();
        let probes = UprobeMulti {
            path: &path,
            offsets: &offsets,
            cookies: &cookies,
            at_return,
            pid: pid.unwrap_or(0),
        };
        match sys::uprobe_multi(program, AttachType::UprobeMulti as u32, &probes) {
            Ok(link) => self.links.push(link),
            Err(error) if !is_of_a_place(&error) => {
                return Err(Error::from_os("attach to functions", error));
            }
            Err(error) => match targets {
                [target] => self.refuse(*target, error),
                many => {
                    let (one, other) = many.split_at(many.len() / 2);
                    self.multi(program, at_return, one, pid)?;
                    self.multi(program, at_return, other, pid)?;
                }
            },
        }
        Ok(())
    }

    fn single(
        &mut self,
        program: BorrowedFd<'_>,
        at_return: bool,
        targets: &[Target<'_>],
        pid: Option<u32>,
    ) -> Result<()> {
        let uprobe = Uprobe::of_kernel()?;
        for target in targets {
            let path = c_path(target.file)?;
            let cookie = target.cookie();
            let linked = uprobe
                .open(&path, target.offset, at_return, pid)
                .and_then(|event| {
                    let link = sys::perf_event_link(program, event.as_fd(), PERF_EVENT, cookie)?;
                    Ok((link, event))
                });
            match linked {
                Ok((link, event)) => {
                    self.links.push(link);
                    self.events.push(event);
                }
                Err(error) if is_of_a_place(&error) => self.refuse(*target, error),
                Err(error) => return Err(Error::from_os("attach to functions", error)),
            }
        }
        Ok(())
    }

    /// Of a function once, however many of its places are refused.
    fn refuse(&mut self, target: Target<'_>, error: io::Error) {
        let known = |(function, _): &(u32, io::Error)| *function == target.function;
        if !self.refused.iter().any(known) {
            self.refused.push((target.function, error));
        }
    }
}

/// Whether it is the place that the kernel does not like: an instruction that it cannot replace, or an
/// offset that is not in code (`EINVAL`, `ENOTSUPP`), code that others have changed (`EIO`).
fn is_of_a_place(error: &io::Error) -> bool {
    const ENOTSUPP: i32 = 524;
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | ENOTSUPP | libc::EIO | libc::EFAULT)
    )
}

/// The kernel's number for perf events that are probes in user code, and the bit that says that they are
/// at returns.
struct Uprobe {
    event_type: u32,
    at_return: u64,
}

impl Uprobe {
    fn of_kernel() -> Result<Self> {
        const DEVICE: &str = "/sys/bus/event_source/devices/uprobe";
        let read = |file: &str| fs::read_to_string(format!("{DEVICE}/{file}"));
        let parse = || {
            let event_type = read("type").ok()?.trim().parse().ok()?;
            let bit = read("format/retprobe").ok()?;
            let bit: u32 = bit.trim().strip_prefix("config:")?.parse().ok()?;
            Some(Self {
                event_type,
                at_return: 1u64.checked_shl(bit)?,
            })
        };
        parse().ok_or(Error::NoUprobes)
    }

    fn open(
        &self,
        path: &CString,
        offset: u64,
        at_return: bool,
        pid: Option<u32>,
    ) -> io::Result<OwnedFd> {
        let mut attr = sys::perf_attr();
        attr.type_ = self.event_type;
        attr.config = if at_return { self.at_return } else { 0 };
        attr.__bindgen_anon_3.config1 = path.as_ptr() as u64;
        attr.__bindgen_anon_4.config2 = offset;
        sys::perf_event_of_process(&attr, pid)
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| Error::Os {
        what: "attach to functions",
        source: error.into(),
    })
}
