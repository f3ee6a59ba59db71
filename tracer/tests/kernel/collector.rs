//! The collector and what it hands on: stacks that are forgotten and sent again, health, commands.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracer::kernel::{Event, Health, SessionOptions, Shrink, Target};
use tracer::profile::{Batch, StackKey};
use tracer::source::{Collected, Collector, Cpu, CpuOptions, Interest};

use crate::common::busy::Running;
use crate::common::fixture;
use crate::common::folded::percent;
use crate::common::guard::kernel;
use crate::common::stats::assert_points;
use crate::common::tracer::{profile, soon};

/// Samples everything.
fn cpu(epoch: Option<u32>) -> Cpu {
    let options = CpuOptions {
        event: Event::CpuClock,
        hertz: 1999,
        cpus: tracer::proc::cpus("online").expect("/sys is mounted"),
    };
    let session = SessionOptions {
        target: Target::All,
        follow: true,
        idle: false,
        launched: None,
        worker: None,
        room: 1 << 14,
        shrink: Shrink {
            epoch,
            ..Shrink::default()
        },
    };
    Cpu::open(&options, &session).expect("root may sample")
}

/// What one who hears of every batch knows of stacks of one kind.
#[derive(Default)]
struct Heard {
    known: HashSet<StackKey>,
    forgotten: HashSet<StackKey>,
    sent_again: usize,
}

impl Heard {
    #[track_caller]
    fn take(
        &mut self,
        sent: impl Iterator<Item = StackKey>,
        named: impl Iterator<Item = StackKey>,
        forgotten: &[StackKey],
    ) {
        for key in sent {
            assert!(self.known.insert(key), "sent twice: {key:?}");
            self.sent_again += usize::from(self.forgotten.contains(&key));
        }
        for key in named {
            assert!(self.known.contains(&key), "not sent: {key:?}");
        }
        for key in forgotten {
            assert!(self.known.remove(key), "never sent: {key:?}");
            self.forgotten.insert(*key);
        }
    }
}

#[derive(Default)]
struct Both {
    user: Heard,
    kernel: Heard,
}

impl Both {
    #[track_caller]
    fn take(&mut self, batch: &Batch) {
        assert!(batch.ledger.balances(), "{:?}", batch.ledger);
        let samples = &batch.samples;
        self.user.take(
            batch.user_stacks.iter().map(|stack| stack.id),
            samples.iter().filter_map(|sample| sample.user),
            &batch.forgotten_user_stacks,
        );
        self.kernel.take(
            batch.kernel_stacks.iter().map(|stack| stack.id),
            samples.iter().filter_map(|sample| sample.kernel),
            &batch.forgotten_kernel_stacks,
        );
    }
}

/// Drains again and again.
fn drain(cpu: &mut Cpu, drains: usize, heard: &mut Both) {
    for _ in 0..drains {
        thread::sleep(Duration::from_millis(40));
        let batch = cpu.drain().expect("the maps are there");
        heard.take(&batch);
    }
}

#[test]
fn stacks_are_forgotten_and_sent_again() {
    let Some(_kernel) = kernel("stacks_are_forgotten_and_sent_again") else {
        return;
    };
    const EPOCH: u32 = 5;
    let mut cpu = cpu(Some(EPOCH));
    cpu.start().expect("the events are there");
    let mut heard = Both::default();
    // The same code runs, does not run for some epochs, and runs again.
    let burning = Running::burn();
    let children = Running::children();
    drain(&mut cpu, 12, &mut heard);
    burning.pause();
    drain(&mut cpu, 20, &mut heard);
    burning.resume();
    drain(&mut cpu, 40, &mut heard);
    drop((burning, children));
    cpu.stop().expect("the events are there");
    drain(&mut cpu, 1, &mut heard);
    for (kind, heard) in [("user", &heard.user), ("kernel", &heard.kernel)] {
        let (known, forgotten) = (heard.known.len(), heard.forgotten.len());
        assert!(forgotten > 0, "no {kind} stack was forgotten");
        assert!(heard.sent_again > 0, "no {kind} stack was sent again");
        assert!(
            forgotten > known,
            "of {kind} stacks {known} are known, and only {forgotten} were ever forgotten"
        );
    }
}

