//! Answers requests until the parent hangs up.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{ClockId, clock_gettime};

use super::channel::Channel;
use super::debug_info::Budget;
use super::dso::{Dso, Refusal};
use super::kernel::KernelSymbols;
use super::perf_map::PerfMap;
use super::protocol::{Answer, Reply, Request};
use super::table;
use crate::symbol::NoName;

/// All that the worker holds. Which files are open is the parent's business.
#[derive(Default)]
struct Server {
    dsos: HashMap<u32, Dso>,
    maps: HashMap<u32, PerfMap>,
    budget: Budget,
    kallsyms: Option<File>,
    kernel: Option<KernelSymbols>,
}

pub(super) fn serve(channel: Channel, kallsyms: Option<File>) -> io::Result<()> {
    let mut server = Server {
        kallsyms,
        ..Server::default()
    };
    while let Some((request, file)) = channel.receive()? {
        let reply = server.reply(request, file);
        channel.send(&reply, None)?;
    }
    Ok(())
}

impl Server {
    fn reply(&mut self, request: Request, file: Option<OwnedFd>) -> Reply {
        let file = file.map(File::from);
        match request {
            Request::Open { dso } => self.open(dso, file),
            Request::Debug { dso } => self.debug(dso, file),
            Request::Close { dso } => {
                if let Some(dso) = self.dsos.remove(&dso) {
                    dso.close(&mut self.budget);
                }
                Reply::Done
            }
            Request::Offsets { dso, offsets } => Reply::Answers(match self.dsos.get_mut(&dso) {
                Some(dso) => dso.names(&offsets),
                None => none(offsets.len(), NoName::Unreadable),
            }),
            Request::Kernel { addresses } => {
                let kernel = self.kernel();
                Reply::Answers(
                    addresses
                        .iter()
                        .map(|address| kernel.name(*address))
                        .collect(),
                )
            }
            Request::OpenMap { map } => {
                if let Some(file) = file {
                    self.maps.insert(map, PerfMap::new(file));
                }
                Reply::Done
            }
            Request::CloseMap { map } => {
                self.maps.remove(&map);
                Reply::Done
            }
            Request::Jit { map, addresses } => Reply::Answers(match self.maps.get_mut(&map) {
                Some(map) => addresses.iter().map(|address| map.name(*address)).collect(),
                None => none(addresses.len(), NoName::NoPerfMap),
            }),
            Request::Table => table::of(file.as_ref()),
            Request::Usage => usage(),
        }
    }

    fn open(&mut self, number: u32, file: Option<File>) -> Reply {
        let opened = file
            .ok_or(Refusal::Unreadable)
            .and_then(|file| Dso::open(file, &mut self.budget));
        match opened {
            Ok(dso) => {
                let wanted = dso.wants();
                self.dsos.insert(number, dso);
                Reply::Opened(wanted)
            }
            Err(refusal) => refused(refusal),
        }
    }

    fn debug(&mut self, number: u32, file: Option<File>) -> Reply {
        let (Some(file), Some(dso)) = (file, self.dsos.get_mut(&number)) else {
            return Reply::WrongDebugFile;
        };
        dso.add_debug_file(file, &mut self.budget)
            .map_or_else(refused, |()| Reply::Done)
    }

    fn kernel(&mut self) -> &KernelSymbols {
        let kallsyms = &mut self.kallsyms;
        self.kernel.get_or_insert_with(|| {
            kallsyms
                .take()
                .map_or_else(KernelSymbols::default, |file| KernelSymbols::read(&file))
        })
    }
}

fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::Denied => Reply::Denied,
        Refusal::Unreadable => Reply::Unreadable,
        Refusal::Wrong => Reply::WrongDebugFile,
    }
}

fn none(count: usize, why: NoName) -> Vec<Answer> {
    vec![Err(why); count]
}

/// User and system time so far.
pub(super) fn cpu_ns() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec.unsigned_abs() * 1_000_000_000 + used.tv_nsec.unsigned_abs()
}

fn usage() -> Reply {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
    Reply::Usage {
        cpu_ns: cpu_ns(),
        peak_kib: peak_kib.unwrap_or(0),
    }
}
