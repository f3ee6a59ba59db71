//! What the user side has decided.

use aya_ebpf::{macros::map, maps::Array};
use tracer_common::Config;

#[map]
static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

/// Which generation of the double-buffered maps and counters is being written, 0 or 1.
#[map]
static GENERATION: Array<u32> = Array::with_max_entries(1, 0);

/// The generation that a program writes from its first to its last instruction.
#[derive(Clone, Copy)]
pub struct Generation(u32);

impl Generation {
    /// Its index in maps of two elements.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self.0 & 1
    }
}

/// To be called once, first.
#[inline(always)]
pub fn generation() -> Option<Generation> {
    let word = GENERATION.get_ptr(0)?;
    // SAFETY: the element exists for as long as the map does. Volatile: the user side may change
    // it at any time, and it must be read once.
    Some(Generation(unsafe { word.read_volatile() }))
}

/// The settings.
#[inline(always)]
pub fn config() -> Option<&'static Config> {
    CONFIG.get(0)
}
