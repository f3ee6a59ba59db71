//! The scripted profiles that the screens are drawn from.

use tracer::profile::{Batch, FactKind, Loss, RawStack, Sample, StackKey, Truncation};

use crate::{
    cases::{APP, Name},
    driver::Driver,
    script::{Script, Stack, code, comm, image, user},
};

const LIB: u64 = 0x7f00_0000_0000;
const HEAP: u64 = 0x1000_0000;
const KERNEL: u64 = 0xffff_ffff_8100_0000;

/// Half a minute on a machine of four CPUs: a compressor, a server with threads of which one is
/// renamed, compiled code, recursion, inlining, the kernel, some losses.
pub(crate) fn busy(size: (u16, u16)) -> Driver {
    Driver::at_end(busy_batches(120), NAMES, size)
}

/// The same with only the first second seen.
pub(crate) fn beginning(size: (u16, u16)) -> Driver {
    let mut driver = Driver::new(busy_batches(120), NAMES, size);
    for _ in 0..4 {
        driver.tick();
    }
    driver
}

pub(crate) const NAMES: &[Name] = &[
    ("gzip+0x10", &["main"]),
    ("gzip+0x100", &["deflate", "longest_match"]),
    ("gzip+0x200", &["crc32"]),
    ("libc.so.6+0x20", &["__write"]),
    ("nginx+0x10", &["main"]),
    ("nginx+0x20", &["ngx_process_events_and_timers"]),
    ("nginx+0x30", &["ngx_http_process_request_line"]),
    ("node+0x10", &["main"]),
    (
        "node+0x20",
        &["v8::internal::Execution::Call(v8::internal::Isolate*)"],
    ),
    ("[jit]+0x10000050", &["render /srv/app/index.js:7"]),
    ("fib+0x10", &["main"]),
    ("fib+0x20", &["fib"]),
    ("fib+0x28", &["fib"]),
    (
        "[kernel]+0xffffffff81000040",
        &["entry_SYSCALL_64_after_hwframe"],
    ),
    ("[kernel]+0xffffffff81000050", &["ksys_write"]),
    (
        "[kernel]+0xffffffff81000060",
        &["copy_page_from_iter_atomic"],
    ),
    ("[kernel]+0xffffffff81000070", &["kworker_thread"]),
];

fn busy_batches(batches: u64) -> Vec<Batch> {
    let mut script = Script::new();
    for (pid, path) in [
        (100, "/usr/bin/gzip"),
        (200, "/usr/sbin/nginx"),
        (300, "/usr/bin/node"),
        (400, "/home/user/fib"),
    ] {
        let mappings = vec![
            code(path, APP),
            code("/lib/libc.so.6", LIB),
            code("//anon", HEAP),
        ];
        script.fact(1, pid, FactKind::Snapshot(mappings));
    }
    for batch in 0..batches {
        gzip(&mut script, batch);
        nginx(&mut script, batch);
        node(&mut script, batch);
        fib(&mut script, batch);
        let kernel = Stack {
            kernel: &[KERNEL + 0x60, KERNEL + 0x71],
            ..Stack::default()
        };
        script.sample(image(2, 1, 0), b"kworker/0:1", kernel, 1 + batch % 2);
        script.filtered(20);
        if batch % 16 == 15 {
            script.lost(Loss::NotRun, 2).lost(Loss::RingFull, 1);
        }
        if batch + 1 < batches {
            script.next();
        }
    }
    script.batches()
}

fn gzip(script: &mut Script, batch: u64) {
    let gzip = image(100, 5, 1);
    let write = Stack {
        user: &[LIB + 0x20, APP + 0x201, APP + 0x11],
        kernel: &[KERNEL + 0x60, KERNEL + 0x51, KERNEL + 0x41],
        ..Stack::default()
    };
    script
        .sample(
            gzip,
            b"gzip",
            user(&[APP + 0x100, APP + 0x11]),
            12 + batch % 5,
        )
        .sample(gzip, b"gzip", user(&[APP + 0x200, APP + 0x11]), 3)
        .sample(gzip, b"gzip", write, 2 + batch % 3);
}

