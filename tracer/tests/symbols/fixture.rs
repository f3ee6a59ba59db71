//! Programs of known truth, and a symbolizer to ask about them.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};
use tracer::profile::Dso;
use tracer::symbol::{Holder, NoName, Place, Settings, Symbol, Symbolizer, Symbols, ids};

pub(crate) type Answer = Result<Symbol, NoName>;

/// A symbolizer with the worker of the program that was built with these tests.
pub(crate) fn symbolizer(settings: Settings) -> Symbolizer {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_tracer"));
    worker.arg("--worker");
    Symbolizer::start_with(worker, settings).unwrap()
}

/// Settings that find debug files below a directory only.
pub(crate) fn debug_directory(directory: &Path) -> Settings {
    Settings {
        debug_directories: vec![directory.to_owned()],
        ..Settings::default()
    }
}

/// Runs a tool and insists that it succeeds.
pub(crate) fn run(tool: &str, arguments: &[&str]) {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|why| panic!("these tests need `{tool}`: {why}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {errors}");
}

/// Compiles a source file in a directory to `output` beside it.
pub(crate) fn compile(
    directory: &Path,
    output: &str,
    source: (&str, &str),
    flags: &[&str],
) -> PathBuf {
    let (name, text) = source;
    std::fs::write(directory.join(name), text).unwrap();
    let compiler = match name.rsplit_once('.') {
        Some((_, "rs")) => "rustc",
        Some((_, "cc")) => "g++",
        _ => "cc",
    };
    let path = directory.join(output);
    let source = directory.join(name);
    let mut arguments = vec![source.to_str().unwrap(), "-o", path.to_str().unwrap()];
    arguments.extend(flags);
    run(compiler, &arguments);
    path
}

/// A function to be found, one to be inlined into it, and a static one.
pub(crate) const C: (&str, &str) = (
    "program.c",
    "#include <unistd.h>\n\
     volatile int sink;\n\
     static inline __attribute__((always_inline)) void inner(void) { sink += 1; }\n\
     __attribute__((noinline)) void outer(void) {\n\
         inner();\n\
     }\n\
     __attribute__((noinline)) static void hidden(void) { sink -= 1; }\n\
     int main(int argc, char **argv) {\n\
         outer();\n\
         hidden();\n\
         if (argc > 1) { write(1, \"\\n\", 1); pause(); }\n\
         return 0;\n\
     }\n",
);

/// What the kernel would call the file at a path.
pub(crate) fn dso(path: &Path) -> Dso {
    let metadata = std::fs::metadata(path).unwrap();
    let device = metadata.dev();
    Dso {
        path: path.as_os_str().as_bytes().to_vec(),
        device: (rustix::fs::major(device), rustix::fs::minor(device)),
        inode: metadata.ino(),
    }
}

/// File offset and size of the function whose symbol contains `name`.
pub(crate) fn function(path: &Path, name: &str) -> (u64, u64) {
    let bytes = std::fs::read(path).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let mut symbols = elf.symbols().chain(elf.dynamic_symbols());
    let is_it = |symbol: &object::Symbol<'_, '_>| {
        symbol.name().is_ok_and(|this| this.contains(name)) && symbol.size() > 0
    };
    let symbol = symbols
        .find(is_it)
        .unwrap_or_else(|| panic!("no {name} in {path:?}"));
    let address = symbol.address();
    let holds = |start: u64, size: u64| (start..start + size).contains(&address);
    let segment = elf
        .segments()
        .find(|segment| holds(segment.address(), segment.size()))
        .unwrap();
    (
        address - segment.address() + segment.file_range().0,
        symbol.size(),
    )
}

/// A request without the borrow.
#[derive(Clone)]
pub(crate) enum Want {
    File(u32, Dso, u64, Vec<Holder>),
    Kernel(u64),
    Jit(u32, u64),
}

/// Asks for all of them at once and waits for the answers.
pub(crate) fn ask(symbolizer: &mut Symbolizer, wants: &[Want]) -> Vec<Answer> {
    for (frame, want) in (0..).zip(wants) {
        let place = match want {
            Want::File(number, info, offset, holders) => Place::File {
                dso: ids::dso(*number),
                info,
                offset: *offset,
                holders,
            },
            Want::Kernel(address) => Place::Kernel { address: *address },
            Want::Jit(pid, address) => Place::Jit {
                pid: *pid,
                address: *address,
            },
        };
        symbolizer.request(ids::frame(frame), place);
    }
    symbolizer.flush();
    let mut symbols = Symbols::default();
    let deadline = Instant::now() + Duration::from_secs(60);
    while symbolizer.pending() > 0 {
        assert!(
            Instant::now() < deadline,
            "{} answers never came",
            symbolizer.pending()
        );
        symbolizer
            .receive(&mut symbols, Duration::from_secs(1))
            .unwrap();
    }
    let answer = |frame| symbols.get(ids::frame(frame)).unwrap().cloned();
    (0..).zip(wants).map(|(frame, _)| answer(frame)).collect()
}

/// The answer for one offset in one file that lies at a path.
pub(crate) fn name_at(symbolizer: &mut Symbolizer, path: &Path, offset: u64) -> Answer {
    ask(symbolizer, &[Want::File(1, dso(path), offset, Vec::new())]).remove(0)
}

/// The names of a symbol's functions, outermost first.
pub(crate) fn names(answer: &Answer) -> Vec<&str> {
    answer
        .as_ref()
        .unwrap()
        .functions
        .iter()
        .map(|function| function.name.as_str())
        .collect()
}

/// A running program that has reached its `pause`.
pub(crate) struct Running {
    child: std::process::Child,
}

impl Running {
    pub(crate) fn start(program: &Path) -> Self {
        use std::io::Read as _;
        let mut child = Command::new(program)
            .arg("wait")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        Self { child }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The executable mapping of a file, and what the kernel calls the file.
    pub(crate) fn mapping(&self, name: &str) -> (Holder, Dso) {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid())).unwrap();
        let line = maps
            .lines()
            .find(|line| line.contains(" r-xp ") && line.contains(name))
            .unwrap();
        let (start, end) = word_at(line, 0).split_once('-').unwrap();
        let device = word_at(line, 3).split_once(':').unwrap();
        let hex = |word| u64::from_str_radix(word, 16).unwrap();
        let path = line.splitn(6, ' ').nth(5).unwrap().trim_start();
        let holder = Holder {
            pid: self.pid(),
            start: hex(start),
            end: hex(end),
        };
        let info = Dso {
            path: path.as_bytes().to_vec(),
            device: (hex(device.0) as u32, hex(device.1) as u32),
            inode: word_at(line, 4).parse().unwrap(),
        };
        (holder, info)
    }
}

fn word_at(line: &str, index: usize) -> &str {
    line.split_ascii_whitespace().nth(index).unwrap()
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Whether these tests run as root; if not, says which part is left out.
pub(crate) fn is_root(left_out: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("left out, since it takes root: {left_out}");
    }
    root
}
