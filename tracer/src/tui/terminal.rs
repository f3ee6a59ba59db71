//! The terminal: taken, and given back however this ends.
//!
//! Owns the modes that are switched on, and that they are switched off again: when the guard goes out
//! of scope, and before a panic is reported, whichever thread panics.

use std::{
    io::{self, BufWriter, Stdout, Write as _, stdout},
    panic,
    sync::atomic::{AtomicBool, Ordering},
};

use ratatui::{
    Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{DisableMouseCapture, EnableMouseCapture},
        execute,
        terminal::{
            Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
            enable_raw_mode, size,
        },
    },
    layout::Rect,
};

/// Whether the terminal is ours.
static HELD: AtomicBool = AtomicBool::new(false);

/// Bytes of a large frame.
const FRAME: usize = 1 << 16;

/// The terminal while it is ours.
pub(super) struct Guard {
    /// To draw on. A frame is written at once, not line by line.
    pub(super) terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Guard {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Self> {
        give_back_before_panics();
        let guard = Self { terminal: fresh()? };
        enter()?;
        Ok(guard)
    }

    /// Whether the terminal is ours still: not while a panic is reported on it.
    pub(super) fn is_held(&self) -> bool {
        HELD.load(Ordering::SeqCst)
    }

    /// Gives the terminal back for a while.
    pub(super) fn leave(&mut self) {
        give_back();
    }

    /// Takes it again.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        enter()?;
        self.repaint()
    }

    /// Empties it, and forgets what was on it and how large it was.
    pub(super) fn repaint(&mut self) -> io::Result<()> {
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = fresh()?;
        Ok(())
    }
}

/// A terminal of the size that it has now. Not one that ratatui resizes: that asks the terminal where
/// its cursor is, and the answer would have to be read past the thread that reads the keys.
fn fresh() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
    let (width, height) = size()?;
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let out = BufWriter::with_capacity(FRAME, stdout());
    Terminal::with_options(CrosstermBackend::new(out), TerminalOptions { viewport })
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter() -> io::Result<()> {
    HELD.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture)
}

fn give_back() {
    if HELD.swap(false, Ordering::SeqCst) {
        // A terminal that is gone cannot be given back, and need not be.
        _ = execute!(stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
        _ = disable_raw_mode();
        _ = stdout().flush();
    }
}

fn give_back_before_panics() {
    static ONCE: AtomicBool = AtomicBool::new(false);
    if !ONCE.swap(true, Ordering::SeqCst) {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            give_back();
            report(what);
        }));
    }
}
