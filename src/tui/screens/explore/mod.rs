//! Explore, the screen at the bottom of the stack: one sample, one attack on it, the defences.
//!
//! Whatever no screen above it takes comes here, so that ε, samples and choices work on all of them.

mod checks_row;
mod class_probabilities;
mod controls;
mod defence_strip;
mod gallery;
pub mod keys;
pub mod layout;
mod loss_plot;
mod metrics;
mod model_card;
mod mouse;
mod pickers;
mod pictures;
mod playback;
mod sentence;
mod stages;

use crate::attack::Norm;
use crate::data::Image;
use crate::tui::action::Action::{self, *};
use crate::tui::keymap::Keymap;
use crate::tui::screen::{Outcome, Reply, Screen, ScreenSpec, Tab};
use crate::tui::session::{Effect, Question, Refresh, Session, parse_epsilon};
use crate::tui::theme::Theme;
use crate::tui::windows::card;
use crate::tui::windows::choice::Choice;
use crate::tui::windows::prompt::Prompt;
use crossterm::event::MouseEvent;
use layout::{ExploreLayout, SizeClass};
use mouse::Drag;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Explore's row in the list of screens.
pub static SPEC: ScreenSpec = ScreenSpec {
    id: ID,
    tab: Some(Tab { key: '1', name: "Explore" }),
    opener: None,
    create: || Box::new(Explore::default()),
};

const ID: &str = "explore";

/// The screen's own state.
#[derive(Default)]
pub struct Explore {
    /// The pane shown on small terminals.
    pane: usize,
    /// What the mouse holds while its button is down.
    drag: Option<Drag>,
}

impl Explore {
    /// Where everything stands on the whole terminal, header and footer included.
    pub fn layout(&self, session: &Session) -> ExploreLayout {
        let (columns, rows) = session.size;
        layout::explore_layout(Rect::new(0, 0, columns, rows), session.image_size(), self.pane)
    }

    fn step_pane(&mut self, by: isize, session: &Session) {
        let count = layout::panes(session.size).len() as isize;
        if count > 0 {
            self.pane = (self.pane as isize + by).rem_euclid(count) as usize;
        }
    }
}

/// Asks for ε or for the number of a sample.
fn ask(id: &'static str, heading: String, help: String) -> Outcome {
    let question = Question { to: ID, id, heading, help, text: String::new(), fault: None };
    Outcome::Push(Box::new(Prompt::new(question)))
}

const EPSILON: &str = "epsilon";
const SAMPLE: &str = "sample";

fn ask_epsilon(session: &Session) -> Outcome {
    let help = match session.plan.norm {
        Norm::Linf => "a number like 0.1 or 8/255, in pixel units of 0..1".to_string(),
        norm => format!("a number like 1.5: the {norm} length of the change, pixels in 0..1"),
    };
    ask(EPSILON, format!("ε, the largest {} size of the change", session.plan.norm), help)
}

/// Takes a typed ε.
fn take_epsilon(text: &str, session: &mut Session) -> Result<(), String> {
    let linf = session.plan.norm == Norm::Linf;
    let largest = if linf { 1.0 } else { f64::MAX };
    let fault =
        if linf { "give a number 0..1, like 0.1 or 8/255" } else { "give a number, like 1.5" };
    let value = parse_epsilon(text).filter(|value| *value <= largest).ok_or(fault)?;
    session.set_epsilon(value);
    Ok(())
}

/// Takes the typed number of a sample.
fn take_sample(text: &str, session: &mut Session) -> Result<(), String> {
    let index = text.parse::<usize>().ok().filter(|index| *index < session.len());
    let fault = || format!("give a number 0..{}", session.len().saturating_sub(1));
    let index = index.ok_or_else(fault)?;
    session.select_sample(index);
    Ok(())
}

/// Shows the three pictures on the whole screen.
fn zoom(session: &mut Session) {
    let (Some(original), Some(adversarial)) =
        (pictures::original(session), pictures::adversarial(session))
    else {
        return session.say("there is no picture to show yet", false);
    };
    let full = pictures::full_scale(session);
    let perturbation = pictures::perturbation(&original, &adversarial, full, &session.theme);
    let images: Vec<(String, Image)> = vec![
        ("original".into(), original),
        (format!("perturbation {}", pictures::times(session)), perturbation),
        ("adversarial".into(), adversarial),
    ];
    session.push(Effect::Zoom(images));
}

