//! Fixtures for unwinding, compiled in the ways in which programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::fixture;

/// As distributions compile, and one function for each that is written. Without `-g`: what is not there
/// cannot help.
const FLAGS: &[&str] = &[
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fomit-frame-pointer",
    "-fno-optimize-sibling-calls",
    "-pthread",
];

/// The folder of the sources.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/unwind")
}

/// `tests/fixtures/unwind/NAME.c` or `.cpp`.
pub(super) fn program(name: &'static str) -> PathBuf {
    let compiler = if sources().join(name).with_extension("cpp").exists() {
        "c++"
    } else {
        "cc"
    };
    variant(name, name, compiler, &[])
}

/// The same with another compiler or other flags, under another name.
pub(super) fn variant(name: &'static str, source: &str, compiler: &str, flags: &[&str]) -> PathBuf {
    let cpp = sources().join(source).with_extension("cpp");
    let source = if cpp.exists() {
        cpp
    } else {
        sources().join(source).with_extension("c")
    };
    build(name, |output| {
        let mut command = Command::new(compiler);
        command
            .args(FLAGS)
            .arg(source)
            .args(flags)
            .arg("-o")
            .arg(output);
        command
    })
}

/// Made by a command of its own.
pub(super) fn build(name: &'static str, command: impl FnOnce(&Path) -> Command) -> PathBuf {
    fixture::build(&format!("unwind-{name}"), command)
}

/// A shared library.
pub(super) fn library(name: &'static str) -> PathBuf {
    variant(name, name, "cc", &["-shared", "-fPIC"])
}

/// As `cargo build --release` compiles.
pub(super) fn rust(name: &'static str) -> PathBuf {
    build(name, |output| {
        let mut command = Command::new("rustc");
        command.args(["-O", "-C", "force-frame-pointers=no", "--crate-name", name]);
        command.arg(sources().join(name).with_extension("rs"));
        command.arg("-o").arg(output);
        command
    })
}

/// The functions of a program by their addresses.
pub(super) struct Names {
    /// Start, end and name, in order.
    functions: Vec<(u64, u64, String)>,
}

pub(super) fn names(program: &Path) -> Names {
    use object::{Object as _, ObjectSymbol as _};
    let bytes = std::fs::read(program).expect("a program was compiled");
    let file = object::File::parse(&*bytes).expect("a program is an ELF file");
    let functions = file.symbols().filter(|symbol| symbol.is_definition());
    let mut functions: Vec<_> = functions
        .filter_map(|symbol| {
            let name = symbol.name().ok()?.to_owned();
            Some((symbol.address(), symbol.address() + symbol.size(), name))
        })
        .collect();
    functions.sort();
    Names { functions }
}

impl Names {
    pub(super) fn at(&self, address: u64) -> Option<String> {
        let within = |(start, end, _): &&(u64, u64, String)| (*start..*end).contains(&address);
        self.functions
            .iter()
            .find(within)
            .map(|(_, _, name)| name.clone())
    }
}
