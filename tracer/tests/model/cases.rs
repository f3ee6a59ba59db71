//! The scripted profiles, one per thing that can go right or wrong.

use tracer::profile::{FactKind, Loss, Truncation};

use crate::names;
use crate::script::{Script, Stack, code, image, user};

/// A name for a place: what is inlined there follows the function that it is inlined into.
pub(crate) type Name = (&'static str, &'static [&'static str]);

pub(crate) struct Case {
    /// Also that of its goldens.
    pub(crate) name: &'static str,
    pub(crate) script: Script,
    /// By what a place is called without a name.
    pub(crate) names: &'static [Name],
}

pub(crate) const APP: u64 = 0x40_0000;
const LIB: u64 = 0x7f00_0000_0000;
const KERNEL: u64 = 0xffff_ffff_8100_0000;

pub(crate) fn all() -> Vec<Case> {
    vec![
        kernel_and_user(),
        truncated(),
        inlined(),
        jit(),
        unmapped(),
        fork_exec(),
        untied(),
        pid_reuse(),
        late_facts(),
        names::hostile(),
        names::similar(),
        recursion(),
        losses(),
        Case {
            name: "empty",
            script: Script::new(),
            names: &[],
        },
    ]
}

fn kernel_and_user() -> Case {
    let mut script = Script::new();
    let gzip = image(10, 5, 1);
    let stack = Stack {
        user: &[LIB + 0x20, APP + 0x101, APP + 0x11],
        kernel: &[KERNEL + 0x30, KERNEL + 0x41],
        ..Stack::default()
    };
    script
        .fact(
            1,
            10,
            FactKind::Snapshot(vec![
                code("/usr/bin/gzip", APP),
                code("/lib/libc.so.6", LIB),
            ]),
        )
        .sample(gzip, b"gzip", stack, 3)
        .sample(gzip, b"gzip", user(&[APP + 0x100, APP + 0x11]), 5)
        // A kernel thread and the idle task: no user part, and no mappings to wait for.
        .sample(
            image(2, 1, 0),
            b"kworker/0:1",
            Stack {
                kernel: &[KERNEL + 0x30],
                ..stack_of()
            },
            2,
        )
        .sample(image(0, 0, 0), b"swapper/0", stack_of(), 4)
        .next()
        .sample(gzip, b"gzip", stack, 1);
    let names: &[Name] = &[
        ("gzip+0x10", &["main"]),
        ("gzip+0x100", &["deflate"]),
        ("libc.so.6+0x20", &["write"]),
        ("[kernel]+0xffffffff81000040", &["entry_SYSCALL_64"]),
        ("[kernel]+0xffffffff81000030", &["ksys_write"]),
    ];
    Case {
        name: "kernel_and_user",
        script,
        names,
    }
}

pub(crate) fn stack_of() -> Stack<'static> {
    Stack::default()
}

fn truncated() -> Case {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    script.fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]));
    for (why, weight) in Truncation::ALL.into_iter().zip(1..) {
        let stack = user(&[APP + 0x20, APP + 0x11]);
        script.sample(
            app,
            b"app",
            Stack {
                truncated: Some(why),
                ..stack
            },
            weight,
        );
    }
    script
        .sample(app, b"app", user(&[APP + 0x20, APP + 0x11]), 7)
        // Nothing at all of the stack was read.
        .sample(
            app,
            b"app",
            Stack {
                truncated: Some(Truncation::ReadFault),
                ..stack_of()
            },
            9,
        );
    Case {
        name: "truncated",
        script,
        names: &[("app+0x10", &["main"]), ("app+0x20", &["work"])],
    }
}

