//! Ctrl-C as a request instead of an end, for work that wants to save what it has.
//!
//! A signal handler needs unsafe code or one more library. But where the program runs in the
//! foreground of a terminal, the terminal itself can be told to send Ctrl-C as a character instead
//! of as a signal. Elsewhere, and for `kill`, an interrupt ends the program at once, as ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches for Ctrl-C while it lives; then the terminal is as it was.
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Interrupt {
    /// Whether Ctrl-C was pressed.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

#[cfg(not(unix))]
impl Interrupt {
    /// Begins to watch.
    pub fn watch() -> Self {
        Self { asked: Arc::default() }
    }
}

#[cfg(unix)]
mod unix {
    use super::Interrupt;
    use rustix::process::getpgrp;
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };
    use std::io::{Read, stdin};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// What Ctrl-C sends.
    const CTRL_C: u8 = 3;
    /// The control character that is none (`_POSIX_VDISABLE`).
    const NONE: u8 = if cfg!(target_os = "linux") { 0 } else { 0xff };

    impl Interrupt {
        /// Begins to watch.
        pub fn watch() -> Self {
            let asked = Arc::new(AtomicBool::new(false));
            let before = take_over();
            if before.is_some() {
                let asked = asked.clone();
                std::thread::spawn(move || listen(&asked));
            }
            Self { asked, before }
        }
    }

    impl Drop for Interrupt {
        fn drop(&mut self) {
            if let Some(before) = &self.before {
                let _ = tcsetattr(stdin(), OptionalActions::Now, before);
            }
        }
    }

    /// Lets Ctrl-C through as a character; none where standard input is no terminal, or another
    /// program is in its foreground (who changes a terminal from the background is stopped).
    fn take_over() -> Option<Termios> {
        let before = tcgetattr(stdin()).ok()?;
        if tcgetpgrp(stdin()).ok()? != getpgrp() {
            return None;
        }
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        now.special_codes[SpecialCodeIndex::VINTR] = NONE;
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &now).ok()?;
        Some(before)
    }

    /// Reads what is typed until Ctrl-C comes.
    fn listen(asked: &AtomicBool) {
        let mut byte = [0];
        while stdin().lock().read(&mut byte).is_ok_and(|n| n == 1) {
            if byte[0] == CTRL_C {
                asked.store(true, Ordering::Relaxed);
                return;
            }
        }
    }
}
