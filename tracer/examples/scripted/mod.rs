//! Scripted batches of very many distinct stacks, and names for their frames.

use std::{error::Error, fs};

use tracer::{
    profile::{
        Batch, Comm, Dso, Fact, FactKind, Frame, FrameId, Image, Ledger, Mapping, Profile,
        RawStack, Sample, StackKey,
    },
    symbol::{Function, Location, Symbol, Symbols},
};

/// What to script.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    /// Distinct stacks, each sampled once and shared by no two processes.
    pub(crate) stacks: u64,
    /// Processes, each with its own addresses, there before the first batch.
    pub(crate) processes: u64,
    /// Different programs that they run: equal ones have the same callers.
    pub(crate) programs: u64,
    /// Frames of each stack.
    pub(crate) depth: u64,
    /// Frames at its leaf that it has to itself.
    pub(crate) own: u64,
    /// Batches, a quarter of a second each.
    pub(crate) batches: u64,
}

/// The length of a batch.
pub(crate) const TICK_NS: u64 = 250_000_000;
/// Libraries that a process has mapped, besides its program.
const LIBRARIES: u64 = 15;
/// Code of one file.
const CODE: u64 = 4 << 20;
/// Call sites that each file has.
const SITES: u64 = 4096;
/// Different callers in a program.
const CALLERS: u64 = 50;

/// Call sites of a function.
const SITES_OF_FUNCTION: u64 = 32;

impl Counts {
    /// So many stacks, of so many processes.
    pub(crate) fn new(stacks: u64, processes: u64) -> Self {
        Self {
            stacks,
            processes,
            programs: 200,
            depth: 20,
            own: 3,
            batches: 400,
        }
    }

    /// From the arguments of the program; a million stacks of five thousand processes without.
    pub(crate) fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let mut numbers = std::env::args().skip(1).map(|number| number.parse());
        let stacks = numbers.next().transpose()?.unwrap_or(1_000_000);
        let processes = numbers.next().transpose()?.unwrap_or(5_000);
        Ok(Self::new(stacks, processes))
    }
}

/// One of the batches: an even share of all processes and stacks.
pub(crate) fn batch(counts: Counts, number: u64) -> Batch {
    let share = |all: u64| all * number / counts.batches..all * (number + 1) / counts.batches;
    let (start_ns, end_ns) = (number * TICK_NS, (number + 1) * TICK_NS);
    // Stacks go round the processes, which are therefore all there from the start.
    let processes = if number == 0 {
        0..counts.processes
    } else {
        0..0
    };
    let facts = processes.map(|process| Fact {
        time_ns: start_ns,
        pid: pid(process),
        kind: FactKind::Snapshot(mappings(counts, process)),
    });
    let stacks = share(counts.stacks);
    let count = stacks.end - stacks.start;
    Batch {
        start_ns,
        end_ns,
        facts: facts.collect(),
        user_stacks: stacks.clone().map(|stack| raw(counts, stack)).collect(),
        samples: stacks.map(|stack| sample(counts, stack)).collect(),
        ledger: Ledger {
            fired: count,
            recorded: count,
            complete: count,
            ..Ledger::default()
        },
        ..Batch::default()
    }
}

fn pid(process: u64) -> u32 {
    1000 + process as u32
}

/// The program, and libraries that all programs share, at addresses that no other process has
/// them at.
fn mappings(counts: Counts, process: u64) -> Vec<Mapping> {
    let file = |file: u64| {
        let name = match file {
            0 => format!("/usr/bin/program-{}", process % counts.programs),
            library => format!("/usr/lib/x86_64-linux-gnu/library-{library}.so"),
        };
        let inode = match file {
            0 => 1000 + process % counts.programs,
            library => library,
        };
        Mapping {
            start: address(process, file, 0),
            end: address(process, file, 0) + CODE,
            file_offset: 0,
            dso: Dso {
                path: name.into_bytes(),
                device: (8, 1),
                inode,
            },
        }
    };
    (0..=LIBRARIES).map(file).collect()
}

