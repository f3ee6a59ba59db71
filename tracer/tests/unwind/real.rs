use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use tracer::unwind::{NoTable, Table};

use super::oracle;

/// Libraries with hand-written code, large programs, C++, a linker of its own.
const SAMPLE: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib64/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/bin/bash",
    "/usr/bin/gdb",
    "/usr/bin/python3",
    "/proc/self/exe",
];

#[test]
fn the_table_of_a_file_is_what_gimli_makes_of_it() {
    let mut compared = 0;
    for path in SAMPLE.map(Path::new) {
        let Ok(bytes) = fs::read(path) else {
            continue;
        };
        let expected = oracle::table(&bytes);
        let file = File::open(path).unwrap();
        let table = Table::of_file(&file);
        assert!(
            table.as_ref().ok() == expected.as_ref(),
            "{path:?}: {}",
            difference(&table, &expected)
        );
        assert_eq!(Table::of_image(&bytes), table, "{path:?}");
        compared += u32::from(table.is_ok());
    }
    assert!(compared >= 3, "only {compared} files were compared");
}

/// The kernel's own code in this process.
#[test]
fn the_vdso_has_a_table() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let Some(line) = maps.lines().find(|line| line.ends_with("[vdso]")) else {
        return;
    };
    let (range, _) = line.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let [start, end] = [start, end].map(|word| u64::from_str_radix(word, 16).unwrap());
    let mut image = vec![0; (end - start) as usize];
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut image, start).unwrap();
    let table = Table::of_image(&image);
    assert!(table.is_ok(), "{table:?}");
    assert_eq!(table.ok(), oracle::table(&image));
}

/// As a program is read that lost its section headers.
#[test]
fn without_section_headers_the_table_is_the_same() {
    for path in SAMPLE.map(Path::new) {
        let Ok(mut bytes) = fs::read(path) else {
            continue;
        };
        let whole = Table::of_image(&bytes);
        // e_shoff, e_shnum and e_shstrndx
        bytes[40..48].fill(0);
        bytes[60..64].fill(0);
        let stripped = Table::of_image(&bytes);
        assert!(whole == stripped, "{path:?}: {:?}", stripped.err());
    }
}

#[test]
fn debug_frame_counts_where_there_is_no_eh_frame() {
    const CODE: &str = "
        volatile int sink;
        __attribute__((noinline)) int callee(int *at) { return at[sink]; }
        int caller(int n) { int on_stack[64]; on_stack[n] = n; return callee(on_stack) + 1; }
        void _start(void) { for (;;) sink = caller(sink); }
    ";
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("plain.c"), CODE).unwrap();
    let make = |compression: &str| {
        let made = path(compression);
        let mut cc = Command::new("cc");
        cc.args(["-g", "-O2", "-nostdlib", "-static", "-fno-unwind-tables"])
            .args(["-fno-asynchronous-unwind-tables", "-fcf-protection=none"])
            .arg(format!("-gz={compression}"))
            .arg("-o")
            .args([&made, &path("plain.c")]);
        let done = cc.output().unwrap().status.success();
        done.then(|| fs::read(made).unwrap())
    };
    let plain = make("none").unwrap();
    let table = Table::of_image(&plain);
    assert!(table.is_ok(), "{table:?}");
    assert_eq!(table.as_ref().ok(), oracle::table(&plain).as_ref());
    assert!(table.as_ref().is_ok_and(|table| table.rows.len() > 3));
    if let Some(packed) = make("zlib") {
        assert_eq!(Table::of_image(&packed), table);
    }
    if let Some(packed) = make("zstd") {
        assert!(Table::of_image(&packed).is_err());
    }
}

/// The first of them, briefly.
fn difference(table: &Result<Table, NoTable>, expected: &Option<Table>) -> String {
    let (Ok(table), Some(expected)) = (table, expected) else {
        return format!(
            "{:?}, expected {}",
            table.as_ref().err(),
            expected.is_some()
        );
    };
    let mut rows = table.rows.iter().zip(&expected.rows).enumerate();
    let row = rows.find(|(_, (row, expected))| row != expected);
    format!(
        "pages {} / {}, from {} / {}; rows {} / {}; rules {} / {}; {row:x?}",
        table.pages.len(),
        expected.pages.len(),
        table.first_page,
        expected.first_page,
        table.rows.len(),
        expected.rows.len(),
        table.rules.len(),
        expected.rules.len()
    )
}
