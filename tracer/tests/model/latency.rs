//! Latencies with no kernel: scripted batches → model → text, JSON and CSV.

use serde_json::Value;
use tracer::{
    export::{self, LatencyExport},
    profile::{
        CallBatch, CallKey, Calls, Function, FunctionId, Histogram, Latencies, Loss, SpanLedger,
        Window,
    },
    view::{self, LatencyGroup, LatencyQuery},
};

use crate::{golden, script::comm};

const MILLISECOND: u64 = 1_000_000;
const SLICE: u64 = 250 * MILLISECOND;

/// Batches of a quarter of a second each, with the ledger that fits them.
struct Script {
    latencies: Latencies,
    batch: CallBatch,
}

impl Script {
    fn new(probes: &[&str], functions: &[(&str, &str, usize)]) -> Self {
        let functions = functions.iter().map(|(name, dso, probe)| Function {
            name: (*name).to_owned(),
            dso: (*dso).to_owned(),
            probe: *probe,
        });
        let probes = probes.iter().map(|probe| (*probe).to_owned()).collect();
        Self {
            latencies: Latencies::new(probes, functions.collect()),
            batch: batch(1_000 * MILLISECOND),
        }
    }

    /// What follows belongs to the next batch.
    fn next(&mut self) -> &mut Self {
        let next = batch(self.batch.end_ns);
        self.latencies
            .apply(std::mem::replace(&mut self.batch, next));
        self
    }

    /// Calls that begin and end.
    fn calls(&mut self, function: u32, key: CallKey, latencies: &[(u64, u64)]) -> &mut Self {
        let count = latencies.iter().map(|(_, count)| count).sum::<u64>();
        self.account(function, |ledger| {
            ledger.fired += count;
            ledger.open += count.cast_signed();
        })
        .ended(function, key, latencies)
    }

    fn lost(&mut self, function: u32, why: Loss, count: u64) -> &mut Self {
        self.account(function, |ledger| {
            ledger.fired += count;
            *ledger.lost.entry(why).or_default() += count;
        })
    }

    fn filtered(&mut self, function: u32, count: u64) -> &mut Self {
        self.account(function, |ledger| {
            ledger.fired += count;
            ledger.filtered += count;
        })
    }

    /// Calls that begin and do not end.
    fn begun(&mut self, function: u32, count: u32) -> &mut Self {
        self.account(function, |ledger| {
            ledger.fired += u64::from(count);
            ledger.open += i64::from(count);
        })
    }

    /// Calls that had begun, and end.
    fn ended(&mut self, function: u32, key: CallKey, latencies: &[(u64, u64)]) -> &mut Self {
        let mut histogram = Histogram::default();
        for (ns, count) in latencies {
            histogram.add(*ns, *count);
        }
        let count = histogram.count();
        self.batch.calls.push(Calls {
            function: FunctionId(function),
            key,
            histogram,
        });
        self.account(function, |ledger| {
            ledger.recorded += count;
            ledger.open -= count.cast_signed();
        })
    }

    fn name(&mut self, key: CallKey, name: &str) -> &mut Self {
        self.batch.names.push((key, name.to_owned()));
        self
    }

    fn account(&mut self, function: u32, change: impl FnOnce(&mut SpanLedger)) -> &mut Self {
        let mut ledger = SpanLedger::default();
        change(&mut ledger);
        self.batch.ledgers.push((FunctionId(function), ledger));
        self
    }

    fn finish(&mut self) -> Latencies {
        self.next();
        self.latencies.clone()
    }
}

fn batch(start_ns: u64) -> CallBatch {
    CallBatch {
        start_ns,
        end_ns: start_ns + SLICE,
        ..CallBatch::default()
    }
}

/// What can happen to a few functions: a pattern, a probe that never fires, losses, calls that stay
/// open, a quiet interval.
fn calls() -> Latencies {
    let probes = [
        "uprobe:libc:str*",
        "uprobe:/bin/app:handle",
        "uprobe:libc:quiet",
    ];
    let functions = [
        ("strlen", "libc.so.6", 0),
        ("strcpy", "libc.so.6", 0),
        ("app::handle<T, U>", "app", 1),
        ("quiet", "libc.so.6", 2),
    ];
    let all = CallKey::All;
    let mut script = Script::new(&probes, &functions);
    script
        .calls(0, all, &[(700, 90), (800, 9), (1_500, 1)])
        .calls(1, all, &[(2_000, 3)])
        .calls(2, all, &[(3 * MILLISECOND, 5), (90 * MILLISECOND, 1)])
        .begun(2, 2)
        .lost(0, Loss::NoReturn, 2)
        .filtered(1, 7)
        .next()
        .next()
        .ended(2, all, &[(400 * MILLISECOND, 1)])
        .lost(2, Loss::UretprobeDepth, 36)
        .lost(2, Loss::MapFull, 1)
        .next()
        .lost(3, Loss::NotRun, 4);
    script.finish()
}

