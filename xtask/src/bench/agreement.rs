//! Whether tracer and perf see the same, over the same seconds.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Bench;
use super::aliases::Aliases;
use super::profiles::{self, SelfSamples};
use super::workload::{self, Workload};
use crate::run;

const SECONDS: Duration = Duration::from_secs(10);
const FREQUENCY: &str = "199";
const WIDEST: usize = 10;

pub(super) fn run(bench: &Bench) -> Result<bool> {
    println!(
        "self time by function, {FREQUENCY} Hz for {} s, at once",
        SECONDS.as_secs()
    );
    let mut met = compare(bench, &workload::sqlite(SECONDS)?)?;
    met &= compare(bench, &workload::redis()?)?;
    met &= compare(bench, &workload::postgres(SECONDS, &[])?)?;
    Ok(met)
}

fn compare(bench: &Bench, workload: &Workload) -> Result<bool> {
    let pids: Vec<String> = workload.pids.iter().map(u32::to_string).collect();
    let pids = pids.join(",");
    let seconds = SECONDS.as_secs().to_string();
    let output = bench.file("stacks.folded");
    let mut flame = Command::new(&bench.tracer);
    flame.args([
        "flame",
        "-e",
        "cpu-clock",
        "-F",
        FREQUENCY,
        "-p",
        &pids,
        "-d",
        &seconds,
    ]);
    flame.arg("-o").arg(&output);
    let mut record = bench.perf(&["-F", FREQUENCY, "-p", &pids, "--", "sleep", &seconds]);
    println!(
        "{}\n  {}\n  {}",
        workload.name,
        run::shown(&flame),
        run::shown(&record)
    );

    let aliases = Aliases::of(&workload.pids);
    let mut beside = record.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let measured = run::status(&mut flame);
    let recorded = beside.wait()?;
    measured?;
    if !recorded.success() {
        bail!("perf record ended with {recorded}");
    }
    let folded = fs::read_to_string(&output).context("tracer wrote no folded stacks")?;
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-F", "ip,sym,dso", "-i"]);
    let script = run::output(script.arg(bench.file("perf.data")).stderr(Stdio::null()))?;
    let ours = profiles::folded(&folded).renamed(|name| aliases.resolve(name));
    let theirs = profiles::perf_script(&script).renamed(|name| aliases.resolve(name));
    if ours.total == 0 || theirs.total == 0 {
        bail!(
            "{}: {} samples, perf {}",
            workload.name,
            ours.total,
            theirs.total
        );
    }
    println!("  {} samples, perf {}", ours.total, theirs.total);
    Ok(table(&ours, &theirs))
}

/// The widest of either, with their difference and what is allowed.
fn table(ours: &SelfSamples, theirs: &SelfSamples) -> bool {
    let mut functions = theirs.widest(WIDEST);
    for function in ours.widest(WIDEST) {
        if !functions.contains(&function) {
            functions.push(function);
        }
    }
    println!(
        "  {:<44} {:>8} {:>8} {:>8}",
        "% of self time", "tracer", "perf", "allowed"
    );
    let mut met = true;
    for function in functions {
        let (our, their) = (ours.share(function), theirs.share(function));
        let allowed = allowed(their, ours.total, theirs.total);
        let agrees = (our - their).abs() <= allowed;
        let verdict = if agrees { "" } else { "  MISSED" };
        let [our, their, allowed] = [our, their, allowed].map(|share| share * 100.0);
        println!("  {function:<44.44} {our:>8.2} {their:>8.2} {allowed:>8.2}{verdict}");
        met &= agrees;
    }
    met
}

/// Three points, or four standard errors of the difference of two shares, whichever is more.
fn allowed(share: f64, ours: u64, theirs: u64) -> f64 {
    let variance = share * (1.0 - share) * (1.0 / ours as f64 + 1.0 / theirs as f64);
    (4.0 * variance.sqrt()).max(0.03)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_allow_for_more() {
        assert!((allowed(0.5, 1_000_000, 1_000_000) - 0.03).abs() < 1e-9);
        assert!((allowed(0.5, 200, 200) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_function_that_only_one_of_them_sees_is_missed() {
        let stacks = |text: &str| profiles::folded(text);
        assert!(table(&stacks("a;f 1000\n"), &stacks("a;f 990\na;g 10\n")));
        assert!(!table(&stacks("a;f 1000\n"), &stacks("a;f 500\na;g 500\n")));
    }
}
