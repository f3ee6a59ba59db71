//! The report as a person reads it.

use std::{collections::HashMap, fmt::Write as _};

use super::check::{Check, Group, Outcome, Report};
use crate::view;

/// The report as text, with colours or without.
pub(super) fn text(report: &Report, coloured: bool) -> String {
    let mut text = String::new();
    let width = report.checks.iter().map(|check| check.name.len()).max();
    let mut writer = Writer {
        coloured,
        width: width.unwrap_or(0),
        remedies: HashMap::new(),
    };
    for group in Group::ALL {
        _ = writeln!(text, "{}", writer.paint(BOLD, group.name()));
        for check in report.checks.iter().filter(|check| check.group == group) {
            writer.line(&mut text, check);
        }
        text.push('\n');
    }
    _ = writeln!(text, "{}", writer.paint(BOLD, &report.verdict()));
    text
}

const BOLD: &str = "1";

struct Writer<'a> {
    coloured: bool,
    width: usize,
    /// Those that have been written, and for which check.
    remedies: HashMap<&'a str, &'static str>,
}

impl<'a> Writer<'a> {
    fn line(&mut self, text: &mut String, check: &'a Check) {
        let (mark, colour) = match check.outcome {
            Outcome::Ok => ("ok  ", "32"),
            Outcome::Warn => ("warn", "33"),
            Outcome::Fail => ("FAIL", "1;31"),
        };
        // Writing to memory does not fail.
        _ = writeln!(
            text,
            "  {}  {:width$}  {}",
            self.paint(colour, mark),
            check.name,
            view::printable(&check.found),
            width = self.width
        );
        let Some(remedy) = &check.remedy else { return };
        let remedy = match self.remedies.get(remedy.as_str()) {
            Some(earlier) => format!("as for {earlier}"),
            None => {
                self.remedies.insert(remedy, check.name);
                view::printable(remedy)
            }
        };
        _ = writeln!(text, "        → {remedy}");
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.coloured {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::check::Works, *};

    pub(in crate::cmd::doctor) fn report() -> Report {
        let ok = Check::ok;
        Report {
            checks: vec![
                ok(Group::System, "kernel", "Linux 6.1.0, x86_64"),
                ok(
                    Group::Privileges,
                    "CAP_BPF",
                    "not held: no BPF program can be loaded",
                )
                .but(Outcome::Fail, "sudo tracer …"),
                ok(
                    Group::Settings,
                    "kernel.kptr_restrict",
                    "2, \x1b[31mand so no names",
                )
                .but(Outcome::Warn, "sudo sysctl kernel.kptr_restrict=1"),
                ok(
                    Group::Sources,
                    "BPF programs",
                    "load a BPF program: permission denied",
                )
                .but(Outcome::Fail, "sudo tracer …"),
            ],
            works: Works {
                top: false,
                flame: false,
                hist: false,
            },
        }
    }

    #[test]
    fn a_report_as_text() {
        assert_eq!(
            text(&report(), false),
            r"System
  ok    kernel                Linux 6.1.0, x86_64

Privileges
  FAIL  CAP_BPF               not held: no BPF program can be loaded
        → sudo tracer …

Settings
  warn  kernel.kptr_restrict  2, \u{1b}[31mand so no names
        → sudo sysctl kernel.kptr_restrict=1

Sources
  FAIL  BPF programs          load a BPF program: permission denied
        → as for CAP_BPF

Nothing works here: neither top, flame nor hist.
"
        );
    }

    #[test]
    fn colours_are_about_the_marks() {
        let coloured = text(&report(), true);
        for mark in [
            "\x1b[1mSystem\x1b[0m\n",
            "  \x1b[32mok  \x1b[0m  kernel",
            "  \x1b[33mwarn\x1b[0m  kernel.kptr_restrict",
            "  \x1b[1;31mFAIL\x1b[0m  CAP_BPF",
        ] {
            assert!(coloured.contains(mark), "{mark:?} in {coloured}");
        }
    }
}
