//! The report as a line of JSON: for scripts.

use serde::Serialize;
use serde_json::json;

use super::check::{Check, Outcome, Report, Works};
use crate::kernel::{CallCost, ProbeCosts};

#[derive(Serialize)]
struct Document<'a> {
    checks: Vec<Row<'a>>,
    works: Commands,
}

#[derive(Serialize)]
struct Row<'a> {
    group: &'static str,
    name: &'static str,
    status: &'static str,
    found: &'a str,
    remedy: Option<&'a str>,
}

#[derive(Serialize)]
struct Commands {
    top: bool,
    flame: bool,
    hist: bool,
}

/// The report as a line.
pub(super) fn line(report: &Report) -> serde_json::Result<String> {
    let Report {
        checks,
        works: Works { top, flame, hist },
    } = report;
    let document = Document {
        checks: checks.iter().map(row).collect(),
        works: Commands {
            top: *top,
            flame: *flame,
            hist: *hist,
        },
    };
    Ok(serde_json::to_string(&document)? + "\n")
}

/// What probes cost, as a line.
pub(super) fn costs(costs: &ProbeCosts) -> String {
    let ProbeCosts {
        emulated,
        stepped,
        at_exit,
    } = costs;
    let one = |CallCost { ns, empty_ns }: &CallCost| json!({ "ns": ns, "empty_ns": empty_ns });
    json!({ "emulated": one(emulated), "stepped": one(stepped), "at_exit": one(at_exit) })
        .to_string()
        + "\n"
}

fn row(check: &Check) -> Row<'_> {
    let Check {
        group,
        name,
        outcome,
        found,
        remedy,
    } = check;
    Row {
        group: group.name(),
        name,
        status: match outcome {
            Outcome::Ok => "ok",
            Outcome::Warn => "warn",
            Outcome::Fail => "fail",
        },
        found,
        remedy: remedy.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::render::tests::report, *};

    #[test]
    fn a_report_as_json() {
        assert_eq!(
            line(&report()).unwrap(),
            r#"{"checks":[{"group":"System","name":"kernel","status":"ok","found":"Linux 6.1.0, x86_64","remedy":null},"#
                .to_owned()
                + r#"{"group":"Privileges","name":"CAP_BPF","status":"fail","found":"not held: no BPF program can be loaded","remedy":"sudo tracer …"},"#
                + r#"{"group":"Settings","name":"kernel.kptr_restrict","status":"warn","found":"2, \u001b[31mand so no names","remedy":"sudo sysctl kernel.kptr_restrict=1"},"#
                + r#"{"group":"Sources","name":"BPF programs","status":"fail","found":"load a BPF program: permission denied","remedy":"sudo tracer …"}],"#
                + r#""works":{"top":false,"flame":false,"hist":false}}"#
                + "\n"
        );
    }
}