impl Screen for Explore {
    fn keymap(&self) -> &'static Keymap {
        &keys::KEYS
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Outcome {
        match action {
            NextSample => session.step_sample(1),
            PreviousSample => session.step_sample(-1),
            NextPage => session.step_sample(10),
            PreviousPage => session.step_sample(-10),
            SelectSample(index) => session.select_sample(index),
            JumpToSample => {
                let last = session.len().saturating_sub(1);
                return ask(SAMPLE, "Go to sample".into(), format!("0..{last}"));
            }
            NextMistake => session.find_mistake(),
            PreviousMistake => session.earlier_mistake(),
            FilterByClass => return pickers::classes(session),
            ChooseData => return pickers::data_sets(session),
            ChooseModel => return pickers::models(session),
            ChooseAttack => return pickers::attacks(session),
            ChooseTarget => return pickers::targets(session),
            ChooseSurrogate => return pickers::surrogates(session),
            Palette => return pickers::palette(session),
            About => return Outcome::Push(Box::new(card::attack(session.plan.attack))),
            NextNorm => session.step_norm(1),
            NextSeed => {
                session.plan.seed = session.plan.seed.wrapping_add(1);
                session.settings_changed();
            }
            EpsilonUp => session.step_epsilon(1.0, false),
            EpsilonDown => session.step_epsilon(-1.0, false),
            EpsilonUpFast => session.step_epsilon(1.0, true),
            EpsilonDownFast => session.step_epsilon(-1.0, true),
            SetEpsilon(value) => session.set_epsilon(value),
            TypeEpsilon => return ask_epsilon(session),
            ResetEpsilon => session.reset_epsilon(),
            PlayPause => playback::play(session),
            StepForward => playback::step(1, session),
            StepBack => playback::step(-1, session),
            Rewind => playback::show(Some(0), session),
            ToResult => playback::show(None, session),
            Scrub(at) => playback::show(Some(at), session),
            Blink => playback::blink(session),
            AmplifyMore => playback::amplify(1, session),
            AmplifyLess => playback::amplify(-1, session),
            Zoom => zoom(session),
            ToggleStance => session.toggle_stance(),
            NextPane => self.step_pane(1, session),
            PreviousPane => self.step_pane(-1, session),
            ShowPane(at) => self.pane = at,
            NextTheme => {
                session.theme = Theme::new(session.theme.kind.next());
                session.say(format!("theme: {}", session.theme.kind.name()), false);
                session.messages.pop();
            }
            Quit | ForceQuit => session.quit = true,
            Suspend => session.push(Effect::Suspend),
            Back => session.blinking = None,
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn answer(&mut self, reply: Reply, session: &mut Session) -> Result<Outcome, String> {
        match reply {
            Reply::Line { prompt: EPSILON, text, .. } => take_epsilon(&text, session)?,
            Reply::Line { prompt: SAMPLE, text, .. } => take_sample(&text, session)?,
            Reply::Choice(Choice::Data(id)) => session.choose_data(id),
            Reply::Choice(Choice::Model(name)) => session.choose_model(name),
            Reply::Choice(Choice::Attack(attack)) => session.choose_attack(attack),
            Reply::Choice(Choice::Target(target)) => {
                session.plan.target = target;
                session.settings_changed();
            }
            Reply::Choice(Choice::Surrogate(name)) => {
                session.surrogate = name;
                session.settings_changed();
            }
            Reply::Choice(Choice::Filter(class)) => session.filter_class(class),
            _ => return Ok(Outcome::Ignored),
        }
        Ok(Outcome::Done)
    }

    fn refresh(&mut self, why: Refresh, session: &mut Session) {
        session.request_run(why);
    }

    fn draw(&self, session: &Session, _area: Rect, buf: &mut Buffer) {
        let places = self.layout(session);
        layout::draw_tabs(self.pane, session, places.tabs, buf);
        gallery::draw(session, places.gallery, buf);
        pictures::draw(session, &places, buf);
        class_probabilities::draw(session, places.class_probabilities, buf);
        loss_plot::draw(session, places.loss_plot, buf);
        metrics::draw(session, places.metrics, buf);
        controls::attack(session, places.attack, buf);
        controls::slider(session, places.slider, buf);
        defence_strip::draw(session, places.defences, buf);
        checks_row::draw(session, places.checks, buf);
        sentence::draw(session, places.sentence, buf);
    }

    fn mouse(&mut self, event: MouseEvent, _area: Rect, session: &mut Session) -> Outcome {
        let places = self.layout(session);
        let action = mouse::action(event, &places, self.pane, &mut self.drag, session);
        action.map_or(Outcome::Ignored, Outcome::Do)
    }

    fn footer(&self, session: &Session) -> Vec<(String, &'static str)> {
        let mut ends = vec![("?".to_string(), "all keys"), ("q".to_string(), "quit")];
        if matches!(layout::size_of(session.size), SizeClass::Medium | SizeClass::Small) {
            ends.insert(0, ("Tab".to_string(), "next"));
        }
        ends
    }
}
