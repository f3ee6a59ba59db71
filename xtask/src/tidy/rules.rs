//! The rules, one row each.

use super::TOO_LONG;
use super::lexer::Source;

/// Lines, and what stands there that must not.
type Found = Vec<(usize, String)>;

pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    /// Prefixes of the files that it is about.
    within: &'static [&'static str],
    /// Prefixes of those that it is not about.
    except: &'static [&'static str],
    pub(crate) find: fn(&Source<'_>) -> Found,
}

const EVERYWHERE: &[&str] = &[""];
const LIBRARY: &[&str] = &["tracer/src/"];
const PURE: &[&str] = &[
    "tracer/src/profile",
    "tracer/src/view",
    "tracer/src/tui/app",
    "tracer/src/tui/draw",
    "tracer/src/tui/keys",
    "tracer/src/tui/latency",
    "tracer/src/tui/layout",
    "tracer/src/tui/lines",
    "tracer/src/tui/screen",
    "tracer/src/tui/time",
    "tracer/src/tui/update",
    "tracer/src/tui/widget",
];

pub(crate) static RULES: &[Rule] = &[
    Rule {
        name: "aya only in kernel/",
        why: "one place knows how programs are loaded",
        within: LIBRARY,
        except: &["tracer/src/kernel"],
        find: |source| words(source, &["aya", "aya_obj"]),
    },
    Rule {
        name: "clap only in cli",
        why: "what was typed and what will be done are two types",
        within: LIBRARY,
        except: &["tracer/src/cli"],
        find: |source| words(source, &["clap"]),
    },
    Rule {
        name: "blazesym only in worker/ and symbol/",
        why: "what parses files of traced programs runs in the worker",
        within: LIBRARY,
        except: &["tracer/src/worker", "tracer/src/symbol"],
        find: |source| words(source, &["blazesym"]),
    },
    Rule {
        name: "inferno only in export/",
        why: "views are plain data",
        within: LIBRARY,
        except: &["tracer/src/export"],
        find: |source| words(source, &["inferno"]),
    },
    Rule {
        name: "ratatui and crossterm only in tui/",
        why: "everything else works without a terminal",
        within: LIBRARY,
        except: &["tracer/src/tui"],
        find: |source| words(source, &["ratatui", "crossterm"]),
    },
    Rule {
        name: "tokio only in tui/ and for its news",
        why: "one loop, and everything else is threads and channels",
        within: LIBRARY,
        except: &[
            "tracer/src/tui",
            "tracer/src/cmd/top",
            "tracer/src/cmd/hist/live",
        ],
        find: |source| words(source, &["tokio"]),
    },
    Rule {
        name: "unsafe only where the kernel is met",
        why: "unsafe has an address",
        within: EVERYWHERE,
        except: &[
            "tracer-ebpf/",
            "tracer-common/",
            "tracer/src/kernel",
            // Asks the kernel, by bpf(2) and not by way of tracer, what tracer left in it.
            "tracer/tests/common/bpf.rs",
        ],
        find: |source| words(source, &["unsafe"]),
    },
    Rule {
        name: "no clock in the model, the views and the state of the interface",
        why: "time arrives inside of a batch",
        within: PURE,
        except: &[],
        find: |source| words(source, &["Instant", "SystemTime"]),
    },
    Rule {
        name: "no files, threads, processes or network in the model, the views and the state of the interface",
        why: "live and replay give the same",
        within: PURE,
        except: &[],
        find: |source| std_modules(source, &["fs", "thread", "process", "net", "env"]),
    },
    Rule {
        name: "no randomness in the model, the views and the state of the interface",
        why: "live and replay give the same",
        within: PURE,
        except: &[],
        find: |source| words(source, &["rand", "fastrand", "getrandom", "RandomState"]),
    },
    Rule {
        name: "no test left out without a reason",
        why: "nobody knows when it may come back",
        within: EVERYWHERE,
        except: &[],
        find: |source| code(source, "#[ignore]"),
    },
    Rule {
        name: "nothing left to do",
        why: "what is committed is whole",
        within: EVERYWHERE,
        except: &[],
        find: |source| macros(source, &["todo", "unimplemented"]),
    },
    Rule {
        name: "nothing left to mend",
        why: "what is committed is whole; what is not belongs in an issue",
        within: EVERYWHERE,
        except: &["xtask/src/tidy/rules.rs"],
        find: |source| text(source, &["FIXME", "TODO", "XXX"]),
    },
    Rule {
        name: "a file says what it owns",
        why: "a reader starts at its head",
        within: LIBRARY,
        except: &[],
        find: |source| match source.text.starts_with("//!") {
            true => Found::new(),
            false => vec![(1, "no `//!`".to_owned())],
        },
    },
    Rule {
        name: "a file can be read in one go",
        why: "one noun per file",
        within: EVERYWHERE,
        except: &[],
        find: |source| match source.text.lines().count() {
            lines if lines > TOO_LONG => vec![(TOO_LONG, format!("{lines} lines"))],
            _ => Found::new(),
        },
    },
];

