//! What it costs to watch a busy machine.

use std::process::Command;

use anyhow::Result;

use super::{Bench, judge, measure, tell, workload};
use crate::run;

/// Ten seconds at 99 Hz of everything, while two CPUs compress.
pub(super) fn system(bench: &Bench) -> Result<bool> {
    let _gzips = workload::Gzips::start(bench.scratch.path(), 2)?;
    let flame = bench.flame(&["-a", "-F", "99", "-d", "10"]);
    let record = bench.perf(&["-F", "99", "-a", "--", "sleep", "10"]);
    let mut script = Command::new("perf");
    script.args(["script", "-i"]).arg(bench.file("perf.data"));
    println!(
        "10 s at 99 Hz, system-wide, two `gzip -9`, median of {}",
        bench.rounds
    );
    for command in [&flame, &record, &script] {
        println!("  {}", run::shown(command));
    }
    let [
        flame_cpu,
        flame_peak,
        record_cpu,
        record_peak,
        script_cpu,
        script_peak,
    ] = bench.medians(|| {
        let [flame, record, script] = [&flame, &record, &script]
            .map(|command| measure::command(bench.scratch.path(), command));
        let (flame, record, script) = (flame?, record?, script?);
        Ok([
            flame.cpu_s,
            flame.peak_mib,
            record.cpu_s,
            record.peak_mib,
            script.cpu_s,
            script.peak_mib,
        ])
    })?;
    tell("perf record: CPU (`sleep` included)", record_cpu, "s");
    tell("perf script, for names: CPU on top", script_cpu, "s");
    tell("perf record: peak memory", record_peak, "MiB");
    tell("perf script: peak memory", script_peak, "MiB");
    let cpu = judge("tracer flame, names included: CPU", flame_cpu, 0.25, "s");
    let peak = judge(
        "tracer flame, worker included: peak memory",
        flame_peak,
        60.0,
        "MiB",
    );
    Ok(cpu && peak)
}
