//! How many stacks are complete, and where and why the others stop: on scripted profiles of which the
//! answer is known.

use std::collections::BTreeMap;

use tracer::{
    export,
    profile::{Batch, FactKind, Profile, Truncation},
    symbol::Symbols,
    view::{self, Kind, Place, Quality, Query, Tree},
};

use crate::{
    cases::APP,
    header, profile_of,
    script::{Script, Stack, code, image, user},
    views::Asked,
    write,
};

const LIB: u64 = 0x7f00_0000_0000;
const HEAP: u64 = 0x1000_0000;
const KERNEL: u64 = 0xffff_ffff_8100_0000;

/// Whatever is asked: everything is complete or truncated, and the parts are the whole.
pub(crate) fn check_quality(asked: &Asked<'_>, tree: &Tree) {
    let what = &asked.what;
    let quality = view::quality(asked.profile, asked.symbols, &asked.query);
    assert_eq!(quality.total(), tree.total(), "{what}");
    let sum = |reasons: &[(Truncation, u64)]| reasons.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(sum(&quality.reasons), quality.truncated, "{what}");
    let places = quality.places.iter().map(|place| place.truncated);
    assert_eq!(places.clone().sum::<u64>(), quality.truncated, "{what}");
    assert!(places.rev().is_sorted(), "{what}: {quality:?}");
    let mut by_reason: BTreeMap<Truncation, u64> = BTreeMap::new();
    for place in &quality.places {
        assert_eq!(sum(&place.reasons), place.truncated, "{what}: {place:?}");
        let through = place.through.unwrap_or(quality.total());
        assert!(
            (place.truncated..=quality.total()).contains(&through),
            "{what}: {place:?}"
        );
        for (why, count) in &place.reasons {
            assert!(*count > 0, "{what}: {place:?}");
            *by_reason.entry(*why).or_default() += count;
        }
    }
    assert_eq!(
        by_reason,
        quality.reasons.iter().copied().collect(),
        "{what}"
    );
    if asked.query.is_only_time() {
        let ledger = asked.profile.ledger_of(asked.query.window);
        assert_eq!(
            (quality.complete, by_reason),
            (ledger.complete, ledger.truncated),
            "{what}"
        );
    }
    // The widths of the root frames say the same.
    let roots = (1..tree.nodes().len())
        .filter(|node| tree.label(*node).unwrap().kind == Kind::Truncated)
        .map(|node| tree.node(node).total);
    assert_eq!(roots.sum::<u64>(), quality.truncated, "{what}");
}

/// A stack that stops somewhere, for one reason after the other.
fn stops(stack: Stack<'_>) -> (Script, Vec<(Truncation, u64)>) {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    let mappings = ["/bin/app", "/opt/lib/libfoo.so", "//anon"];
    let mappings = mappings.into_iter().zip([APP, LIB, HEAP]);
    let mappings = mappings.map(|(path, start)| code(path, start)).collect();
    script.fact(1, 10, FactKind::Snapshot(mappings));
    let reasons: Vec<(Truncation, u64)> = Truncation::ALL.into_iter().zip(1..).collect();
    for (why, weight) in &reasons {
        let truncated = Some(*why);
        script.sample(app, b"app", Stack { truncated, ..stack }, *weight);
    }
    (script, reasons)
}

fn quality_of(batches: Vec<Batch>) -> (Profile, Symbols, Quality) {
    let (profile, symbols) = profile_of(batches, &[]);
    let quality = view::quality(&profile, &symbols, &Query::default());
    assert_eq!(quality.total(), profile.ledger().recorded);
    (profile, symbols, quality)
}

/// The roots of truncated stacks, without the thread's name.
fn roots(profile: &Profile, symbols: &Symbols) -> Vec<String> {
    let folded = write(profile, symbols, "folded");
    let root = |line: &str| {
        let (stack, _) = line.rsplit_once(' ')?;
        let root = stack.split(';').nth(1)?.strip_prefix("[truncated: ")?;
        Some(root.strip_suffix(']')?.to_owned())
    };
    let mut roots: Vec<String> = folded.lines().filter_map(root).collect();
    roots.sort();
    roots.dedup();
    roots
}