/// Who called has a name that is meant to do harm.
fn hostile() -> Latencies {
    let probes = ["uprobe:libc:a,b\u{1b}[31m"];
    let functions = [("f(\"x\", \u{202e}y)\n", "lib\u{7}.so", 0)];
    let mut script = Script::new(&probes, &functions);
    let pid = CallKey::Process;
    script
        .calls(0, pid(4711), &[(1_000, 5)])
        .calls(0, pid(4712), &[(2_000, 1)])
        .calls(0, CallKey::Comm(comm(b"a,\"b\"\x1b[2J")), &[(4_000, 1)])
        .calls(0, CallKey::Comm(comm(b"=1+1\n")), &[(5_000, 1)])
        .calls(0, CallKey::Comm(comm(b"\xff\xfe")), &[(6_000, 1)])
        .calls(0, CallKey::Thread(9), &[(7_000, 1)])
        .name(pid(4711), "evil\u{1b}[2J\r\n")
        .name(CallKey::Thread(9), "worker");
    script.finish()
}

/// Numbers at both ends of what there is, and a range that is narrow and one-sided.
fn extremes() -> Latencies {
    let functions = [("wide", "app", 0), ("narrow", "app", 1), ("huge", "app", 2)];
    let mut script = Script::new(&["wide", "narrow", "huge"], &functions);
    let all = CallKey::All;
    script
        .calls(0, all, &[(0, 1), (1, 2), (u64::MAX, 1)])
        .calls(
            1,
            all,
            &[(1_000_000, 1_000), (1_010_000, 10), (1_200_000, 1)],
        )
        .calls(2, all, &[(5, u64::MAX / 4)]);
    script.finish()
}

/// More rows than there is room for histograms.
fn many() -> Latencies {
    let names: Vec<String> = (0..12).map(|index| format!("function_{index}")).collect();
    let functions: Vec<_> = names.iter().map(|name| (name.as_str(), "app", 0)).collect();
    let mut script = Script::new(&["uprobe:app:function_*"], &functions);
    for index in 0..11 {
        script.calls(
            index,
            CallKey::All,
            &[(1_000 << index, u64::from(index) + 1)],
        );
    }
    script.finish()
}

fn never() -> Latencies {
    Script::new(&["uprobe:libc:quiet"], &[("quiet", "libc.so.6", 0)]).finish()
}

