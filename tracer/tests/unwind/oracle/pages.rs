//! Functions put in order and laid out in pages, by the description of the format.

use std::collections::BTreeMap;
use std::ops::Range;

use tracer::unwind::Table;
use tracer_common::unwind::{self as wire, Rule};

use super::{Function, NOTHING, Said};

/// Where in the file something else holds than before.
pub(super) fn changes(mut functions: Vec<Function>, entry: Option<Range<u64>>) -> Vec<(u64, Said)> {
    functions.sort_by_key(|function| function.range.start);
    functions.dedup_by_key(|function| function.range.start);
    let mut all = BTreeMap::from([(0, NOTHING)]);
    let mut gaps = Vec::new();
    let mut end = 0;
    for (index, function) in functions.iter().enumerate() {
        let first = function.rows.first_key_value().map(|row| *row.1);
        let called_by_nobody = first == Some(Said::Code(wire::CODE_SIGNAL))
            || first == Some(Said::Code(wire::CODE_STOP));
        let early = called_by_nobody && function.range.start > end;
        let start = function.range.start - u64::from(early);
        gaps.push(end..start);
        let next = functions.get(index + 1).map(|next| next.range.start);
        end = function.range.end.min(next.unwrap_or(u64::MAX));
        all.extend(function.rows.range(..end).map(|(at, said)| (*at, *said)));
        if start < function.range.start {
            let said = all.remove(&function.range.start);
            all.insert(start, said.unwrap_or(NOTHING));
        }
    }
    gaps.push(end..u64::MAX);
    for gap in gaps {
        if gap.end - gap.start >= 16 {
            all.insert(gap.start, NOTHING);
        }
        if let Some(entry) = entry.clone().filter(|entry| gap.contains(&entry.start)) {
            all.insert(entry.start, Said::Code(wire::CODE_STOP));
            let end = entry.end.min(entry.start + 256);
            if end < gap.end {
                all.insert(end, NOTHING);
            }
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.dedup_by_key(|change| change.1);
    all
}

/// Beginning with a change to nothing at 0.
pub(super) fn pages(changes: &[(u64, Said)]) -> Table {
    let mut table = Table {
        first_page: changes.get(1).map_or(0, |change| change.0 as u32 >> 12),
        pages: Vec::new(),
        rows: Vec::new(),
        rules: Vec::new(),
    };
    let last = changes
        .last()
        .map_or(0, |change| change.0.saturating_sub(1) >> 12);
    let mut at = 0;
    for page in u64::from(table.first_page)..=last {
        let first = table.rows.len();
        while at + 1 < changes.len() && changes[at + 1].0 <= page << 12 {
            at += 1;
        }
        let code = code(&mut table.rules, changes[at].1);
        table.rows.push(wire::row(code, 0));
        while at + 1 < changes.len() && changes[at + 1].0 >> 12 == page {
            at += 1;
            let code = self::code(&mut table.rules, changes[at].1);
            table.rows.push(wire::row(code, changes[at].0 as u32));
        }
        let count = table.rows.len() - first;
        table.pages.push((count as u64) << 32 | first as u64);
    }
    table
}

fn code(rules: &mut Vec<Rule>, said: Said) -> u32 {
    let rule = match said {
        Said::Code(code) => return code,
        Said::Rule(rule) => rule,
    };
    let known = rules.iter().position(|known| *known == rule);
    let index = known.unwrap_or_else(|| {
        rules.push(rule);
        rules.len() - 1
    });
    wire::FIRST_RULE + index as u32
}
