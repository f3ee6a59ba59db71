//! Gives up everything that reading files does not need.

use std::io;

use rustix::fs::{FileType, Gid, Uid, fstat};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, geteuid, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

/// The user and group that the kernel itself uses for "nobody".
const NOBODY: u32 = 65534;

/// Debug information of the biggest programs takes some hundreds of MiB; a hostile file could ask
/// for any amount. Mapped files do not count.
const MAX_MEMORY: u64 = 2 << 30;

/// What a worker may add to its log: a message is a few lines.
const MAX_LOG: u64 = 1 << 20;

/// Enters the sandbox. There is no way back.
pub(super) fn enter() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A mapped path must not keep the user's file system from being unmounted.
    std::env::set_current_dir("/")?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, log_limit())?;
    limit(Resource::Data, MAX_MEMORY)?;
    set_no_new_privs(true)?;

    for (_, capability) in CapabilitySet::all().iter_names() {
        // Refused to those who have nothing to give up, and for capabilities that this kernel does
        // not know.
        if remove_capability_from_bounding_set(capability).is_err() {
            continue;
        }
    }
    if geteuid().is_root() {
        // Root without capabilities still owns root's files. In a user namespace that does not map
        // "nobody" this fails, and root is then nobody special outside it.
        drop(become_nobody());
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    // A core limit of 0 does not keep a core from being piped to a handler; this does. It also
    // keeps other processes of the same user from tracing this one. A change of user resets it,
    // so it comes last.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// How large a file may become by writing: not at all, but for the log, if standard error is one.
fn log_limit() -> u64 {
    match fstat(io::stderr()) {
        Ok(log) if FileType::from_raw_mode(log.st_mode) == FileType::RegularFile => {
            log.st_size.unsigned_abs().saturating_add(MAX_LOG)
        }
        Ok(_) | Err(_) => 0,
    }
}

fn become_nobody() -> io::Result<()> {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}

fn limit(resource: Resource, to: u64) -> io::Result<()> {
    let to = rustix::process::getrlimit(resource)
        .maximum
        .map_or(to, |maximum| maximum.min(to));
    setrlimit(
        resource,
        Rlimit {
            current: Some(to),
            maximum: Some(to),
        },
    )?;
    Ok(())
}
