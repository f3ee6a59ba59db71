//! Processes by scripted facts: what is remembered of them, and what is forgotten.

use super::*;

const LATER: u64 = 1_000;

struct Scripted {
    processes: Processes,
    dsos: Interner<Dso>,
}

impl Scripted {
    fn new() -> Self {
        let (processes, dsos) = Default::default();
        Self { processes, dsos }
    }

    fn batch(&mut self, facts: impl IntoIterator<Item = (u64, u32, FactKind)>, samples: &[Image]) {
        self.processes.begin_batch();
        for (time_ns, pid, kind) in facts {
            self.processes
                .apply(Fact { time_ns, pid, kind }, &mut self.dsos);
        }
        self.processes.admit(samples.iter().copied());
        self.processes.prune();
    }

    fn size(&self) -> (usize, usize) {
        self.processes.lives.size()
    }

    fn holding(&mut self, path: &str) -> Vec<u32> {
        let dso = DsoId(self.dsos.intern(mapping(path).dso));
        self.processes
            .holding(dso)
            .into_iter()
            .map(|(pid, _)| pid)
            .collect()
    }
}

fn mapping(path: &str) -> Mapping {
    let dso = Dso {
        path: path.into(),
        device: (8, 1),
        inode: 1,
    };
    Mapping {
        start: 0x1000,
        end: 0x2000,
        file_offset: 0,
        dso,
    }
}

fn snapshot() -> FactKind {
    FactKind::Snapshot(vec![mapping("/bin/sh")])
}

fn image(pid: u32, exec: u32) -> Image {
    Image {
        pid,
        start_ns: 1,
        exec,
    }
}

#[test]
fn ended_processes_are_forgotten() {
    let mut scripted = Scripted::new();
    scripted.batch([(1, 1, snapshot())], &[image(1, 0)]);
    for batch in 0..500_u32 {
        let facts = (0..10).flat_map(|n| {
            let pid = 100 + (batch * 10 + n) % 700;
            let time = LATER + u64::from(batch * 100 + n * 10);
            [
                (time, pid, FactKind::Fork { parent: 1 }),
                (time + 1, pid, FactKind::Exec),
                (time + 2, pid, FactKind::Map(mapping("/bin/gzip"))),
                (time + 3, pid, FactKind::Exit),
            ]
        });
        let sampled = Image {
            start_ns: (LATER + u64::from(batch)),
            ..image(100 + batch * 10 % 700, 1)
        };
        scripted.batch(facts, &[sampled]);
    }
    // The shell, what ended in the last two batches, and what was sampled a while ago.
    let (lives, pids) = scripted.size();
    assert!(
        lives <= 1 + 20 + KEPT_LIVES && pids <= lives,
        "{lives} lives of {pids} PIDs"
    );
    for _ in 0..100 {
        scripted.batch([], &[]);
    }
    assert_eq!(scripted.size(), (1, 1));
}

const KEPT_LIVES: usize = 45;

#[test]
fn processes_of_which_nothing_is_told_are_forgotten_once_nobody_wants_them() {
    let mut scripted = Scripted::new();
    let told = [(1, 1, snapshot()), (1, 3, FactKind::Unreadable)];
    scripted.batch(told, &[1, 2, 3, 4].map(|pid| image(pid, 0)));
    let forget = |scripted: &mut Scripted| {
        scripted.processes.forget_unknown(|(pid, _)| pid == 4);
        let mut left: Vec<u32> = scripted
            .processes
            .identities()
            .map(|(pid, _)| pid)
            .collect();
        left.sort_unstable();
        left
    };
    assert_eq!(forget(&mut scripted), [1, 2, 3, 4]);
    for _ in 0..100 {
        scripted.batch([], &[image(2, 0)]);
    }
    assert_eq!(forget(&mut scripted), [1, 2, 4]);
}

#[test]
fn replaced_images_are_forgotten() {
    let mut scripted = Scripted::new();
    scripted.batch([(1, 1, snapshot())], &[image(1, 0)]);
    for exec in 1..200 {
        let time = LATER + u64::from(exec);
        scripted.batch(
            [
                (time, 1, FactKind::Exec),
                (time, 1, FactKind::Image(image(1, exec))),
                (time, 1, FactKind::Map(mapping("/bin/loop"))),
            ],
            &[image(1, exec)],
        );
    }
    let (processes, spaces) = (&scripted.processes, |life: &crate::profile::lives::Life| {
        life.spaces.len()
    });
    assert!(processes.lives.alive().map(spaces).sum::<usize>() < 50);
    assert!(matches!(
        processes.lookup(image(1, 199)).find(0x1010),
        Place::File(_, 0x10)
    ));
    assert!(matches!(
        processes.lookup(image(1, 190)).find(0x1010),
        Place::File(_, 0x10)
    ));
    assert_eq!(processes.lookup(image(1, 1)).find(0x1010), Place::Unknown);
}

#[test]
fn a_file_is_held_by_those_who_live() {
    let mut scripted = Scripted::new();
    assert!(scripted.holding("/bin/sh").is_empty());
    scripted.batch([(1, 1, snapshot())], &[]);
    for pid in 2..=9 {
        scripted.batch([(LATER, pid, FactKind::Map(mapping("/bin/sh")))], &[]);
    }
    assert_eq!(scripted.holding("/bin/sh"), [9, 8, 7, 6]);
    scripted.batch([(LATER, 10, FactKind::Fork { parent: 9 })], &[]);
    scripted.batch([(LATER + 1, 8, FactKind::Exit)], &[]);
    assert_eq!(scripted.holding("/bin/sh"), [9, 7, 6]);
    let exits = [9, 7, 6].map(|pid| (LATER + 2, pid, FactKind::Exit));
    scripted.batch(exits, &[]);
    // None of those who were seen to map it lives; the child and earlier ones have it still.
    assert_eq!(scripted.holding("/bin/sh"), [10, 5, 4, 3]);
}

#[test]
fn start_times_tell_lives_of_a_pid_apart() {
    let mut scripted = Scripted::new();
    let known = |scripted: &Scripted, start_ns, exec| {
        let lookup = scripted.processes.lookup(Image {
            start_ns,
            ..image(7, exec)
        });
        lookup.find(0x1010) != Place::Unknown
    };
    let fork = FactKind::Fork { parent: 1 };
    scripted.batch([(1, 1, snapshot())], &[]);
    // An older process of which nothing was seen but the end, and its successor.
    let second = 1_000_000_000;
    scripted.batch(
        [
            (10 * second, 7, FactKind::Exit),
            (11 * second, 7, fork.clone()),
        ],
        &[Image {
            start_ns: second,
            ..image(7, 0)
        }],
    );
    assert!(!known(&scripted, second, 0), "has its successor's mappings");
    scripted.batch(
        [],
        &[Image {
            start_ns: 11 * second,
            ..image(7, 0)
        }],
    );
    assert!(known(&scripted, 11 * second, 0));
    // A fact can tie it too, before any sample.
    let tied = Image {
        start_ns: 20 * second,
        ..image(7, 4)
    };
    scripted.batch(
        [
            (20 * second, 7, fork),
            (21 * second, 7, FactKind::Exec),
            (21 * second, 7, FactKind::Image(tied)),
            (22 * second, 7, FactKind::Map(mapping("/bin/true"))),
        ],
        &[],
    );
    assert!(known(&scripted, 20 * second, 4) && known(&scripted, 20 * second, 3));
    assert!(!known(&scripted, 20 * second, 5));
}
