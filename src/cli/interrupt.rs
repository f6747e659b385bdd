//! Ctrl-C (and a polite `kill`) as a request instead of an end, for work that wants to save what it
//! has. A second one ends the program at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status after an interrupt.
const INTERRUPTED: i32 = 130;

/// Watches for interrupts from its making to the end of the program.
pub struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Begins to watch. Where the system refuses, an interrupt ends the program as ever.
    pub fn watch() -> Self {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, the second finds it set.
            let _ = flag::register_conditional_shutdown(signal, INTERRUPTED, asked.clone());
            let _ = flag::register(signal, asked.clone());
        }
        Self { asked }
    }

    /// Whether somebody asked to stop.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
