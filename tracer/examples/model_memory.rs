//! How much memory the model takes: scripted batches of very many distinct stacks are applied, and
//! what the process and the model say about it is printed as JSON.
//!
//! `cargo run --release -p tracer --example model_memory [STACKS [PROCESSES]]`

#[allow(dead_code, reason = "each example uses its part of what is shared")]
mod scripted;

use std::{collections::HashSet, error::Error, io::Write, time::Instant};

use scripted::{Counts, TICK_NS, batch, mixed, resident};
use tracer::profile::{Batch, Profile, StackId, StackKey, Window};

fn main() -> Result<(), Box<dyn Error>> {
    let counts = Counts::from_arguments()?;
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
