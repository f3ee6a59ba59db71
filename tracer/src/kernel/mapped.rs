//! Memory that is shared with the kernel through a descriptor. Knows nothing of what is in it.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

/// A mapping of the start of a descriptor.
pub(super) struct Mapped {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone.
unsafe impl Send for Mapped {}

impl Mapped {
    /// Maps the first `len` bytes, for reading and writing.
    pub(super) fn new(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        NonNull::new(base.cast::<u8>())
            .filter(|base| base.as_ptr().cast() != libc::MAP_FAILED)
            .map(|base| Self { base, len })
            .ok_or_else(io::Error::last_os_error)
    }

    /// Words at `at`, which must be a multiple of 8.
    pub(super) fn words(&self, at: usize, count: usize) -> &[AtomicU64] {
        assert!(at.is_multiple_of(8) && at <= self.len && count <= (self.len - at) / 8);
        // SAFETY: aligned words within the mapping (asserted; it begins at a page), which lives as
        // long as `self`; the kernel accesses them whole too.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(at).cast(), count) }
    }

    /// Copies bytes out that the kernel does not write meanwhile.
    pub(super) fn copy(&self, at: usize, to: &mut [u8]) {
        assert!(at <= self.len && to.len() <= self.len - at);
        // SAFETY: within the mapping (asserted), and `to` is memory of ours.
        unsafe {
            self.base
                .as_ptr()
                .add(at)
                .copy_to_nonoverlapping(to.as_mut_ptr(), to.len());
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length and nothing refers to it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
