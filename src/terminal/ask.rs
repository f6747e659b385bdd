//! The one question that the terminal is asked: whether it shows pictures by kitty's protocol or by
//! sixel. It has a limit in time, and an answer that comes later never reaches the shell.

use super::parse::{InputToken, Parser, TerminalReply};
use super::tty::{Raw, Ready, Tty, in_background};
use crossterm::event::{Event, KeyCode, KeyModifiers};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{flag, low_level};
use std::io::{self, IsTerminal, Write, stdin, stdout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What the terminal shows pictures by, as it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphicsSupport {
    /// By kitty's protocol.
    pub kitty: bool,
    /// By sixel.
    pub sixel: bool,
}

/// How long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The question for kitty's graphics, and the one for the attributes, which every terminal that
/// answers at all answers: it comes last, so its answer ends the wait.
const QUESTION: &str = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c";

/// When the question was put that is not answered yet.
static PUT: Mutex<Option<Instant>> = Mutex::new(None);

/// An answer that did not come within this time does not come.
const NEVER: Duration = Duration::from_secs(10);

/// Whether this terminal can be asked: where it is none, or a dumb one, the question would be seen.
pub fn can_ask() -> bool {
    let named = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    named && stdin().is_terminal() && stdout().is_terminal() && !in_background()
}

/// Asks, without waiting.
///
/// # Errors
/// When the terminal takes no output.
pub fn put() -> io::Result<()> {
    *asked() = Some(Instant::now());
    let mut out = stdout().lock();
    out.write_all(QUESTION.as_bytes()).and_then(|()| out.flush())
}

fn asked() -> MutexGuard<'static, Option<Instant>> {
    PUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the answer that has not come is still waited for; none where none is to come.
pub fn left() -> Option<Duration> {
    let put = asked().filter(|put| put.elapsed() < NEVER)?;
    Some(PATIENCE.saturating_sub(put.elapsed()))
}

/// Whether the terminal was asked not long ago and has not answered.
pub fn outstanding() -> bool {
    asked().is_some_and(|put| put.elapsed() < NEVER)
}

impl GraphicsSupport {
    /// Takes in an answer; true for the last one.
    pub fn hear(&mut self, answer: TerminalReply) -> bool {
        match answer {
            TerminalReply::Kitty(able) => self.kitty = able,
            TerminalReply::Attributes { sixel } => {
                self.sixel = sixel;
                *asked() = None;
                return true;
            }
        }
        false
    }
}

/// Asks and waits, once in the life of the process. Nobody else may read the terminal meanwhile.
pub fn able() -> GraphicsSupport {
    static ABLE: OnceLock<GraphicsSupport> = OnceLock::new();
    *ABLE.get_or_init(|| {
        if can_ask() { converse().unwrap_or_default() } else { GraphicsSupport::default() }
    })
}

fn converse() -> io::Result<GraphicsSupport> {
    // In this order: a signal ends the process after the terminal has its mode back.
    let ended = Ended::watch();
    let raw = Raw::enter()?;
    let (mut tty, mut parser) = (Tty::open()?, Parser::default());
    let (mut able, mut tokens, mut buffer) = (GraphicsSupport::default(), Vec::new(), [0; 1024]);
    put()?;
    let end = Instant::now() + PATIENCE;
    while outstanding() && ended.by().is_none() {
        let left = end.saturating_duration_since(Instant::now());
        let wait = parser.patience().map_or(left, |patience| patience.min(left));
        match tty.read(&mut buffer, Some(wait))? {
            Ready::Bytes(count) => parser.feed(&buffer[..count], &mut tokens),
            Ready::Gone => break,
            Ready::Nothing | Ready::Woken if left.is_zero() => break,
            Ready::Nothing | Ready::Woken => parser.flush(&mut tokens),
        }
        for token in tokens.drain(..) {
            match token {
                InputToken::Reply(answer) => _ = able.hear(answer),
                InputToken::Event(Event::Key(key)) if key.modifiers == KeyModifiers::CONTROL => {
                    // Raw mode keeps the terminal from sending these as signals.
                    match key.code {
                        KeyCode::Char('c') => ended.note(SIGINT),
                        KeyCode::Char('4') => ended.note(SIGQUIT),
                        _ => {}
                    }
                }
                InputToken::Event(_) => {}
            }
        }
    }
    drop(raw);
    Ok(able)
}

/// Signals that end the process wait while the terminal is in raw mode.
struct Ended {
    as_ever: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Ended {
    fn watch() -> Self {
        let ended = Self { as_ever: Arc::default(), signal: Arc::default() };
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
            let _ = flag::register_conditional_default(signal, ended.as_ever.clone());
            let _ = flag::register_usize(signal, ended.signal.clone(), signal as usize);
        }
        ended
    }

    fn note(&self, signal: i32) {
        self.signal.store(signal as usize, Ordering::SeqCst);
    }

    fn by(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}

impl Drop for Ended {
    /// From here on signals do what they always do, the one that came among them.
    fn drop(&mut self) {
        self.as_ever.store(true, Ordering::SeqCst);
        if let Some(signal) = self.by() {
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}
