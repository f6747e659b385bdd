//! Playing back the iterations of the run on show, blinking, amplification.

use crate::tui::session::{AMPLIFICATIONS, BLINK, Blinking, Playback, Session};

/// The last iteration of what is shown.
fn last(session: &Session) -> Option<usize> {
    session.shown.as_ref().and_then(|run| run.history.len().checked_sub(1))
}

/// Plays the iterations, or pauses.
pub fn play(session: &mut Session) {
    let Some(last) = last(session) else { return };
    session.playback = match session.playback {
        Playback { at, next: Some(_) } => Playback { at, next: None },
        Playback { at, next: None } => {
            let from = at.filter(|at| *at < last).unwrap_or(0);
            Playback { at: Some(from), next: Some(session.now + session.pace()) }
        }
    };
}

/// Goes so many iterations on.
pub fn step(by: isize, session: &mut Session) {
    if let Some(last) = last(session) {
        let here = session.playback.at.unwrap_or(last);
        show(Some(here.saturating_add_signed(by)), session);
    }
}

/// Shows one iteration, or the result.
pub fn show(at: Option<usize>, session: &mut Session) {
    if let Some(last) = last(session) {
        session.playback = Playback { at: at.map(|at| at.min(last)), next: None };
    }
}

/// Blinks original and adversarial in one place, or stops that.
pub fn blink(session: &mut Session) {
    session.blinking = match session.blinking {
        Some(_) => None,
        None => Some(Blinking { original: true, next: session.now + BLINK }),
    };
}

/// Amplifies the perturbation more or less.
pub fn amplify(by: isize, session: &mut Session) {
    let most = AMPLIFICATIONS.len() - 1;
    session.amplification = session.amplification.saturating_add_signed(by).min(most);
}
