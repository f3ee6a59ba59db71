//! tracer beside perf, bpftrace and funclatency, on the same work in the same run.

mod agreement;
mod aliases;
mod calls;
mod cost;
pub(crate) mod measure;
mod profiles;
mod soak;
mod start;
mod tables;
mod terminal;
mod top;
pub(crate) mod workload;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{paths, run};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure; everything but the soak, the ledger and the suite, if nothing is named
    rows: Vec<Row>,
    /// How often; the medians are printed
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long the soak takes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// How many runs of a million calls the ledger takes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// Wall time of a profile of one second, of one busy process
    Wall,
    /// Time from the start of the program to its first sample
    FirstSample,
    /// CPU time and memory of ten seconds at 99 Hz of the whole system
    System,
    /// The ten widest functions of sqlite3, redis-server and postgres
    Agreement,
    /// Time from the start of the interface to its first frame, and to names in it
    Top,
    /// Frames, keys and memory with a million stacks; CPU time of each screen that stays open
    Tui,
    /// Memory, descriptors and CPU time of the interface while processes come and go
    Soak,
    /// What a call costs that `tracer hist` measures, beside empty programs, bpftrace and funclatency
    Calls,
    /// Time that `tracer hist` takes to attach to every function of libstdc++, and to let go
    Attach,
    /// Whether `tracer hist` accounts for each of a million calls, however they end
    Ledger,
    /// Latencies of postgres, redis-server and a Rust program beside their clients' own, and what they cost
    Clients,
    /// Unwind tables of every ELF file in /usr beside gimli's, how fast they are made and what they take
    Tables,
    /// Whether python3's own tests pass with every function of four libraries probed
    Suite,
}

impl Row {
    /// Whether it takes minutes, and is only done when it is named.
    fn is_long(self) -> bool {
        matches!(self, Self::Soak | Self::Ledger | Self::Suite)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("measuring needs root, as tracer and perf do");
    }
    if paths::find("perf").is_none() {
        bail!("perf is not installed: `cargo xtask setup`");
    }
    run::status(run::cargo().args(["build", "--release", "--locked", "--package", "tracer"]))?;
    let bench = Bench {
        tracer: paths::release_tracer(),
        scratch: tempfile::tempdir().context("cannot make a temporary directory")?,
        rounds: args.rounds,
    };
    let rows = match args.rows.as_slice() {
        [] => Row::value_variants()
            .iter()
            .filter(|row| !row.is_long())
            .collect(),
        named => named.iter().collect::<Vec<_>>(),
    };
    let mut missed = Vec::new();
    for row in rows {
        let met = match row {
            Row::Wall => start::wall(&bench)?,
            Row::FirstSample => start::first_sample(&bench)?,
            Row::System => cost::system(&bench)?,
            Row::Agreement => agreement::run(&bench)?,
            Row::Top => top::start(&bench)?,
            Row::Tui => top::interface(&bench)?,
            Row::Soak => soak::run(&bench, args.minutes)?,
            Row::Calls => calls::cost(&bench)?,
            Row::Attach => calls::attach(&bench)?,
            Row::Ledger => calls::ledger(&bench, args.runs)?,
            Row::Clients => calls::clients(&bench)?,
            Row::Tables => tables::run()?,
            Row::Suite => calls::suite(&bench)?,
        };
        if !met {
            missed.push(format!("{row:?}"));
        }
    }
    if !missed.is_empty() {
        bail!("targets were missed: {}", missed.join(", "));
    }
    Ok(())
}

/// What every row needs.
struct Bench {
    tracer: PathBuf,
    scratch: tempfile::TempDir,
    rounds: u32,
}

impl Bench {
    /// `tracer flame` with these arguments, and an SVG in the scratch directory.
    fn flame(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tracer);
        command
            .arg("flame")
            .args(arguments)
            .arg("-o")
            .arg(self.file("flame.svg"));
        command
    }

    /// `perf record -g` with these arguments, and its file in the scratch directory.
    fn perf(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("perf");
        command.args(["record", "--quiet", "-e", "cpu-clock", "-g"]);
        command
            .arg("-o")
            .arg(self.file("perf.data"))
            .args(arguments);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Takes turns, so that what else the machine does falls on both.
    fn medians<const N: usize>(
        &self,
        mut round: impl FnMut() -> Result<[f64; N]>,
    ) -> Result<[f64; N]> {
        let mut columns: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        for _ in 0..self.rounds {
            for (column, value) in columns.iter_mut().zip(round()?) {
                column.push(value);
            }
        }
        Ok(columns.map(median))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// One line of a table, with whether the target is met.
fn judge(what: &str, value: f64, most: f64, unit: &str) -> bool {
    let met = value <= most;
    let verdict = if met { "met" } else { "MISSED" };
    println!("  {what:<44} {value:>9.2} {unit:<4} target {most:.2}: {verdict}");
    met
}

/// One line of a table, of what must not be less.
fn judge_least(what: &str, value: f64, least: f64, unit: &str) -> bool {
    let met = value >= least;
    let verdict = if met { "met" } else { "MISSED" };
    println!("  {what:<44} {value:>9.2} {unit:<4} target {least:.2}: {verdict}");
    met
}

/// One line of a table, of what there is no target for.
fn tell(what: &str, value: f64, unit: &str) {
    println!("  {what:<44} {value:>9.2} {unit}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
    }
}
