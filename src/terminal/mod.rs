//! The terminal while the dashboard owns it, and bringing it back as it was: at the end, on a panic,
//! around a suspension, and, by a guardian process, where this one is killed. Nothing here waits
//! for the terminal without a limit, so one that answers no questions cannot make the program hang.

pub mod ask;
mod csi;
mod depth;
mod guardian;
mod painter;
pub mod parse;
mod scan;
mod token;
pub mod tty;

pub use depth::ColourDepth;
pub use guardian::run_watchdog;

use crate::error::{Error, Result};
use crate::logging::StderrRedirect;
use crate::show;
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use guardian::TerminalWatchdog;
use painter::Painter;
use parse::{InputToken, Parser};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use rustix::termios::tcgetattr;
use std::io::{BufWriter, Stdout, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tty::Raw;

/// The number of the signal that says that the terminal is gone.
pub const HANG_UP: u8 = 1;

/// Alternate screen, reports of the mouse's buttons and wheel, pasted text marked, no cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?1000h\x1b[?1002h\x1b[?1015h\x1b[?1006h\x1b[?2004h\x1b[?25l";
/// The terminal reports nothing of its own any more; first the frame that may be under way is ended.
const SILENCE: &str =
    "\x1b[?2026l\x1b[?2004l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l";
/// All that [`ENTER`] did undone.
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\
                     \x1b[?1000l\x1b[?1049l\x1b[?25h";

/// Before the screen is left, reports of the mouse, late answers and the keys typed together with the
/// last one are thrown away: until it is quiet for so long …
const QUIET: Duration = Duration::from_millis(20);
/// … at most this long …
const SETTLE: Duration = Duration::from_millis(150);

/// How long the terminal may take to read that it was left.
const READ: Duration = Duration::from_millis(10);

/// What is held while the terminal is ours.
struct Held {
    raw: Raw,
    guardian: Option<TerminalWatchdog>,
    /// Standard error goes to the log meanwhile: whatever a driver prints there may not reach the
    /// screen.
    stderr: Option<StderrRedirect>,
}

/// None while the terminal is not ours.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The terminal in our hands; dropping it brings it back as it was.
pub struct TerminalSession {
    terminal: Terminal<Painter<BufWriter<Stdout>>>,
    log: PathBuf,
}

impl TerminalSession {
    /// Takes the terminal over: alternate screen, raw mode, mouse; standard error goes to `log`. It
    /// shows colours of this `depth`.
    ///
    /// # Errors
    /// Failure, when there is no terminal to take.
    pub fn enter(log: &Path, depth: ColourDepth) -> Result<Self> {
        let painter = Painter::new(BufWriter::with_capacity(1 << 16, stdout()), depth);
        let terminal = Terminal::new(painter).map_err(|e| lost(&e))?;
        take(log)?;
        Ok(Self { terminal, log: log.into() })
    }

    /// Has the terminal given back even where this process is killed. Not part of [`Self::enter`]:
    /// starting a process may not keep the first frame waiting.
    pub fn guard(&self) {
        if let Some(held) = held().as_mut() {
            held.guardian = TerminalWatchdog::start(held.raw.before());
        }
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn size(&self) -> Result<(u16, u16)> {
        let Size { width, height } = self.terminal.size().map_err(|e| undrawn(&e))?;
        Ok((width, height))
    }

    /// Draws one frame, in one piece where the terminal can.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn draw(&mut self, view: impl FnOnce(Rect, &mut Buffer)) -> Result<()> {
        let frame = || -> std::io::Result<()> {
            queue!(self.terminal.backend_mut().writer(), BeginSynchronizedUpdate)?;
            self.terminal.draw(|frame| view(frame.area(), frame.buffer_mut()))?;
            let out = self.terminal.backend_mut().writer();
            queue!(out, EndSynchronizedUpdate)?;
            out.flush()
        };
        frame().map_err(|e| undrawn(&e))
    }

    /// Wipes the screen, so that the next frame is drawn in full.
    ///
    /// # Errors
    /// Failure, when the terminal is gone.
    pub fn wipe(&mut self) -> Result<()> {
        // Not `Terminal::clear`: that asks the terminal where its cursor is.
        let size = self.terminal.size().map_err(|e| undrawn(&e))?;
        let area = Rect::new(0, 0, size.width, size.height);
        self.terminal.resize(area).map_err(|e| undrawn(&e))?;
        Backend::flush(self.terminal.backend_mut()).map_err(|e| undrawn(&e))
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
        self.guard();
        stopped.map_err(|e| lost(&e.into()))?;
        self.wipe()
    }
}

impl Drop for TerminalSession {
    fn drop(&mut self) {
        // What a panic left of a frame may not follow the terminal's return.
        let _ = self.terminal.backend_mut().writer().flush();
        restore();
    }
}

/// Drawing failed: the terminal is gone, which is what a hang-up says, or something else is wrong.
fn undrawn(error: &std::io::Error) -> Error {
    if tcgetattr(stdin()).is_err() { Error::signal(HANG_UP) } else { lost(error) }
}

fn lost(error: &std::io::Error) -> Error {
    Error::failure(
        format!("the terminal cannot be used: {error}"),
        "standard output",
        "run it in a terminal",
    )
}

fn take(log: &Path) -> Result<()> {
    let raw = Raw::enter().map_err(|e| lost(&e))?;
    let stderr = StderrRedirect::begin(log);
    *held() = Some(Held { raw, guardian: None, stderr });
    let mut out = stdout().lock();
    out.write_all(ENTER.as_bytes()).and_then(|()| out.flush()).map_err(|e| {
        restore();
        lost(&e)
    })
}

fn held() -> std::sync::MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brings the terminal back as it was; the second time it does nothing.
pub fn restore() {
    let Some(Held { raw, guardian, stderr }) = held().take() else {
        return;
    };
    // Whatever fails here: the rest is still worth trying.
    let write = |text: &str| {
        let mut out = stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    };
    write(SILENCE);
    settle();
    show::erase();
    write(LEAVE);
    // What is typed from here on belongs to the shell. Ctrl-C, no key any more but a signal soon,
    // throws away what the terminal has not read by then: this must not be among it.
    std::thread::sleep(READ);
    drop(raw);
    guardian.into_iter().for_each(TerminalWatchdog::dismiss);
    drop(stderr);
}

/// Throws away what the terminal sends that is not for the shell.
fn settle() {
    let (mut parser, mut tokens, mut able) =
        (Parser::default(), Vec::new(), ask::GraphicsSupport::default());
    let limit = ask::left().map_or(SETTLE, |left| left.max(SETTLE));
    tty::drain(QUIET, limit, |bytes| {
        parser.feed(bytes, &mut tokens);
        for token in tokens.drain(..) {
            if let InputToken::Reply(answer) = token {
                able.hear(answer);
            }
        }
        ask::outstanding()
    });
}
