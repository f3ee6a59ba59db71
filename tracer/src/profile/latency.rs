//! Latencies: of each slice, a histogram for each probed function and each key.
//!
//! A model of its own beside [`super::Profile`], by the same rules: batches are the only way in, no IO
//! and no clock, and nothing can fail.

mod batch;
mod histogram;
mod ledger;

use std::collections::{BTreeMap, HashMap, VecDeque};

pub use batch::{CallBatch, CallKey, Calls};
pub use histogram::{Bucket, Histogram};
pub use ledger::SpanLedger;

use super::Window;

/// A probed function: its place in [`Latencies::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// What calls are told apart by, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub(crate) u32);

/// A function that is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, fit to be shown.
    pub name: String,
    /// The file that it is in.
    pub dso: String,
    /// The probe that asked for it: its place in [`Latencies::probes`].
    pub probe: usize,
}

/// What one drain, or some in a row, have brought.
#[derive(Clone, Debug)]
struct Slice {
    start_ns: u64,
    end_ns: u64,
    /// Ordered, each pair once.
    calls: BTreeMap<(FunctionId, KeyId), Histogram>,
    ledgers: BTreeMap<FunctionId, SpanLedger>,
}

/// All that was observed of calls.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    probes: Vec<String>,
    functions: Vec<Function>,
    keys: Vec<(CallKey, String)>,
    key_ids: HashMap<CallKey, KeyId>,
    slices: VecDeque<Slice>,
    /// Since the start, whatever has been forgotten since.
    whole: BTreeMap<(FunctionId, KeyId), Histogram>,
    whole_ledgers: BTreeMap<FunctionId, SpanLedger>,
    first_ns: Option<u64>,
    settled_ns: u64,
}

impl Latencies {
    /// Nothing has been observed of these probes, as they were typed, and the functions they matched.
    pub fn new(probes: Vec<String>, functions: Vec<Function>) -> Self {
        Self {
            probes,
            functions,
            ..Self::default()
        }
    }

    /// Takes a batch in.
    pub fn apply(&mut self, batch: CallBatch) {
        let CallBatch {
            start_ns,
            end_ns,
            calls,
            ledgers,
            names,
        } = batch;
        self.first_ns.get_or_insert(start_ns);
        self.settled_ns = end_ns;
        for (key, name) in names {
            let id = self.key(key);
            if let Some(entry) = self.keys.get_mut(id.0 as usize) {
                entry.1 = name;
            }
        }
        let mut slice = Slice {
            start_ns,
            end_ns,
            calls: BTreeMap::new(),
            ledgers: BTreeMap::new(),
        };
        for Calls {
            function,
            key,
            histogram,
        } in calls
        {
            let place = (function, self.key(key));
            self.whole.entry(place).or_default().merge(&histogram);
            slice.calls.entry(place).or_default().merge(&histogram);
        }
        for (function, ledger) in ledgers {
            self.whole_ledgers.entry(function).or_default().add(&ledger);
            slice.ledgers.entry(function).or_default().add(&ledger);
        }
        self.slices.push_back(slice);
    }

    fn key(&mut self, key: CallKey) -> KeyId {
        *self.key_ids.entry(key).or_insert_with(|| {
            let id = KeyId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
            self.keys.push((key, String::new()));
            id
        })
    }

    /// The probes, as they were typed.
    pub fn probes(&self) -> &[String] {
        &self.probes
    }

