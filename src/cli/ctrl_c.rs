//! Ctrl-C (and a polite `kill`) as a request instead of an end, for work that wants to save what it
//! has. A second one ends the program at once.

use crate::error::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Watches for interrupts from its making to the end of the program.
pub struct CtrlC {
    /// The number of the signal that came; 0 before one did.
    signal: Arc<AtomicUsize>,
}

impl CtrlC {
    /// Begins to watch. Where the system refuses, an interrupt ends the program as ever.
    pub fn watch() -> Self {
        let (asked, number) = (Arc::new(AtomicBool::new(false)), Arc::default());
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, the second finds it set.
            let _ = flag::register_conditional_shutdown(signal, 128 + signal, asked.clone());
            let _ = flag::register_usize(signal, Arc::clone(&number), signal as usize);
            let _ = flag::register(signal, asked.clone());
        }
        Self { signal: number }
    }

    /// Whether Ctrl-C was pressed or `kill` was received.
    pub fn asked(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The result of work that stopped when it was asked to, with the exit status of the signal.
    pub fn told<T>(&self, result: Result<T>) -> Result<T> {
        let number = self.signal.load(Ordering::Relaxed) as u8;
        result.map_err(|error| match (error.is_cancelled(), number) {
            (true, 1..) => Error::signal(number),
            _ => error,
        })
    }
}
