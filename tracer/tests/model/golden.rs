//! Files that say what a test expects.

use std::{fs, path::Path};

/// Compares with the golden of this name. One that is missing is made, and the test fails so that
/// somebody looks at it; with `BLESS=1` in the environment all are made anew.
pub(crate) fn compare(name: &str, found: &str, failures: &mut Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let expected = fs::read_to_string(&path);
    if expected.as_ref().is_ok_and(|expected| expected == found) {
        return;
    }
    let bless = std::env::var_os("BLESS").is_some_and(|bless| bless == "1");
    if bless || expected.is_err() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    match expected {
        _ if bless => {}
        Err(_) => failures.push(format!("{name}: was missing and has been made; look at it")),
        Ok(expected) => {
            let lines = expected.lines().zip(found.lines());
            let differing = lines.clone().position(|(one, other)| one != other);
            let at = differing.unwrap_or_else(|| lines.count());
            failures.push(format!(
                "{name}: line {} differs (BLESS=1 accepts it)\n  expected {:?}\n  found    {:?}",
                at + 1,
                expected.lines().nth(at),
                found.lines().nth(at),
            ));
        }
    }
}
