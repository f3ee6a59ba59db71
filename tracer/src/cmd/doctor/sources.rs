//! Each way of observing, by really loading and attaching it and looking whether anything comes.

use std::io;

use super::{
    check::{Check, Group, Outcome, Works},
    facts::Facts,
    remedy,
    trial::{self, Busy, HERTZ, Observed},
};
use crate::{
    cmd::symbols::Naming,
    kernel::{self, AttachMode, Error, Event, ProbeCosts, calibrate},
    view::Unnamed,
};

/// The first kernel with `uprobe_multi`.
const MULTI: (u32, u32) = (6, 6);
/// No trap into the kernel and back takes less: such calls were not probed.
const LEAST_COST_NS: f64 = 20.0;

/// What came of trying; each may have failed on its own.
struct Tried {
    /// Why there is nothing to observe.
    no_shell: Option<io::Error>,
    /// Nothing where there is nothing to observe.
    clock: kernel::Result<Option<Observed>>,
    cycles: kernel::Result<Option<Observed>>,
    names: io::Result<Option<Unnamed>>,
    multi: kernel::Result<ProbeCosts>,
    single: kernel::Result<ProbeCosts>,
}

impl Tried {
    fn now() -> Self {
        let mut worker = Naming::start();
        let pid = worker.as_ref().ok().map(Naming::worker);
        let busy = Busy::start();
        let sample = |event| {
            let busy = busy.as_ref().ok();
            let cpu = trial::open(event, busy, pid)?;
            busy.map(|busy| trial::observe(cpu, busy)).transpose()
        };
        let mut clock = sample(Event::CpuClock);
        let cycles = sample(Event::Cycles);
        let names = match (&mut worker, &mut clock) {
            (Ok(worker), Ok(Some(observed))) => {
                trial::name(worker, &mut observed.profile).map(Some)
            }
            _ => worker.map(|_| None),
        };
        Self {
            no_shell: busy.err(),
            clock,
            cycles,
            names,
            multi: calibrate(AttachMode::Multi),
            single: calibrate(AttachMode::Single),
        }
    }
}

/// Tries everything: what was found, and which commands can do with that.
pub(super) fn checks(facts: &Facts) -> (Vec<Check>, Works) {
    judge(facts, &Tried::now())
}

fn judge(facts: &Facts, tried: &Tried) -> (Vec<Check>, Works) {
    let checks = vec![
        loading(facts, tried),
        tracking(facts, tried),
        sampling(facts, tried),
        hardware(facts, &tried.cycles),
        names(&tried.names),
        kernel_names(facts),
        multi(facts, tried),
        single(facts, tried),
    ];
    let samples = match &tried.clock {
        Ok(Some(observed)) => observed.samples() > 0,
        // It was not tried; all that it takes is there.
        Ok(None) => true,
        Err(_) => false,
    };
    let sampled = samples && tried.names.is_ok();
    let probed = [&tried.multi, &tried.single].into_iter().any(fires);
    let works = Works {
        top: sampled,
        flame: sampled,
        hist: probed && tried.clock.is_ok(),
    };
    (checks, works)
}

fn ok(name: &'static str, found: impl Into<String>) -> Check {
    Check::ok(Group::Sources, name, found)
}

/// Something that the kernel refused.
fn refused(name: &'static str, outcome: Outcome, error: &Error, facts: &Facts) -> Check {
    ok(name, remedy::cause(error)).but(outcome, remedy::remedy(error, facts))
}

fn loading(facts: &Facts, tried: &Tried) -> Check {
    const NAME: &str = "BPF programs";
    match &tried.clock {
        Ok(_) => ok(NAME, "are loaded and attached"),
        Err(error) => refused(NAME, Outcome::Fail, error, facts),
    }
}

/// What was observed; without it, what a check that needs it says.
fn observed<'a>(
    name: &'static str,
    outcome: Outcome,
    facts: &Facts,
    tried: &'a Tried,
) -> Result<&'a Observed, Check> {
    match (&tried.clock, &tried.no_shell) {
        (Ok(Some(observed)), _) => Ok(observed),
        (Err(error), _) => Err(ok(name, "not tried, for no program can be attached")
            .but(outcome, remedy::remedy(error, facts))),
        (Ok(None), why) => {
            let why = why.as_ref().map(ToString::to_string).unwrap_or_default();
            let found = format!("not tried, for /bin/sh cannot be run: {why}");
            Err(ok(name, found).but(Outcome::Warn, "install a shell as /bin/sh"))
        }
    }
}

fn tracking(facts: &Facts, tried: &Tried) -> Check {
    const NAME: &str = "process tracking";
    let observed = match observed(NAME, Outcome::Fail, facts, tried) {
        Ok(observed) => observed,
        Err(check) => return check,
    };
    let missing = observed.lives.missing();
    if missing.is_empty() {
        return ok(NAME, "forks, execs and exits of another process came");
    }
    let found = format!(
        "nothing came of another process's {}; short-lived processes may have no names",
        missing.join(", ")
    );
    ok(NAME, found).but(Outcome::Warn, remedy::REPORT)
}

fn sampling(facts: &Facts, tried: &Tried) -> Check {
    const NAME: &str = "samples by the CPU clock";
    match observed(NAME, Outcome::Fail, facts, tried) {
        Ok(observed) if observed.samples() == 0 => ok(NAME, "none came").but(
            Outcome::Fail,
            "end what keeps all CPUs busy, if anything does, and try again; if not, report this with the output of 'uname -a'",
        ),
        Ok(observed) => ok(NAME, came(observed)),
        Err(check) => check,
    }
}

