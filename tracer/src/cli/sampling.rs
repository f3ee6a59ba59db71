//! What to sample and how: the flags that every command that samples has.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{duration, subject::SubjectArgs, usage};
use crate::{
    kernel::{Event, Shrink},
    plan::{CallGraph, Failure, Sampling, Subject},
    proc,
};

#[derive(Args)]
pub(super) struct SamplingArgs {
    #[command(flatten)]
    who: SubjectArgs,

    /// Only what runs on these CPUs, such as 0-3,8
    #[arg(short = 'C', long = "cpu", value_name = "LIST", value_parser = cpu_list, help_heading = "What to measure")]
    cpus: Option<CpuList>,

    /// Count the idle task too, one stack for each idle CPU
    #[arg(long, help_heading = "What to measure")]
    idle: bool,

    /// Samples a second on each CPU
    #[arg(short = 'F', long = "freq", value_name = "HZ", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    hertz: u32,

    /// How long: 10, 500ms, 2m; without it until Ctrl-C or until what is measured ends
    #[arg(short, long, value_name = "DUR", value_parser = duration::parse)]
    duration: Option<Duration>,

    /// What makes a CPU take a sample
    #[arg(short, long, value_enum, default_value_t = EventArg::Auto)]
    event: EventArg,

    /// How stacks are walked
    #[arg(long, value_enum, default_value_t = CallGraphArg::Auto, value_name = "HOW")]
    call_graph: CallGraphArg,

    /// The most memory that unwind tables may take in the kernel: 64M, 1G
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size)]
    unwind_memory: u64,

    #[arg(long, hide = true, value_parser = shrink)]
    shrink: Option<Shrink>,
}

#[derive(Clone, Copy, ValueEnum)]
enum EventArg {
    /// Hardware cycles where the machine has them, else the CPU clock
    Auto,
    /// Hardware cycles
    Cycles,
    /// A timer on each CPU
    CpuClock,
}

#[derive(Clone, Copy, ValueEnum)]
enum CallGraphArg {
    /// With the unwind tables (.eh_frame) of the files, along frame pointers where there is none
    Auto,
    /// With unwind tables only
    Dwarf,
    /// Along frame pointers only
    Fp,
}

impl SamplingArgs {
    /// The plan; says what is wrong with it if it cannot be.
    pub(super) fn lower(self) -> Result<Sampling, Failure> {
        let Self {
            who,
            cpus,
            idle,
            hertz,
            duration,
            event,
            call_graph,
            unwind_memory,
            shrink,
        } = self;
        let (subject, children) = who.lower();
        if idle && subject != Subject::All {
            return Err(usage(
                "--idle counts idle CPUs, which belong to nobody; use it with -a",
            ));
        }
        Ok(Sampling {
            subject,
            children,
            hertz,
            cpus: cpus.map(|CpuList(cpus)| cpus),
            event: match event {
                EventArg::Auto => Event::Auto,
                EventArg::Cycles => Event::Cycles,
                EventArg::CpuClock => Event::CpuClock,
            },
            idle,
            call_graph: match call_graph {
                CallGraphArg::Auto => CallGraph::Auto,
                CallGraphArg::Dwarf => CallGraph::Tables,
                CallGraphArg::Fp => CallGraph::FramePointers,
            },
            unwind_memory,
            duration,
            shrink: shrink.unwrap_or_default(),
        })
    }
}

/// Bytes, or with a suffix K, M or G.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << unit))
        .ok_or_else(|| "not a size; try 256M".to_owned())
}

#[derive(Clone)]
struct CpuList(Vec<u32>);

fn cpu_list(text: &str) -> Result<CpuList, String> {
    proc::parse_cpu_list(text)
        .map(CpuList)
        .ok_or_else(|| "not a list of CPUs; try 0-3,8".to_owned())
}

/// `counts=16,ring=4096,kstacks=1,scratch=0,epoch=5`.
pub(super) fn shrink(text: &str) -> Result<Shrink, String> {
    let mut shrink = Shrink::default();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("no '=' in '{part}'"))?;
        let value = value
            .parse()
            .map_err(|_| format!("no number in '{part}'"))?;
        let field = match name {
            "counts" => &mut shrink.counts,
            "ring" => &mut shrink.ring,
            "kstacks" => &mut shrink.kernel_stacks,
            "scratch" => &mut shrink.scratch,
            "calls" => &mut shrink.calls,
            "epoch" => &mut shrink.epoch,
            _ => {
                return Err(format!(
                    "no size '{name}'; there are counts, ring, kstacks, scratch, calls, epoch"
                ));
            }
        };
        *field = Some(value);
    }
    Ok(shrink)
}
