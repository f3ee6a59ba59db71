//! `tracer list`: what would be probed, where, and what each call would cost.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::json;

use super::{
    hist::{found_in, probing},
    launch::Stage,
    outputs,
    progress::say,
    subject,
};
use crate::{
    kernel::{self, AttachMode, ProbeCosts},
    plan::{Failure, List, Status},
    probe::{self, Class, Manner, Resolved, Site},
    view,
};

/// Does what the plan says.
pub(super) fn run(plan: &List) -> Result<ExitCode, Failure> {
    let found = subject::find(&plan.subject, Stage::Shared)?;
    let scope = found_in(&plan.subject, &found)?;
    let resolved = probe::resolve(&plan.probes, &scope, Manner::default())
        .map_err(|error| Failure::new(error.status(), error.to_string()))?;
    let Resolved { mut sites, skipped } = resolved;
    sites.sort_by(|one, other| (&one.dso, &one.name).cmp(&(&other.dso, &other.name)));
    let costs = kernel::calibrate(AttachMode::Auto);
    if let Err(error) = &costs {
        say(&format!("tracer: what a call costs is not known: {error}"));
    }
    let costs = costs.ok();
    let text = if plan.json {
        sites
            .iter()
            .map(|site| line(site, costs.as_ref()))
            .collect()
    } else {
        table(&sites, costs.as_ref())
    };
    outputs::print(&text)?;
    let summary = probing(&sites, &skipped, 0).replacen("probing ", "", 1);
    say(&format!("tracer: {}", view::printable(&summary)));
    Ok(if sites.is_empty() {
        Status::Nothing.into()
    } else {
        ExitCode::SUCCESS
    })
}

/// What a call costs, in microseconds.
fn cost(site: &Site, costs: &ProbeCosts) -> f64 {
    costs.call_ns(site.class == Class::Emulated, !site.exits.is_empty()) / 1e3
}

const fn class(site: &Site) -> &'static str {
    match site.class {
        Class::Emulated => "emulated",
        Class::Stepped => "single-stepped",
    }
}

/// Aligned columns: cost, file, place, function.
fn table(sites: &[Site], costs: Option<&ProbeCosts>) -> String {
    let place = |site: &Site| {
        let exits = match site.exits.len() {
            0 => String::new(),
            1 => ", 1 exit".to_owned(),
            many => format!(", {many} exits"),
        };
        let moved = site.offset - site.start;
        format!("+{moved} {} ({}{exits})", site.instruction, class(site))
    };
    let rows: Vec<(String, &Site)> = sites.iter().map(|site| (place(site), site)).collect();
    let width = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0).min(60);
    let of_dso = width(&mut sites.iter().map(|site| site.dso.chars().count()));
    let of_place = width(&mut rows.iter().map(|(place, _)| place.chars().count()));
    let mut text = String::new();
    for (place, site) in rows {
        if let Some(costs) = costs {
            // Writing to a string cannot fail.
            write!(text, "{:6.1} µs  ", cost(site, costs)).unwrap_or_default();
        }
        let dso = view::printable(&site.dso);
        let name = view::printable(&site.name);
        writeln!(text, "{dso:of_dso$}  {place:of_place$}  {name}").unwrap_or_default();
    }
    text
}

fn line(site: &Site, costs: Option<&ProbeCosts>) -> String {
    let Site {
        probe: _,
        name,
        dso,
        file,
        start,
        offset,
        exits,
        class: _,
        instruction,
        symbol,
    } = site;
    let document = json!({
        "name": name,
        "symbol": symbol,
        "dso": dso,
        "file": file.to_string_lossy(),
        "start": start,
        "offset": offset,
        "moved": offset - start,
        "instruction": instruction,
        "class": class(site),
        "exits": exits,
        "cost_us": costs.map(|costs| cost(site, costs)),
    });
    document.to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::kernel::CallCost;

    fn site(name: &str, moved: u64, class: Class, exits: &[u64]) -> Site {
        Site {
            probe: 0,
            name: name.to_owned(),
            dso: "libc.so.6".to_owned(),
            file: Arc::from(Path::new("/lib/libc.so.6")),
            start: 64,
            offset: 64 + moved,
            exits: exits.to_vec(),
            class,
            instruction: "push rbp".to_owned(),
            symbol: name.to_owned(),
        }
    }

    fn costs() -> ProbeCosts {
        let cost = |ns| CallCost { ns, empty_ns: None };
        ProbeCosts {
            emulated: cost(700.0),
            stepped: cost(14_000.0),
            at_exit: cost(13_900.0),
        }
    }

    #[test]
    fn columns_are_aligned_and_say_what_a_call_costs() {
        let sites = [
            site("malloc", 4, Class::Emulated, &[]),
            site("f\u{1b}[31m", 0, Class::Stepped, &[90]),
        ];
        let expected = "   0.7 µs  libc.so.6  +4 push rbp (emulated)                malloc\n\
                        \x20 27.2 µs  libc.so.6  +0 push rbp (single-stepped, 1 exit)  f\\u{1b}[31m\n";
        assert_eq!(table(&sites, Some(&costs())), expected);
        assert!(!table(&sites, None).contains("µs"));
    }

    #[test]
    fn a_function_as_json() {
        let json: serde_json::Value =
            serde_json::from_str(&line(&site("malloc", 4, Class::Emulated, &[]), None)).unwrap();
        assert_eq!(json["moved"], 4);
        assert_eq!(json["cost_us"], serde_json::Value::Null);
    }
}
