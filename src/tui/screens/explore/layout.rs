//! Where everything stands on Explore. Drawing and mouse ask the same function.
//!
//! ```text
//! large (120×36 and up)                          medium (80×24 and up)
//! ┌ header ───────────────────────────────┐      ┌ header ────────────────┐
//! │ gallery │ original │ change │ advers. │      │ tabs                   │
//! │ class_probabilities      │ iterations    │ metrics  │      │ one page: pictures, …  │
//! │ attack                                │      │ attack                 │
//! │ ε slider                              │      │ ε slider               │
//! │ defences                              │      │ defences               │
//! │ checks                                 │      │ the result in words,   │
//! │ the result in words                   │      │ checks beside it        │
//! └ footer ───────────────────────────────┘      └ footer ────────────────┘
//! ```
//! On wide screens the class_probabilities stands beside the pictures. Small windows show one pane at a time.

use crate::tui::session::Session;
use crate::tui::widgets::raster;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The columns of the cell that stands for the evaluation checks where there is little room.
pub const CHECKS_CELL: u16 = 16;

/// How much fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeClass {
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
pub enum Pane {
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
    ClassProbabilities,
    /// The iterations.
    LossPlot,
    /// Norms, similarity, cost.
    Metrics,
    /// The defences.
    Defences,
}

impl Pane {
    /// Its name on the tabs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pictures => "pictures",
            Self::Original => "original",
            Self::Perturbation => "perturbation",
            Self::Adversarial => "adversarial",
            Self::Samples => "samples",
            Self::ClassProbabilities => "probabilities",
            Self::LossPlot => "iterations",
            Self::Metrics => "metrics",
            Self::Defences => "defences",
        }
    }
}

/// How much fits into so many columns and rows.
pub fn size_of((width, height): (u16, u16)) -> SizeClass {
    match (width, height) {
        (120.., 36..) => SizeClass::Large,
        (80.., 24..) => SizeClass::Medium,
        (40.., 12..) => SizeClass::Small,
        _ => SizeClass::TooSmall,
    }
}

/// The pages of a window of this size.
pub fn panes(size: (u16, u16)) -> &'static [Pane] {
    use Pane::*;
    match size_of(size) {
        SizeClass::Medium => &[Pictures, Samples, ClassProbabilities, LossPlot, Metrics],
        SizeClass::Small => &[
            Adversarial,
            Original,
            Perturbation,
            Samples,
            ClassProbabilities,
            LossPlot,
            Metrics,
            Defences,
        ],
        SizeClass::Large | SizeClass::TooSmall => &[],
    }
}

/// Where everything stands; empty where it is not shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExploreLayout {
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
    pub class_probabilities: Rect,
    /// The iterations.
    pub loss_plot: Rect,
    /// Norms, similarity, cost.
    pub metrics: Rect,
    /// The attack and its parameters.
    pub attack: Rect,
    /// ε.
    pub slider: Rect,
    /// The defence strip.
    pub defences: Rect,
    /// The evaluation checks.
    pub checks: Rect,
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
pub fn explore_layout(area: Rect, picture: (usize, usize), page: usize) -> ExploreLayout {
    match size_of((area.width, area.height)) {
        SizeClass::Large => large(area, picture),
        SizeClass::Medium => medium(area, picture, page),
        SizeClass::Small => small(area, page),
        SizeClass::TooSmall => ExploreLayout::default(),
    }
}

fn large(mut area: Rect, picture: (usize, usize)) -> ExploreLayout {
    const GAP: u16 = 2;
    let header = top(&mut area, 1);
    let footer = bottom(&mut area, 1);
    let sides = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let mut area = sides;
    let tall = area.height >= 40;
    let sentence = bottom(&mut area, if tall { 2 } else { 1 });
    let checks = bottom(&mut area, 1);
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
    let class_probabilities = if beside { row } else { left(&mut area, 46, GAP) };
    let rest = area.width.saturating_sub(30 + GAP);
    let loss_plot = left(&mut area, rest, GAP);
    ExploreLayout {
        header,
        gallery,
        original,
        perturbation,
        adversarial,
        class_probabilities,
        loss_plot,
        metrics: area,
        // These three bring their own margin.
        attack: inside(attack),
        slider: inside(slider),
        sentence: inside(sentence),
        defences,
        checks,
        footer,
        tabs: Rect::ZERO,
    }
}

