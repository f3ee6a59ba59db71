//! From a plan to probes that are attached, and what to call what they will find.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use rustix::fs::{Access, access};

use super::costs::Costs;
use crate::{
    cmd::{
        begin::raise_file_limit,
        launch::{Launched, Stage},
        progress::say,
        subject::{self, Found},
    },
    kernel::{self, AttachMode, ProbeCosts, SessionOptions, Target},
    plan::{self, Failure, Status, Subject},
    probe::{self, Cancelling, Class, MOST_WITHOUT_YES, Resolved, Scope, Site, Skipped},
    profile::{Function, Latencies},
    source::{self, FunctionOptions},
    view,
};

/// Names that are listed before it is "and so many more".
const LISTED: usize = 3;

/// All that measuring needs; no call has been counted yet.
pub(super) struct Begun {
    /// The probes.
    pub(super) source: source::Function,
    /// Who is measured.
    pub(super) found: Found,
    /// Nothing, of the functions that are probed.
    pub(super) latencies: Latencies,
    /// What is measured, in words.
    pub(super) title: String,
    /// What a call of each function costs; it is being found out.
    pub(super) costs: Costs,
}

/// Finds the subject and the functions, loads the programs and attaches them. Nothing is attached
/// if anything is wrong. Says on standard error what is probed.
pub(super) fn begin(plan: &plan::Hist, stage: Stage) -> Result<Begun, Failure> {
    let found = subject::find(&plan.subject, stage)?;
    let scope = scope(&plan.subject, &found)?;
    let resolved = probe::resolve(&plan.probes, &scope, plan.manner)
        .map_err(|error| Failure::new(error.status(), error.to_string()))?;
    check(&resolved, plan)?;
    let Resolved { sites, skipped } = resolved;
    // Not before the command is there: its limits are the user's.
    raise_file_limit();
    let costs = calibrating(plan.mode);
    let options = FunctionOptions {
        sites,
        by: plan.by,
        slower_than: plan.slower_than,
        mode: plan.mode,
    };
    let source = source::Function::open(&options, &session(plan, &found))?;
    let FunctionOptions { sites, .. } = options;
    report(&sites, &skipped, source.refused())?;
    warn_of_cancelling(&scope, &sites);
    let probes: Vec<String> = plan
        .probes
        .iter()
        .map(|probe| probe.text().to_owned())
        .collect();
    let probed = match probes.as_slice() {
        few if few.len() <= LISTED => few.join(", "),
        many => format!(
            "{} and {} more",
            many[..LISTED].join(", "),
            many.len() - LISTED
        ),
    };
    let title = format!("{probed} of {}", found.title);
    Ok(Begun {
        source,
        found,
        title,
        costs: Costs::new(costs, &sites),
        latencies: Latencies::new(probes, sites.into_iter().map(function).collect()),
    })
}

fn function(site: Site) -> Function {
    let Site {
        probe,
        name,
        dso,
        file: _,
        start: _,
        offset: _,
        exits: _,
        class: _,
        instruction: _,
        symbol: _,
    } = site;
    Function { name, dso, probe }
}

fn session(plan: &plan::Hist, found: &Found) -> SessionOptions {
    SessionOptions {
        target: found.target.clone(),
        follow: plan.children,
        idle: false,
        launched: found.command.as_ref().map(Launched::pid),
        worker: None,
        room: 4096,
        shrink: plan.shrink,
    }
}

/// Where the functions are looked for: in what the subject maps, or is going to.
pub(in crate::cmd) fn scope(subject: &Subject, found: &Found) -> Result<Scope, Failure> {
    if let Subject::Command(command) = subject {
        let program = command.first().map_or(OsStr::new(""), |word| word);
        return program_file(program).map(Scope::Command);
    }
    Ok(match &found.target {
        Target::All | Target::Cgroup { .. } => Scope::Machine,
        Target::Processes(processes) => {
            Scope::Processes(processes.iter().map(|(pid, _)| *pid).collect())
        }
        Target::Threads(threads) => {
            // One that has ended since is not looked into.
            let owners = threads
                .iter()
                .filter_map(|(tid, _)| crate::proc::process_of(*tid).ok());
            let owners: BTreeSet<u32> = owners.collect();
            Scope::Processes(owners.into_iter().collect())
        }
    })
}

/// The file that a command's first word means, as a shell finds it.
fn program_file(program: &OsStr) -> Result<PathBuf, Failure> {
    let runs = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let path = Path::new(program);
    let found = if program.as_encoded_bytes().contains(&b'/') {
        Some(path.to_owned()).filter(|path| runs(path))
    } else {
        let directories = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&directories)
            .map(|directory| directory.join(path))
            .find(|path| runs(path))
    };
    found.ok_or_else(|| {
        let program = program.to_string_lossy();
        Failure::new(
            Status::CommandNotRun,
            format!("there is no program '{program}' to run; give its path, or add it to PATH"),
        )
    })
}

