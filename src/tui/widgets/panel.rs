//! A panel: a heading on a thin line, and the room below it.

use crate::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws the heading; answers with the room below it.
pub fn panel(
    heading: Line<'_>,
    note: Line<'_>,
    area: Rect,
    theme: &Theme,
    buf: &mut Buffer,
) -> Rect {
    if area.is_empty() {
        return area;
    }
    for x in area.left()..area.right() {
        buf[(x, area.y)].set_char('─').set_style(theme.rule);
    }
    let width = heading.width() as u16;
    if width > 0 && area.width > 4 {
        buf.set_string(
            area.x,
            area.y,
            " ".repeat(usize::from((width + 1).min(area.width))),
            theme.base,
        );
        buf.set_line(area.x, area.y, &heading, area.width);
    }
    let room = area.width.saturating_sub(width + 2);
    let note_width = note.width() as u16;
    if note_width > 0 && note_width < room {
        let x = area.right() - note_width;
        buf.set_string(x - 1, area.y, " ", theme.base);
        buf.set_line(x, area.y, &note, note_width);
    }
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// The room inside a box that stands at `place`, as [`window`] leaves it.
pub fn inside(place: Rect) -> Rect {
    Rect {
        x: place.x + 2,
        y: place.y + 1,
        width: place.width.saturating_sub(4),
        height: place.height.saturating_sub(2),
    }
}

/// A box on top of everything else, with a heading; answers with the room inside.
pub fn window(heading: &str, area: Rect, theme: &Theme, buf: &mut Buffer) -> Rect {
    use ratatui::widgets::{Block, BorderType, Clear, Padding, Widget};
    Clear.render(area, buf);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.accent)
        .title(Line::styled(format!(" {heading} "), theme.strong))
        .padding(Padding::horizontal(1))
        .style(theme.base);
    let inner = block.inner(area);
    block.render(area, buf);
    inner
}

/// Where a window stands that asks for so many columns and rows: in the middle, inside a margin.
pub fn window_place(wanted: (u16, u16), area: Rect) -> Rect {
    let width = wanted.0.min(area.width.saturating_sub(2));
    let height = wanted.1.min(area.height.saturating_sub(2));
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    Rect { x, y, width, height }
}