/// The sentence, and a cell for the checks at the end of its first row.
fn beside(row: Rect) -> (Rect, Rect) {
    let sentence = Rect { width: row.width - CHECKS_CELL, ..row };
    (sentence, Rect { x: sentence.right(), width: CHECKS_CELL, height: 1, ..row })
}

fn medium(mut area: Rect, picture: (usize, usize), page: usize) -> ExploreLayout {
    let mut out = ExploreLayout {
        header: top(&mut area, 1),
        tabs: top(&mut area, 1),
        ..ExploreLayout::default()
    };
    out.footer = bottom(&mut area, 1);
    let lines = if area.height >= 26 { 2 } else { 1 };
    (out.sentence, out.checks) = beside(bottom(&mut area, lines));
    out.defences = bottom(&mut area, 3);
    out.slider = bottom(&mut area, 1);
    out.attack = bottom(&mut area, 1);
    let shown = panes((80, 24));
    match shown[page.min(shown.len() - 1)] {
        Pane::Pictures => {
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
                out.class_probabilities = left(&mut area, 44, 2);
                out.loss_plot = area;
            }
        }
        Pane::Samples => out.gallery = area,
        Pane::ClassProbabilities => out.class_probabilities = area,
        Pane::LossPlot => out.loss_plot = area,
        _ => out.metrics = area,
    }
    out
}

fn small(mut area: Rect, page: usize) -> ExploreLayout {
    let mut out = ExploreLayout {
        header: top(&mut area, 1),
        tabs: top(&mut area, 1),
        ..ExploreLayout::default()
    };
    out.footer = bottom(&mut area, 1);
    let lines = if area.height >= 17 { 2 } else { 1 };
    out.sentence = bottom(&mut area, lines);
    out.slider = bottom(&mut area, 1);
    let shown = panes((40, 12));
    let place = match shown[page.min(shown.len() - 1)] {
        Pane::Original => &mut out.original,
        Pane::Perturbation => &mut out.perturbation,
        Pane::Samples => &mut out.gallery,
        Pane::ClassProbabilities => &mut out.class_probabilities,
        Pane::LossPlot => &mut out.loss_plot,
        Pane::Metrics => &mut out.metrics,
        Pane::Defences => &mut out.defences,
        Pane::Adversarial | Pane::Pictures => &mut out.adversarial,
    };
    *place = area;
    out
}

/// Where each page's name stands on the tabs, for drawing and for the mouse.
pub fn tab_places(size: (u16, u16), current: usize, area: Rect) -> Vec<(usize, Rect)> {
    let pages = panes(size);
    let all: u16 = pages.iter().map(|p| p.name().len() as u16 + 2).sum();
    let mut x = area.x + 5;
    let fits = all + 5 <= area.width;
    let shown: Vec<usize> = match fits {
        true => (0..pages.len()).collect(),
        // Too many for the row: from the current one on.
        false => (0..pages.len()).map(|i| (current + i) % pages.len()).collect(),
    };
    let mut out = Vec::new();
    for at in shown {
        let width = pages[at].name().len() as u16 + 2;
        if x + width > area.right() {
            break;
        }
        out.push((at, Rect { x, width, ..area }));
        x += width;
    }
    out
}

/// The pages of smaller windows.
pub fn draw_tabs(pane: usize, session: &Session, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buf.set_string(area.x + 1, area.y, "Tab", session.theme.key);
    let pages = panes(session.size);
    let current = pane.min(pages.len().saturating_sub(1));
    for (at, place) in tab_places(session.size, current, area) {
        let style = if at == current { session.theme.selected } else { session.theme.dim };
        buf.set_string(place.x, place.y, format!(" {} ", pages[at].name()), style);
    }
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
                for page in 0..panes((width, height)).len().max(1) {
                    let p = explore_layout(area, picture, page);
                    let all = [
                        p.header,
                        p.tabs,
                        p.gallery,
                        p.original,
                        p.perturbation,
                        p.adversarial,
                        p.class_probabilities,
                        p.loss_plot,
                        p.metrics,
                        p.attack,
                        p.slider,
                        p.defences,
                        p.checks,
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
            let p = explore_layout(Rect::new(0, 0, size.0, size.1), (28, 28), 0);
            for pane in [p.original, p.perturbation, p.adversarial] {
                assert_eq!((pane.width, pane.height), (28, 16));
            }
        }
    }
}
