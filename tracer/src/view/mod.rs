//! What a person looks at: pure functions of the profile, the names and a query.
//!
//! Views own merging and naming, so that a screen and a file agree to the last count. They know no
//! styles, formats, clocks or files.

mod account;
mod folded;
mod label;
mod name;
mod tree;
mod unnamed;

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::profile::{Comm, ProcessId, Profile, StackId, Window};

pub use account::account;
pub use folded::{Folded, folded};
pub use label::{Kind, Label};
pub use name::{clean, clean_bytes, printable};
pub use tree::{Node, Tree, tree};
pub use unnamed::{Unnamed, UnnamedCount, unnamed};

/// Which part of a profile to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// These processes alone; `None`: all.
    pub processes: Option<BTreeSet<ProcessId>>,
}

/// The weight of each stack under each comm, over all threads and slices that a query asks for.
fn totals(profile: &Profile, query: &Query) -> FxHashMap<(Comm, StackId), u64> {
    let mut totals = FxHashMap::default();
    for row in profile.weights(Window::ALL) {
        let thread = profile.thread(row.thread);
        if query
            .processes
            .as_ref()
            .is_none_or(|wanted| wanted.contains(&thread.process))
        {
            let sum: &mut u64 = totals.entry((thread.comm, row.stack)).or_default();
            *sum = sum.saturating_add(row.weight);
        }
    }
    totals
}
