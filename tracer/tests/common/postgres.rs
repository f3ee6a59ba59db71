//! A postgres backend that is busy.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::tracer::soon;

/// A server of our own with one client that keeps one backend busy.
pub(crate) struct Postgres {
    client: Child,
    server: Child,
    postmaster: Pid,
    _directory: tempfile::TempDir,
}

/// Sorts and hashes: busy in the backend alone.
const QUERY: &str = "select count(distinct md5(i::text)) from generate_series(1, 3000000) i";

impl Postgres {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener
            .local_addr()
            .expect("it is bound")
            .port()
            .to_string();
        drop(listener);
        let run = |command: &mut Command| {
            let output = command.output().expect("postgres is installed");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}: {said}");
        };
        // The server refuses to run as root.
        run(Command::new("chown").arg("postgres").arg(directory.path()));
        run(as_postgres("initdb")
            .args(["--no-sync", "--auth", "trust", "-D"])
            .arg(&data));
        let mut server = as_postgres("postgres");
        server
            .arg("-D")
            .arg(&data)
            .args(["-p", &port, "-c", "fsync=off", "-c"]);
        server.arg(format!(
            "unix_socket_directories={}",
            directory.path().display()
        ));
        let server = quiet(&mut server).spawn().expect("postgres can be run");
        let address = format!("127.0.0.1:{port}");
        let listens = soon(Duration::from_secs(20), || {
            TcpStream::connect(&address).is_ok()
        });
        assert!(listens, "postgres does not listen");
        let file = fs::read_to_string(data.join("postmaster.pid")).expect("the server writes it");
        let postmaster = file.lines().next().and_then(|line| line.parse().ok());
        let postmaster = postmaster
            .and_then(Pid::from_raw)
            .expect("it begins with the PID");
        let mut client = Command::new("psql");
        client.args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c"]);
        client.arg(vec![QUERY; 100].join("; "));
        let client = quiet(&mut client).spawn().expect("psql is installed");
        Self {
            client,
            server,
            postmaster,
            _directory: directory,
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.client.kill().expect("our own child, not waited for");
        self.client.wait().expect("our own child");
        // At once; a fast shutdown waits for the query.
        kill_process(self.postmaster, Signal::QUIT).expect("the server is ours");
        self.server.wait().expect("our own child");
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("runuser");
    command
        .args(["-u", "postgres", "--"])
        .arg(binaries().join(program));
    command.current_dir("/");
    command
}

/// Debian keeps one directory for each major version.
fn binaries() -> PathBuf {
    let versions = fs::read_dir(Path::new("/usr/lib/postgresql")).expect("postgres is installed");
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    versions.sort();
    versions.pop().expect("a version of postgres").join("bin")
}
