//! Standard input as a terminal: raw mode that ends by itself, and bytes that are waited for with a
//! limit. Nothing else in the program reads the terminal.

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use std::io::{self, ErrorKind, stdin};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

const INPUT: Token = Token(0);
const WAKE: Token = Token(1);

/// The terminal in raw mode; dropping it brings back the mode before.
pub struct Raw {
    before: Termios,
}

impl Raw {
    /// Keys arrive one by one and unechoed from here on, Ctrl-C among them.
    ///
    /// # Errors
    /// When standard input is no terminal.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }

    /// The mode before.
    pub fn before(&self) -> &Termios {
        &self.before
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Whether this process runs in the background of its terminal (`command &`): touching the
/// terminal's mode would stop it.
pub fn in_background() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group != getpgrp())
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// So many bytes were read.
    Bytes(usize),
    /// The terminal is gone.
    Gone,
    /// Somebody called the waker.
    Woken,
    /// Nothing came within the limit, or a signal came.
    Nothing,
}

/// Waits for the terminal's bytes.
pub struct Tty {
    poll: Poll,
    events: Events,
}

impl Tty {
    /// Begins to watch standard input.
    ///
    /// # Errors
    /// When the system cannot watch it.
    pub fn open() -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&stdin().as_raw_fd()), INPUT, Interest::READABLE)?;
        Ok(Self { poll, events: Events::with_capacity(4) })
    }

    /// What ends a wait from another thread.
    ///
    /// # Errors
    /// When the system has no means for it left.
    pub fn waker(&self) -> io::Result<Arc<Waker>> {
        Waker::new(self.poll.registry(), WAKE).map(Arc::new)
    }

    /// Waits for bytes, at most `limit` long, and reads what is there.
    ///
    /// # Errors
    /// When waiting or reading fails.
    pub fn read(&mut self, buffer: &mut [u8], limit: Option<Duration>) -> io::Result<Ready> {
        // Registering again asks for what is there already, not only for what comes from now on.
        let input = stdin().as_raw_fd();
        self.poll.registry().reregister(&mut SourceFd(&input), INPUT, Interest::READABLE)?;
        match self.poll.poll(&mut self.events, limit) {
            // Nothing is said of how long the terminal has been quiet.
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Ready::Woken),
            other => other?,
        }
        if self.events.iter().any(|event| event.token() == WAKE) {
            return Ok(Ready::Woken);
        }
        if self.events.is_empty() {
            return Ok(Ready::Nothing);
        }
        match rustix::io::read(stdin(), buffer) {
            Ok(0) => Ok(Ready::Gone),
            Ok(count) => Ok(Ready::Bytes(count)),
            Err(error) => match io::Error::from(error).kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(Ready::Woken),
                // After a hang-up: input/output error.
                _ => Ok(Ready::Gone),
            },
        }
    }
}

/// Reads and throws away what the terminal still sends: until it is quiet for `quiet`, or, while
/// `more` says that something is still to come, until that has come; never longer than `limit`.
pub fn drain(quiet: Duration, limit: Duration, mut more: impl FnMut(&[u8]) -> bool) {
    let Ok(mut tty) = Tty::open() else {
        return;
    };
    let end = Instant::now() + limit;
    let (mut buffer, mut expected) = ([0; 1024], more(&[]));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let wait = if expected { left } else { left.min(quiet) };
        match tty.read(&mut buffer, Some(wait)) {
            Ok(Ready::Bytes(count)) => expected = more(&buffer[..count]),
            Ok(Ready::Nothing) if expected && !left.is_zero() => {}
            _ => return,
        }
        if left.is_zero() {
            return;
        }
    }
}
