//! The views: pure functions from the state to cells.

mod cards;
pub mod compare;
pub mod controls;
pub mod course;
pub mod defences;
mod editor;
pub mod figures;
pub mod frame;
pub mod gallery;
mod gauge;
pub mod help;
pub mod lamps;
pub mod layout;
pub mod learn;
mod least;
mod lists;
mod matrix;
pub mod overlays;
pub mod pictures;
mod race;
pub mod shift;
pub mod stages;
pub mod wording;

use super::app::App;
use layout::{Places, Size};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Where everything stands in this state.
pub fn places(app: &App, area: Rect) -> Places {
    layout::places(area, pictures::dimensions(app), app.pane)
}

/// Draws everything.
pub fn draw(app: &App, area: Rect, buf: &mut Buffer) {
    buf.set_style(area, app.theme.base);
    let size = (area.width, area.height);
    if layout::size_of(size) == Size::TooSmall {
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
    shift::draw(app, p.shift, buf);
    course::draw(app, p.course, buf);
    figures::draw(app, p.figures, buf);
    controls::attack(app, p.attack, buf);
    controls::slider(app, p.slider, buf);
    defences::draw(app, p.defences, buf);
    lamps::row(app, p.lamps, buf);
    frame::sentence(app, p.sentence, buf);
    frame::footer(app, p.footer, buf);
    overlays::draw(app, area, buf);
}

/// Everything between header and footer.
pub fn whole(p: &Places, area: Rect) -> Rect {
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
