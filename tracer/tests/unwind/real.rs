use std::fs::{self, File};
use std::path::Path;

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