/// Where a call site of a file is in a process.
fn address(process: u64, file: u64, site: u64) -> u64 {
    let slide = mixed(process) % (1 << 24) * 0x1000;
    let base = match file {
        0 => 0x5555_0000_0000 + slide,
        library => 0x7f00_0000_0000 + slide + library * 2 * CODE,
    };
    base + site * (CODE / SITES)
}

/// Which process has a stack.
fn process_of(counts: Counts, stack: u64) -> u64 {
    stack % counts.processes
}

fn raw(counts: Counts, stack: u64) -> RawStack {
    let process = process_of(counts, stack);
    let of_process = stack / counts.processes;
    let program = process % counts.programs;
    let caller = mixed(of_process) % CALLERS;
    // The further from its root, the fewer stacks share a frame.
    let shared = (0..counts.depth - counts.own).map(|level| {
        let kind = mixed(program << 32 | level << 16 | caller >> (6 - level.min(6)));
        address(process, kind % 4, kind / 4 % SITES)
    });
    let own = (0..counts.own).map(|level| {
        // The first of them is what tells any two stacks with the same callers apart.
        let kind = mixed(stack << 8 | level);
        let site = if level == 0 {
            stack / counts.programs % SITES
        } else {
            kind / 16 % SITES
        };
        address(process, 1 + kind % LIBRARIES, site)
    });
    let mut addresses: Vec<u64> = shared.chain(own).collect();
    addresses.reverse();
    // All but the leaf are return addresses: after the call.
    addresses
        .iter_mut()
        .skip(1)
        .for_each(|address| *address += 1);
    RawStack {
        id: StackKey(mixed(stack)),
        addresses,
    }
}

fn sample(counts: Counts, stack: u64) -> Sample {
    let process = process_of(counts, stack);
    let mut comm = Comm::default();
    comm.0[..7].copy_from_slice(b"program");
    Sample {
        image: Image {
            pid: pid(process),
            start_ns: 1 + process,
            exec: 1,
        },
        tid: pid(process),
        comm,
        user: Some(StackKey(mixed(stack))),
        kernel: None,
        truncated: None,
        weight: 1,
    }
}

/// Scattered, the same in every run, and different for different numbers.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Names all frames that are new, as the worker would. Programs have debug information, libraries
/// only symbols.
pub(crate) fn name(profile: &mut Profile, symbols: &mut Symbols) {
    for id in profile.new_frames() {
        let symbol = symbol(profile, id);
        symbols.insert(id, Ok(symbol));
    }
}

fn symbol(profile: &Profile, id: FrameId) -> Symbol {
    let Frame::File { dso, offset } = profile.frame(id) else {
        return Symbol {
            functions: vec![plain("nowhere".to_owned())],
        };
    };
    let site = offset / (CODE / SITES);
    let function = site / SITES_OF_FUNCTION;
    let path = String::from_utf8_lossy(&profile.dso(dso).path).into_owned();
    let file = path.rsplit('/').next().unwrap_or_default();
    if !file.starts_with("program") {
        return Symbol {
            functions: vec![plain(format!("{}_function_{function}", &file[3..]))],
        };
    }
    let place = |line| {
        Some(Location {
            file: format!("/build/{file}-1.2.3/src/part_{}.rs", function % 16),
            line,
        })
    };
    let mut functions = vec![Function {
        name: format!("program::part_{}::Thing<T>::do_{function}", function % 16),
        location: place(site as u32),
    }];
    if site.is_multiple_of(4) {
        functions.push(Function {
            name: format!("core::iter::Iterator::step_{}", function % 32),
            location: place(1),
        });
    }
    Symbol { functions }
}

fn plain(name: String) -> Function {
    Function {
        name,
        location: None,
    }
}

/// A line of /proc/self/status, in bytes.
pub(crate) fn resident(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
    let value = lines.next().and_then(|rest| rest.split_whitespace().nth(1));
    let kibibytes: u64 = value.ok_or("no such line")?.parse()?;
    Ok(kibibytes * 1024)
}