#[test]
fn a_root_names_the_file_where_it_is_that_files_matter() {
    let in_kernel = Stack {
        kernel: &[KERNEL + 0x30, KERNEL + 0x41],
        ..Stack::default()
    };
    let file = Place::File("libfoo.so".to_owned());
    let mut nameless = Truncation::ALL.map(Truncation::name);
    nameless.sort_unstable();
    // A return address on the edge belongs to the call before it, an instruction pointer does not.
    let cases: [(Stack<'_>, Place, &[&str]); 7] = [
        (user(&[APP + 0x20, LIB + 0x11]), file.clone(), NAMED),
        (user(&[APP + 0x20, LIB + 0x10_0000]), file.clone(), NAMED),
        (user(&[LIB]), file, NAMED),
        (user(&[APP + 0x20, HEAP + 0x11]), Place::Jit, JIT),
        (user(&[0x1234]), Place::Unmapped, &nameless),
        (Stack::default(), Place::Nothing, &nameless),
        (in_kernel, Place::Nothing, &nameless),
    ];
    for (stack, place, expected) in cases {
        let (script, reasons) = stops(stack);
        let (profile, symbols, quality) = quality_of(script.batches());
        assert_eq!(roots(&profile, &symbols), expected, "{place:?}");
        for (why, weight) in reasons {
            let place = match why {
                Truncation::KernelTooDeep | Truncation::KernelUnreadable => &Place::Kernel,
                _ => &place,
            };
            let of = quality.places.iter().find(|of| of.place == *place);
            let of = of.unwrap_or_else(|| panic!("{place:?} in {quality:?}"));
            assert!(of.reasons.contains(&(why, weight)), "{of:?}");
        }
    }
}

const NAMED: &[&str] = &[
    "32-bit process, no frame pointer in libfoo.so",
    "frame in libfoo.so below its callee",
    "kernel stack not readable",
    "kernel stack too deep",
    "memory given up",
    "no frame pointer in libfoo.so",
    "no room for table of libfoo.so",
    "no table for libfoo.so",
    "not in table of libfoo.so",
    "return address from libfoo.so outside code",
    "stack not readable",
    "table of libfoo.so not loaded yet",
    "too deep",
    "unwind rule of libfoo.so not supported",
];

const JIT: &[&str] = &[
    "32-bit process, no frame pointer in JIT code",
    "frame in JIT code below its callee",
    "kernel stack not readable",
    "kernel stack too deep",
    "memory given up",
    "no frame pointer in JIT code",
    "no room for table of JIT code",
    "return address from JIT code outside code",
    "stack not readable",
    "table of JIT code not loaded yet",
    "too deep",
    "unwind rule of JIT code not supported",
];

/// A stack that stops in a library, of a process of its own.
fn cut() -> Stack<'static> {
    Stack {
        truncated: Some(Truncation::NoTable),
        ..user(&[APP + 0x20, LIB + 0x11])
    }
}

#[test]
fn the_file_is_found_when_its_mapping_is_told_late_and_not_when_it_never_is() {
    let snapshot = |lib| FactKind::Snapshot(vec![code("/bin/app", APP), code(lib, LIB)]);
    let mut script = Script::new();
    for pid in 10..=13 {
        script.sample(image(pid, 5, 1), b"app", cut(), 1 << (pid - 10));
    }
    // In the same batch, in the next, in the one after that; the last is too late.
    script.fact(1, 10, snapshot("/lib/same.so")).next();
    script.fact(2, 11, snapshot("/lib/next.so")).next();
    script.fact(3, 12, snapshot("/lib/third.so")).next();
    script.fact(4, 13, snapshot("/lib/late.so"));
    script.sample(image(13, 5, 1), b"app", cut(), 16);
    let (profile, symbols, quality) = quality_of(script.batches());
    let found: Vec<(&str, u64)> = quality
        .places
        .iter()
        .map(|place| (place.place.dso(), place.truncated))
        .collect();
    assert_eq!(
        found,
        [
            ("late.so", 16),
            ("[unknown]", 8),
            ("third.so", 4),
            ("next.so", 2),
            ("same.so", 1)
        ]
    );
    assert_eq!(
        roots(&profile, &symbols),
        [
            "no table",
            "no table for late.so",
            "no table for next.so",
            "no table for same.so",
            "no table for third.so"
        ]
    );
}

