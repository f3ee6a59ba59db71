//! A machine that is busy while something is measured.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::Signal;

use super::bpf::Guarded;
use super::fixture;
use super::tracer::Flame;

/// Ends with the value.
pub(crate) struct Running(Child);

impl Running {
    /// Children that come and go, so that there are always new stacks of new processes.
    pub(crate) fn children() -> Self {
        Self::start(Command::new(fixture::program("shortlived")).args(["both", "10000000", "500"]))
    }

    /// One busy process.
    pub(crate) fn burn() -> Self {
        Self::start(Command::new(fixture::program("burn")).arg("3600"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// It does nothing until [`Self::resume`].
    pub(crate) fn pause(&self) {
        super::tracer::signal(&self.0, Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        super::tracer::signal(&self.0, Signal::CONT);
    }

    pub(crate) fn start(command: &mut Command) -> Self {
        let quiet = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(quiet.spawn().expect("a fixture can be run"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().expect("our own child, not waited for");
        self.0.wait().expect("our own child");
    }
}

/// Other BPF programs and other users of maps: a second profiler of everything at 4,999 Hz, and a
/// thread that keeps hash maps busy.
pub(crate) struct OtherPrograms {
    profiler: Option<(Flame, Child)>,
    stop: Arc<AtomicBool>,
    maps: Option<JoinHandle<()>>,
}

impl OtherPrograms {
    pub(crate) fn start() -> Self {
        let flame = Flame::new();
        let child = flame.start(&["-a", "-F", "4999"]);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let maps = thread::spawn(move || {
            let mut map = Guarded::new();
            while !stopped.load(Ordering::Relaxed) {
                map.update();
                map.read();
            }
        });
        Self {
            profiler: Some((flame, child)),
            stop,
            maps: Some(maps),
        }
    }

    /// Ends them; the other profiler's account must balance as well.
    pub(crate) fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(maps) = self.maps.take() {
            maps.join().expect("the maps were there");
        }
        if let Some((flame, child)) = self.profiler.take() {
            super::tracer::signal(&child, Signal::INT);
            flame.finish(child).profile();
        }
    }
}

impl Drop for OtherPrograms {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some((_, mut child)) = self.profiler.take() {
            child.kill().expect("our own child, not waited for");
            child.wait().expect("our own child");
        }
    }
}
