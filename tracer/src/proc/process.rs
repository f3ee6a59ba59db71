//! Which processes there are, and when they started.

use std::{fs, io};

/// When a process started, in ticks since boot (field 22 of `/proc/PID/stat`).
pub fn start_ticks(pid: u32) -> io::Result<u64> {
    read_start(&format!("/proc/{pid}/stat"))
}

/// When a thread started; it must be a thread, of whatever process.
pub fn thread_start_ticks(tid: u32) -> io::Result<u64> {
    // `/proc/TID` is there for every thread, though not listed; its own entry under `task` has the
    // thread's times rather than the process's.
    read_start(&format!("/proc/{tid}/task/{tid}/stat"))
}

/// Whether a process or thread that started then has ended, though nobody may have waited for it.
pub fn has_ended(id: u32, ticks: u64) -> bool {
    let Ok(stat) = fs::read(format!("/proc/{id}/stat")) else {
        return true;
    };
    let threads = || fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count);
    let task = format!("/proc/{id}/task/{id}/stat");
    let started = [parse_start(&stat), thread_start(&task)];
    !started.contains(&Some(ticks)) || (is_zombie(&stat) && threads() <= 1)
}

fn thread_start(path: &str) -> Option<u64> {
    parse_start(&fs::read(path).ok()?)
}

/// The third field, behind the name.
fn is_zombie(stat: &[u8]) -> bool {
    let after_name = stat
        .iter()
        .rposition(|byte| *byte == b')')
        .map_or(0, |at| at + 1);
    matches!(
        stat[after_name..].trim_ascii_start().first(),
        Some(b'Z' | b'X')
    )
}

/// The process that a thread belongs to; itself, if it is a process.
pub fn process_of(tid: u32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status"))?;
    let tgid = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    tgid.ok_or_else(|| io::Error::other(format!("malformed /proc/{tid}/status")))
}

fn read_start(path: &str) -> io::Result<u64> {
    parse_start(&fs::read(path)?).ok_or_else(|| io::Error::other(format!("malformed {path}")))
}

/// The second field is a name in parentheses that may hold anything, parentheses and blanks
/// included: count from the last one.
fn parse_start(stat: &[u8]) -> Option<u64> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    // Field 3 comes first here.
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// The processes whose name (their executable's base name, or the kernel's 15-character comm) is
/// exactly this, in ascending order.
pub fn processes_named(name: &str) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if pid != std::process::id() && is_named(pid, name) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn is_named(pid: u32, name: &str) -> bool {
    let comm = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    if comm.strip_suffix(b"\n").unwrap_or(&comm) == name.as_bytes() {
        return true;
    }
    let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    executable.file_name().is_some_and(|file| file == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_is_found_behind_a_hostile_name() {
        let stat = b"7 (a) 1 (b)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2";
        assert_eq!(parse_start(stat), Some(4711));
        assert_eq!(parse_start(b"7 (a"), None);
        assert_eq!(parse_start(b"7 (a) S 1"), None);
    }

    #[test]
    fn zombies() {
        assert!(is_zombie(b"7 (a) 1 (b)) Z 1 7"));
        assert!(!is_zombie(b"7 (Z) S 1 7"));
        assert!(!is_zombie(b""));
    }

    #[test]
    fn own_process_and_thread_start() {
        let pid = std::process::id();
        assert!(
            start_ticks(pid).unwrap()
                <= thread_start_ticks(
                    rustix::thread::gettid()
                        .as_raw_nonzero()
                        .get()
                        .unsigned_abs()
                )
                .unwrap()
        );
    }
}
