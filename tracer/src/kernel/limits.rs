//! Sizes of the maps and the length of what repeats, and how tests make them small.

/// Sizes of what can fill up; `None`: as the object has it. A hidden flag sets them, so that tests
/// see every kind of loss happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shrink {
    /// Entries in each map of counts.
    pub counts: Option<u32>,
    /// Bytes of the ring buffer: a power of two, whole pages.
    pub ring: Option<u32>,
    /// Buckets in each stack-trace map.
    pub kernel_stacks: Option<u32>,
    /// Scratch slots per CPU.
    pub scratch: Option<u32>,
    /// Buckets of latencies in each map, which are then always in a map.
    pub calls: Option<u32>,
    /// Drains after which stacks that are no longer seen are forgotten, instead of a time.
    pub epoch: Option<u32>,
}

impl Shrink {
    /// The size that a map shall have, if not its own.
    pub(super) fn entries(&self, map: &str) -> Option<u32> {
        match map {
            "COUNTS_0" | "COUNTS_1" => self.counts,
            "RING" => self.ring,
            "KERNEL_STACKS_0" | "KERNEL_STACKS_1" => self.kernel_stacks,
            _ => None,
        }
    }
}
