//! The histogram of a request function beside what the client says itself, and what it costs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Bench, Measuring, judge, lines, quietly, tell};
use crate::bench::workload;
use crate::{paths, run};

/// That are compared.
const PERCENTILES: [usize; 3] = [50, 95, 99];

/// What a client says of a run.
struct Said {
    /// Requests a second.
    rate: f64,
    /// p50, p95 and p99 in microseconds.
    latencies: [f64; 3],
}

pub(in crate::bench) fn run(bench: &Bench) -> Result<bool> {
    let redis = redis(bench)?;
    let postgres = postgres(bench)?;
    let rust = rust(bench)?;
    Ok(redis && postgres && rust)
}

/// A script of a random length, so that requests differ; and the quickest command, for the cost.
fn redis(bench: &Bench) -> Result<bool> {
    let program = paths::find("redis-server").context("no redis-server: `cargo xtask setup`")?;
    let server = workload::redis_server()?;
    let script = "local sum = 0 for i = 1, tonumber(ARGV[1]) do sum = sum + i end return sum";
    let client = |arguments: &[&str]| {
        let mut command = Command::new("redis-benchmark");
        command.args(["-p", &server.port, "--csv", "-c", "1"]);
        command.args(arguments);
        command
    };
    let shape = [
        "-n",
        "30000",
        "-r",
        "20000",
        "eval",
        script,
        "0",
        "__rand_int__",
    ];
    let probe = format!("uprobe:{}:call", program.display());
    let met = compare(bench, &probe, &client(&shape), || {
        redis_said(&mut client(&shape))
    })?;
    // Enough clients that the server's CPU is what there is too little of.
    let gets = ["-c", "50", "-n", "300000", "-t", "get"];
    slowdown(bench, &probe, &client(&gets), || {
        Ok(redis_said(&mut client(&gets))?.rate)
    })?;
    Ok(met)
}

/// From `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_…`.
fn redis_said(command: &mut Command) -> Result<Said> {
    let text = quietly(command)?;
    let last = text
        .lines()
        .last()
        .context("redis-benchmark says nothing")?;
    // The first column is the command, which may have commas of its own.
    let mut columns = last
        .rsplit(',')
        .map(|column| column.trim().trim_matches('"').parse::<f64>());
    let mut next = || columns.next().context("a short line")?.context("no number");
    let (_max, p99, p95, p50) = (next()?, next()?, next()?, next()?);
    let (_min, _mean, rate) = (next()?, next()?, next()?);
    Ok(Said {
        rate,
        latencies: [p50, p95, p99].map(|ms| ms * 1e3),
    })
}

/// Sums of random length, and pgbench's own reads for the cost. `exec_simple_query` is not exported.
fn postgres(bench: &Bench) -> Result<bool> {
    let program = workload::postgres_binaries()?.join("postgres");
    let server = workload::postgres_server()?;
    let script = bench.file("sum.sql");
    fs::write(
        &script,
        "\\set n random(1, 20000)\nselect sum(i) from generate_series(1, :n) i;\n",
    )?;
    let script = script.display().to_string();
    let prefix = bench.file("pgbench").display().to_string();
    let shape = [
        "-n",
        "-c",
        "1",
        "-t",
        "5000",
        "-f",
        &script,
        "-l",
        "--log-prefix",
        &prefix,
    ];
    let reads = ["-n", "-c", "8", "-t", "10000", "-S"];
    let probe = format!("uprobe:{}:PortalRun", program.display());
    let shown = workload::pgbench(&server.port, &shape)?;
    let met = compare(bench, &probe, &shown, || {
        let (rate, pid) = pgbench_rate(workload::pgbench(&server.port, &shape)?)?;
        let log = format!("{prefix}.{pid}");
        let mut took: Vec<f64> = fs::read_to_string(&log)?
            .lines()
            .filter_map(|line| line.split(' ').nth(2)?.parse().ok())
            .collect();
        fs::remove_file(log)?;
        took.sort_by(f64::total_cmp);
        let latencies = PERCENTILES.map(|percent| {
            let at = took.len() * percent / 100;
            took.get(at).copied().unwrap_or_default()
        });
        Ok(Said { rate, latencies })
    })?;
    let reads = || workload::pgbench(&server.port, &reads);
    slowdown(bench, &probe, &reads()?, || Ok(pgbench_rate(reads()?)?.0))?;
    Ok(met)
}

/// Transactions a second, and the PID that names the log.
fn pgbench_rate(mut command: Command) -> Result<(f64, u32)> {
    let shown = run::shown(&command);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let pid = child.id();
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{shown} ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    Ok((rate.with_context(|| format!("no tps in:\n{text}"))?, pid))
}