fn came(observed: &Observed) -> String {
    let ledger = observed.profile.ledger();
    format!(
        "{} of a busy process in {:.2} s at {HERTZ} Hz, {} lost on all CPUs",
        ledger.recorded,
        observed.wall.as_secs_f64(),
        ledger.lost_total()
    )
}

/// Nothing needs hardware counters, but they are taken where they can be opened.
fn hardware(facts: &Facts, cycles: &kernel::Result<Option<Observed>>) -> Check {
    const NAME: &str = "samples by hardware cycles";
    match cycles {
        Err(Error::NoEvent(_)) => ok(NAME, "no such counters; the CPU clock is used instead").but(
            Outcome::Warn,
            "in a virtual machine, have it given a PMU (QEMU: -cpu host,pmu=on)",
        ),
        Err(error) => refused(NAME, Outcome::Warn, error, facts),
        Ok(None) => ok(NAME, "the counters can be opened"),
        Ok(Some(observed)) if observed.samples() == 0 => {
            ok(NAME, "the counters can be opened, and count nothing")
                .but(Outcome::Warn, "use -e cpu-clock")
        }
        Ok(Some(observed)) => ok(NAME, came(observed)),
    }
}

fn names(names: &io::Result<Option<Unnamed>>) -> Check {
    const NAME: &str = "names of functions";
    let unnamed = match names {
        Err(why) => {
            let found = format!("the process that reads symbols does not answer: {why}");
            return ok(NAME, found).but(
                Outcome::Fail,
                "have /proc mounted, and room for one more process (ulimit -u)",
            );
        }
        Ok(None) => return ok(NAME, "the process that reads symbols starts"),
        Ok(Some(unnamed)) => unnamed,
    };
    let named = unnamed.frames.saturating_sub(unnamed.all.frames);
    let reasons = unnamed.by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(why, count)| format!("{why} {}", count.frames))
        .collect();
    let why = match reasons.as_slice() {
        [] => String::new(),
        reasons => format!(" (the others: {})", reasons.join(", ")),
    };
    ok(
        NAME,
        format!("found for {named} of {} frames{why}", unnamed.frames),
    )
}

fn kernel_names(facts: &Facts) -> Check {
    const NAME: &str = "names of kernel functions";
    let remedy = match &facts.kernel_functions_shown {
        Ok(true) => return ok(NAME, "/proc/kallsyms shows them"),
        Err(why) => {
            return ok(NAME, format!("/proc/kallsyms: {why}"))
                .but(Outcome::Warn, "boot a kernel with CONFIG_KALLSYMS=y");
        }
        Ok(false) if facts.settings.kptr_restrict > Some(1) => remedy::POINTERS.to_owned(),
        Ok(false) => remedy::capability(facts, crate::proc::Capability::Syslog),
    };
    ok(NAME, "/proc/kallsyms hides them").but(Outcome::Warn, remedy)
}

/// Whether probes are attached and hit.
fn fires(costs: &kernel::Result<ProbeCosts>) -> bool {
    costs
        .as_ref()
        .is_ok_and(|costs| costs.emulated.ns > LEAST_COST_NS)
}

fn multi(facts: &Facts, tried: &Tried) -> Check {
    const NAME: &str = "function probes, all at once";
    let check = probes(NAME, facts, &tried.multi);
    if check.outcome == Outcome::Ok || !fires(&tried.single) {
        return check;
    }
    if facts.version.is_some_and(|version| version < MULTI) {
        let (major, minor) = MULTI;
        let found =
            format!("Linux {major}.{minor} needed; functions are attached one by one instead");
        return ok(NAME, found).but(
            Outcome::Warn,
            format!("boot Linux {major}.{minor} or newer"),
        );
    }
    Check {
        outcome: Outcome::Warn,
        found: format!("{}; functions are attached one by one instead", check.found),
        ..check
    }
}

fn single(facts: &Facts, tried: &Tried) -> Check {
    const NAME: &str = "function probes, one by one";
    let check = probes(NAME, facts, &tried.single);
    if check.outcome == Outcome::Ok || !fires(&tried.multi) {
        return check;
    }
    Check {
        outcome: Outcome::Warn,
        ..check
    }
}

fn probes(name: &'static str, facts: &Facts, costs: &kernel::Result<ProbeCosts>) -> Check {
    match costs {
        Err(error) => refused(name, Outcome::Fail, error, facts),
        Ok(_) if !fires(costs) => ok(
            name,
            "are attached, and no call is any slower for it: none is hit",
        )
        .but(Outcome::Fail, remedy::REPORT),
        Ok(ProbeCosts {
            emulated,
            stepped,
            at_exit,
        }) => ok(
            name,
            format!(
                "{} a call where the kernel emulates the instruction, {} where it single-steps it, {} in C++ and Rust",
                microseconds(emulated.ns),
                microseconds(stepped.ns),
                microseconds(at_exit.ns)
            ),
        ),
    }
}

fn microseconds(nanoseconds: f64) -> String {
    let value = nanoseconds / 1e3;
    let decimals = usize::from(value < 10.0);
    format!("{value:.decimals$} µs")
}

#[cfg(test)]
mod tests;
