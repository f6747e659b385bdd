//! The views: pure functions from the state to cells.

pub mod checks;
pub mod class_probabilities;
pub mod compare;
pub mod controls;
mod defence_metrics;
pub mod defences;
mod editor;
mod epsilon_search;
pub mod frame;
pub mod gallery;
pub mod help;
mod info_card;
pub mod layout;
pub mod learn;
pub mod loss_plot;
pub mod metrics;
pub mod overlays;
mod picker;
pub mod pictures;
mod race;
pub mod stages;
mod transfer_matrix;
pub mod wording;

use super::app::App;
use layout::{ExploreLayout, SizeClass};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Where everything stands in this state.
pub fn places(app: &App, area: Rect) -> ExploreLayout {
    layout::places(area, pictures::dimensions(app), app.pane)
}

/// Draws everything.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, app.theme.base);
    let size = (area.width, area.height);
    if layout::size_of(size) == SizeClass::TooSmall {
        return too_small(app, area, buf);
    }
    let p = places(app, area);
    frame::header(app, p.header, buf);
    let room = whole(&p, area);
    if app.learn.open {
        learn::draw(app, room, buf);
        frame::footer(app, p.footer, buf);
        return overlays::draw(app, area, buf);
    }
    if app.compare.open {
        compare::draw(app, room, buf);
        frame::footer(app, p.footer, buf);
        return overlays::draw(app, area, buf);
    }
    if let Some(race) = &app.race {
        race::draw(app, race, room, buf);
        frame::footer(app, p.footer, buf);
        return overlays::draw(app, area, buf);
    }
    frame::tabs(app, size, p.tabs, buf);
    gallery::draw(app, p.gallery, buf);
    pictures::draw(app, &p, buf);
    class_probabilities::draw(app, p.class_probabilities, buf);
    loss_plot::draw(app, p.loss_plot, buf);
    metrics::draw(app, p.metrics, buf);
    controls::attack(app, p.attack, buf);
    controls::slider(app, p.slider, buf);
    defences::draw(app, p.defences, buf);
    checks::row(app, p.checks, buf);
    frame::sentence(app, p.sentence, buf);
    frame::footer(app, p.footer, buf);
    overlays::draw(app, area, buf);
}

/// Everything between header and footer.
pub fn whole(p: &ExploreLayout, area: Rect) -> Rect {
    let (y, height) = (p.header.bottom(), area.height.saturating_sub(2));
    Rect { x: area.x + 1, y, width: area.width.saturating_sub(2), height }
}

fn too_small(app: &App, area: Rect, buf: &mut Buffer) {
    let lines = ["epsiloscope needs 40×12 cells", "make the window larger", "q quits"];
    let first = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (text, y) in lines.iter().zip(first..area.bottom()) {
        let line = Line::styled(*text, app.theme.base);
        let x = area.x + (area.width.saturating_sub(line.width() as u16)) / 2;
        buf.set_line(x, y, &line, area.width);
    }
}