impl Rule {
    pub(crate) fn applies_to(&self, name: &str) -> bool {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        begins(self.within) && !begins(self.except)
    }
}

fn words(source: &Source<'_>, forbidden: &[&str]) -> Found {
    at_lines(
        source,
        source.words().filter(|(_, word)| forbidden.contains(word)),
    )
}

fn std_modules(source: &Source<'_>, forbidden: &[&str]) -> Found {
    at_lines(
        source,
        source
            .std_modules()
            .into_iter()
            .filter(|(_, name)| forbidden.contains(name)),
    )
}

fn macros(source: &Source<'_>, forbidden: &[&str]) -> Found {
    let called = |(at, word): &(usize, &str)| source.code[at + word.len()..].starts_with('!');
    let found = source
        .words()
        .filter(|(_, word)| forbidden.contains(word))
        .filter(called);
    at_lines(source, found)
}

fn code<'a>(source: &'a Source<'_>, forbidden: &'a str) -> Found {
    at_lines(source, source.code.match_indices(forbidden))
}

fn text(source: &Source<'_>, forbidden: &[&str]) -> Found {
    forbidden
        .iter()
        .flat_map(|word| at_lines(source, source.text.match_indices(word)))
        .collect()
}

fn at_lines<'a>(source: &Source<'_>, found: impl Iterator<Item = (usize, &'a str)>) -> Found {
    found
        .map(|(offset, what)| (source.line_at(offset), format!("`{what}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::offences_in;
    use super::*;

    const DOC: &str = "//! Owns something.\n";

    fn rules_broken(name: &str, text: &str) -> Vec<String> {
        offences_in(name, &format!("{DOC}{text}"))
    }

    #[track_caller]
    fn check(name: &str, text: &str, broken: Option<&str>) {
        let offences = rules_broken(name, text);
        match broken {
            None => assert_eq!(offences, Vec::<String>::new(), "{name}: {text}"),
            Some(rule) => {
                assert!(RULES.iter().any(|row| row.name == rule), "no rule {rule}");
                assert!(
                    matches!(offences.as_slice(), [one] if one.contains(rule)),
                    "{name}: {text}: {offences:?}"
                );
            }
        }
    }

    #[test]
    fn libraries_keep_to_their_places() {
        for (text, place, rule) in [
            ("use aya::Ebpf;", "kernel/load.rs", "aya only in kernel/"),
            (
                "use aya_obj::Object;",
                "kernel/mod.rs",
                "aya only in kernel/",
            ),
            ("#[derive(clap::Parser)]", "cli.rs", "clap only in cli"),
            ("use clap::Args;", "cli/flame.rs", "clap only in cli"),
            (
                "use blazesym as b;",
                "worker/mod.rs",
                "blazesym only in worker/ and symbol/",
            ),
            (
                "blazesym::x();",
                "symbol/mod.rs",
                "blazesym only in worker/ and symbol/",
            ),
            (
                "inferno::flamegraph::x();",
                "export/svg.rs",
                "inferno only in export/",
            ),
            (
                "use ratatui::Frame;",
                "tui/app.rs",
                "ratatui and crossterm only in tui/",
            ),
            (
                "crossterm::x();",
                "tui/terminal.rs",
                "ratatui and crossterm only in tui/",
            ),
        ] {
            check(&format!("tracer/src/{place}"), text, None);
            check("tracer/src/cmd/flame.rs", text, Some(rule));
            check("tracer/src/cmd/flame.rs", &format!("// {text}"), None);
        }
        check("tracer/src/cmd/flame.rs", "let playa = \"aya\";", None);
    }

    #[test]
    fn unsafe_has_an_address() {
        let rule = Some("unsafe only where the kernel is met");
        check("tracer/src/proc/maps.rs", "unsafe { x() }", rule);
        check("xtask/src/main.rs", "unsafe { x() }", rule);
        check("tracer/tests/kernel/main.rs", "unsafe { x() }", rule);
        check("tracer/src/kernel/sys.rs", "unsafe { x() }", None);
        check("tracer-ebpf/src/main.rs", "unsafe { x() }", None);
        check("tracer/src/lib.rs", "#![deny(unsafe_code)]", None);
    }

    #[test]
    fn the_model_is_pure() {
        let clock = Some("no clock in the model, the views and the state of the interface");
        let world = Some(
            "no files, threads, processes or network in the model, the views and the state of the interface",
        );
        check(
            "tracer/src/profile/mod.rs",
            "use std::time::{Duration, Instant};",
            clock,
        );
        check("tracer/src/view/top.rs", "SystemTime::now()", clock);
        check("tracer/src/view/top.rs", "use std::time::Duration;", None);
        check(
            "tracer/src/profile/mod.rs",
            "use std::{collections::HashMap, fs};",
            world,
        );
        check("tracer/src/profile/mod.rs", "std::thread::spawn(x)", world);
        check(
            "tracer/src/profile/mod.rs",
            "let thread = 1; let fs = thread;",
            None,
        );
        check(
            "tracer/src/proc/maps.rs",
            "use std::fs; Instant::now()",
            None,
        );
        check(
            "tracer/src/tui/update/go.rs",
            "let now = Instant::now();",
            clock,
        );
        check("tracer/src/tui/pace.rs", "let now = Instant::now();", None);
        let random = Some("no randomness in the model, the views and the state of the interface");
        check("tracer/src/view/flame.rs", "rand::random()", random);
    }

    #[test]
    fn what_is_committed_is_whole() {
        let rule = Some("nothing left to do");
        check("xtask/src/x.rs", "fn a() { todo!() }", rule);
        check("xtask/src/x.rs", "unimplemented!(\"b\")", rule);
        check("xtask/src/x.rs", "let todo = 1; a(todo);", None);
        check(
            "xtask/src/x.rs",
            "// FIXME: later",
            Some("nothing left to mend"),
        );
        let rule = Some("no test left out without a reason");
        check("tracer/src/x.rs", "#[test]\n#[ignore]\nfn a() {}", rule);
        check(
            "tracer/src/x.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn a() {}",
            None,
        );
    }

    #[test]
    fn files_have_a_head_and_an_end() {
        assert!(offences_in("tracer/src/x.rs", "fn a() {}\n")[0].contains("says what it owns"));
        assert!(offences_in("tracer-common/src/x.rs", "fn a() {}\n").is_empty());
        let rule = Some("a file can be read in one go");
        check("tracer/src/x.rs", &"\n".repeat(TOO_LONG - 1), None);
        check("tracer/src/x.rs", &"\n".repeat(TOO_LONG), rule);
    }

    #[test]
    fn an_offence_names_its_line() {
        let offences = rules_broken("tracer/src/x.rs", "\nuse aya::Ebpf;\n");
        assert!(
            offences[0].starts_with("tracer/src/x.rs:3: `aya`: "),
            "{offences:?}"
        );
    }
}