#[test]
fn frames_beyond_what_can_be_believed_are_nobodys_fault() {
    let mut script = Script::new();
    script.fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]));
    // The walk went on through what is no code, and came back into some.
    let wild = Stack {
        truncated: Some(Truncation::NoFramePointer),
        ..user(&[APP + 0x20, APP + 0x31, 0x1234, LIB + 0x11])
    };
    script.sample(image(10, 5, 1), b"app", wild, 3);
    let (_, _, quality) = quality_of(script.batches());
    assert_eq!(quality.places.len(), 1);
    assert_eq!(quality.places[0].place, Place::File("app".to_owned()));
}

#[test]
fn a_hostile_name_is_cleaned_and_a_long_one_cut() {
    let long = format!("/tmp/{}", "x;\n".repeat(1_000));
    for (path, dso) in [
        (
            "/tmp/evil;\u{1b}[31m\u{202e} 12",
            "evil:\\u{1b}[31m\\u{202e}_12",
        ),
        ("/tmp/gone.so (deleted)", "gone.so"),
        (&long, &*"x:\\u{a}".repeat(1_000)),
    ] {
        let mut script = Script::new();
        let mappings = vec![code("/bin/app", APP), code(path, LIB)];
        script.fact(1, 10, FactKind::Snapshot(mappings));
        script.sample(image(10, 5, 1), b"app", cut(), 3);
        let (profile, symbols, quality) = quality_of(script.batches());
        assert_eq!(quality.places[0].place.dso(), dso);
        let [root] = roots(&profile, &symbols).try_into().unwrap();
        assert!(root.chars().count() <= 80, "{root}");
        assert!(!root.contains(';'), "{root}");
        let mut shown = quality.advice();
        shown.extend([root, quality.line(), quality.places[0].line()]);
        for text in shown {
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(text.chars().count() < 250, "{text}");
        }
    }
}

