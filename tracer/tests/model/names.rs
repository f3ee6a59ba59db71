//! Profiles whose names make trouble.

use tracer::profile::{FactKind, Truncation};

use crate::{
    cases::{APP, Case, Name, stack_of},
    script::{Script, Stack, code, image, user},
};

pub(crate) fn hostile() -> Case {
    let mut script = Script::new();
    let path = "/tmp/evil;\u{1b}[31m\u{202e} 12";
    let comms: [&[u8]; 9] = [
        b"",
        b" ",
        b"# no comment",
        b"a;b",
        b"name 12",
        b"\xff\xfe\x1b[2J",
        b"<b>&'\"",
        b"12",
        b"\n\r\t",
    ];
    for (pid, comm) in (10..).zip(comms) {
        script
            .fact(1, pid, FactKind::Snapshot(vec![code(path, APP)]))
            .sample(image(pid, 5, 1), comm, user(&[APP + 0x20, APP + 0x11]), 2)
            .sample(image(pid, 5, 1), comm, stack_of(), 1);
    }
    let cut = Stack {
        truncated: Some(Truncation::NoTable),
        ..user(&[APP + 0x20, APP + 0x11])
    };
    script
        .sample(image(10, 5, 1), b"symbols", cut, 4)
        .sample(
            image(10, 5, 1),
            b"symbols",
            user(&[APP + 0x30, APP + 0x41, APP + 0x51]),
            3,
        )
        .sample(
            image(10, 5, 1),
            b"symbols",
            user(&[APP + 0x60, APP + 0x71, APP + 0x81]),
            5,
        );
    let names: &[Name] = &[
        ("evil:\\u{1b}[31m\\u{202e} 12+0x10", &["f(int; char) 5"]),
        (
            "evil:\\u{1b}[31m\\u{202e} 12+0x30",
            &["</title><script>alert(1)</script>", "inlined 1.5"],
        ),
        (
            "evil:\\u{1b}[31m\\u{202e} 12+0x40",
            &["bell\u{7}nul\0", "\u{202e}\u{2066}\u{2028}"],
        ),
        ("evil:\\u{1b}[31m\\u{202e} 12+0x50", &[""]),
        (
            "evil:\\u{1b}[31m\\u{202e} 12+0x60",
            &["ends in a number 77"],
        ),
        (
            "evil:\\u{1b}[31m\\u{202e} 12+0x70",
            &["\u{fffe}\u{ffff}]]>"],
        ),
        ("evil:\\u{1b}[31m\\u{202e} 12+0x80", &["-"]),
    ];
    Case {
        name: "hostile_names",
        script,
        names,
    }
}

/// Names that begin with each other: lines in order of bytes are not in order of frames.
pub(crate) fn similar() -> Case {
    let mut script = Script::new();
    let app = image(10, 5, 1);
    script
        .fact(1, 10, FactKind::Snapshot(vec![code("/bin/app", APP)]))
        .sample(app, b"app", user(&[APP + 0x10]), 1)
        .sample(app, b"app", user(&[APP + 0x20]), 2)
        .sample(app, b"app", user(&[APP + 0x30, APP + 0x11]), 4)
        .sample(app, b"app", user(&[APP + 0x30, APP + 0x21]), 8)
        .sample(app, b"app!", user(&[APP + 0x10]), 16)
        .sample(app, b"app", stack_of(), 32);
    let names: &[Name] = &[
        ("app+0x10", &["main"]),
        ("app+0x20", &["main(int)"]),
        ("app+0x30", &["work"]),
    ];
    Case {
        name: "similar_names",
        script,
        names,
    }
}
