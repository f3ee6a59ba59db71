//! The child process that reads the files of traced programs (`tracer --worker`).
//!
//! What it parses is under the control of the traced programs, and a file that shrinks while it is
//! mapped kills its reader (SIGBUS): here that costs one file its names, not the profile. The
//! worker has no privileges, opens nothing of its own but debug files' supplements, keeps no
//! results and answers every request with exactly one reply. It must not know frames, processes
//! or the model: requests name files by number and code by address.

mod channel;
mod debug_info;
mod demangle;
mod dso;
mod identity;
mod kernel;
mod perf_map;
mod protocol;
mod sandbox;
mod segments;
mod serve;
mod table;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

pub(crate) use channel::Channel;
pub(crate) use demangle::demangle;
pub(crate) use protocol::{Answer, BATCH, Reply, Request, Wanted};

/// Runs as the worker until the other end of the socket, which is standard input, is closed.
///
/// Must be called before any thread is started: privileges belong to threads.
pub fn main() -> ExitCode {
    // What `ps` and `top` show: it was started by the name of a link in /proc. No harm if not.
    _ = rustix::thread::set_name(c"tracer-worker");
    // Tables of files that have been closed are not kept.
    crate::kernel::give_back_large_blocks();
    // Who may see kernel addresses is decided by the privileges at open, not at read: reading, the
    // dear part, can wait until a kernel address is asked for.
    let kernel_symbols = File::open("/proc/kallsyms").ok();
    let Ok(socket) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    // What the kernel told this process when it began is kept from here on: before Linux 6.4 it is
    // read from a file in /proc, which the sandbox closes, and rustix panics without it.
    _ = rustix::param::page_size();
    if sandbox::enter().is_err() {
        return ExitCode::FAILURE;
    }
    match serve::serve(Channel::new(UnixStream::from(socket)), kernel_symbols) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
