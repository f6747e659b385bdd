//! Input from outside, each on a thread of its own: the bytes of the terminal, and signals.
//!
//! The reading thread can be paused (a suspended process must not read). Its end is always reported, a
//! panic included, and every wait for it has a limit.

use crate::terminal::parse::{InputToken, Parser, TerminalReply};
use crate::terminal::tty::{Ready, Tty};
use crossterm::event::{Event, KeyEventKind, MouseEventKind};
use mio::Waker;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// One input from outside.
#[derive(Debug)]
pub enum TerminalInput {
    /// Something that the user did.
    Event(Event),
    /// Something that the terminal says of itself.
    Reply(TerminalReply),
    /// A signal that asks to end.
    Signal(u8),
    /// Nothing more will come: the terminal is gone.
    Gone,
}

/// The longest wait for the reading thread.
const LIMIT: Duration = Duration::from_millis(500);

/// How long the dashboard may take to end after a signal.
const GRACE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Read,
    Pause,
    End,
}

#[derive(Default)]
struct State {
    wish: Wish,
    parked: bool,
    ended: bool,
}

#[derive(Default)]
struct ReaderState {
    state: Mutex<State>,
    changed: Condvar,
}

impl ReaderState {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading thread.
pub struct InputReader {
    gate: Arc<ReaderState>,
    waker: Arc<Waker>,
}

impl InputReader {
    /// Starts reading into `sender`.
    pub fn start(sender: UnboundedSender<TerminalInput>) -> io::Result<Self> {
        let tty = Tty::open()?;
        let waker = tty.waker()?;
        let life = ReaderThread { gate: Arc::default(), sender };
        let gate = life.gate.clone();
        std::thread::Builder::new().name("input".into()).spawn(move || read(&life, tty))?;
        Ok(Self { gate, waker })
    }

    /// Comes back once the thread has stopped reading, or does not answer.
    pub fn pause(&self) {
        self.wish(Wish::Pause);
    }

    /// Lets the thread read again.
    pub fn resume(&self) {
        self.wish(Wish::Read);
    }

    /// Ends the thread. Comes back once it has, or does not answer.
    pub fn end(&self) {
        self.wish(Wish::End);
    }

    fn wish(&self, wish: Wish) {
        let mut state = self.gate.lock();
        state.wish = wish;
        self.gate.changed.notify_all();
        let _ = self.waker.wake();
        if wish != Wish::Read {
            let still = |state: &State| state.ended || state.parked && wish == Wish::Pause;
            let waits = |state: &mut State| !still(state);
            let waited = self.gate.changed.wait_timeout_while(state, LIMIT, waits);
            let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                log::warn!("the reader of the terminal does not answer");
            }
        }
    }
}

