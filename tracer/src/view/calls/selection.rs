//! Which calls to look at.

use std::collections::{BTreeSet, HashMap};

use super::rows::{Call, Names};
use crate::{
    profile::{FunctionId, KeyId, Latencies},
    view::Filter,
};

/// Which calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of one row alone; `None`: all.
    pub only: Option<Call>,
    /// Those of rows that match all of these, by name, by file, or by who calls.
    pub filters: Vec<Filter>,
}

impl Selection {
    /// Whether calls are left out.
    pub fn is_everything(&self) -> bool {
        let Self { only, filters } = self;
        only.is_none() && filters.is_empty()
    }

    pub(in crate::view) fn on<'a>(&'a self, latencies: &'a Latencies) -> Accepts<'a> {
        Accepts {
            selection: self,
            names: Names::new(latencies),
            known: HashMap::new(),
        }
    }
}

/// A selection that looks at each pair of function and key once.
pub(in crate::view) struct Accepts<'a> {
    selection: &'a Selection,
    pub(super) names: Names<'a>,
    known: HashMap<(FunctionId, KeyId), bool>,
}

impl Accepts<'_> {
    /// Whether calls of a function by somebody are asked for.
    pub(in crate::view) fn call(&mut self, function: FunctionId, key: KeyId) -> bool {
        let Self {
            selection,
            names,
            known,
        } = self;
        let Selection { only, filters } = selection;
        let call = Call { function, key };
        *known.entry((function, key)).or_insert_with(|| {
            only.is_none_or(|only| only == call)
                && filters
                    .iter()
                    .all(|filter| names.match_any(call, &filter.pattern) != filter.exclude)
        })
    }

    /// The functions of which there can be calls that are asked for.
    pub(in crate::view) fn functions(&self) -> BTreeSet<FunctionId> {
        let Selection { only, filters } = self.selection;
        let called = self.known.iter().filter(|(_, accepted)| **accepted);
        let mut functions: BTreeSet<FunctionId> =
            called.map(|((function, _), _)| *function).collect();
        // Also those of which no call has ended yet.
        let all = 0..self.names.functions();
        let uncalled = all.map(FunctionId).filter(|function| match only {
            Some(only) => only.function == *function,
            None => filters.iter().all(|filter| {
                self.names.function_matches(*function, &filter.pattern) != filter.exclude
            }),
        });
        functions.extend(uncalled);
        functions
    }
}
