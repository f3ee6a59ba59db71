//! Programs that are busy while they are measured, each ended by its own PID.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{paths, run};

/// A join and a sort that keep one CPU busy for some seconds.
const QUERY: &str = "\
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000000) \
    SELECT count(*), sum(length(text)) FROM \
    (SELECT printf('%d-%d', n % 1013, n) AS text FROM numbers ORDER BY text);";

/// A process that is ended when this goes out of scope.
pub(crate) struct Busy {
    child: Child,
    /// Who gets the signal: the server, where `child` is only what started it.
    pid: u32,
    signal: Signal,
}

impl Busy {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", run::shown(command)))?;
        Ok(Self {
            pid: child.id(),
            child,
            signal: Signal::SIGKILL,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let asked = i32::try_from(self.pid).map(|pid| kill(Pid::from_raw(pid), self.signal));
        if !matches!(asked, Ok(Ok(()))) {
            eprintln!("bench: process {} was gone before its end", self.pid);
        }
        if let Err(error) = self.child.wait() {
            eprintln!("bench: {error}");
        }
    }
}

/// A server and its client, or one program alone.
pub(crate) struct Workload {
    pub(super) name: &'static str,
    /// Whom to profile.
    pub(crate) pids: Vec<u32>,
    /// Clients end before their servers: fields are dropped in order.
    _client: Option<Busy>,
    _server: Busy,
    _directory: Option<tempfile::TempDir>,
}

/// One thread at full speed, in two functions of known shares.
pub(super) fn burn(scratch: &Path) -> Result<Busy> {
    Busy::start(Command::new(build_burn(scratch)?).arg("3600"))
}

/// The program that takes the seconds of CPU time that it is to use.
pub(crate) fn build_burn(scratch: &Path) -> Result<PathBuf> {
    let program = scratch.join("burn");
    let source = paths::root().join("tracer/tests/fixtures/burn.c");
    let flags = ["-O0", "-g", "-fno-omit-frame-pointer"];
    run::status(
        Command::new("cc")
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(&program),
    )?;
    Ok(program)
}

pub(super) fn sqlite(seconds: Duration) -> Result<Workload> {
    // As often as it takes to stay busy: one query takes some seconds.
    let query = QUERY.repeat(2 + seconds.as_secs() as usize);
    let server = Busy::start(Command::new("sqlite3").args([":memory:", &query]))?;
    thread::sleep(Duration::from_millis(500));
    let pids = vec![server.pid()];
    Ok(Workload {
        name: "sqlite3",
        pids,
        _client: None,
        _server: server,
        _directory: None,
    })
}

/// A server that waits for clients on 127.0.0.1.
pub(super) struct Server {
    pub(super) port: String,
    /// Ends before its directory is removed: fields are dropped in order.
    busy: Busy,
    directory: tempfile::TempDir,
}

pub(super) fn redis_server() -> Result<Server> {
    let directory = tempfile::tempdir()?;
    let port = free_port()?;
    let mut command = Command::new("redis-server");
    command.args([
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    let busy = Busy::start(command.arg("--dir").arg(directory.path()))?;
    wait_for(&port)?;
    Ok(Server {
        port,
        busy,
        directory,
    })
}

pub(crate) fn redis() -> Result<Workload> {
    let Server {
        port,
        busy: server,
        directory,
    } = redis_server()?;
    let mut client = Command::new("redis-benchmark");
    client.args([
        "-p",
        &port,
        "-q",
        "-l",
        "-n",
        "1000000",
        "-t",
        "set,get,lpush,lrange_100",
    ]);
    let client = Busy::start(&mut client)?;
    thread::sleep(Duration::from_secs(1));
    Ok(Workload {
        name: "redis-server",
        pids: vec![server.pid()],
        _client: Some(client),
        _server: server,
        _directory: Some(directory),
    })
}

/// With pgbench's tables.
pub(super) fn postgres_server() -> Result<Server> {
    let binaries = postgres_binaries()?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("data");
    let port = free_port()?;
    // The server refuses to run as root.
    run::status(Command::new("chown").arg("postgres").arg(directory.path()))?;
    let as_postgres = |program: &str| {
        let mut command = Command::new("runuser");
        command
            .args(["-u", "postgres", "--"])
            .arg(binaries.join(program));
        command.current_dir("/");
        command
    };
    let mut initdb = as_postgres("initdb");
    initdb
        .args(["--auth", "trust", "--pgdata"])
        .arg(&data)
        .stdout(Stdio::null());
    run::status(&mut initdb)?;
    let mut command = as_postgres("postgres");
    command
        .arg("-D")
        .arg(&data)
        .args(["-p", &port, "-c", "fsync=off", "-c"]);
    command.arg(format!(
        "unix_socket_directories={}",
        directory.path().display()
    ));
    let mut busy = Busy::start(&mut command)?;
    wait_for(&port)?;
    let postmaster = fs::read_to_string(data.join("postmaster.pid"))?;
    busy.pid = postmaster
        .lines()
        .next()
        .context("an empty postmaster.pid")?
        .parse()?;
    // A fast shutdown: it ends its backends, and removes its shared memory.
    busy.signal = Signal::SIGINT;
    run::status(
        pgbench(&port, &["-i", "-q", "-s", "5"])?
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    Ok(Server {
        port,
        busy,
        directory,
    })
}

pub(super) fn pgbench(port: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(postgres_binaries()?.join("pgbench"));
    command
        .args(["-h", "127.0.0.1", "-p", port, "-U", "postgres"])
        .args(arguments);
    command.arg("postgres");
    Ok(command)
}

/// `rate`: more arguments of pgbench, which works as fast as it can without any.
pub(crate) fn postgres(seconds: Duration, rate: &[&str]) -> Result<Workload> {
    let Server {
        port,
        busy: server,
        directory,
    } = postgres_server()?;
    let duration = (seconds.as_secs() + 60).to_string();
    let reads = ["-S", "-c", "2", "-j", "1", "-T", &duration];
    let client = Busy::start(&mut pgbench(&port, &[&reads, rate].concat())?)?;
    thread::sleep(Duration::from_secs(1));
    let mut pids = vec![server.pid()];
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    for pid in fs::read_to_string(children)?.split_whitespace() {
        pids.push(pid.parse()?);
    }
    Ok(Workload {
        name: "postgres",
        pids,
        _client: Some(client),
        _server: server,
        _directory: Some(directory),
    })
}

/// Debian keeps one directory for each major version.
pub(crate) fn postgres_binaries() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("postgres is not installed")?;
    versions
        .flatten()
        .filter_map(|version| {
            let major: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((major, version.path().join("bin")))
        })
        .max()
        .map(|(_, binaries)| binaries)
        .context("postgres is not installed")
}

fn free_port() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port()
        .to_string())
}

fn wait_for(port: &str) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        if start.elapsed() > Duration::from_secs(20) {
            bail!("nothing listens on port {port}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// `gzip -9` again and again, in so many loops.
pub(super) struct Gzips {
    stop: Arc<AtomicBool>,
    loops: Vec<JoinHandle<Result<()>>>,
}

impl Gzips {
    pub(super) fn start(scratch: &Path, loops: usize) -> Result<Self> {
        let data = scratch.join("text");
        fs::write(&data, text(8 << 20))?;
        let stop = Arc::new(AtomicBool::new(false));
        let loops = (0..loops)
            .map(|_| {
                let (stop, data) = (Arc::clone(&stop), data.clone());
                thread::spawn(move || compress(&data, &stop))
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        Ok(Self { stop, loops })
    }
}

impl Drop for Gzips {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for gzip in self.loops.drain(..) {
            if !matches!(gzip.join(), Ok(Ok(()))) {
                eprintln!("bench: a gzip failed: the numbers are of an idle machine");
            }
        }
    }
}

fn compress(data: &Path, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let input = fs::File::open(data)?;
        run::status(
            Command::new("gzip")
                .arg("-9")
                .stdin(input)
                .stdout(Stdio::null()),
        )?;
    }
    Ok(())
}

/// Words in an order of no pattern: what compresses by about a half.
fn text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = 88_172_645_463_325_252_u64;
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(["frame ", "stack ", "sample "][(state >> 60) as usize % 3]);
        text.push_str(&(state >> 40).to_string());
        text.push(if state.is_multiple_of(11) { '\n' } else { ' ' });
    }
    text
}