impl Drop for InputReader {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread holds; dropping it, by a panic too, reports the end.
struct ReaderThread {
    gate: Arc<ReaderState>,
    sender: UnboundedSender<TerminalInput>,
}

impl Drop for ReaderThread {
    fn drop(&mut self) {
        self.gate.lock().ended = true;
        self.gate.changed.notify_all();
        let _ = self.sender.send(TerminalInput::Gone);
    }
}

impl ReaderThread {
    /// Waits while it shall pause; false when it shall end.
    fn goes_on(&self) -> bool {
        let mut state = self.gate.lock();
        while state.wish == Wish::Pause {
            state.parked = true;
            self.gate.changed.notify_all();
            state = self.gate.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.parked = false;
        state.wish == Wish::Read
    }

    /// Hands on what came; false when nobody listens any more.
    fn pass(&self, tokens: &mut Vec<InputToken>) -> bool {
        tokens.drain(..).all(|token| match token {
            InputToken::Event(event) if !matters(&event) => true,
            InputToken::Event(event) => self.sender.send(TerminalInput::Event(event)).is_ok(),
            InputToken::Reply(answer) => self.sender.send(TerminalInput::Reply(answer)).is_ok(),
        })
    }
}

fn read(life: &ReaderThread, mut tty: Tty) {
    let (mut parser, mut tokens, mut buffer) = (Parser::default(), Vec::new(), [0; 4096]);
    while life.goes_on() {
        match tty.read(&mut buffer, parser.patience()) {
            Ok(Ready::Bytes(count)) => parser.feed(&buffer[..count], &mut tokens),
            Ok(Ready::Nothing) => parser.flush(&mut tokens),
            Ok(Ready::Woken) => {}
            Ok(Ready::Gone) => return,
            Err(error) => {
                log::error!("cannot read the terminal: {error}");
                return;
            }
        }
        if !life.pass(&mut tokens) {
            return;
        }
    }
}

/// False for what changes nothing: mouse movements without a button, released keys.
fn matters(event: &Event) -> bool {
    match event {
        Event::Mouse(mouse) => mouse.kind != MouseEventKind::Moved,
        Event::Key(key) => key.kind != KeyEventKind::Release,
        Event::Resize(..) | Event::Paste(_) => true,
        _ => false,
    }
}

/// Hands signals on to `sender`, to the end of the process. Where the process does not end
/// in time, or a second signal comes, it is ended at once; the watchdog restores the terminal then.
pub fn watch_signals(sender: UnboundedSender<TerminalInput>) -> io::Result<()> {
    let mut signals = Signals::new([SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGQUIT])?;
    let watch = move || {
        let mut asked = false;
        for signal in signals.forever() {
            if signal == SIGWINCH {
                // The size is asked for when a frame is drawn.
                let _ = sender.send(TerminalInput::Event(Event::Resize(0, 0)));
                continue;
            }
            if asked {
                low_level::exit(128 + signal);
            }
            asked = true;
            let _ = sender.send(TerminalInput::Signal(signal as u8));
            let end = move || {
                std::thread::sleep(GRACE);
                low_level::exit(128 + signal);
            };
            let _ = std::thread::Builder::new().name("end".into()).spawn(end);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(watch)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    /// A reader without a terminal, whose thread does `work`.
    fn reader(
        work: impl FnOnce(&ReaderThread) + Send + 'static,
    ) -> (InputReader, UnboundedReceiver<TerminalInput>) {
        let (sender, receiver) = unbounded_channel();
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let life = ReaderThread { gate: Arc::default(), sender };
        let gate = life.gate.clone();
        std::thread::spawn(move || {
            let _poll = poll;
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let life = life;
                work(&life);
            }));
        });
        (InputReader { gate, waker }, receiver)
    }

    /// Whatever the thread does, nobody waits for it longer than the limit.
    fn ends(work: impl FnOnce(&ReaderThread) + Send + 'static) -> bool {
        let (reader, _receiver) = reader(work);
        let began = Instant::now();
        reader.pause();
        reader.end();
        // Far more than twice the limit: a busy machine must not break this.
        assert!(began.elapsed() < 20 * LIMIT);
        reader.gate.lock().ended
    }

    #[test]
    fn the_threads_end_is_reported_whatever_it_ends_by() {
        assert!(ends(|_| {}));
        assert!(ends(|_| panic!("the reader's own mistake")));
        assert!(ends(|life| while life.goes_on() {
            std::thread::yield_now();
        }));
    }

    #[test]
    fn nobody_waits_for_ever_for_a_thread_that_hangs() {
        assert!(!ends(|_| std::thread::sleep(60 * LIMIT)));
    }

    #[test]
    fn a_receiver_that_left_ends_the_thread() {
        let (sender, receiver) = unbounded_channel();
        drop(receiver);
        let life = ReaderThread { gate: Arc::default(), sender };
        let key = Event::Key(crossterm::event::KeyCode::Esc.into());
        assert!(!life.pass(&mut vec![InputToken::Event(key)]));
        let gate = life.gate.clone();
        drop(life);
        assert!(gate.lock().ended);
    }

    #[test]
    fn the_end_reaches_the_dashboard() {
        let (_reader, mut receiver) = reader(|_| panic!("gone"));
        assert!(matches!(receiver.blocking_recv(), Some(TerminalInput::Gone)));
    }
}