#[test]
fn epochs_change_no_result() {
    let Some(_kernel) = kernel("epochs_change_no_result") else {
        return;
    };
    let program = fixture::program("burn");
    let program = program.to_str().expect("a plain name");
    let (stacks, _, _) = profile(&[
        "-e",
        "cpu-clock",
        "-F",
        "1999",
        "--shrink",
        "epoch=5",
        "--",
        program,
        "4",
    ]);
    for (function, expected) in [("burn_seventy", 70.0), ("burn_thirty", 30.0)] {
        let found = percent(&stacks, |stack| stack.user_leaf() == Some(function));
        assert_points(found, expected, 2.0, function);
    }
    let unknown = percent(&stacks, |stack| {
        let unnamed = |frame: &String| frame.starts_with("[unknown") || frame.starts_with("[no ");
        stack.frames.is_empty() || stack.frames.iter().any(unnamed)
    });
    assert!(unknown < 0.1, "{unknown:.2} % have no names");
}

/// The next message that is a batch, or the one that is health.
fn next(messages: &Receiver<Collected>, wanted: impl Fn(&Collected) -> bool) -> Collected {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let message = messages.recv_timeout(left).expect("it is collecting");
        if wanted(&message) {
            return message;
        }
    }
}

fn health(messages: &Receiver<Collected>) -> Health {
    let message = next(messages, |message| matches!(message, Collected::Health(_)));
    let Collected::Health(health) = message else {
        panic!("{message:?}");
    };
    *health
}

#[test]
fn health_is_told_while_it_is_watched() {
    let Some(_kernel) = kernel("health_is_told_while_it_is_watched") else {
        return;
    };
    let _busy = Running::children();
    let (sender, messages) = sync_channel(100);
    let tick = Duration::from_millis(100);
    let collector =
        Collector::start(cpu(None), Interest::Sampled, tick, sender).expect("it starts");
    let named = |name: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted");
        tasks.flatten().any(|task| {
            let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            comm.trim() == name
        })
    };
    let batch = |message: &Collected| match message {
        Collected::Batch(..) => true,
        Collected::Health(_) => panic!("nobody watches"),
        Collected::Failed(_) | Collected::Done => panic!("{message:?}"),
    };
    next(&messages, batch);
    assert!(named("collector"));
    collector.watch(true);
    health(&messages);
    thread::sleep(Duration::from_millis(500));
    let last = messages.try_iter().filter_map(|message| match message {
        Collected::Health(health) => Some(*health),
        _ => None,
    });
    let health = last.last().expect("it is watched");
    assert_eq!(health.refused, None);
    let runs: HashMap<&str, u64> = health
        .programs
        .iter()
        .map(|program| (program.name.as_str(), program.runs))
        .collect();
    for program in ["cpu_sample", "process_exec", "process_exit"] {
        assert!(runs[program] > 0, "{health:?}");
    }
    assert!(health.programs.iter().all(|program| program.time_ns > 0));
    for what in ["counts", "kernel stacks", "ring of stacks", "stacks sent"] {
        let fill = health.maps.iter().find(|fill| fill.what == what);
        let fill = fill.unwrap_or_else(|| panic!("{what}: {health:?}"));
        assert!(0 < fill.used && fill.used <= fill.capacity, "{fill:?}");
    }

    collector.watch(false);
    next(&messages, |message| matches!(message, Collected::Batch(..)));
    while messages.try_recv().is_ok() {}
    next(&messages, batch);

    // The end comes though nobody listens.
    drop(messages);
    thread::sleep(3 * tick);
    collector.stop();
    collector.join();
    assert!(soon(Duration::from_secs(2), || !named("collector")));
}

#[test]
fn commands_leave_the_clock_alone() {
    let Some(_kernel) = kernel("commands_leave_the_clock_alone") else {
        return;
    };
    let (sender, messages) = sync_channel(1000);
    let tick = Duration::from_millis(200);
    let collector =
        Collector::start(cpu(None), Interest::Sampled, tick, sender).expect("it starts");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(2000) {
        collector.watch(false);
        collector.set_worker(1);
        thread::sleep(Duration::from_millis(5));
    }
    let batches = messages.try_iter().count();
    assert!((6..=10).contains(&batches), "{batches} batches in 2 s");
    collector.stop();
    next(&messages, |message| matches!(message, Collected::Done));
    collector.join();
}

#[test]
fn the_worker_of_now_is_left_out() {
    let Some(_kernel) = kernel("the_worker_of_now_is_left_out") else {
        return;
    };
    let mut cpu = cpu(None);
    cpu.start().expect("the events are there");
    let burning = Running::burn();
    let pid = burning.pid();
    let samples = |cpu: &mut Cpu| {
        thread::sleep(Duration::from_millis(200));
        let batch = cpu.drain().expect("the maps are there");
        let own = batch
            .samples
            .iter()
            .filter(|sample| sample.image.pid == pid);
        own.map(|sample| sample.weight).sum::<u64>()
    };
    assert!(samples(&mut cpu) > 0);
    cpu.set_worker(pid).expect("the map is there");
    samples(&mut cpu);
    assert_eq!(samples(&mut cpu), 0);
}
