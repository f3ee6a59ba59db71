//! A machine on which processes come and go all the time, as scripted batches without end.

use std::collections::VecDeque;

use tracer::profile::{
    Batch, Fact, FactKind, Image, Ledger, RawStack, Sample, StackKey, Truncation,
};

use crate::script::{code, comm, image};

/// Makes one batch after the other. Every process has its own addresses.
#[derive(Default)]
pub(crate) struct Storm {
    batch: u64,
    processes: u64,
    stacks: u64,
    /// Stacks to be told as forgotten, by batch.
    sent: VecDeque<Vec<StackKey>>,
    /// Processes whose mappings are told in the next batch.
    late: Vec<Fact>,
}

/// A quarter of a second.
pub(crate) const TICK_NS: u64 = 250_000_000;
/// Processes that begin in each batch.
const NEW: u64 = 12;
/// Batches after which stacks are forgotten.
const KNOWN: usize = 3;
const PARENT: u32 = 100_000;

impl Storm {
    /// The next batch.
    pub(crate) fn next(&mut self) -> Batch {
        let start_ns = self.batch * TICK_NS;
        let mut batch = Batch {
            start_ns,
            end_ns: start_ns + TICK_NS,
            facts: std::mem::take(&mut self.late),
            ..Batch::default()
        };
        let mut keys = Vec::new();
        if self.batch == 0 {
            let mappings = vec![code("/bin/parent", 0x40_0000)];
            fact(&mut batch, 1, PARENT, FactKind::Snapshot(mappings));
        }
        // What goes on for ever: few stacks, sent again whenever they have been forgotten.
        for n in 0..4 {
            let key = StackKey(1_000 + n);
            batch.user_stacks.push(RawStack {
                id: key,
                addresses: vec![0x40_0000 + n * 8, 0x40_1001],
            });
            keys.push(key);
            add(&mut batch, image(PARENT, 1, 0), key, None, 5);
        }
        for n in 0..NEW {
            self.process(&mut batch, n, &mut keys);
        }
        self.sent.push_back(keys);
        if self.sent.len() > KNOWN
            && let Some(keys) = self.sent.pop_front()
        {
            batch.forgotten_user_stacks = keys;
            // Those of the process that stays are in every batch.
            batch
                .forgotten_user_stacks
                .retain(|key| self.batch.is_multiple_of(50) || key.0 >= 2_000);
        }
        self.batch += 1;
        batch
    }

    fn process(&mut self, batch: &mut Batch, n: u64, keys: &mut Vec<StackKey>) {
        let number = self.processes;
        self.processes += 1;
        let pid = 1_000 + (number % 30_000) as u32;
        let began = batch.start_ns + 10 + n;
        let image = image(pid, began, 1);
        let program = 0x5555_0000_0000 + number % 100_003 * 0x100_0000;
        let library = 0x7f00_0000_0000 + number % 100_003 * 0x100_0000;
        let name = format!("/bin/program-{}", number % 20);
        match n {
            // Nothing is ever told of it: its samples wait in vain.
            0 => {}
            // It is told after it was sampled.
            1 => self.late.push(Fact {
                time_ns: began,
                pid,
                kind: FactKind::Snapshot(vec![code(&name, program)]),
            }),
            _ => {
                fact(batch, began, pid, FactKind::Fork { parent: PARENT });
                fact(batch, began + 1, pid, FactKind::Exec);
                fact(batch, began + 1, pid, FactKind::Image(image));
                for (path, start) in [(name.as_str(), program), ("/lib/libc.so", library)] {
                    fact(batch, began + 2, pid, FactKind::Map(code(path, start)));
                }
            }
        }
        for depth in 0..3 {
            self.stacks += 1;
            let id = StackKey(1_000_000 + self.stacks);
            let mut addresses = vec![
                // Not mapped in some, in each at an address of its own.
                program + if n == 2 { 0x80_0000 } else { depth * 16 },
                library + number % 64 * 32 + 1,
            ];
            addresses.extend((0..10).map(|level| program + level * 0x100 + 1));
            let truncated = (depth == 2).then_some(Truncation::TooDeep);
            batch.user_stacks.push(RawStack { id, addresses });
            keys.push(id);
            add(batch, image, id, truncated, 1 + depth);
        }
        let ended = began + TICK_NS / 2;
        if n != 0 {
            self.late.push(Fact {
                time_ns: ended,
                pid,
                kind: FactKind::Exit,
            });
        }
    }
}

fn fact(batch: &mut Batch, time_ns: u64, pid: u32, kind: FactKind) {
    batch.facts.push(Fact { time_ns, pid, kind });
}

fn add(
    batch: &mut Batch,
    image: Image,
    user: StackKey,
    truncated: Option<Truncation>,
    weight: u64,
) {
    batch.samples.push(Sample {
        image,
        tid: image.pid,
        comm: comm(b"storm"),
        user: Some(user),
        kernel: None,
        truncated,
        weight,
    });
    let ledger: &mut Ledger = &mut batch.ledger;
    ledger.fired += weight;
    ledger.recorded += weight;
    match truncated {
        None => ledger.complete += weight,
        Some(why) => *ledger.truncated.entry(why).or_default() += weight,
    }
}
