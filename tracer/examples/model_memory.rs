//! How much memory the model takes: scripted batches of very many distinct stacks are applied, and
//! what the process and the model say about it is printed as JSON.
//!
//! `cargo run --release -p tracer --example model_memory [STACKS [PROCESSES]]`

use std::{collections::HashSet, error::Error, fs, io::Write, time::Instant};

use tracer::profile::{
    Batch, Comm, Dso, Fact, FactKind, Image, Ledger, Mapping, Profile, RawStack, Sample, StackId,
    StackKey, Window,
};

/// What to script.
#[derive(Clone, Copy)]
struct Counts {
    /// Distinct stacks, each sampled once and shared by no two processes.
    stacks: u64,
    /// Processes, each with its own addresses, there before the first batch.
    processes: u64,
    /// Different programs that they run: equal ones have the same callers.
    programs: u64,
    /// Frames of each stack.
    depth: u64,
    /// Frames at its leaf that it has to itself.
    own: u64,
    /// Batches, a quarter of a second each.
    batches: u64,
}

const TICK_NS: u64 = 250_000_000;
/// Libraries that a process has mapped, besides its program.
const LIBRARIES: u64 = 15;
/// Code of one file.
const CODE: u64 = 4 << 20;
/// Call sites that each file has.
const SITES: u64 = 4096;
/// Different callers in a program.
const CALLERS: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse());
    let stacks = numbers.next().transpose()?.unwrap_or(1_000_000);
    let processes = numbers.next().transpose()?.unwrap_or(5_000);
    let counts = Counts {
        stacks,
        processes,
        programs: 200,
        depth: 20,
        own: 3,
        batches: 400,
    };
    let before = resident("VmRSS")?;
    let mut profile = Profile::new();
    let mut apply_ns = 0;
    for number in 0..counts.batches {
        let batch = batch(counts, number);
        let began = Instant::now();
        profile.apply(batch);
        apply_ns += began.elapsed().as_nanos();
    }
    profile.finish();
    let held = profile.held();
    let (rss, peak) = (resident("VmRSS")?, resident("VmHWM")?);
    let distinct = distinct(&profile);

    // All raw stacks are forgotten, and the older half of time with what it alone has reached.
    let now_ns = counts.batches * TICK_NS;
    let keys = (0..counts.stacks).map(|stack| StackKey(mixed(stack)));
    profile.apply(Batch {
        start_ns: now_ns,
        end_ns: now_ns + TICK_NS,
        forgotten_user_stacks: keys.collect(),
        ..Batch::default()
    });
    profile.forget_before(now_ns / 2);
    let began = Instant::now();
    let garbage = profile.collect_garbage();
    let collect_ms = began.elapsed().as_millis();
    let left = profile.held();
    let report = serde_json::json!({
        "distinct_stacks": distinct,
        "processes": held.processes,
        "threads": held.threads,
        "frames": held.frames,
        "stack_nodes": held.stacks,
        "rows": held.rows,
        "held_bytes": held.bytes,
        "rss_before": before,
        "rss": rss,
        "rss_peak": peak,
        "apply_ms": apply_ns / 1_000_000,
        "forgotten": {
            "collect_garbage_ms": collect_ms,
            "stacks_freed": garbage.stacks_freed,
            "stack_nodes": left.stacks,
            "rows": left.rows,
            "held_bytes": left.bytes,
            "rss": resident("VmRSS")?,
        },
    });
    writeln!(std::io::stdout(), "{report:#}")?;
    Ok(())
}

fn distinct(profile: &Profile) -> usize {
    let stacks: HashSet<StackId> = profile.weights(Window::ALL).map(|row| row.stack).collect();
    stacks.len()
}

/// One of the batches: an even share of all processes and stacks.
fn batch(counts: Counts, number: u64) -> Batch {
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
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A line of /proc/self/status, in bytes.
fn resident(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines().filter_map(|line| line.strip_prefix(name));
    let value = lines.next().and_then(|rest| rest.split_whitespace().nth(1));
    let kibibytes: u64 = value.ok_or("no such line")?.parse()?;
    Ok(kibibytes * 1024)
}