#[test]
fn what_would_help_is_said_when_it_matters() {
    let batches = |complete: u64, truncated: &[(&[u64], Truncation, u64)]| {
        let mut script = Script::new();
        let app = image(10, 5, 1);
        let mappings = vec![
            code("/bin/app", APP),
            code("/lib/libfoo.so", LIB),
            code("//anon", HEAP),
        ];
        script.fact(1, 10, FactKind::Snapshot(mappings));
        script.sample(
            app,
            b"app",
            user(&[LIB + 0x20, LIB + 0x31, APP + 0x11]),
            complete,
        );
        for (addresses, why, weight) in truncated {
            let stack = Stack {
                truncated: Some(*why),
                ..user(addresses)
            };
            script.sample(app, b"app", stack, *weight);
        }
        script.batches()
    };
    let lib: &[u64] = &[APP + 0x20, LIB + 0x11];
    let (_, _, good) = quality_of(batches(1000, &[(lib, Truncation::NoTable, 2)]));
    assert_eq!(good.line(), "complete 99.8 % · truncated 0.2 %: no table 2");
    assert_eq!(
        good.places[0].line(),
        "libfoo.so (0.2 % of its stacks): no table"
    );
    assert_eq!(good.advice(), [""; 0]);
    let (_, _, whole) = quality_of(batches(1000, &[]));
    assert_eq!(whole.line(), "complete 100.0 % · truncated 0.0 %");
    let (_, _, nothing) = quality_of(Vec::new());
    assert_eq!(nothing.line(), "complete 0.0 % · truncated 0.0 %");
    assert_eq!((nothing.total(), nothing.advice().len()), (0, 0));

    let cuts: [(&[u64], Truncation, u64); 5] = [
        (lib, Truncation::NoTable, 6),
        (&[HEAP + 0x20], Truncation::NoFramePointer, 5),
        (lib, Truncation::NoRow, 3),
        (&[], Truncation::NoMemory, 4),
        (lib, Truncation::TooDeep, 2),
    ];
    let (profile, symbols, poor) = quality_of(batches(980, &cuts));
    assert_eq!(
        poor.line(),
        "complete 98.0 % · truncated 2.0 %: \
         no table 6, no frame pointer 5, memory given up 4, not in table 3, too deep 2"
    );
    assert_eq!(
        poor.advice(),
        [
            "0.6 % of the stacks stop in libfoo.so: no unwind table, no frame pointers; \
             rebuild with -fasynchronous-unwind-tables or -fno-omit-frame-pointer",
            "0.5 % of the stacks stop in JIT code: no frame pointers; \
             its compiler may have an option for them, such as Java's -XX:+PreserveFramePointer",
            "0.4 % of the stacks have no frame: \
             processes that were ending or beginning another program",
        ]
    );
    assert_eq!(
        poor.places[0].line(),
        "libfoo.so (1.1 % of its stacks): no table 6, not in table 3, too deep 2"
    );
    let text = write(&profile, &symbols, "text");
    let (_, stacks) = text.split_once("\nStacks: ").unwrap();
    assert_eq!(
        stacks,
        format!(
            "{}\n Samples       %  Truncated in\n\
             {:>8} {:>6}%  libfoo.so (1.1 % of its stacks): \
             no table 6, not in table 3, too deep 2\n\
             {:>8} {:>6}%  JIT code: no frame pointer\n\
             {:>8} {:>6}%  (no frame): memory given up\n\n",
            poor.line(),
            11,
            "1.10",
            5,
            "0.50",
            4,
            "0.40"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&write(&profile, &symbols, "json")).unwrap();
    assert_eq!(
        json["ledger"]["stacks"]["by_dso"].to_string(),
        r#"[{"count":6,"dso":"libfoo.so","reason":"no table"},"#.to_owned()
            + r#"{"count":3,"dso":"libfoo.so","reason":"not in table"},"#
            + r#"{"count":2,"dso":"libfoo.so","reason":"too deep"},"#
            + r#"{"count":5,"dso":"[jit]","reason":"no frame pointer"},"#
            + r#"{"count":4,"dso":"","reason":"memory given up"}]"#
    );
}

/// Of a window alone and of everybody in it, whatever else is asked: it is the ledger's.
#[test]
fn the_ledger_in_a_file_says_where_its_truncated_stacks_stop() {
    for case in crate::cases::all() {
        let (profile, symbols) = profile_of(case.script.batches(), case.names);
        let header = header();
        let windows = profile.slices().map(|slice| Query {
            window: tracer::profile::Window {
                start_ns: slice.start_ns,
                end_ns: slice.end_ns,
            },
            processes: Some([].into()),
            ..Query::default()
        });
        for query in windows.chain([Query::default()]) {
            let export = crate::export(&profile, &symbols, &query, &header);
            let mut out = Vec::new();
            (export::by_name("ledger").unwrap().write)(&export, &mut out).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let stacks = &json["stacks"];
            let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
            for row in stacks["by_dso"].as_array().unwrap() {
                let reason = row["reason"].as_str().unwrap();
                *by_reason.entry(reason).or_default() += row["count"].as_u64().unwrap();
            }
            let truncated = stacks["truncated"].as_object().unwrap().iter();
            let truncated: BTreeMap<&str, u64> = truncated
                .map(|(reason, count)| (reason.as_str(), count.as_u64().unwrap()))
                .filter(|(_, count)| *count > 0)
                .collect();
            assert_eq!(by_reason, truncated, "{}", case.name);
        }
    }
}
