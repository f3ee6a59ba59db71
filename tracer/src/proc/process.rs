//! Which processes there are, and when they started.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

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

/// User and system time of a process, of all its threads so far, to the resolution of the
/// scheduler's ticks. One that has ended has it until somebody waits for it.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    let (user, system) = parse_times(&fs::read(format!("/proc/{pid}/stat")).ok()?)?;
    // USER_HZ, which is what the file is in, whatever the kernel's own ticks are.
    let hertz = rustix::param::clock_ticks_per_second().max(1);
    Some(Duration::from_millis((user + system) * 1000 / hertz))
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

fn parse_start(stat: &[u8]) -> Option<u64> {
    fields_from(22, stat)?.next()?.parse().ok()
}

/// User and system time, fields 14 and 15, in ticks.
fn parse_times(stat: &[u8]) -> Option<(u64, u64)> {
    let mut fields = fields_from(14, stat)?;
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The fields of a stat file from this one on. The second is a name in parentheses that may hold
/// anything, parentheses and blanks included: count from the last one.
fn fields_from(number: usize, stat: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = std::str::from_utf8(&stat[after_name..]).ok()?;
    // Field 3 comes first here.
    Some(fields.split_ascii_whitespace().skip(number - 3))
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

/// Of how many processes of other users the mappings can be read, and how many there are. Looks at
/// no more than so many.
pub fn readable_mappings(most: usize) -> io::Result<(usize, usize)> {
    let own = rustix::process::geteuid().as_raw();
    let (mut readable, mut all) = (0, 0);
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // Those of the kernel have no executable, and their mappings are nobody's secret.
        let pid = path.file_name().and_then(|name| name.to_str());
        let is_process = pid.is_some_and(|name| name.parse::<u32>().is_ok());
        if !is_process || !is_of_another(&path, own) {
            continue;
        }
        all += 1;
        // Who may read is decided when it is opened.
        readable += usize::from(fs::File::open(path.join("maps")).is_ok());
        if all >= most {
            break;
        }
    }
    Ok((readable, all))
}

/// Whether a process runs a program for another user than this one.
fn is_of_another(process: &Path, own: u32) -> bool {
    let owner = fs::metadata(process).map(|metadata| metadata.uid());
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    owner.is_ok_and(|owner| owner != own) && !command.is_empty()
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
    fn times_are_found_behind_a_hostile_name() {
        let stat = b"7 (a) 1 (b)) S 1 7 7 0 -1 4194560 1 2 3 4 50 6 7 8 20 0 1 0 4711 1 2";
        assert_eq!(parse_times(stat), Some((50, 6)));
        assert_eq!(parse_times(b"7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 50"), None);
        assert_eq!(parse_times(b""), None);
    }

    #[test]
    fn own_cpu_time_passes() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let clock = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let end = clock().tv_nsec + 50_000_000;
        let seconds = clock().tv_sec;
        while (clock().tv_sec - seconds) * 1_000_000_000 + clock().tv_nsec < end {}
        let passed = cpu_time(pid).unwrap() - before;
        // Two ticks of rounding; other tests run in other threads.
        assert!(passed >= Duration::from_millis(30), "{passed:?}");
        assert_eq!(cpu_time(u32::MAX), None);
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
