//! What changes with time: patience with the engine, playback, blinking.

use super::run::{BLINK, PATIENCE, Playback, Run};
use super::state::Session;
use std::time::Duration;

impl Session {
    /// The run to show, and whether it is still going on.
    pub fn display(&self) -> Option<(&Run, bool)> {
        let late = self.late();
        match (&self.current, &self.shown) {
            (Some(run), _) if late && run.clean.is_some() => Some((run, true)),
            (Some(run), None) if run.clean.is_some() => Some((run, true)),
            (_, Some(run)) => Some((run, false)),
            _ => None,
        }
    }

    /// Whether a result is awaited for longer than [`PATIENCE`].
    pub fn late(&self) -> bool {
        self.awaited.is_some_and(|(_, since)| self.now.saturating_sub(since) >= PATIENCE)
    }

    /// Whether what is shown is out of date for so long that it should look so.
    pub fn faded(&self) -> bool {
        let old = self.late() || !self.loading.is_empty();
        old && self.display().is_some_and(|(_, live)| !live)
    }

    /// Whether the engine works on something that no screen alone has asked for.
    pub fn is_busy(&self) -> bool {
        self.shown.as_ref().is_some_and(|run| !run.done)
            || self.epsilon_search.as_ref().is_some_and(|search| search.found.is_none())
            || self.pending_checks.is_some()
            || self.awaited.is_some()
            || self.mistake_search.is_some()
            || !self.loading.is_empty()
    }

    /// The time between two pictures in playback: the whole attack in about four seconds.
    pub fn pace(&self) -> Duration {
        let count = self.shown.as_ref().map_or(1, |run| run.history.len().max(1)) as u64;
        Duration::from_millis((4000 / count).clamp(40, 300))
    }

    /// How many iterations playback goes on at once: more than one where there are many.
    fn stride(&self) -> usize {
        self.shown.as_ref().map_or(1, |run| run.history.len().div_ceil(150).max(1))
    }

    /// When the picture next changes by itself, if it does.
    pub fn next_change(&self) -> Option<Duration> {
        let late = self.awaited.map(|(_, since)| since + PATIENCE).filter(|at| *at > self.now);
        let blink = self.blinking.map(|b| b.next);
        [late, blink, self.playback.next].into_iter().flatten().min()
    }

    /// Moves everything that moves by itself up to `now`; true when something changed.
    pub fn tick(&mut self, now: Duration) -> bool {
        let was_late = self.late();
        self.now = now;
        let mut changed = was_late != self.late();
        if let Some(blinking) = self.blinking.as_mut().filter(|b| b.next <= now) {
            blinking.original = !blinking.original;
            blinking.next = now + BLINK;
            changed = true;
        }
        if self.playback.next.is_some_and(|next| next <= now) {
            let last = self.shown.as_ref().map_or(0, |run| run.history.len().saturating_sub(1));
            let at = self.playback.at.map_or(0, |at| at + self.stride());
            self.playback = match at >= last {
                true => Playback { at: Some(last), next: None },
                false => Playback { at: Some(at), next: Some(now + self.pace()) },
            };
            changed = true;
        }
        changed
    }
}
