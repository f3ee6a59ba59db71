//! What a probe costs on this machine, found out on functions of this very program.

use std::{arch::naked_asm, path::Path, time::Instant};

use super::{
    By, CallOptions, CallSession, Error, Place, Result, SessionOptions, Shrink, Target,
    uprobes::Programs,
};
use crate::proc;

/// How probes are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttachMode {
    /// The best that the kernel has.
    #[default]
    Auto,
    /// All functions of a file in one step (Linux 6.6).
    Multi,
    /// One by one.
    Single,
}

/// What a call of a probed function costs, by how the kernel runs the instruction that the probe
/// replaces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbeCosts {
    /// It emulates the instruction.
    pub emulated: CallCost,
    /// It single-steps it.
    pub stepped: CallCost,
    /// It emulates the instruction, and the end is seen at the instruction that returns.
    pub at_exit: CallCost,
}

impl ProbeCosts {
    /// What a call costs, in nanoseconds: by whether the first instruction is emulated, and whether the
    /// end is seen at the instructions that leave.
    pub fn call_ns(&self, emulated: bool, at_exit: bool) -> f64 {
        let entry = if emulated {
            self.emulated.ns
        } else {
            self.stepped.ns
        };
        if at_exit {
            entry + self.at_exit.ns - self.emulated.ns
        } else {
            entry
        }
    }
}

/// What a call costs, entry and return together, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallCost {
    /// With the programs that measure.
    pub ns: f64,
    /// With programs that do nothing, which is the kernel's part, if that was asked for.
    pub empty_ns: Option<f64>,
}

/// Calls of each function in a round, and rounds, of which the quickest counts: what else runs makes the
/// others slow.
const CALLS: [u32; 3] = [1000, 50, 50];
const ROUNDS: u32 = 5;

/// Does nothing, and begins with an instruction that the kernel emulates.
#[unsafe(naked)]
extern "C" fn emulated() {
    naked_asm!("push rbp", "pop rbp", "ret")
}

/// Does nothing, and begins with an instruction that the kernel single-steps.
#[unsafe(naked)]
extern "C" fn stepped() {
    naked_asm!("endbr64", "ret")
}

/// As [`emulated`], and not the same, so that nobody makes one of both.
#[unsafe(naked)]
extern "C" fn at_exit() {
    naked_asm!("push rbx", "pop rbx", "ret")
}

/// Where [`at_exit`] returns, in bytes from its beginning.
const EXIT: u64 = 2;

/// The functions above.
const FUNCTIONS: [extern "C" fn(); 3] = [emulated, stepped, at_exit];

/// Measures it. Takes about 200 ms, most of them to detach; needs what probing needs.
pub fn calibrate(mode: AttachMode) -> Result<ProbeCosts> {
    measure(|session, places| {
        attach(session, Programs::Measuring, places, mode)?;
        let mut best = [f64::INFINITY; 3];
        for _ in 0..ROUNDS {
            round(session, &mut best)?;
        }
        Ok(costs(best, None))
    })
}

/// Measures it with programs that do nothing too, in turns. Takes about a second.
pub fn calibrate_and_compare(mode: AttachMode) -> Result<ProbeCosts> {
    measure(|session, places| {
        let mut best = [[f64::INFINITY; 3]; 2];
        for _ in 0..ROUNDS {
            for (best, programs) in best.iter_mut().zip([Programs::Measuring, Programs::Empty]) {
                attach(session, programs, places, mode)?;
                round(session, best)?;
            }
        }
        let [measuring, empty] = best;
        Ok(costs(measuring, Some(empty)))
    })
}

/// Prepares, measures, and looks whether every call was seen.
fn measure(
    measure: impl FnOnce(&mut CallSession, &[Place<'_>]) -> Result<ProbeCosts>,
) -> Result<ProbeCosts> {
    let pid = std::process::id();
    let ticks = proc::start_ticks(pid).map_err(unreadable)?;
    let session = SessionOptions {
        target: Target::Processes(vec![(pid, ticks)]),
        follow: false,
        idle: false,
        launched: None,
        worker: None,
        room: 0,
        shrink: Shrink::default(),
    };
    let calls = CallOptions {
        functions: 3,
        by: By::Function,
        least_ns: 0,
        own: true,
    };
    let mut session = CallSession::open(&session, &calls)?;
    let mappings = proc::executable_mappings(pid).map_err(unreadable)?;
    let mut offsets = Vec::new();
    for function in FUNCTIONS {
        let address = function as usize as u64;
        let mapping = mappings
            .iter()
            .find(|mapping| (mapping.start..mapping.end).contains(&address))
            .ok_or(Error::Object("no mapping of its own code".to_owned()))?;
        offsets.push(address - mapping.start + mapping.file_offset);
    }
    let exits: Vec<u64> = offsets.iter().skip(2).map(|offset| offset + EXIT).collect();
    let places: Vec<Place<'_>> = (0..)
        .zip(&offsets)
        .map(|(function, offset)| Place {
            function,
            file: Path::new("/proc/self/exe"),
            offset: *offset,
            exits: if function == 2 { &exits } else { &[] },
        })
        .collect();
    let measured = measure(&mut session, &places)?;
    let batch = session.drain()?;
    let mut seen = 0;
    for (_, ledger) in &batch.ledgers {
        seen += ledger.recorded;
        if ledger.lost_total() > 0 || !ledger.balances() {
            return Err(Error::Silent(format!("{ledger:?}")));
        }
    }
    let called = u64::from(CALLS.iter().sum::<u32>() * ROUNDS);
    if seen != called {
        return Err(Error::Silent(format!("{called} calls, {seen} seen")));
    }
    Ok(measured)
}

fn attach(
    session: &mut CallSession,
    programs: Programs,
    places: &[Place<'_>],
    mode: AttachMode,
) -> Result<()> {
    let refused = session.attach_programs(programs, places, mode)?;
    match refused.first() {
        Some((_, why)) => Err(Error::Silent(format!("refused: {why}"))),
        None => Ok(()),
    }
}

/// Times each function once more.
fn round(session: &mut CallSession, best: &mut [f64; 3]) -> Result<()> {
    session.count(true)?;
    for ((best, function), calls) in best.iter_mut().zip(FUNCTIONS).zip(CALLS) {
        *best = best.min(time(function, calls));
    }
    session.count(false)
}

fn costs(measuring: [f64; 3], empty: Option<[f64; 3]>) -> ProbeCosts {
    let cost = |function: usize| CallCost {
        ns: measuring[function],
        empty_ns: empty.map(|empty| empty[function]),
    };
    ProbeCosts {
        emulated: cost(0),
        stepped: cost(1),
        at_exit: cost(2),
    }
}

/// Nanoseconds that a call of a function takes.
fn time(function: extern "C" fn(), calls: u32) -> f64 {
    let begin = Instant::now();
    for _ in 0..calls {
        std::hint::black_box(function)();
    }
    begin.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn unreadable(source: std::io::Error) -> Error {
    Error::Os {
        what: "read about this process",
        source,
    }
}
