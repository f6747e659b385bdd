//! Where everything stands. Drawing and mouse ask the same function.
//!
//! ```text
//! large (120×36 and up)                          medium (80×24 and up)
//! ┌ header ───────────────────────────────┐      ┌ header ────────────────┐
//! │ gallery │ original │ change │ advers. │      │ tabs                   │
//! │ shift      │ iterations    │ figures  │      │ one page: pictures, …  │
//! │ attack                                │      │ attack                 │
//! │ ε slider                              │      │ ε slider               │
//! │ defences                              │      │ defences               │
//! │ lamps                                 │      │ the result in words,   │
//! │ the result in words                   │      │ lamps beside it        │
//! └ footer ───────────────────────────────┘      └ footer ────────────────┘
//! ```
//! On wide screens the shift stands beside the pictures. Small windows show one pane at a time.

use super::lamps;
use crate::tui::widgets::raster;
use ratatui::layout::Rect;

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Everything at once.
    Large,
    /// One page at a time, above controls, defences and sentence.
    Medium,
    /// One pane at a time, above slider and sentence.
    Small,
    /// Nothing but a message.
    TooSmall,
}

/// What the page area of smaller windows shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The three pictures.
    Pictures,
    /// The original alone.
    Original,
    /// The perturbation alone.
    Perturbation,
    /// The adversarial picture alone.
    Adversarial,
    /// The gallery.
    Samples,
    /// The prediction before and after.
    Shift,
    /// The iterations.
    Course,
    /// Norms, similarity, cost.
    Figures,
    /// The defences.
    Defences,
}

impl Page {
    /// Its name on the tabs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Original => "original",
            Self::Perturbation => "perturbation",
            Self::Adversarial => "adversarial",
            Self::Samples => "samples",
            Self::Shift => "prediction",
            Self::Course => "iterations",
            Self::Figures => "figures",
            Self::Defences => "defences",
        }
    }
}

/// How much fits into so many columns and rows.
pub fn size_of((width, height): (u16, u16)) -> Size {
    match (width, height) {
        (120.., 36..) => Size::Large,
        (80.., 24..) => Size::Medium,
        (40.., 12..) => Size::Small,
        _ => Size::TooSmall,
    }
}

/// The pages of a window of this size.
pub fn pages(size: (u16, u16)) -> &'static [Page] {
    use Page::*;
    match size_of(size) {
        Size::Medium => &[Pictures, Samples, Shift, Course, Figures],
        Size::Small => {
            &[Adversarial, Original, Perturbation, Samples, Shift, Course, Figures, Defences]
        }
        Size::Large | Size::TooSmall => &[],
    }
}

/// Where everything stands; empty where it is not shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// One line on top.
    pub header: Rect,
    /// The pages' names.
    pub tabs: Rect,
    /// The samples.
    pub gallery: Rect,
    /// The clean picture.
    pub original: Rect,
    /// The heatmap.
    pub perturbation: Rect,
    /// The attacked picture.
    pub adversarial: Rect,
    /// The prediction before and after.
    pub shift: Rect,
    /// The iterations.
    pub course: Rect,
    /// Norms, similarity, cost.
    pub figures: Rect,
    /// The attack and its parameters.
    pub attack: Rect,
    /// ε.
    pub slider: Rect,
    /// The defence strip.
    pub defences: Rect,
    /// The evaluation lamps.
    pub lamps: Rect,
    /// The result in words.
    pub sentence: Rect,
    /// The keys.
    pub footer: Rect,
}

/// Takes rows off the bottom of `area`.
fn bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.bottom(), height: rows, ..*area }
}

/// Takes rows off the top of `area`.
fn top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let out = Rect { height: rows, ..*area };
    (area.y, area.height) = (area.y + rows, area.height - rows);
    out
}

/// Takes columns off the left of `area`, and a gap.
fn left(area: &mut Rect, columns: u16, gap: u16) -> Rect {
    let columns = columns.min(area.width);
    let out = Rect { width: columns, ..*area };
    let taken = (columns + gap).min(area.width);
    (area.x, area.width) = (area.x + taken, area.width - taken);
    out
}

/// Where everything stands for pictures of this many pixels (width, height).
pub fn places(area: Rect, picture: (usize, usize), page: usize) -> Places {
    match size_of((area.width, area.height)) {
        Size::Large => large(area, picture),
        Size::Medium => medium(area, picture, page),
        Size::Small => small(area, page),
        Size::TooSmall => Places::default(),
    }
}

