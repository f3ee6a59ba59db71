//! Probes that were moved to a cheaper instruction count what probes at the functions' beginnings count.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::fixture;
use crate::common::guard::kernel;
use crate::common::tracer::tracer;

const LIBRARIES: [&str; 5] = ["libc", "libcrypto", "libstdc++", "libz", "libm"];

/// How often each function was called: by file and name.
type Counts = BTreeMap<(String, String), u64>;

/// What a run showed.
struct Ran {
    counts: Counts,
    /// Standard output of the command.
    said: String,
    probed: usize,
    moved: usize,
}

#[track_caller]
fn run(at_start: bool, command: &[&str]) -> Ran {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("out.json");
    let mut tracer = tracer();
    tracer.args([
        "hist",
        "--yes",
        "--by",
        "function",
        "-I",
        "600",
        "--no-children",
        "-o",
    ]);
    tracer.arg(&file);
    if at_start {
        tracer.arg("--at-start");
    }
    tracer.args(LIBRARIES.map(|library| format!("uprobe:{library}:*")));
    // Symbols are bound at once, so that the dynamic linker's calls do not depend on what is probed.
    let output = tracer
        .arg("--")
        .args(command)
        .env("LD_BIND_NOW", "1")
        .output()
        .expect("tracer can be run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
    let number = |after: &str, before: &str| {
        let rest = told.split_once(after).map_or("", |(_, rest)| rest);
        let number = rest.split_once(before).map_or("0", |(number, _)| number);
        number.trim().parse().unwrap_or(0)
    };
    Ran {
        counts: counts(&file),
        said: String::from_utf8_lossy(&output.stdout).into_owned(),
        probed: number("probing ", " functions"),
        moved: number(" files, ", " of them moved"),
    }
}

fn counts(file: &Path) -> Counts {
    let text = std::fs::read_to_string(file).expect("it was written");
    let mut counts = Counts::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let name = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let fired = line["ledger"]["fired"].as_u64().expect("a count");
        *counts.entry((name("dso"), name("function"))).or_default() += fired;
    }
    counts
}

#[test]
fn moved_probes_count_what_probes_at_the_beginning_count() {
    let Some(_kernel) = kernel("moved_probes_count_what_probes_at_the_beginning_count") else {
        return;
    };
    let cpp = fixture::program("library");
    let cpp = cpp.to_str().expect("a path");
    let sql = "create table t(a integer primary key, b text); \
               with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) \
               insert into t select i, hex(i * 7919) from n; \
               select count(*), sum(a), max(b), group_concat(substr(b, 1, 2)) from t where b like '3%'; \
               select upper(b), round(a / 7.0, 2), strftime('%Y', a * 86400, 'unixepoch') from t limit 9;";
    let programs: &[&[&str]] = &[
        &[cpp],
        &[
            "openssl",
            "list",
            "-digest-algorithms",
            "-public-key-algorithms",
        ],
        &["openssl", "dgst", "-sha512", "/etc/passwd"],
        &["openssl", "dgst", "-md5", "-hmac", "key", "/etc/passwd"],
        &[
            "openssl",
            "enc",
            "-aes-256-cbc",
            "-K",
            "00",
            "-iv",
            "00",
            "-in",
            "/etc/passwd",
            "-a",
        ],
        &[
            "openssl",
            "enc",
            "-camellia-128-cbc",
            "-K",
            "00",
            "-iv",
            "00",
            "-in",
            "/etc/passwd",
        ],
        &["sqlite3", ":memory:", sql],
        &["date", "-d", "2024-05-06", "+%c"],
        &["sort", "-n", "/etc/passwd"],
        &["grep", "-E", "^(ro+t|b.n):", "/etc/passwd"],
        &["sed", "-e", "s/root/toor/g", "/etc/passwd"],
        &["printf", "%08.3f %x %s", "3.25", "255", "text"],
    ];
    let (mut compared, mut exercised) = (Counts::new(), 0);
    for program in programs {
        let moved = run(false, program);
        let at_start = run(true, program);
        assert_eq!(moved.said, at_start.said, "{program:?}");
        let plain = Command::new(program[0])
            .args(&program[1..])
            .output()
            .expect("it can be run");
        assert_eq!(
            moved.said,
            String::from_utf8_lossy(&plain.stdout),
            "{program:?}"
        );
        assert!(moved.moved > 0 && at_start.moved == 0, "{program:?}");
        assert_eq!(moved.probed, at_start.probed, "{program:?}");
        let differ: Vec<_> = moved
            .counts
            .iter()
            .filter(|(function, count)| at_start.counts.get(*function) != Some(*count))
            .map(|(function, count)| (function, count, at_start.counts.get(function)))
            .collect();
        assert!(differ.is_empty(), "{program:?}: {differ:?}");
        assert_eq!(moved.counts.len(), at_start.counts.len(), "{program:?}");
        exercised += moved.counts.values().sum::<u64>();
        for (function, count) in moved.counts {
            *compared.entry(function).or_default() += count;
        }
    }
    println!("{} functions, {exercised} calls", compared.len());
    assert!(
        compared.len() >= 1400,
        "{} functions were called",
        compared.len()
    );
}