/// Refuses what has nothing to probe, and what has more than was meant.
fn check(resolved: &Resolved, plan: &plan::Hist) -> Result<(), Failure> {
    let Resolved { sites, skipped } = resolved;
    let probed: HashSet<usize> = sites.iter().map(|site| site.probe).collect();
    for (index, probe) in plan.probes.iter().enumerate() {
        if !probed.contains(&index) {
            let reason = skipped.iter().find(|skipped| skipped.probe == index);
            let reason = reason.map_or_else(
                || "no function matches; 'tracer list PATTERN' shows what does".to_owned(),
                |skipped| format!("{}: {}", skipped.name, skipped.why),
            );
            return Err(Failure::new(
                Status::Nothing,
                format!("nothing to probe for '{}': {reason}", probe.text()),
            ));
        }
    }
    if sites.len() > MOST_WITHOUT_YES && !plan.yes {
        return Err(Failure::new(
            Status::Usage,
            format!(
                "{} functions match, and more than {MOST_WITHOUT_YES} are probed only with --yes; add it, or narrow the pattern ('tracer list PATTERN' shows what matches)",
                sites.len()
            ),
        ));
    }
    Ok(())
}

/// Finds out what a call costs while other things are done. A machine that does not let that be measured
/// can be measured all the same.
fn calibrating(mode: AttachMode) -> JoinHandle<Option<ProbeCosts>> {
    thread::spawn(move || {
        kernel::calibrate(mode)
            .inspect_err(|error| log::warn!("the cost of probes is not known: {error}"))
            .ok()
    })
}

/// Says what is probed and what is not.
fn report(sites: &[Site], skipped: &[Skipped], refused: &[(usize, String)]) -> Result<(), Failure> {
    if let [(_, why), ..] = refused
        && refused.len() >= sites.len()
    {
        return Err(Failure::new(
            Status::Unable,
            format!(
                "the kernel refused all {} probes: {why}; 'tracer doctor' says what this kernel can do",
                sites.len()
            ),
        ));
    }
    let line = probing(sites, skipped, refused.len());
    say(&format!("tracer: {}", view::printable(&line)));
    if !refused.is_empty() {
        let names = refused.iter().filter_map(|(index, why)| {
            let site = sites.get(*index)?;
            Some((why.as_str(), site.name.as_str()))
        });
        let line = format!(
            "the kernel refused {} of {} probes: {}",
            refused.len(),
            sites.len(),
            by_reason(names)
        );
        say(&format!("tracer: {}", view::printable(&line)));
    }
    Ok(())
}

/// A thread that is cancelled unwinds its stack by return addresses, and stops at a return probe.
fn warn_of_cancelling(scope: &Scope, sites: &[Site]) {
    if sites.iter().all(|site| !site.exits.is_empty()) {
        return;
    }
    if let Some(Cancelling { who, import, file }) = probe::cancelling(scope) {
        say(&format!(
            "tracer: {} imports {import} (in {}): a thread cancelled inside a probed function may skip clean-up; --returns instruction avoids that",
            view::printable(&who),
            view::printable(&file)
        ));
    }
}

/// How many functions, in how many files, at what places, and what is left out.
pub(in crate::cmd) fn probing(sites: &[Site], skipped: &[Skipped], refused: usize) -> String {
    let files: HashSet<&Path> = sites.iter().map(|site| &*site.file).collect();
    let moved = sites.iter().filter(|site| site.offset != site.start);
    let plural = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    let mut line = format!(
        "probing {} in {}",
        plural(sites.len() - refused, "function"),
        plural(files.len(), "file")
    );
    match moved.count() {
        0 => {}
        moved => line += &format!(", {moved} of them moved to a cheaper instruction"),
    }
    let is_stepped = |site: &&Site| site.class == Class::Stepped || !site.exits.is_empty();
    match sites.iter().filter(is_stepped).count() {
        0 => {}
        stepped => line += &format!(", {stepped} still expensive (single-stepped)"),
    }
    if !skipped.is_empty() {
        let names = skipped
            .iter()
            .map(|skipped| (skipped.why.as_str(), skipped.name.as_str()));
        line += &format!("; skipped {}: {}", skipped.len(), by_reason(names));
    }
    line
}

/// `why (name, name, name and 4 more); …`.
fn by_reason<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (why, name) in names {
        reasons.entry(why).or_default().push(name);
    }
    let reason = |(why, names): (&str, Vec<&str>)| {
        let listed = names[..names.len().min(LISTED)].join(", ");
        match names.len().saturating_sub(LISTED) {
            0 => format!("{why} ({listed})"),
            more => format!("{why} ({listed} and {more} more)"),
        }
    };
    let reasons: Vec<String> = reasons.into_iter().map(reason).collect();
    reasons.join("; ")
}