fn large(mut area: Rect, picture: (usize, usize)) -> Places {
    const GAP: u16 = 2;
    let header = top(&mut area, 1);
    let footer = bottom(&mut area, 1);
    let sides = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let mut area = sides;
    let tall = area.height >= 40;
    let sentence = bottom(&mut area, if tall { 2 } else { 1 });
    let lamps = bottom(&mut area, 1);
    let defences = bottom(&mut area, if tall { 4 } else { 3 });
    let slider = bottom(&mut area, 1);
    let attack = bottom(&mut area, 1);
    if tall {
        bottom(&mut area, 1);
    }
    let inside = |r: Rect| Rect { x: r.x - 1, width: r.width + 2, ..r };
    // Pictures as large as possible; below them at least ten rows and a heading.
    let widest = (area.width - 20 - 3 * GAP) / 3;
    let highest = area.height.saturating_sub(11 + 2);
    let (wide, high) = raster::fit(picture.0, picture.1, widest, highest);
    let pane = (wide as u16).clamp(26, widest);
    let mut row = top(&mut area, raster::cell_rows(high).max(12) + 2);
    let room = row.width - 3 * (pane + GAP);
    let beside = room >= 20 + GAP + 42;
    let gallery =
        left(&mut row, if beside { room - GAP - 44.min(room - 22 - GAP) } else { room }, GAP);
    let original = left(&mut row, pane, GAP);
    let perturbation = left(&mut row, pane, GAP);
    let adversarial = left(&mut row, pane, GAP);
    let shift = if beside { row } else { left(&mut area, 46, GAP) };
    let rest = area.width.saturating_sub(30 + GAP);
    let course = left(&mut area, rest, GAP);
    Places {
        header,
        gallery,
        original,
        perturbation,
        adversarial,
        shift,
        course,
        figures: area,
        // These three bring their own margin.
        attack: inside(attack),
        slider: inside(slider),
        sentence: inside(sentence),
        defences,
        lamps,
        footer,
        tabs: Rect::ZERO,
    }
}

/// The sentence, and a cell for the lamps at the end of its first row.
fn beside(row: Rect) -> (Rect, Rect) {
    let sentence = Rect { width: row.width - lamps::CELL, ..row };
    (sentence, Rect { x: sentence.right(), width: lamps::CELL, height: 1, ..row })
}

fn medium(mut area: Rect, picture: (usize, usize), page: usize) -> Places {
    let mut out =
        Places { header: top(&mut area, 1), tabs: top(&mut area, 1), ..Places::default() };
    out.footer = bottom(&mut area, 1);
    let lines = if area.height >= 26 { 2 } else { 1 };
    (out.sentence, out.lamps) = beside(bottom(&mut area, lines));
    out.defences = bottom(&mut area, 3);
    out.slider = bottom(&mut area, 1);
    out.attack = bottom(&mut area, 1);
    let shown = pages((80, 24));
    match shown[page.min(shown.len() - 1)] {
        Page::Pictures => {
            let gap = if area.width >= 92 { 2 } else { 1 };
            let pane = (area.width - 2 * gap) / 3;
            let (_, high) = raster::fit(picture.0, picture.1, pane, area.height - 2);
            let rows = raster::cell_rows(high) + 2;
            let mut row = match area.height - rows >= 7 {
                true => top(&mut area, rows),
                false => std::mem::take(&mut area),
            };
            out.original = left(&mut row, pane, gap);
            out.perturbation = left(&mut row, pane, gap);
            out.adversarial = left(&mut row, pane, gap);
            if area.height > 0 {
                out.shift = left(&mut area, 44, 2);
                out.course = area;
            }
        }
        Page::Samples => out.gallery = area,
        Page::Shift => out.shift = area,
        Page::Course => out.course = area,
        _ => out.figures = area,
    }
    out
}

fn small(mut area: Rect, page: usize) -> Places {
    let mut out =
        Places { header: top(&mut area, 1), tabs: top(&mut area, 1), ..Places::default() };
    out.footer = bottom(&mut area, 1);
    let lines = if area.height >= 17 { 2 } else { 1 };
    out.sentence = bottom(&mut area, lines);
    out.slider = bottom(&mut area, 1);
    let shown = pages((40, 12));
    let place = match shown[page.min(shown.len() - 1)] {
        Page::Original => &mut out.original,
        Page::Perturbation => &mut out.perturbation,
        Page::Samples => &mut out.gallery,
        Page::Shift => &mut out.shift,
        Page::Course => &mut out.course,
        Page::Figures => &mut out.figures,
        Page::Defences => &mut out.defences,
        Page::Adversarial | Page::Pictures => &mut out.adversarial,
    };
    *place = area;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_and_everything_is_inside() {
        for (width, height) in
            [(160, 48), (120, 36), (220, 70), (119, 36), (80, 24), (60, 18), (40, 12)]
        {
            let area = Rect::new(0, 0, width, height);
            for picture in [(28, 28), (32, 32), (224, 224)] {
                for page in 0..pages((width, height)).len().max(1) {
                    let p = places(area, picture, page);
                    let all = [
                        p.header,
                        p.tabs,
                        p.gallery,
                        p.original,
                        p.perturbation,
                        p.adversarial,
                        p.shift,
                        p.course,
                        p.figures,
                        p.attack,
                        p.slider,
                        p.defences,
                        p.lamps,
                        p.sentence,
                        p.footer,
                    ];
                    let there: Vec<Rect> = all.into_iter().filter(|r| !r.is_empty()).collect();
                    for (i, one) in there.iter().enumerate() {
                        assert_eq!(one.intersection(area), *one);
                        for other in &there[i + 1..] {
                            assert!(!one.intersects(*other), "{one} {other} at {area}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_digit_keeps_its_pixels_where_there_is_room() {
        for size in [(120, 36), (160, 48)] {
            let p = places(Rect::new(0, 0, size.0, size.1), (28, 28), 0);
            for pane in [p.original, p.perturbation, p.adversarial] {
                assert_eq!((pane.width, pane.height), (28, 16));
            }
        }
    }
}