fn inlined() -> Case {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]))
        .sample(app, b"app", user(&[APP + 0x20, APP + 0x11]), 4)
        // Another address of the same inlined function: the same line.
        .sample(app, b"app", user(&[APP + 0x24, APP + 0x11]), 2)
        .sample(app, b"app", user(&[APP + 0x30, APP + 0x11]), 1);
    let names: &[Name] = &[
        ("app+0x10", &["main", "run::<closure>"]),
        ("app+0x20", &["work", "Vec::push", "core::ptr::write"]),
        ("app+0x24", &["work", "Vec::push", "core::ptr::write"]),
        ("app+0x30", &["work"]),
    ];
    Case {
        name: "inlined",
        script,
        names,
    }
}

fn jit() -> Case {
    let mut script = Script::new();
    let node = image(10, 5, 1);
    let heap = 0x1000_0000;
    let mappings = vec![
        code("/usr/bin/node", APP),
        code("//anon", heap),
        code("/memfd:doublemapper (deleted)", heap + 0x10_0000),
        code("[vdso]", 0x7fff_0000_0000),
    ];
    script
        .fact(1, 10, FactKind::Snapshot(mappings))
        .sample(node, b"node", user(&[heap + 0x50, APP + 0x11]), 6)
        .sample(node, b"node", user(&[heap + 0x60, APP + 0x11]), 2)
        .sample(node, b"node", user(&[heap + 0x10_0070, APP + 0x11]), 1)
        .sample(node, b"node", user(&[0x7fff_0000_0a00, APP + 0x11]), 3);
    let names: &[Name] = &[
        ("node+0x10", &["main"]),
        ("[jit]+0x10000050", &["render /app/index.js:7"]),
    ];
    Case {
        name: "jit",
        script,
        names,
    }
}

fn unmapped() -> Case {
    let mut script = Script::new();
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]))
        .sample(image(10, 5, 1), b"outside", user(&[0x1234, APP + 0x11]), 2)
        .fact(2, 11, FactKind::Unreadable)
        .sample(image(11, 6, 1), b"refused", user(&[0x1234, APP + 0x11]), 3)
        // Nothing is ever told of this one.
        .sample(image(12, 7, 1), b"unknown", user(&[0x1234, APP + 0x11]), 4);
    Case {
        name: "unmapped",
        script,
        names: &[("app+0x10", &["main"])],
    }
}

fn fork_exec() -> Case {
    let mut script = Script::new();
    let stack = user(&[APP + 0x20, APP + 0x11]);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/sh", APP)]))
        .sample(image(10, 5, 3), b"sh", stack, 1)
        .fact(100, 11, FactKind::Fork { parent: 10 })
        .exec(200, image(11, 105, 4), code("/bin/env", APP))
        .exec(300, image(11, 105, 5), code("/bin/gzip", APP))
        // A grandchild that never runs anything else.
        .fact(350, 12, FactKind::Fork { parent: 11 })
        .sample(image(11, 105, 5), b"gzip", stack, 16)
        .sample(image(11, 105, 4), b"env", stack, 8)
        .sample(image(11, 105, 3), b"sh", stack, 4)
        .sample(image(12, 355, 5), b"gzip", stack, 32)
        // An `exec` of which nothing was seen: no other image's names will do.
        .sample(image(11, 105, 6), b"lost", stack, 2)
        .fact(400, 11, FactKind::Exit)
        .next()
        .sample(image(11, 105, 4), b"env", stack, 64);
    let names: &[Name] = &[
        ("sh+0x10", &["main"]),
        ("sh+0x20", &["sh"]),
        ("env+0x10", &["main"]),
        ("env+0x20", &["env"]),
        ("gzip+0x10", &["main"]),
        ("gzip+0x20", &["gzip"]),
    ];
    Case {
        name: "fork_exec",
        script,
        names,
    }
}

/// No fact ties the kernel's counts to images.
fn untied() -> Case {
    let mut script = Script::new();
    let stack = user(&[APP + 0x20]);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/one", APP)]))
        .sample(image(10, 5, 3), b"before", stack, 1)
        .next()
        .fact(100, 10, FactKind::Exec)
        .fact(101, 10, FactKind::Map(code("/bin/two", APP)))
        .sample(image(10, 5, 4), b"after", stack, 2)
        .sample(image(10, 5, 3), b"before", stack, 4);
    Case {
        name: "untied",
        script,
        names: &[],
    }
}

