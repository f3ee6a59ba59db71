//! Unwind tables on their way through the socket.

use std::fs::File;

use serde::{Deserialize, Serialize};
use tracer_common::{
    Plain as _,
    unwind::{MAX_PAGE_ROWS, Rule},
};

use super::{identity::Identity, protocol::Reply};
use crate::unwind::{NoTable, Table};

/// A table as bytes: element by element, a message takes ten times as long to make.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packed {
    first_page: u32,
    #[serde(with = "serde_bytes")]
    pages: Vec<u8>,
    #[serde(with = "serde_bytes")]
    rows: Vec<u8>,
    #[serde(with = "serde_bytes")]
    rules: Vec<u8>,
}

impl From<&Table> for Packed {
    fn from(table: &Table) -> Self {
        Self {
            first_page: table.first_page,
            pages: table
                .pages
                .iter()
                .flat_map(|page| page.to_ne_bytes())
                .collect(),
            rows: table
                .rows
                .iter()
                .flat_map(|row| row.to_ne_bytes())
                .collect(),
            rules: table
                .rules
                .iter()
                .flat_map(|rule| rule.bytes().to_vec())
                .collect(),
        }
    }
}

impl Packed {
    /// The table, if it is one: the worker may have been taken over by what it read.
    pub(crate) fn unpack(&self) -> Option<Table> {
        let Self {
            first_page,
            pages,
            rows,
            rules,
        } = self;
        let table = Table {
            first_page: *first_page,
            pages: pages.chunks_exact(8).filter_map(u64::read).collect(),
            rows: rows.chunks_exact(4).filter_map(u32::read).collect(),
            rules: rules
                .chunks_exact(size_of::<Rule>())
                .filter_map(Rule::read)
                .collect(),
        };
        // Pages have their rows one behind the other.
        let mut next = 0;
        for page in &table.pages {
            let (first, count) = (*page as u32, (page >> 32) as u32);
            if first != next || count == 0 || count > MAX_PAGE_ROWS {
                return None;
            }
            next = first.checked_add(count)?;
        }
        (!table.pages.is_empty() && next as usize == table.rows.len()).then_some(table)
    }
}

/// Reads a file's table.
pub(super) fn of(file: Option<&File>) -> Reply {
    let Some(file) = file else {
        return Reply::Unreadable;
    };
    match Table::of_file(file) {
        Ok(table) => Reply::Table {
            build_id: Identity::read(file).map_or_else(Vec::new, Identity::build_id),
            table: Packed::from(&table),
            cpu_ns: super::serve::cpu_ns(),
        },
        Err(NoTable::Unreadable) => Reply::Unreadable,
        Err(_) => Reply::NoTable,
    }
}