    /// The functions that they matched.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(id.0 as usize)
    }

    /// What a key is, and the name of the process or thread if it is known.
    pub fn key_of(&self, id: KeyId) -> Option<(CallKey, &str)> {
        let (key, name) = self.keys.get(id.0 as usize)?;
        Some((*key, name))
    }

    /// When observing began, CLOCK_MONOTONIC; `None` before the first batch.
    pub fn first_ns(&self) -> Option<u64> {
        self.first_ns
    }

    /// Up to when everything is known.
    pub fn settled_ns(&self) -> u64 {
        self.settled_ns
    }

    /// Start and end of each slice that is held, in order.
    pub fn slices(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.slices
            .iter()
            .map(|slice| (slice.start_ns, slice.end_ns))
    }

    /// Calls each histogram of a window: the slices that begin in it. [`Window::ALL`]: everything since the
    /// start, also what has been forgotten since. A function and key can come more than once.
    pub fn each(&self, window: Window, mut visit: impl FnMut(FunctionId, KeyId, &Histogram)) {
        if window == Window::ALL {
            for ((function, key), histogram) in &self.whole {
                visit(*function, *key, histogram);
            }
            return;
        }
        for slice in self.within(window) {
            for ((function, key), histogram) in &slice.calls {
                visit(*function, *key, histogram);
            }
        }
    }

    /// The account of a window, of the functions that are wanted.
    pub fn ledger(&self, window: Window, mut wanted: impl FnMut(FunctionId) -> bool) -> SpanLedger {
        let mut sum = SpanLedger::default();
        let mut add = |(function, ledger): (&FunctionId, &SpanLedger)| {
            if wanted(*function) {
                sum.add(ledger);
            }
        };
        if window == Window::ALL {
            self.whole_ledgers.iter().for_each(add);
        } else {
            for slice in self.within(window) {
                slice.ledgers.iter().for_each(&mut add);
            }
        }
        sum
    }

    /// Calls each account of a window. A function can come more than once.
    pub fn each_ledger(&self, window: Window, mut visit: impl FnMut(FunctionId, &SpanLedger)) {
        if window == Window::ALL {
            for (function, ledger) in &self.whole_ledgers {
                visit(*function, ledger);
            }
            return;
        }
        for slice in self.within(window) {
            for (function, ledger) in &slice.ledgers {
                visit(*function, ledger);
            }
        }
    }

    fn within(&self, window: Window) -> impl Iterator<Item = &Slice> {
        let start = self
            .slices
            .partition_point(|slice| slice.start_ns < window.start_ns);
        let slices = self.slices.range(start..);
        slices.take_while(move |slice| slice.start_ns < window.end_ns)
    }

    /// Forgets the slices that begin before a moment; what was observed since the start stays as a whole.
    pub fn forget_before(&mut self, time_ns: u64) {
        while self
            .slices
            .front()
            .is_some_and(|slice| slice.start_ns < time_ns)
        {
            self.slices.pop_front();
        }
    }

    /// Keeps at most about so many buckets: older slices coalesce, two by two.
    pub fn bound(&mut self, most: usize) {
        let held = |slices: &VecDeque<Slice>| {
            let histograms = slices.iter().flat_map(|slice| slice.calls.values());
            histograms.map(Histogram::held).sum::<usize>()
        };
        while self.slices.len() > 2 && held(&self.slices) > most {
            let older = (self.slices.len() / 2).max(2);
            let newer = self.slices.split_off(older);
            let mut coalesced: VecDeque<Slice> = VecDeque::new();
            for (index, slice) in self.slices.drain(..).enumerate() {
                match coalesced.back_mut() {
                    Some(before) if index % 2 == 1 => before.append(slice),
                    _ => coalesced.push_back(slice),
                }
            }
            coalesced.extend(newer);
            self.slices = coalesced;
        }
    }
}

impl Slice {
    fn append(&mut self, next: Self) {
        self.end_ns = next.end_ns;
        for (place, histogram) in next.calls {
            self.calls.entry(place).or_default().merge(&histogram);
        }
        for (function, ledger) in next.ledgers {
            self.ledgers.entry(function).or_default().add(&ledger);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(index: u64, latencies: &[u64]) -> CallBatch {
        let mut histogram = Histogram::default();
        latencies.iter().for_each(|ns| histogram.add(*ns, 1));
        let fired = latencies.len() as u64 + 1;
        let ledger = SpanLedger {
            fired,
            recorded: latencies.len() as u64,
            open: 1,
            ..SpanLedger::default()
        };
        CallBatch {
            start_ns: index * 10,
            end_ns: index * 10 + 10,
            calls: vec![Calls {
                function: FunctionId(0),
                key: CallKey::All,
                histogram,
            }],
            ledgers: vec![(FunctionId(0), ledger)],
            names: Vec::new(),
        }
    }

    fn count(latencies: &Latencies, window: Window) -> u64 {
        let mut count = 0;
        latencies.each(window, |_, _, histogram| count += histogram.count());
        count
    }

    #[test]
    fn windows_add_up_and_the_whole_outlives_them() {
        let mut latencies = Latencies::new(vec!["f".to_owned()], Vec::new());
        for index in 0..16 {
            latencies.apply(batch(index, &[index + 1, 100]));
        }
        let window = |start_ns, end_ns| Window { start_ns, end_ns };
        assert_eq!(count(&latencies, Window::ALL), 32);
        assert_eq!(count(&latencies, window(0, 80)), 16);
        assert_eq!(count(&latencies, window(80, 200)), 16);
        latencies.bound(8);
        assert_eq!(count(&latencies, window(0, 1000)), 32);
        assert!(latencies.slices().count() < 16);
        latencies.forget_before(100);
        assert_eq!(count(&latencies, Window::ALL), 32);
        assert!(count(&latencies, window(0, 1000)) < 32);
        let ledger = latencies.ledger(Window::ALL, |_| true);
        assert!(ledger.balances());
        assert_eq!((ledger.fired, ledger.open), (48, 16));
        assert_eq!(latencies.ledger(Window::ALL, |_| false).fired, 0);
    }
}
