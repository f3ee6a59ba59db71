//! Latencies of calls: counts that are exact, whatever calls do instead of returning.

use std::process::Command;

use serde_json::Value;

use crate::common::fixture;
use crate::common::guard::kernel;
use crate::common::tracer::tracer;

/// What `tracer hist` said of one probe: the sum of all intervals.
#[derive(Debug, Default)]
struct Told {
    count: u64,
    fired: u64,
    filtered: u64,
    open: i64,
    map_full: u64,
    no_return: u64,
    depth: u64,
    /// Count, and the bounds of p50, of each interval in which there was a call.
    medians: Vec<(u64, u64, u64)>,
    max: u64,
}

/// Measures some functions of the fixture while it makes calls of a kind.
#[track_caller]
fn hist(options: &[&str], functions: &[&str], kind: [&str; 3]) -> Vec<Told> {
    let program = fixture::program("calls");
    let mut command = tracer();
    command.arg("hist").arg("--json").args(options);
    let probes: Vec<String> = functions
        .iter()
        .map(|function| format!("uprobe:{}:{function}", program.display()))
        .collect();
    command.args(&probes).arg("--").arg(&program).args(kind);
    let lines = printed(command);
    probes
        .iter()
        .map(|probe| told(lines.iter().filter(|line| line["probe"] == **probe)))
        .collect()
}