fn pid_reuse() -> Case {
    let mut script = Script::new();
    let stack = user(&[APP + 0x20]);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/parent", APP)]))
        .fact(2, 20, FactKind::Fork { parent: 10 })
        .exec(3, image(20, 1, 1), code("/bin/first", APP))
        .fact(10, 20, FactKind::Exit)
        .fact(11, 20, FactKind::Fork { parent: 10 })
        // Not tied by a fact: its first sample does it.
        .fact(12, 20, FactKind::Exec)
        .fact(13, 20, FactKind::Map(code("/bin/second", APP)))
        .fact(20, 20, FactKind::Exit)
        .sample(image(20, 11, 2), b"second", stack, 2)
        .sample(image(20, 1, 1), b"first", stack, 1)
        .next()
        .fact(30, 20, FactKind::Fork { parent: 10 })
        .sample(image(20, 30, 0), b"parent", stack, 4)
        .sample(image(20, 11, 2), b"second", stack, 8)
        .next()
        // Neither its end nor its successor's birth was seen.
        .sample(image(20, 40, 0), b"unknown", stack, 16)
        .sample(image(20, 30, 0), b"parent", stack, 32);
    Case {
        name: "pid_reuse",
        script,
        names: &[],
    }
}

/// Facts that come after the samples that need them.
fn late_facts() -> Case {
    let mut script = Script::new();
    let stack = user(&[LIB + 0x20, APP + 0x11]);
    script
        .sample(image(10, 5, 1), b"snapshot", stack, 1)
        .sample(image(11, 6, 1), b"snapshot2", stack, 2)
        .sample(image(12, 7, 1), b"too late", stack, 4)
        .fact(5, 13, FactKind::Fork { parent: 10 })
        .sample(image(13, 8, 1), b"child", stack, 8)
        .sample(image(14, 9, 1), b"newborn", stack, 16)
        .next()
        .fact(4, 14, FactKind::Fork { parent: 10 })
        .fact(
            10,
            10,
            FactKind::Snapshot(vec![code("/bin/app", APP), code("/lib/lib.so", LIB)]),
        )
        .next()
        .fact(11, 11, FactKind::Snapshot(vec![code("/bin/app", APP)]))
        .fact(12, 11, FactKind::Map(code("/lib/dlopen.so", LIB)))
        .next()
        .fact(
            13,
            12,
            FactKind::Snapshot(vec![code("/bin/app", APP), code("/lib/lib.so", LIB)]),
        )
        .sample(image(12, 7, 1), b"in time", stack, 32)
        // Another file at an address that has been resolved already.
        .fact(14, 11, FactKind::Map(code("/lib/another.so", LIB)))
        .sample(image(11, 6, 1), b"snapshot2", stack, 64);
    Case {
        name: "late_facts",
        script,
        names: &[("app+0x10", &["main"])],
    }
}

fn recursion() -> Case {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    let mut addresses = vec![APP + 0x24];
    script.fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]));
    for weight in 1..=5 {
        addresses.push(APP + 0x29);
        script.sample(app, b"app", user(&addresses), weight);
    }
    Case {
        name: "recursion",
        script,
        names: &[("app+0x24", &["fib"]), ("app+0x28", &["fib"])],
    }
}

fn losses() -> Case {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    let stack = user(&[APP + 0x20, APP + 0x11]);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]))
        .sample(app, b"app", stack, 900)
        .lost(Loss::RingFull, 3)
        .lost(Loss::NotRun, 1)
        .filtered(40)
        .next()
        .sample(
            app,
            b"app",
            Stack {
                truncated: Some(Truncation::NoFramePointer),
                ..stack
            },
            100,
        )
        .lost(Loss::MapFull, 2)
        .next();
    Case {
        name: "losses",
        script,
        names: &[("app+0x10", &["main"]), ("app+0x20", &["work"])],
    }
}