#[test]
fn every_format_agrees_with_its_goldens_and_adds_up() {
    let mut failures = Vec::new();
    for (name, latencies) in [
        ("calls", calls()),
        ("hostile", hostile()),
        ("extremes", extremes()),
        ("many", many()),
        ("never", never()),
    ] {
        for (by, group) in [
            ("probe", LatencyGroup::Probe),
            ("function", LatencyGroup::Function),
        ] {
            let query = LatencyQuery {
                group,
                ..LatencyQuery::default()
            };
            check(name, by, &latencies, &query, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(
    name: &str,
    by: &str,
    latencies: &Latencies,
    query: &LatencyQuery,
    failures: &mut Vec<String>,
) {
    check_rows(latencies, query);
    let windows = intervals(latencies);
    let whole = [Window::ALL];
    for (format, extension, windows) in [
        ("text", "txt", &whole[..]),
        ("text", "each.txt", &windows),
        ("json", "json", &windows),
        ("csv", "csv", &windows),
    ] {
        let written = write(latencies, query, windows, format);
        golden::compare(
            &format!("latency/{name}.{by}.{extension}"),
            &written,
            failures,
        );
        let unprintable = |char: char| char.is_control() && char != '\n';
        assert!(!written.contains(unprintable), "{name}: {written:?}");
    }
    let calls: u64 = view::latency_rows(latencies, Window::ALL, query)
        .total
        .count();
    check_json(&write(latencies, query, &windows, "json"), calls);
    check_csv(&write(latencies, query, &windows, "csv"), calls);
}

/// Two slices each.
fn intervals(latencies: &Latencies) -> Vec<Window> {
    let starts: Vec<u64> = latencies.slices().map(|(start, _)| start).collect();
    let windows = starts.chunks(2).map(|starts| Window {
        start_ns: starts[0],
        end_ns: starts[0] + 2 * SLICE,
    });
    windows.collect()
}

fn write(latencies: &Latencies, query: &LatencyQuery, windows: &[Window], format: &str) -> String {
    let mut out = Vec::new();
    let format = export::latency_format(format).unwrap();
    for (index, window) in windows.iter().enumerate() {
        let export = LatencyExport {
            latencies,
            window: *window,
            query,
            title: "f in app (PID 7)\u{1b}",
            first: index == 0,
        };
        (format.write)(&export, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

/// Rows add up to the total, and lines of a histogram to its count; the account balances.
fn check_rows(latencies: &Latencies, query: &LatencyQuery) {
    for window in intervals(latencies).into_iter().chain([Window::ALL]) {
        let rows = view::latency_rows(latencies, window, query);
        assert!(rows.ledger.balances(), "{:?}", rows.ledger);
        assert_eq!(rows.total.count(), rows.ledger.recorded);
        let mut count = 0;
        for row in &rows.rows {
            let lines = view::latency_lines(&row.histogram);
            let shown: u64 = lines.iter().map(|line| line.count).sum();
            assert_eq!(shown, row.histogram.count());
            count += shown;
            assert!(row.ledger.balances());
        }
        assert_eq!(count, rows.total.count());
        assert!(
            rows.rows
                .is_sorted_by_key(|row| std::cmp::Reverse(row.histogram.sum()))
        );
        for probe in 0..latencies.probes().len() {
            assert!(rows.rows.iter().any(|row| row.place.probe == probe));
        }
    }
}

/// Each line is an object whose buckets add up; so do the lines.
fn check_json(text: &str, calls: u64) {
    let mut sum = 0;
    for line in text.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        let count = document["count"].as_u64().unwrap();
        let buckets = document["buckets"].as_array().unwrap();
        let held = buckets
            .iter()
            .map(|bucket| bucket["count"].as_u64().unwrap());
        assert_eq!(held.sum::<u64>(), count, "{line}");
        assert_eq!(document["p50"].is_null(), count == 0, "{line}");
        assert_eq!(document["p9999_bounds"].is_null(), count == 0, "{line}");
        let lost = document["ledger"]["lost"].as_object().unwrap();
        assert_eq!(lost.len(), Loss::OF_CALLS.len());
        if let (Some(p9999), Some(max)) = (document["p9999"].as_u64(), document["max"].as_u64()) {
            assert!(p9999 <= max, "{line}");
        }
        sum += count;
    }
    assert_eq!(sum, calls);
}

fn check_csv(text: &str, calls: u64) {
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("probe,function,key,start_ns,end_ns,low_ns,high_ns,count")
    );
    let counts = lines.map(|line| {
        let (_, count) = line.rsplit_once(',').unwrap();
        count.parse::<u64>().unwrap()
    });
    assert_eq!(counts.sum::<u64>(), calls);
}

#[test]
fn all_keys_together_are_one_row() {
    let query = LatencyQuery {
        all_keys: true,
        ..LatencyQuery::default()
    };
    let latencies = hostile();
    let rows = view::latency_rows(&latencies, Window::ALL, &query);
    assert_eq!(rows.rows.len(), 1);
    assert_eq!(rows.rows[0].histogram, rows.total);
    assert_eq!(rows.rows[0].rate, 40.0);
}

#[test]
fn a_row_knows_what_belongs_to_it() {
    let latencies = hostile();
    let rows = view::latency_rows(&latencies, Window::ALL, &LatencyQuery::default());
    for row in rows.rows {
        let mut count = 0;
        latencies.each(Window::ALL, |function, key, histogram| {
            if row.place.holds(&latencies, function, key) {
                count += histogram.count();
            }
        });
        assert_eq!(count, row.histogram.count(), "{}", row.label.line());
    }
}

#[test]
fn a_selection_leaves_out_calls_and_the_accounts_of_others() {
    use tracer::view::{Filter, Pattern, calls::Selection};
    let latencies = many();
    let all = view::latency_rows(&latencies, Window::ALL, &LatencyQuery::default());
    let rows = |exclude| {
        let pattern = Pattern::parse("1").unwrap();
        let query = LatencyQuery {
            selection: Selection {
                only: None,
                filters: vec![Filter { pattern, exclude }],
            },
            group: LatencyGroup::Function,
            ..LatencyQuery::default()
        };
        view::latency_rows(&latencies, Window::ALL, &query)
    };
    let (with, without) = (rows(false), rows(true));
    for (rows, has) in [(&with, true), (&without, false)] {
        assert!(rows.total.count() > 0);
        assert!(rows.ledger.balances());
        assert_eq!(rows.total.count(), rows.ledger.recorded);
        let names = rows
            .rows
            .iter()
            .filter_map(|row| row.label.function.as_ref());
        assert!(names.into_iter().all(|name| name.contains('1') == has));
    }
    let together = with.total.count() + without.total.count();
    assert_eq!(together, all.total.count());
}
