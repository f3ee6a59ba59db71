//! A terminal that nobody looks at: a program runs on it, and what it shows is kept as text.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::pty::{Winsize, openpty};

/// A program on a terminal of its own, asked to end when this goes out of scope.
pub(super) struct Terminal {
    child: Child,
    keyboard: File,
    shown: Arc<Mutex<Shown>>,
    started: Instant,
}

/// What has been written to the terminal.
struct Shown {
    picture: Picture,
    bytes: u64,
    /// Texts that are waited for, and when each was there.
    awaited: Vec<(&'static str, Option<Duration>)>,
}

impl Terminal {
    /// Starts a program; notes when these texts are first on the screen.
    pub(super) fn start(
        size: (u16, u16),
        program: &Path,
        arguments: &[&str],
        awaited: &[&'static str],
    ) -> Result<Self> {
        let window = Winsize {
            ws_row: size.1,
            ws_col: size.0,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&window), None).context("cannot make a terminal")?;
        let inside = File::from(pair.slave);
        let keyboard = File::from(pair.master);
        let mut output = keyboard.try_clone()?;
        // It becomes the program, in a session that has the terminal.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program).args(arguments);
        command
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env_remove("NO_COLOR")
            .stdin(Stdio::from(inside.try_clone()?))
            .stdout(Stdio::from(inside.try_clone()?))
            .stderr(Stdio::from(inside));
        let started = Instant::now();
        let child = command.spawn().context("cannot run setsid")?;
        drop(command);
        let shown = Arc::new(Mutex::new(Shown {
            picture: Picture::new(size),
            bytes: 0,
            awaited: awaited.iter().map(|text| (*text, None)).collect(),
        }));
        let to = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            // At the end of its program, a terminal fails.
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                lock(&to).take(&buffer[..length], started);
            }
        });
        Ok(Self {
            child,
            keyboard,
            shown,
            started,
        })
    }

    /// The program's PID.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keyboard.write_all(keys.as_bytes())?)
    }

    /// Bytes that have been written to the terminal.
    pub(super) fn bytes(&self) -> u64 {
        lock(&self.shown).bytes
    }

    /// When each of the texts was there, from the start, once all of them were.
    pub(super) fn wait(&mut self, patience: Duration) -> Result<Vec<Duration>> {
        loop {
            let times = lock(&self.shown)
                .awaited
                .iter()
                .map(|(_, at)| *at)
                .collect();
            if let Some(times) = times {
                return Ok(times);
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || self.started.elapsed() > patience {
                let shown = lock(&self.shown).picture.text();
                bail!("not shown in {patience:?} (ended: {ended:?}):\n{shown}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the program to end, and waits for that.
    pub(super) fn quit(mut self) -> Result<()> {
        self.press("q")?;
        let status = self.ended()?;
        if !status.is_some_and(|status| status.success()) {
            bail!(
                "ended with {status:?}:\n{}",
                lock(&self.shown).picture.text()
            );
        }
        Ok(())
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Its own process, and nothing else: it is a child that has not been waited for.
            _ = self.child.kill();
            _ = self.child.wait();
        }
    }
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shown {
    fn take(&mut self, bytes: &[u8], started: Instant) {
        let now = started.elapsed();
        self.bytes += bytes.len() as u64;
        bytes.iter().for_each(|byte| self.picture.put(*byte));
        let missing = self.awaited.iter_mut().filter(|(_, at)| at.is_none());
        let mut missing = missing.peekable();
        if missing.peek().is_none() {
            return;
        }
        let text = self.picture.text();
        for (_, at) in missing.filter(|(awaited, _)| text.contains(awaited)) {
            *at = Some(now);
        }
    }
}

/// The letters on a screen; of all that moves the cursor, what the interface uses.
struct Picture {
    size: (usize, usize),
    cells: Vec<u8>,
    at: (usize, usize),
    /// A sequence that has begun: what has come after its escape.
    sequence: Option<Vec<u8>>,
}

impl Picture {
    fn new(size: (u16, u16)) -> Self {
        let size = (usize::from(size.0), usize::from(size.1));
        Self {
            size,
            cells: vec![b' '; size.0 * size.1],
            at: (0, 0),
            sequence: None,
        }
    }

    fn put(&mut self, byte: u8) {
        if let Some(sequence) = &mut self.sequence {
            sequence.push(byte);
            // `[`, numbers, and a letter.
            if sequence.len() == 1 && byte == b'[' {
                return;
            }
            if sequence.len() == 1 || byte.is_ascii_alphabetic() {
                let sequence = std::mem::take(sequence);
                self.sequence = None;
                self.obey(&sequence);
            }
            return;
        }
        match byte {
            0x1b => self.sequence = Some(Vec::new()),
            b'\r' => self.at.0 = 0,
            b'\n' => self.at = (0, self.at.1 + 1),
            // What follows the first byte of a character has no column of its own.
            0x80..0xc0 | 0..0x20 => {}
            _ => {
                let (x, y) = self.at;
                if x < self.size.0
                    && let Some(cell) = self.cells.get_mut(y * self.size.0 + x)
                {
                    *cell = if byte.is_ascii() { byte } else { b'?' };
                }
                self.at.0 += 1;
            }
        }
    }

    fn obey(&mut self, sequence: &[u8]) {
        match sequence.split_last() {
            Some((b'H', [b'[', numbers @ ..])) => {
                let numbers = String::from_utf8_lossy(numbers);
                let mut numbers = numbers
                    .split(';')
                    .map(|number| number.parse().unwrap_or(1_usize).saturating_sub(1));
                let y = numbers.next().unwrap_or(0);
                self.at = (numbers.next().unwrap_or(0), y);
            }
            Some((b'J', [b'[', ..])) => self.cells.fill(b' '),
            _ => {}
        }
    }

    fn text(&self) -> String {
        let lines = self.cells.chunks(self.size.0.max(1));
        lines.fold(String::new(), |text, line| {
            text + String::from_utf8_lossy(line).trim_end() + "\n"
        })
    }
}

/// What processes have used and hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) cpu_s: f64,
    pub(super) rss_kib: u64,
    pub(super) anonymous_kib: u64,
    pub(super) descriptors: usize,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("it has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self {
            cpu_s: cpu_s(&stat).context("an odd /proc/PID/stat")?,
            rss_kib: kibibytes(&status, "VmRSS:"),
            anonymous_kib: kibibytes(&status, "RssAnon:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
        })
    }
}

/// The children of all threads of a process.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let children = tasks.map(|task| fs::read_to_string(task.path().join("children")));
    let children = children.flatten().collect::<Vec<_>>().join(" ");
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// User and system time, hundredths of a second in the file.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11);
    let ticks = times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

fn kibibytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_lands_where_the_cursor_is() {
        let mut picture = Picture::new((8, 2));
        let bytes = "\u{1b}[?1049h\u{1b}[2J\u{1b}[2;3Hab\u{1b}[38;2;1;2;3mc│d\u{1b}[1;1Hx";
        bytes.bytes().for_each(|byte| picture.put(byte));
        assert_eq!(picture.text(), "x\n  abc?d\n");
    }

    #[test]
    fn a_comm_with_a_bracket_hides_no_times() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 9 9 20 0 5 0 100";
        assert_eq!(cpu_s(stat), Some(2.0));
        assert_eq!(kibibytes("Name:\tx\nRssAnon:\t  12 kB\n", "RssAnon:"), 12);
    }
}
