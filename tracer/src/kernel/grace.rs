//! Waiting until every BPF program that runs now has ended.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya_obj::generated::bpf_map_type;

use super::sys;

/// A map of maps: when the user side changes one, the kernel waits for a grace period before it
/// returns (`maybe_wait_bpf_programs`). membarrier(2) would do, but not on every kernel: it refuses
/// where CPUs run without ticks (`nohz_full`).
pub(super) struct GracePeriod {
    outer: OwnedFd,
    inner: OwnedFd,
}

impl GracePeriod {
    pub(super) fn new() -> io::Result<Self> {
        let array = bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
        let array_of_maps = bpf_map_type::BPF_MAP_TYPE_ARRAY_OF_MAPS as u32;
        let inner = sys::map_create("grace_inner", &sys::MapShape::new(array, 4, 4, 1))?;
        let mut shape = sys::MapShape::new(array_of_maps, 4, 4, 1);
        shape.inner = Some(inner.as_fd());
        let outer = sys::map_create("grace", &shape)?;
        Ok(Self { outer, inner })
    }

    /// Waits: 5 to 20 ms.
    pub(super) fn wait(&self) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        let inner = self.inner.as_raw_fd().to_ne_bytes();
        sys::map_update(self.outer.as_fd(), &0u32.to_ne_bytes(), &inner)
    }
}