fn rust(bench: &Bench) -> Result<bool> {
    let program = bench.fixture(
        "rustc",
        "requests.rs",
        "requests",
        &["-O", "--edition=2024"],
    )?;
    let probe = format!("uprobe:{}:requests::handle_request", program.display());
    let client = || {
        let mut command = Command::new(&program);
        command.arg("50000");
        command
    };
    let said = || {
        let text = quietly(&mut client())?;
        let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
        let [rate, p50, p95, p99] = numbers[..] else {
            bail!("not four numbers: {text}");
        };
        Ok(Said {
            rate,
            latencies: [p50, p95, p99].map(|ns| ns / 1e3),
        })
    };
    let met = compare(bench, &probe, &client(), said)?;
    slowdown(bench, &probe, &client(), || Ok(said()?.rate))?;
    Ok(met)
}

/// Percentiles of the function beside those of the client, of the same requests.
fn compare(
    bench: &Bench,
    probe: &str,
    client: &Command,
    said: impl Fn() -> Result<Said>,
) -> Result<bool> {
    let out = bench.file("client.json");
    let shown = run::shown(&hist(bench, &out, probe));
    println!(
        "{probe} beside its client, median of {}\n  {shown}\n  {}",
        bench.rounds,
        run::shown(client)
    );
    let [count, bare_p50, said_p50, said_p95, said_p99, p50, p95, p99] = bench.medians(|| {
        let [bare_p50, ..] = said()?.latencies;
        let tracer = attached(bench, &out, probe)?;
        let [said_p50, said_p95, said_p99] = said()?.latencies;
        tracer.end()?;
        let lines = lines(&out)?;
        let line = lines.last().context("tracer wrote nothing")?;
        let count = line["count"].as_f64().context("no count")?;
        let [p50, p95, p99] = PERCENTILES.map(|percent| reached_us(line, percent));
        Ok([
            count, bare_p50, said_p50, said_p95, said_p99, p50?, p95?, p99?,
        ])
    })?;
    tell("requests", count, "");
    tell("p50: client, without tracer", bare_p50, "µs");
    for (name, client, tracer) in [
        ("p50", said_p50, p50),
        ("p95", said_p95, p95),
        ("p99", said_p99, p99),
    ] {
        tell(&format!("{name}: client"), client, "µs");
        tell(&format!("{name}: tracer"), tracer, "µs");
    }
    // What the client waits for has the function in it, and the way there and back; what is rarer
    // than one of twenty is the machine's doing.
    let shape = (p95 / p50) / (said_p95 / said_p50);
    let off = (shape - 1.0).abs();
    Ok(judge("p95/p50 beside the client's: off by", off, 0.25, ""))
}

/// The upper bound of the bucket that a percentile lies in.
fn reached_us(line: &Value, percent: usize) -> Result<f64> {
    let count = line["count"].as_f64().context("no count")?;
    let buckets = line["buckets"].as_array().context("no buckets")?;
    let mut seen = 0.0;
    for bucket in buckets {
        seen += bucket["count"].as_f64().context("no count")?;
        if seen >= count * percent as f64 / 100.0 {
            return Ok(bucket["high"].as_f64().context("no bound")? / 1e3);
        }
    }
    bail!("no bucket for {percent} %: {line}")
}

/// Throughput without and with the probe, in turns.
fn slowdown(
    bench: &Bench,
    probe: &str,
    client: &Command,
    rate: impl Fn() -> Result<f64>,
) -> Result<()> {
    println!("{}, median of {}", run::shown(client), bench.rounds);
    let [bare, probed] = bench.medians(|| {
        let bare = rate()?;
        let tracer = attached(bench, Path::new("/dev/null"), probe)?;
        let probed = rate()?;
        tracer.end()?;
        Ok([bare, probed])
    })?;
    tell("throughput without tracer", bare, "/s");
    tell("throughput with tracer", probed, "/s");
    tell("slowdown", (bare / probed - 1.0) * 100.0, "%");
    Ok(())
}

/// One interval, however long the client takes.
fn hist(bench: &Bench, out: &Path, probe: &str) -> Command {
    let mut command = bench.hist(out);
    command.args(["-I", "600", probe]);
    command
}

/// Once it says that its probes are there.
fn attached(bench: &Bench, out: &Path, probe: &str) -> Result<Measuring> {
    let said = bench.file("said");
    let mut command = hist(bench, out, probe);
    let tracer = Measuring::start(&mut command, fs::File::create(&said)?)?;
    let start = Instant::now();
    while !fs::read_to_string(&said)?.contains("probing") {
        if start.elapsed() > Duration::from_secs(20) {
            bail!("{} attaches nothing", run::shown(&command));
        }
        thread::sleep(Duration::from_millis(10));
    }
    // What it does between its word and its work.
    thread::sleep(Duration::from_millis(100));
    Ok(tracer)
}