fn nginx(script: &mut Script, batch: u64) {
    let nginx = image(200, 6, 1);
    for thread in 0..4 {
        let name: &[u8] = match thread {
            0 => b"nginx",
            // It is renamed on the way.
            3 if batch >= 90 => b"cache manager",
            _ => b"nginx: worker",
        };
        let stack = user(&[APP + 0x30, APP + 0x21, APP + 0x11]);
        script.sample_of(nginx, 200 + thread, name, stack, 1 + u64::from(thread));
        let cut = Stack {
            truncated: Some(Truncation::NoFramePointer),
            ..user(&[LIB + 0x30, APP + 0x31])
        };
        script.sample_of(nginx, 200 + thread, name, cut, (batch + 1) % 2);
    }
}

fn node(script: &mut Script, batch: u64) {
    let node = image(300, 7, 1);
    let called = [HEAP + 0x50, APP + 0x21, APP + 0x11];
    script
        .sample(node, b"node", user(&called), 4 + batch / 40)
        .sample(
            node,
            b"node",
            user(&[HEAP + 0x90, APP + 0x21, APP + 0x11]),
            1,
        );
}

fn fib(script: &mut Script, batch: u64) {
    let mut addresses = vec![APP + 0x20];
    addresses.extend((0..batch % 6).map(|_| APP + 0x29));
    addresses.push(APP + 0x11);
    script.sample(image(400, 8, 1), b"fib", user(&addresses), 5);
}

/// No batch has come.
pub(crate) fn waiting(size: (u16, u16)) -> Driver {
    Driver::new(Vec::new(), &[], size)
}

/// Batches have come, and nothing was sampled.
pub(crate) fn idle(size: (u16, u16)) -> Driver {
    let mut script = Script::new();
    script.filtered(400);
    for _ in 0..8 {
        script.next().filtered(100);
    }
    Driver::at_end(script.batches(), &[], size)
}

/// Everything that can go wrong has.
pub(crate) fn lossy(size: (u16, u16)) -> Driver {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    let mappings = vec![
        code("/bin/app", APP),
        code("/opt/lib/libfoo.so", LIB),
        code("//anon", HEAP),
    ];
    script.fact(1, 10, FactKind::Snapshot(mappings));
    let outermost: [&[u64]; 4] = [
        &[APP + 0x20, APP + 0x11],
        &[APP + 0x20, LIB + 0x11],
        &[APP + 0x20, HEAP + 0x11],
        &[],
    ];
    for _ in 0..8 {
        let reasons = Truncation::ALL.into_iter().zip(1..);
        for ((why, weight), addresses) in reasons.zip(outermost.into_iter().cycle()) {
            let stack = Stack {
                truncated: Some(why),
                ..user(addresses)
            };
            script.sample(app, b"app", stack, weight);
        }
        for (why, weight) in Loss::OF_SAMPLES.into_iter().zip(1..) {
            script.lost(why, weight);
        }
        script.sample(app, b"app", user(&[APP + 0x20, APP + 0x11]), 9);
        script.next();
    }
    const NAMES: &[Name] = &[("app+0x10", &["main"]), ("app+0x20", &["work"])];
    let mut driver = Driver::at_end(script.batches(), NAMES, size);
    driver.vitals.troubles = vec![(3, "facts lost"), (0, "worker crashes")];
    driver.answer();
    driver
}

/// So many functions, each with one sample more than the one before.
pub(crate) fn huge(functions: u64, size: (u16, u16)) -> Driver {
    let mut script = Script::new();
    script.fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]));
    let mut batches = script.batches();
    let batch = batches.first_mut().unwrap();
    for number in 0..functions {
        let key = StackKey(number + 1);
        batch.user_stacks.push(RawStack {
            id: key,
            addresses: vec![APP + 0x10 + number * 16],
        });
        batch.samples.push(Sample {
            image: image(10, 5, 1),
            tid: 10,
            comm: comm(b"app"),
            user: Some(key),
            kernel: None,
            truncated: None,
            weight: number + 1,
        });
    }
    let recorded = functions * (functions + 1) / 2;
    (batch.ledger.fired, batch.ledger.recorded) = (recorded, recorded);
    batch.ledger.complete = recorded;
    Driver::at_end(batches, &[], size)
}

/// A stack so deep, each frame another function.
pub(crate) fn deep(depth: u64, size: (u16, u16)) -> Driver {
    let mut script = Script::new();
    let mut addresses: Vec<u64> = (0..depth).map(|frame| APP + 0x11 + frame * 16).collect();
    script.fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]));
    for weight in 1..=3 {
        script.sample(image(10, 5, 1), b"app", user(&addresses), weight);
        addresses.remove(0);
    }
    Driver::at_end(script.batches(), &[], size)
}