#[track_caller]
fn printed(mut command: Command) -> Vec<Value> {
    let output = command.output().expect("tracer can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let text = String::from_utf8(output.stdout).expect("it prints text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Adds the intervals up. Each must balance on its own.
#[track_caller]
fn told<'a>(lines: impl Iterator<Item = &'a Value>) -> Told {
    let mut told = Told::default();
    for line in lines {
        let number = |value: &Value| {
            value
                .as_u64()
                .unwrap_or_else(|| panic!("{value} in {line}"))
        };
        let ledger = &line["ledger"];
        let lost = &ledger["lost"];
        let open = ledger["open"].as_i64().expect("a number");
        let count = number(&line["count"]);
        let [fired, recorded, filtered, thinned] =
            ["fired", "recorded", "filtered", "thinned"].map(|name| number(&ledger[name]));
        let [map_full, no_return, depth] =
            ["map_full", "no_return", "uretprobe_depth"].map(|name| number(&lost[name]));
        assert_eq!(count, recorded, "{line}");
        let ended = recorded + filtered + thinned + map_full + no_return + depth;
        assert_eq!(
            i128::from(fired),
            i128::from(ended) + i128::from(open),
            "{line}"
        );
        let buckets = line["buckets"].as_array().expect("a list");
        let held: u64 = buckets.iter().map(|bucket| number(&bucket["count"])).sum();
        assert_eq!(held, count, "{line}");
        told.count += count;
        told.fired += fired;
        told.filtered += filtered;
        told.open += open;
        told.map_full += map_full;
        told.no_return += no_return;
        told.depth += depth;
        if count > 0 {
            let bounds = &line["p50_bounds"];
            told.medians
                .push((count, number(&bounds[0]), number(&bounds[1])));
            told.max = told.max.max(number(&line["max"]));
            assert!(number(&line["min"]) <= number(&line["max"]), "{line}");
        }
    }
    told
}

/// All that began has been recorded.
#[track_caller]
fn assert_exact(told: &Told, calls: u64) {
    assert_eq!((told.fired, told.count), (calls, calls), "{told:?}");
    assert_eq!(
        told.filtered + told.map_full + told.no_return + told.depth,
        0,
        "{told:?}"
    );
    assert_eq!(told.open, 0, "{told:?}");
}

#[test]
fn every_call_of_every_thread_is_counted() {
    let Some(_kernel) = kernel("every_call_of_every_thread_is_counted") else {
        return;
    };
    for mode in ["multi", "single"] {
        for (threads, times) in [("1", "100000"), ("8", "10000"), ("64", "1000")] {
            let told = hist(&["--attach", mode], &["work"], ["work", threads, times]);
            let calls = threads.parse::<u64>().unwrap() * times.parse::<u64>().unwrap();
            assert_exact(&told[0], calls);
        }
    }
}

#[test]
fn a_million_calls_are_a_million() {
    let Some(_kernel) = kernel("a_million_calls_are_a_million") else {
        return;
    };
    let told = hist(&[], &["work"], ["work", "2", "500000"]);
    assert_exact(&told[0], 1_000_000);
}

#[test]
fn the_median_is_what_the_calls_took() {
    let Some(_kernel) = kernel("the_median_is_what_the_calls_took") else {
        return;
    };
    let told = hist(&[], &["spin"], ["spin", "1", "5000"]);
    assert_exact(&told[0], 5000);
    // 100 µs, and what two clocks and a trap take: within a bucket, of 1/32.
    let most = told[0]
        .medians
        .iter()
        .max()
        .expect("an interval with calls");
    assert!(most.1 >= 96_000 && most.2 <= 108_000, "{told:?}");
}

#[test]
fn recursion_is_a_latency_for_each_call() {
    let Some(_kernel) = kernel("recursion_is_a_latency_for_each_call") else {
        return;
    };
    let told = hist(&[], &["descend"], ["descend32", "2", "300"]);
    assert_exact(&told[0], 2 * 300 * 32);
    let told = hist(&[], &["descend"], ["descend100", "2", "300"]);
    // The kernel keeps 64 return probes for a thread.
    let descents = 2 * 300;
    assert_eq!(
        (told[0].fired, told[0].open),
        (descents * 100, 0),
        "{told:?}"
    );
    assert_eq!(
        (told[0].count, told[0].depth),
        (descents * 64, descents * 36),
        "{told:?}"
    );
    assert_eq!(told[0].no_return, 0, "{told:?}");
}

#[test]
fn calls_that_are_left_by_a_jump_are_lost_and_the_others_are_not() {
    let Some(_kernel) = kernel("calls_that_are_left_by_a_jump_are_lost_and_the_others_are_not")
    else {
        return;
    };
    let told = hist(&[], &["leave", "around"], ["leave", "2", "300"]);
    let [leave, around] = told.as_slice() else {
        panic!("{told:?}");
    };
    // Depths 1, 2, 3 in turn.
    assert_eq!(
        (leave.fired, leave.no_return),
        (2 * 600, 2 * 600),
        "{leave:?}"
    );
    assert_eq!((leave.count, leave.open), (0, 0), "{leave:?}");
    assert_exact(around, 2 * 300);
    // Without a probe around them, nothing says that they are over until the next one.
    let told = hist(&[], &["leave"], ["leave", "1", "300"]);
    assert_eq!(told[0].fired, 600, "{told:?}");
    assert!(told[0].open >= 1 && told[0].open <= 3, "{told:?}");
    assert_eq!(
        told[0].no_return + told[0].open.unsigned_abs(),
        600,
        "{told:?}"
    );
}

#[test]
fn exceptions_pass_and_the_calls_that_they_leave_are_lost() {
    let Some(_kernel) = kernel("exceptions_pass_and_the_calls_that_they_leave_are_lost") else {
        return;
    };
    let program = fixture::program("throws");
    let probes = ["catcher", "middle", "thrower"]
        .map(|function| format!("uprobe:{}:{function}", program.display()));
    let mut command = tracer();
    command.args(["hist", "-o"]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("out.json");
    command.arg(&file).args(&probes).arg("--").arg(&program);
    let output = command.arg("1000").output().expect("tracer can be run");
    assert!(output.status.success(), "{output:?}");
    // The program lives, and catches what it always did.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "caught 500\n");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let [catcher, middle, thrower] =
        probes.map(|probe| told(lines.iter().filter(|line| line["probe"] == *probe)));
    assert_exact(&catcher, 1000);
    for told in [middle, thrower] {
        assert_eq!(
            (told.fired, told.count, told.no_return),
            (1000, 500, 500),
            "{told:?}"
        );
    }
}

#[test]
fn a_thread_that_throws_from_a_great_depth_is_measured_on() {
    let Some(_kernel) = kernel("a_thread_that_throws_from_a_great_depth_is_measured_on") else {
        return;
    };
    let program = fixture::program("throws");
    let mut command = tracer();
    command.args(["hist", "--json"]);
    command.arg(format!("uprobe:{}:deep", program.display()));
    command.arg(format!("uprobe:{}:catcher", program.display()));
    command.arg("--").arg(&program).args(["20", "deep"]);
    let output = command.output().expect("tracer can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("caught 30\n"), "{text}");
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<Value> = lines.collect();
    let told = told(lines.iter().filter(|line| {
        line["probe"]
            .as_str()
            .is_some_and(|probe| probe.ends_with(":deep"))
    }));
    // Of each descent of 100 there is room for 64; all begin anew, though none of them ever returned.
    assert_eq!(
        (told.fired, told.count, told.depth),
        (2000, 0, 20 * 36),
        "{told:?}"
    );
    assert_eq!(
        told.no_return + told.open.unsigned_abs(),
        20 * 64,
        "{told:?}"
    );
}

#[test]
fn a_tail_call_returns_both() {
    let Some(_kernel) = kernel("a_tail_call_returns_both") else {
        return;
    };
    let told = hist(&[], &["tail_start", "tail_end"], ["tail", "2", "1000"]);
    assert_exact(&told[0], 2000);
    assert_exact(&told[1], 2000);
}

#[test]
fn a_loop_at_the_beginning_counts_once() {
    let Some(_kernel) = kernel("a_loop_at_the_beginning_counts_once") else {
        return;
    };
    let told = hist(&[], &["looped"], ["looped", "1", "1000"]);
    assert_exact(&told[0], 1000);
}

#[test]
fn a_call_that_the_process_ends_in_is_open() {
    let Some(_kernel) = kernel("a_call_that_the_process_ends_in_is_open") else {
        return;
    };
    let told = hist(&[], &["stuck"], ["stuck", "0", "0"]);
    assert_eq!(
        (told[0].fired, told[0].count, told[0].open),
        (1, 0, 1),
        "{told:?}"
    );
}

#[test]
fn short_calls_are_filtered_and_full_maps_are_lost() {
    let Some(_kernel) = kernel("short_calls_are_filtered_and_full_maps_are_lost") else {
        return;
    };
    let told = hist(&["--slower-than", "50ms"], &["work"], ["work", "2", "2000"]);
    assert_eq!(
        (told[0].fired, told[0].filtered + told[0].count),
        (4000, 4000),
        "{told:?}"
    );
    assert!(told[0].filtered > 3900, "{told:?}");
    let told = hist(
        &["--shrink", "calls=1"],
        &["work", "spin"],
        ["spin", "1", "2000"],
    );
    assert_eq!(told[1].fired, 2000, "{told:?}");
    assert!(told[1].map_full > 0 && told[1].count > 0, "{told:?}");
    assert_eq!(told[1].count + told[1].map_full, 2000, "{told:?}");
}

#[test]
fn callers_are_told_apart() {
    let Some(_kernel) = kernel("callers_are_told_apart") else {
        return;
    };
    let program = fixture::program("calls");
    let probe = format!("uprobe:{}:work", program.display());
    let script = format!("{0} work 2 1000 & {0} work 3 1000; wait", program.display());
    for (by, keys, each) in [
        ("pid", 2, None),
        ("tid", 5, Some(1000)),
        ("comm", 1, Some(5000)),
    ] {
        let mut command = tracer();
        command
            .args(["hist", "--json", "-I", "60", "--by", by])
            .arg(&probe);
        command.args(["--", "sh", "-c", &script]);
        let lines = printed(command);
        let counted: Vec<u64> = lines
            .iter()
            .filter_map(|line| line["key"].as_str().and(line["count"].as_u64()))
            .filter(|count| *count > 0)
            .collect();
        assert_eq!(counted.len(), keys, "{lines:?}");
        assert_eq!(counted.iter().sum::<u64>(), 5000, "{lines:?}");
        if let Some(each) = each {
            assert!(counted.iter().all(|count| *count == each), "{lines:?}");
        }
    }
}

#[test]
fn what_ran_before_is_not_counted_and_what_runs_after_is_open() {
    let Some(_kernel) = kernel("what_ran_before_is_not_counted_and_what_runs_after_is_open") else {
        return;
    };
    let sleeper = |script: &str| {
        Command::new("sh")
            .args(["-c", script])
            .spawn()
            .expect("sh can be run")
    };
    let mut running = sleeper("sleep 4");
    let mut command = tracer();
    command.args(["hist", "--json", "-I", "60", "-d", "2", "--no-children"]);
    command.args(["-p", &running.id().to_string()]);
    command.args(["uprobe:libc:wait4", "uprobe:libc:waitpid"]);
    let lines = printed(command);
    let told = told(lines.iter());
    running.wait().expect("our own child");
    // The shell was waiting already.
    assert_eq!((told.fired, told.count, told.open), (0, 0, 0), "{told:?}");
}

#[test]
fn a_program_that_cancels_threads_is_warned_of_once() {
    let Some(_kernel) = kernel("a_program_that_cancels_threads_is_warned_of_once") else {
        return;
    };
    let program = fixture::program("cancels");
    for (options, times) in [(&[][..], 1), (&["--returns", "instruction"], 0)] {
        let output = tracer()
            .args(["hist", "work", "--json"])
            .args(options)
            .arg("--")
            .arg(&program)
            .output()
            .expect("tracer can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let warning = "cancels imports pthread_cancel (in cancels): a thread cancelled inside a probed function \
                       may skip clean-up; --returns instruction avoids that";
        assert_eq!(said.matches(warning).count(), times, "{said}");
    }
}
