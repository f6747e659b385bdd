//! Reads the terminal's events on a thread of its own, which can be told to keep its hands off:
//! pictures on the full screen and a suspended process must be the only readers.

use ratatui::crossterm::event::{self, Event, KeyEventKind, MouseEventKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// How long the thread waits for an event before it looks whether it shall pause.
const PATIENCE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    paused: bool,
    parked: bool,
    ended: bool,
}

#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading thread.
pub struct Reader {
    gate: Arc<Gate>,
}

impl Reader {
    /// Starts reading into `sender`.
    pub fn start(sender: UnboundedSender<Event>) -> std::io::Result<Self> {
        let gate = Arc::new(Gate::default());
        let own = gate.clone();
        std::thread::Builder::new().name("input".into()).spawn(move || read(&own, &sender))?;
        Ok(Self { gate })
    }

    /// Comes back once the thread has stopped reading.
    pub fn pause(&self) {
        let mut state = self.gate.lock();
        state.paused = true;
        while !state.parked && !state.ended {
            state = self.gate.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the thread read again.
    pub fn resume(&self) {
        self.gate.lock().paused = false;
        self.gate.changed.notify_all();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        (state.ended, state.paused) = (true, false);
        self.gate.changed.notify_all();
    }
}

fn read(gate: &Gate, sender: &UnboundedSender<Event>) {
    loop {
        {
            let mut state = gate.lock();
            while state.paused && !state.ended {
                state.parked = true;
                gate.changed.notify_all();
                state = gate.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.parked = false;
            if state.ended {
                return;
            }
        }
        let event = match event::poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let Ok(event) = event else {
            // The terminal is gone: closing the channel ends the dashboard.
            gate.lock().ended = true;
            gate.changed.notify_all();
            return;
        };
        if matters(&event) && sender.send(event).is_err() {
            return;
        }
    }
}

/// Mouse movements without a button and released keys wake nobody.
fn matters(event: &Event) -> bool {
    match event {
        Event::Mouse(mouse) => mouse.kind != MouseEventKind::Moved,
        Event::Key(key) => key.kind != KeyEventKind::Release,
        Event::Resize(..) => true,
        _ => false,
    }
}
