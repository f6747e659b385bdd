//! The mouse: what is under it, as an action.

use super::action::Action;
use super::app::{App, Drag, Effect};
use super::dialogs::Overlay;
use super::update::update;
use super::view::{self, controls, frame, gallery, layout, loss_plot, overlays};
use super::widgets::slider;
use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// A mouse event: the action under it is done. Answers with nothing when nothing is there, so that
/// nothing is drawn.
pub fn mouse(app: &mut App, event: MouseEvent) -> Option<Vec<Effect>> {
    let area = Rect::new(0, 0, app.size.0, app.size.1);
    let at = Position::new(event.column, event.row);
    if layout::size_of(app.size) == layout::SizeClass::TooSmall {
        return None;
    }
    let mut effects = Vec::new();
    if app.hint && matches!(event.kind, MouseEventKind::Down(_)) {
        app.hint = false;
        effects.push(Effect::HintSeen);
        return Some(effects);
    }
    let action = match app.overlays.last().cloned() {
        Some(overlay) => in_window(app, &overlay, event, at, area)?,
        None => on_screen(app, event, at, area)?,
    };
    effects.extend(update(app, action));
    Some(effects)
}

fn in_window(
    app: &App,
    overlay: &Overlay,
    event: MouseEvent,
    at: Position,
    area: Rect,
) -> Option<Action> {
    match event.kind {
        MouseEventKind::ScrollUp => Some(Action::Up),
        MouseEventKind::ScrollDown => Some(Action::Down),
        MouseEventKind::Down(MouseButton::Left) => {
            match overlays::place(app, overlay, area).contains(at) {
                true => overlays::row_at(app, overlay, area, at.y).map(Action::ChooseRow),
                false => Some(Action::Back),
            }
        }
        _ => None,
    }
}

fn on_screen(app: &mut App, event: MouseEvent, at: Position, area: Rect) -> Option<Action> {
    let p = view::places(app, area);
    let left = matches!(event.kind, MouseEventKind::Down(MouseButton::Left));
    if left && p.header.contains(at) {
        let tab = frame::screens(app, p.header).into_iter().find(|tab| tab.place.contains(at));
        if let Some(tab) = tab {
            return Some(tab.action);
        }
    }
    if app.compare.open {
        return match event.kind {
            MouseEventKind::ScrollUp => Some(Action::Up),
            MouseEventKind::ScrollDown => Some(Action::Down),
            _ if left => {
                let cell = view::compare::cell_under(app, view::whole(&p, area), at);
                cell.map(|(part, row, column)| Action::ChooseCell(part, row, column))
            }
            _ => None,
        };
    }
    if app.learn.open {
        let click = matches!(event.kind, MouseEventKind::Down(MouseButton::Left));
        let row = view::learn::row_at(view::whole(&p, area), at.y).filter(|_| click)?;
        (app.learn.at, _) = (row, ());
        return Some(Action::PickLesson);
    }
    if app.race.is_some() {
        // The race's heading names its axis.
        let click = matches!(event.kind, MouseEventKind::Down(MouseButton::Left));
        return (click && at.y == p.header.bottom()).then_some(Action::SwitchAxis);
    }
    let track = controls::track(app, p.slider);
    let on_slider = |x: u16| Action::SetEpsilon(slider::value_at(x, track, app.largest_epsilon()));
    let on_course = |x: u16| loss_plot::point_at(app, p.loss_plot, x).map(Action::Scrub);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            if p.slider.contains(at) {
                let action = on_slider(at.x);
                app.drag = Some(Drag::Slider);
                return Some(action);
            }
            if p.loss_plot.contains(at) {
                let action = on_course(at.x);
                app.drag = Some(Drag::LossPlot);
                return action;
            }
            if p.gallery.contains(at) {
                return gallery::sample_at(app, p.gallery, at.y).map(Action::SelectSample);
            }
            if p.tabs.contains(at) {
                let tabs = frame::tab_places(app.size, app.pane, p.tabs);
                return tabs
                    .into_iter()
                    .find(|(_, r)| r.contains(at))
                    .map(|(i, _)| Action::ShowPane(i));
            }
            if p.defences.contains(at) {
                let on_heading = at.y == p.defences.y;
                return Some(if on_heading { Action::ToggleStance } else { Action::EditDefences });
            }
            if p.checks.contains(at) {
                return Some(Action::Checks);
            }
            if p.attack.contains(at) {
                return Some(Action::ChooseAttack);
            }
            if p.header.contains(at) {
                return Some(Action::ChooseModel);
            }
            p.adversarial.contains(at).then_some(Action::Blink)
        }
        MouseEventKind::Drag(MouseButton::Left) => match app.drag {
            Some(Drag::Slider) => Some(on_slider(at.x)),
            Some(Drag::LossPlot) => on_course(at.x),
            None => None,
        },
        MouseEventKind::Up(_) => {
            app.drag = None;
            None
        }
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let up = event.kind == MouseEventKind::ScrollUp;
            let pick = |one, other| Some(if up { one } else { other });
            if p.perturbation.contains(at) {
                return pick(Action::AmplifyMore, Action::AmplifyLess);
            }
            if p.loss_plot.contains(at) {
                return pick(Action::StepForward, Action::StepBack);
            }
            if p.slider.contains(at) || p.attack.contains(at) {
                return pick(Action::EpsilonUp, Action::EpsilonDown);
            }
            pick(Action::PreviousSample, Action::NextSample)
        }
        _ => None,
    }
}
