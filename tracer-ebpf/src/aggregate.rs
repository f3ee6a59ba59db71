//! Adding observations up in the kernel.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::map, maps::HashMap};
use tracer_common::SampleKey;

use crate::{config::Generation, ledger};

#[map]
static COUNTS_0: HashMap<SampleKey, u64> = HashMap::with_max_entries(32_768, 0);
#[map]
static COUNTS_1: HashMap<SampleKey, u64> = HashMap::with_max_entries(32_768, 0);

/// Counts one sample; `false`: the map has no room, or is busy.
#[inline(always)]
pub fn count(generation: Generation, key: &SampleKey) -> bool {
    if generation.index() == 0 {
        count_in(&COUNTS_0, key)
    } else {
        count_in(&COUNTS_1, key)
    }
}

#[inline(always)]
fn count_in(counts: &HashMap<SampleKey, u64>, key: &SampleKey) -> bool {
    if let Some(count) = counts.get_ptr_mut(key) {
        ledger::add(count, 1);
        return true;
    }
    if counts.insert(key, &1, BPF_NOEXIST.into()).is_ok() {
        return true;
    }
    // Another CPU may have been first.
    match counts.get_ptr_mut(key) {
        Some(count) => {
            ledger::add(count, 1);
            true
        }
        None => false,
    }
}
