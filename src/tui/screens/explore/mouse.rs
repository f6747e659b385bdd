//! The mouse on Explore: what is under it, as an action.

use super::layout::{self, ExploreLayout};
use super::{controls, gallery, loss_plot};
use crate::tui::action::Action;
use crate::tui::screens::{checks, defences};
use crate::tui::session::Session;
use crate::tui::widgets::slider;
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// What the mouse holds on to while its button is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drag {
    /// The slider of ε.
    Slider,
    /// The iterations.
    LossPlot,
}

/// What a mouse event does on the screen laid out as `places`, which shows the pane of this number.
pub fn action(
    event: MouseEvent,
    places: &ExploreLayout,
    pane: usize,
    drag: &mut Option<Drag>,
    session: &Session,
) -> Option<Action> {
    let at = Position::new(event.column, event.row);
    let track = controls::track(session, places.slider);
    let value = |x: u16| slider::value_at(x, track, session.largest_epsilon());
    let iteration = |x: u16| loss_plot::point_at(session, places.loss_plot, x).map(Action::Scrub);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            if places.slider.contains(at) {
                *drag = Some(Drag::Slider);
                return Some(Action::SetEpsilon(value(at.x)));
            }
            if places.loss_plot.contains(at) {
                *drag = Some(Drag::LossPlot);
                return iteration(at.x);
            }
            click(at, places, pane, session)
        }
        MouseEventKind::Drag(MouseButton::Left) => match *drag {
            Some(Drag::Slider) => Some(Action::SetEpsilon(value(at.x))),
            Some(Drag::LossPlot) => iteration(at.x),
            None => None,
        },
        MouseEventKind::Up(_) => {
            *drag = None;
            None
        }
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let up = event.kind == MouseEventKind::ScrollUp;
            let pick = |one, other| Some(if up { one } else { other });
            if places.perturbation.contains(at) {
                return pick(Action::AmplifyMore, Action::AmplifyLess);
            }
            if places.loss_plot.contains(at) {
                return pick(Action::StepForward, Action::StepBack);
            }
            if places.slider.contains(at) || places.attack.contains(at) {
                return pick(Action::EpsilonUp, Action::EpsilonDown);
            }
            pick(Action::PreviousSample, Action::NextSample)
        }
        _ => None,
    }
}

fn click(at: Position, places: &ExploreLayout, pane: usize, session: &Session) -> Option<Action> {
    if places.gallery.contains(at) {
        return gallery::sample_at(session, places.gallery, at.y).map(Action::SelectSample);
    }
    if places.tabs.contains(at) {
        let tabs = layout::tab_places(session.size, pane, places.tabs);
        let under = tabs.into_iter().find(|(_, place)| place.contains(at));
        return under.map(|(pane, _)| Action::ShowPane(pane));
    }
    if places.defences.contains(at) {
        let on_heading = at.y == places.defences.y;
        return Some(if on_heading { Action::ToggleStance } else { defences::OPEN });
    }
    if places.checks.contains(at) {
        return Some(checks::OPEN);
    }
    if places.attack.contains(at) {
        return Some(Action::ChooseAttack);
    }
    if places.header.contains(at) {
        return Some(Action::ChooseModel);
    }
    places.adversarial.contains(at).then_some(Action::Blink)
}
