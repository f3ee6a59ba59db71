//! Unwind tables of many files: whether gimli makes the same of each, how large they are and how fast
//! they are made. What was found is printed as JSON.
//!
//! `cargo run --release -p tracer --example unwind_tables DIRECTORY…`

#[allow(dead_code, reason = "tests use more of it")]
#[path = "../tests/unwind/oracle/mod.rs"]
mod oracle;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use object::{Object as _, ObjectSection as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tracer::unwind::{NoTable, Table};
use tracer_common::unwind::{self as wire, Rule};

/// How often a table is made, of which the fastest time counts.
const ROUNDS: u32 = 8;
/// Sections that are timed: of so many bytes at least.
const TIMED: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = BTreeSet::new();
    for directory in std::env::args_os().skip(1) {
        files(Path::new(&directory), &mut paths);
    }
    let mut report = json!({ "mapped": mapped()? });
    let mut all = All::default();
    for path in &paths {
        if let Ok(bytes) = fs::read(path) {
            all.add(path, &bytes);
        }
    }
    report["files"] = all.report();
    writeln!(io::stdout(), "{report:#}")?;
    Ok(())
}

/// ELF files below a directory; links are not followed.
fn files(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, found),
            Ok(kind) if kind.is_file() => {
                let mut magic = [0; 4];
                let read = File::open(&path).and_then(|mut file| file.read_exact(&mut magic));
                if read.is_ok() && magic == *b"\x7fELF" {
                    found.insert(path);
                }
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct All {
    compared: u32,
    differing: Vec<String>,
    without: BTreeMap<String, u32>,
    rows: usize,
    table_bytes: usize,
    rules: usize,
    distinct_rules: Vec<Rule>,
    kinds: BTreeMap<&'static str, u64>,
    unsupported_in: BTreeMap<String, u64>,
    timed_bytes: u64,
    timed_s: f64,
    slowest: f64,
}

impl All {
    fn add(&mut self, path: &Path, bytes: &[u8]) {
        self.compared += 1;
        let made = Table::of_image(bytes);
        let expected = oracle::table(bytes);
        let same = match &made {
            Ok(table) => expected.as_ref() == Some(table),
            Err(NoTable::Architecture) => true,
            Err(_) => expected.is_none(),
        };
        if !same {
            self.differing.push(path.display().to_string());
        }
        match made {
            Ok(table) => {
                self.count(path, &table);
                self.time(bytes);
            }
            Err(why) => *self.without.entry(why.to_string()).or_default() += 1,
        }
    }

    fn count(&mut self, path: &Path, table: &Table) {
        self.rows += table.rows.len();
        self.rules += table.rules.len();
        self.table_bytes += size_of_val(table.rows.as_slice())
            + size_of_val(table.pages.as_slice())
            + size_of_val(table.rules.as_slice());
        for rule in &table.rules {
            if !self.distinct_rules.contains(rule) {
                self.distinct_rules.push(*rule);
            }
        }
        for row in &table.rows {
            let kind = kind(row >> 12, &table.rules);
            *self.kinds.entry(kind).or_default() += 1;
            if kind == "unsupported" {
                let path = path.display().to_string();
                *self.unsupported_in.entry(path).or_default() += 1;
            }
        }
    }

    fn time(&mut self, bytes: &[u8]) {
        let file = object::File::parse(bytes).ok();
        let section = file
            .as_ref()
            .and_then(|file| file.section_by_name(".eh_frame"));
        let size = section.map_or(0, |section| section.size());
        if size < TIMED {
            return;
        }
        let times = (0..ROUNDS).map(|_| {
            let before = now_s(ClockId::ThreadCPUTime);
            let table = Table::of_image(bytes);
            let after = now_s(ClockId::ThreadCPUTime);
            drop(table);
            after - before
        });
        let best = times.fold(f64::INFINITY, f64::min);
        self.timed_bytes += size;
        self.timed_s += best;
        let speed = size as f64 / 1e6 / best;
        if self.slowest == 0.0 || speed < self.slowest {
            self.slowest = speed;
        }
    }

    fn report(&self) -> Value {
        json!({
            "compared": self.compared,
            "differing": self.differing,
            "without": self.without,
            "rows": self.rows,
            "table_bytes": self.table_bytes,
            "rules": self.rules,
            "distinct_rules": self.distinct_rules.len(),
            "kinds": self.kinds,
            "unsupported_in": self.unsupported_in,
            "timed_bytes": self.timed_bytes,
            "mb_per_s": self.timed_bytes as f64 / 1e6 / self.timed_s,
            "slowest_mb_per_s": self.slowest,
        })
    }
}

fn kind(code: u32, rules: &[Rule]) -> &'static str {
    match code {
        wire::CODE_NONE => "nothing",
        wire::CODE_STOP => "outermost",
        wire::CODE_SIGNAL => "signal",
        wire::CODE_UNSUPPORTED => "unsupported",
        wire::FIRST_RULE.. => {
            let rule = rules[(code - wire::FIRST_RULE) as usize];
            match rule {
                Rule {
                    ra_kind: wire::RA_REGISTER,
                    ..
                } => "rule: return address in a register",
                Rule {
                    ra_kind: wire::RA_AT_CFA_PLUS,
                    ..
                } => "rule: return address elsewhere",
                Rule {
                    cfa_kind: wire::CFA_PLT,
                    ..
                } => "rule: PLT",
                Rule {
                    cfa_kind: wire::CFA_AT_SP | wire::CFA_AT_FP,
                    ..
                } => "rule: CFA in memory",
                Rule {
                    cfa_kind: wire::CFA_REGISTER | wire::CFA_AT_REGISTER,
                    ..
                } => "rule: CFA in another register",
                Rule {
                    fp_kind: wire::FP_LOST,
                    ..
                } => "rule: frame pointer lost",
                Rule {
                    fp_kind: wire::FP_AT_FP,
                    ..
                } => "rule: frame pointer by itself",
                _ => "rule: large or odd offset",
            }
        }
        code if code & 1 << 18 == 0 => "from the stack pointer",
        _ => "from the frame pointer",
    }
}

/// How long it takes to make the tables of all files that running processes have code of.
fn mapped() -> Result<Value, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    for process in fs::read_dir("/proc")?.flatten() {
        let directory = process.path();
        let Ok(maps) = fs::read_to_string(directory.join("maps")) else {
            continue;
        };
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            let executable = words.nth(1).is_some_and(|flags| flags.contains('x'));
            let Some(path) = words
                .nth(3)
                .filter(|path| executable && path.starts_with('/'))
            else {
                continue;
            };
            let path = directory.join("root").join(path.trim_start_matches('/'));
            if let Ok(file) = File::open(path)
                && let Ok(facts) = file.metadata()
                && facts.is_file()
            {
                files.insert((facts.dev(), facts.ino()), file);
            }
        }
    }
    let before = now_s(ClockId::Monotonic);
    let tables: Vec<_> = files.values().map(Table::of_file).collect();
    let time = now_s(ClockId::Monotonic) - before;
    let rows = tables.iter().flatten().map(|table| table.rows.len());
    Ok(json!({
        "files": files.len(),
        "tables": tables.iter().flatten().count(),
        "rows": rows.sum::<usize>(),
        "s": time,
    }))
}

fn now_s(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
