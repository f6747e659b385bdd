//! The terminal while the dashboard owns it, and bringing it back as it was: at the end, on a panic,
//! and around a suspension. Nothing here asks the terminal anything, so one that answers no
//! questions cannot make the program hang.

use crate::error::{Error, Result};
use crate::logging::Diverted;
use crate::show;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute, queue};
use ratatui::layout::{Rect, Size};
use std::io::{BufWriter, Stdout, Write, stdout};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether the terminal is ours now.
static OWNED: AtomicBool = AtomicBool::new(false);
/// Standard error as it was, while it goes to the log: whatever a driver prints there may not reach
/// the screen.
static STDERR: Mutex<Option<Diverted>> = Mutex::new(None);

/// The terminal in our hands; dropping it brings it back as it was.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    log: PathBuf,
}

impl Screen {
    /// Takes the terminal over: alternate screen, raw mode, mouse; standard error goes to `log`.
    ///
    /// # Errors
    /// Failure, when there is no terminal to take.
    pub fn enter(log: &Path) -> Result<Self> {
        take(log)?;
        guard_panics();
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout()));
        let terminal = Terminal::new(backend).map_err(|e| lost(&e))?;
        Ok(Self { terminal, log: log.into() })
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn size(&self) -> Result<(u16, u16)> {
        let Size { width, height } = self.terminal.size().map_err(|e| lost(&e))?;
        Ok((width, height))
    }

    /// Draws one frame, in one piece where the terminal can.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn draw(&mut self, view: impl FnOnce(Rect, &mut Buffer)) -> Result<()> {
        let frame = || -> std::io::Result<()> {
            queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
            self.terminal.draw(|frame| view(frame.area(), frame.buffer_mut()))?;
            execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
        };
        frame().map_err(|e| lost(&e))
    }

    /// Wipes the screen, so that the next frame is drawn in full.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn wipe(&mut self) -> Result<()> {
        // Not `Terminal::clear`: that asks the terminal where its cursor is.
        let size = self.terminal.size().map_err(|e| lost(&e))?;
        let area = Rect::new(0, 0, size.width, size.height);
        self.terminal.resize(area).map_err(|e| lost(&e))?;
        self.terminal.backend_mut().flush().map_err(|e| lost(&e))
    }

    /// Gives the terminal back to the shell until it continues the process.
    ///
    /// # Errors
    /// Failure, when the terminal cannot be taken again.
    pub fn suspend(&mut self) -> Result<()> {
        use rustix::process::{Signal, getpid, kill_process};
        restore();
        let stopped = kill_process(getpid(), Signal::TSTP);
        take(&self.log)?;
        stopped.map_err(|e| lost(&e.into()))?;
        self.wipe()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn lost(error: &std::io::Error) -> Error {
    Error::failure(
        format!("the terminal cannot be used: {error}"),
        "standard output",
        "run it in a terminal",
    )
}

fn take(log: &Path) -> Result<()> {
    enable_raw_mode().map_err(|e| lost(&e))?;
    OWNED.store(true, Ordering::SeqCst);
    *STDERR.lock().unwrap_or_else(PoisonError::into_inner) = Diverted::begin(log);
    let entered = execute!(stdout(), EnterAlternateScreen, EnableMouseCapture, cursor::Hide);
    entered.map_err(|e| {
        restore();
        lost(&e)
    })
}

/// Brings the terminal back as it was; the second time it does nothing.
pub fn restore() {
    if !OWNED.swap(false, Ordering::SeqCst) {
        return;
    }
    show::erase();
    let mut out = stdout();
    // Whatever fails here: the rest is still worth trying.
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
    drop(STDERR.lock().unwrap_or_else(PoisonError::into_inner).take());
}

/// A panic on this thread brings the terminal back before it is told. The worker's panics are its
/// own affair: they become a line on the screen.
fn guard_panics() {
    let mine = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == mine && OWNED.load(Ordering::SeqCst) {
            restore();
            eprintln!("epsiloscope stopped on a mistake of its own: {panic}");
        }
        before(panic);
    }));
}
