//! Batches written by hand, as a drain would have found them.

use tracer::profile::{
    Batch, Comm, Dso, Fact, FactKind, Image, Loss, Mapping, RawStack, Sample, StackKey, Truncation,
};

/// A process's image in short: PID, start time, exec count.
pub(crate) const fn image(pid: u32, start_ns: u64, exec: u32) -> Image {
    Image {
        pid,
        start_ns,
        exec,
    }
}

/// One megabyte of code of a file, mapped whole at an address.
pub(crate) fn code(path: &str, start: u64) -> Mapping {
    let path = path.as_bytes().to_vec();
    // Files are the same if their paths are: the inode only has to tell "a file" from "none".
    let inode = u64::from(path.starts_with(b"/") && !path.starts_with(b"//"));
    let dso = Dso {
        path,
        device: (8, 1),
        inode,
    };
    Mapping {
        start,
        end: start + 0x10_0000,
        file_offset: 0,
        dso,
    }
}

pub(crate) fn comm(name: &[u8]) -> Comm {
    let mut comm = Comm::default();
    for (to, from) in comm.0.iter_mut().zip(name) {
        *to = *from;
    }
    comm
}

/// A list of batches, with the ledger that fits them.
pub(crate) struct Script {
    batches: Vec<Batch>,
    stacks: u64,
}

/// A stack of a sample: leaf first, as it is in memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stack<'a> {
    pub(crate) user: &'a [u64],
    pub(crate) kernel: &'a [u64],
    pub(crate) truncated: Option<Truncation>,
}

pub(crate) fn user(addresses: &[u64]) -> Stack<'_> {
    Stack {
        user: addresses,
        ..Stack::default()
    }
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            batches: vec![Batch::default()],
            stacks: 0,
        }
    }

    /// What follows belongs to the next batch.
    pub(crate) fn next(&mut self) -> &mut Self {
        self.batches.push(Batch::default());
        self
    }

    fn last(&mut self) -> &mut Batch {
        self.batches.last_mut().unwrap()
    }

    pub(crate) fn fact(&mut self, time_ns: u64, pid: u32, kind: FactKind) -> &mut Self {
        self.last().facts.push(Fact { time_ns, pid, kind });
        self
    }

    /// An `exec` whose image is tied, with one mapping.
    pub(crate) fn exec(&mut self, time_ns: u64, image: Image, mapping: Mapping) -> &mut Self {
        self.fact(time_ns, image.pid, FactKind::Exec)
            .fact(time_ns, image.pid, FactKind::Image(image))
            .fact(time_ns + 1, image.pid, FactKind::Map(mapping))
    }

    pub(crate) fn sample(
        &mut self,
        image: Image,
        name: &[u8],
        stack: Stack<'_>,
        weight: u64,
    ) -> &mut Self {
        self.sample_of(image, image.pid, name, stack, weight)
    }

    /// A sample of a thread.
    pub(crate) fn sample_of(
        &mut self,
        image: Image,
        tid: u32,
        name: &[u8],
        stack: Stack<'_>,
        weight: u64,
    ) -> &mut Self {
        let Stack {
            user,
            kernel,
            truncated,
        } = stack;
        let user = (!user.is_empty()).then(|| self.stack(user, |batch| &mut batch.user_stacks));
        let kernel =
            (!kernel.is_empty()).then(|| self.stack(kernel, |batch| &mut batch.kernel_stacks));
        let comm = comm(name);
        let batch = self.last();
        batch.samples.push(Sample {
            image,
            tid,
            comm,
            user,
            kernel,
            truncated,
            weight,
        });
        batch.ledger.fired += weight;
        batch.ledger.recorded += weight;
        match truncated {
            None => batch.ledger.complete += weight,
            Some(why) => *batch.ledger.truncated.entry(why).or_default() += weight,
        }
        self
    }

    pub(crate) fn lost(&mut self, why: Loss, count: u64) -> &mut Self {
        let ledger = &mut self.last().ledger;
        ledger.fired += count;
        *ledger.lost.entry(why).or_default() += count;
        self
    }

    pub(crate) fn filtered(&mut self, count: u64) -> &mut Self {
        let ledger = &mut self.last().ledger;
        ledger.fired += count;
        ledger.filtered += count;
        self
    }

    /// The batches, a quarter of a second each.
    pub(crate) fn batches(&self) -> Vec<Batch> {
        let mut batches = self.batches.clone();
        for (batch, start) in batches.iter_mut().zip((0..).step_by(250_000_000)) {
            (batch.start_ns, batch.end_ns) = (start, start + 250_000_000);
        }
        batches
    }

    /// A stack travels once: one that was sent keeps its key.
    fn stack(
        &mut self,
        addresses: &[u64],
        stacks: impl Fn(&mut Batch) -> &mut Vec<RawStack>,
    ) -> StackKey {
        let sent = self
            .batches
            .iter_mut()
            .flat_map(|batch| stacks(batch).iter());
        let mut same = sent
            .filter(|stack| stack.addresses == addresses)
            .map(|stack| stack.id);
        if let Some(id) = same.next() {
            return id;
        }
        self.stacks += 1;
        let id = StackKey(self.stacks);
        stacks(self.last()).push(RawStack {
            id,
            addresses: addresses.to_vec(),
        });
        id
    }
}
