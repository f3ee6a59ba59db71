//! From what a user names to what the kernel measures.

use std::{
    collections::{BTreeMap, HashSet},
    io,
};

use super::launch::{Launched, Stage};
use crate::{
    kernel::Target,
    plan::{Failure, ProcessName, Status, Subject},
    proc,
    source::Interest,
};

/// A subject that was found.
pub(super) struct Found {
    /// For the kernel.
    pub(super) target: Target,
    /// Whose mappings to read first.
    pub(super) interest: Interest,
    /// In words, for titles.
    pub(super) title: String,
    /// PIDs and start times; when all have ended, so has the measuring.
    pub(super) ends_with: Vec<(u32, u64)>,
    /// The command, if it is one.
    pub(super) command: Option<Launched>,
}

impl Found {
    fn new(target: Target, interest: Interest, title: String) -> Self {
        Self {
            target,
            interest,
            title,
            ends_with: Vec::new(),
            command: None,
        }
    }

    /// Whether there is nothing left to measure.
    pub(super) fn ended(&self) -> bool {
        let ended = |(id, ticks): &(u32, u64)| proc::has_ended(*id, *ticks);
        !self.ends_with.is_empty() && self.ends_with.iter().all(ended)
    }
}

/// Looks the subject up; a command is started, and waits.
pub(super) fn find(subject: &Subject, stage: Stage) -> Result<Found, Failure> {
    match subject {
        Subject::All => Ok(Found::new(
            Target::All,
            Interest::Sampled,
            "all processes".to_owned(),
        )),
        Subject::Processes(names) => processes(names),
        Subject::Threads(tids) => threads(tids),
        Subject::Cgroup(path) => {
            let cgroup = proc::cgroup(path).map_err(|error| {
                nothing(format!("cannot measure cgroup {}: {error}", path.display()))
            })?;
            let target = Target::Cgroup {
                id: cgroup.id,
                level: cgroup.level,
            };
            Ok(Found::new(
                target,
                Interest::Sampled,
                format!("cgroup {}", path.display()),
            ))
        }
        Subject::Command(command) => {
            let launched = Launched::prepare(command, stage)?;
            let pid = launched.pid();
            let words: Vec<_> = command
                .iter()
                .map(|word| quoted(&word.to_string_lossy()))
                .collect();
            let title = words.join(" ");
            let interest = Interest::Processes(HashSet::from([pid]));
            let mut found = Found::new(Target::Processes(Vec::new()), interest, title);
            found.command = Some(launched);
            Ok(found)
        }
    }
}

fn processes(names: &[ProcessName]) -> Result<Found, Failure> {
    let (mut pids, mut numbers) = (Vec::new(), Vec::new());
    for name in names {
        match name {
            ProcessName::Pid(pid) => {
                pids.push(*pid);
                numbers.push(*pid);
            }
            ProcessName::Name(name) => {
                let found = proc::processes_named(name).map_err(|error| {
                    Failure::new(Status::Failed, format!("cannot read /proc: {error}"))
                })?;
                if found.is_empty() {
                    return Err(nothing(format!(
                        "no process is named '{name}'; 'ps -e' lists those that there are"
                    )));
                }
                pids.extend(found);
            }
        }
    }
    pids.sort_unstable();
    pids.dedup();
    let mut started = Vec::new();
    for pid in pids {
        let ticks = match proc::start_ticks(pid) {
            Ok(ticks) => ticks,
            // One of a name may have ended since.
            Err(_) if !numbers.contains(&pid) => continue,
            Err(error) => return Err(gone("process", pid, &error)),
        };
        match proc::process_of(pid) {
            Ok(process) if process != pid => {
                return Err(nothing(format!(
                    "{pid} is a thread of process {process}; use '-t {pid}' for the thread alone, or '-p {process}'"
                )));
            }
            _ => started.push((pid, ticks)),
        }
    }
    let pids: Vec<u32> = started.iter().map(|(pid, _)| *pid).collect();
    let title = title(&pids, "PID");
    let interest = Interest::Processes(pids.into_iter().collect());
    let mut found = Found::new(Target::Processes(started.clone()), interest, title);
    found.ends_with = started;
    Ok(found)
}

fn threads(tids: &[u32]) -> Result<Found, Failure> {
    let mut started = Vec::new();
    let mut owners = HashSet::new();
    for tid in tids {
        let ticks = proc::thread_start_ticks(*tid).map_err(|error| gone("thread", *tid, &error))?;
        let owner = proc::process_of(*tid).map_err(|error| gone("thread", *tid, &error))?;
        owners.insert(owner);
        started.push((*tid, ticks));
    }
    let interest = Interest::Processes(owners);
    let mut found = Found::new(
        Target::Threads(started.clone()),
        interest,
        title(tids, "TID"),
    );
    found.ends_with = started;
    Ok(found)
}

/// Names and numbers, or how many have a name if several do.
fn title(ids: &[u32], kind: &str) -> String {
    let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for id in ids {
        by_name.entry(comm(*id)).or_default().push(*id);
    }
    let title = |(name, ids): (String, Vec<u32>)| match ids.as_slice() {
        [id] => format!("{name} ({kind} {id})"),
        many => format!("{name} ({} {kind}s)", many.len()),
    };
    by_name
        .into_iter()
        .map(title)
        .collect::<Vec<_>>()
        .join(", ")
}

/// A word of a command as one would type it.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "_-./=:,+@%^".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn comm(id: u32) -> String {
    let comm = std::fs::read(format!("/proc/{id}/comm")).unwrap_or_default();
    String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned()
}

fn gone(what: &str, id: u32, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => nothing(format!(
            "there is no {what} {id}; 'ps -eLf' lists those that there are"
        )),
        _ => Failure::new(
            Status::Failed,
            format!("cannot read about {what} {id}: {error}"),
        ),
    }
}

fn nothing(message: String) -> Failure {
    Failure::new(Status::Nothing, message)
}
