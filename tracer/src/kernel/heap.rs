//! The heap of this process.

/// Blocks of this size and more are the kernel's again as soon as they are freed.
const LARGE: i32 = 1 << 20;

/// Gives large blocks back to the kernel when they are freed. Without this, the C library keeps
/// them once some have been freed, up to 32 MiB each: what has been looked at once would be held
/// for as long as the interface is open.
pub fn give_back_large_blocks() {
    // SAFETY: sets a number of the allocator, whose functions may be called at any time. That it is
    // refused changes nothing.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
