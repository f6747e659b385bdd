//! The three pictures: original, perturbation, adversarial. They share one size; headings and
//! captions never shift one of them.

use super::layout::ExploreLayout;
use crate::attack::{Bound, NON_FINITE, Norm};
use crate::data::Image;
use crate::experiment::{Outcome, TracePoint, short_distance_text};
use crate::parameter::Value;
use crate::show::Graphics;
use crate::tui::session::{AMPLIFICATIONS, Run, Session};
use crate::tui::theme::Theme;
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::picture::{HeatmapView, Legend, PictureStyle, PictureView, place};
use crate::tui::widgets::raster;
use crate::tui::widgets::text::{columns, first_name, percent, short, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// The clean image at the size of the model's input, `[C, H, W]`.
pub fn original(session: &Session) -> Option<Image> {
    if let Some(clean) = session.display().and_then(|(run, _)| run.clean.as_ref()) {
        return Some(clean.picture.clone());
    }
    let sample = session.current_sample()?;
    Some(match &session.model {
        Some(model) => model.card.input.fit(&sample.image),
        None => sample.image,
    })
}

/// The iteration shown, if it is one and not the result.
pub fn iteration(session: &Session, run: &Run, live: bool) -> Option<usize> {
    let last = run.history.len().checked_sub(1);
    if live || run.report.is_none() {
        last
    } else {
        session.playback.at.filter(|at| Some(*at) <= last)
    }
}

/// The adversarial image: the result, or the iteration that is shown.
pub fn adversarial(session: &Session) -> Option<Image> {
    let (run, live) = session.display()?;
    match iteration(session, run, live) {
        Some(at) => {
            let mut back = run.history.entries()[..=at].iter().rev();
            back.find_map(|stop| stop.point.picture.clone())
        }
        None => run.report.as_ref().map(|report| report.picture.clone()),
    }
}

/// The change that the heatmap shows in full colour.
pub fn full_scale(session: &Session) -> f32 {
    if let Some(times) = AMPLIFICATIONS[session.amplification] {
        return 1.0 / times as f32;
    }
    let plan = session.display().map_or(&session.plan, |(run, _)| &run.job.plan);
    let bounded = plan.attack.bound == Bound::FixedEpsilon;
    match (plan.norm, original(session), adversarial(session)) {
        (Norm::Linf, ..) if plan.epsilon > 0.0 && bounded => plan.epsilon as f32,
        (_, Some(from), Some(to)) => match raster::largest_change(&from, &to) {
            change @ 1e-6.. => change,
            _ => 1.0,
        },
        _ => 1.0,
    }
}

/// The amplification in words: "×3.3".
pub fn times(session: &Session) -> String {
    let times = 1.0 / full_scale(session);
    match AMPLIFICATIONS[session.amplification] {
        Some(times) => format!("×{times}"),
        None if times < 9.95 => format!("×{times:.1} auto"),
        None => format!("×{times:.0} auto"),
    }
}

/// A perturbation as an RGB image, for the full screen; `full` is the change in full colour.
pub fn perturbation(from: &Image, to: &Image, full: f32, theme: &Theme) -> Image {
    let (w, h) = (from.width(), from.height());
    let strengths = raster::change(from, to, w, h);
    let mut pixels = vec![0.0; 3 * w * h];
    for (i, change) in strengths.into_iter().enumerate() {
        let strength = (change / full.max(1e-9)).clamp(-1.0, 1.0);
        let colour = match theme.is_mono() {
            true => [0.5 + 0.5 * strength; 3],
            false => theme.diverging(strength).map(|v| f32::from(v) / 255.0),
        };
        (0..3).for_each(|c| pixels[c * w * h + i] = colour[c]);
    }
    Image::new([3, h, w], pixels)
}

/// Draws the panes that have a place.
pub fn draw(session: &Session, places: &ExploreLayout, buf: &mut Buffer) {
    let look = PictureStyle {
        theme: &session.theme,
        ascii: session.theme.is_mono() || session.graphics == Graphics::Ascii,
        faded: session.faded(),
    };
    let (before, after) = (original(session), adversarial(session));
    if let Some(room) = pane(session, "original", sample_note(session), places.original, buf) {
        draw_picture(before.as_ref(), look, room, buf);
        caption(original_caption(session), room, session, buf);
    }
    let note = if after.is_some() { times(session) } else { String::new() };
    if let Some(room) = pane(session, "perturbation", note, places.perturbation, buf)
        && let (Some(from), Some(to)) = (&before, &after)
    {
        let full = full_scale(session);
        HeatmapView { from, to, full, look }.render(room.picture, buf);
        legend(session, full, look, room, buf);
    }
    let (heading, note) = adversarial_heading(session);
    if let Some(room) = pane(session, heading, note, places.adversarial, buf) {
        let blinked = session.blinking.is_some_and(|b| b.original);
        draw_picture(if blinked { before.as_ref() } else { after.as_ref() }, look, room, buf);
        let words = if blinked { original_caption(session) } else { adversarial_caption(session) };
        caption(words, room, session, buf);
    }
}

#[derive(Clone, Copy)]
struct PictureArea {
    picture: Rect,
    caption: Rect,
}

fn pane(
    session: &Session,
    heading: &str,
    note: String,
    area: Rect,
    buf: &mut Buffer,
) -> Option<PictureArea> {
    if area.height < 3 {
        return None;
    }
    let theme = &session.theme;
    let heading = Line::styled(heading.to_string(), theme.title);
    let inner = panel(heading, Line::styled(note, theme.dim), area, theme, buf);
    // The caption stands directly below the picture, whose place does not depend on words.
    let (w, h) = session.image_size();
    let room = Rect { height: inner.height - 1, ..inner };
    let picture = Rect { y: inner.y, ..place(w, h, room) };
    let caption = Rect { y: picture.bottom(), height: 1, ..inner };
    Some(PictureArea { picture, caption })
}

fn draw_picture(
    picture: Option<&Image>,
    look: PictureStyle<'_>,
    room: PictureArea,
    buf: &mut Buffer,
) {
    match picture {
        Some(picture) => PictureView { picture, look }.render(room.picture, buf),
        None => {
            let y = room.picture.y + room.picture.height / 2;
            let x = room.picture.x + room.picture.width.saturating_sub(1) / 2;
            buf.set_string(x, y, "…", look.theme.dim);
        }
    }
}

fn sample_note(session: &Session) -> String {
    match session.display() {
        Some((run, _)) if run.job.sample.dataset == "file" => shorten(&run.job.sample.name, 16),
        Some((run, _)) => format!("#{}", run.job.sample.index),
        None => format!("#{}", session.sample),
    }
}

fn adversarial_heading(session: &Session) -> (&'static str, String) {
    let Some((run, live)) = session.display() else { return ("adversarial", String::new()) };
    let step = |at: usize| {
        let Some(point) = run.history.point(at) else { return String::new() };
        let part = |p: &TracePoint| p.restart == point.restart && p.stage == point.stage;
        let same = run.history.entries().iter().map(|stop| &stop.point).filter(|p| part(p));
        let most = same.map(|p| p.iteration).max().unwrap_or(0);
        let expected = run.history.progress().1.saturating_sub(1);
        let all = match live {
            true => match run.job.plan.settings.get("steps") {
                Value::Int(steps) => steps as usize,
                _ => expected,
            },
            false => most,
        };
        format!("step {}/{all}", point.iteration)
    };
    let note = match iteration(session, run, live) {
        Some(at) if live => format!("live {}", step(at)),
        Some(at) => step(at),
        None => String::new(),
    };
    match session.blinking {
        Some(blink) if blink.original => ("⇄ original", note),
        Some(_) => ("⇄ adversarial", note),
        None => ("adversarial", note),
    }
}

type Caption = Option<(&'static str, String, String, Style)>;

fn original_caption(session: &Session) -> Caption {
    let clean = session.display()?.0.clean.as_ref()?;
    let right = clean.prediction.label == clean.label;
    let share = format!("{} %", percent(clean.prediction.confidence));
    if !clean.label_is_truth {
        // Nobody knows whether it is right.
        return Some(("?", clean.prediction.name.clone(), share, session.theme.strong));
    }
    let outcome = if right { Outcome::Right } else { Outcome::Wrong };
    let style = session.theme.outcome(outcome.holds());
    Some((outcome.glyph(), clean.prediction.name.clone(), share, style))
}

fn adversarial_caption(session: &Session) -> Caption {
    let (run, live) = session.display()?;
    let point = iteration(session, run, live).map(|at| run.history.point(at));
    let (outcome, beyond) = run.outcome(point.flatten())?;
    let (name, share) = match point {
        Some(point) => {
            let point = point?;
            let labels = session.model.as_ref().map(|m| m.labels.clone())?;
            let unnamed = || if point.label == NON_FINITE { "no number" } else { "" };
            let name = labels.get(point.label).cloned().unwrap_or_else(|| unnamed().into());
            let share = point.probabilities.get(point.label).copied().unwrap_or_default();
            (name, format!("{} %", percent(share)))
        }
        None => {
            let answer = &run.report.as_ref()?.adversarial;
            (answer.name.clone(), format!("{} %", percent(answer.confidence)))
        }
    };
    let name = if beyond { format!("{} beyond ε", first_name(&name)) } else { name };
    Some((outcome.glyph(), name, share, session.theme.outcome(outcome.holds())))
}

fn caption(words: Caption, room: PictureArea, session: &Session, buf: &mut Buffer) {
    let Some((glyph, name, note, style)) = words else { return };
    let style = if session.faded() { session.theme.dim } else { style };
    let area = room.caption;
    let width = usize::from(area.width).saturating_sub(columns(&note) + 4);
    let line = Line::from(vec![
        Span::styled(format!("{glyph} {}", shorten(first_name(&name), width)), style),
        Span::styled(
            format!("  {note}"),
            if session.faded() { session.theme.dim } else { session.theme.base },
        ),
    ]);
    let x = area.x + area.width.saturating_sub(line.width() as u16) / 2;
    buf.set_line(x, area.y, &line, area.width);
}

fn legend(
    session: &Session,
    full: f32,
    look: PictureStyle<'_>,
    room: PictureArea,
    buf: &mut Buffer,
) {
    // As wide as the picture above it, or a little wider where that is narrow.
    let width = room.picture.width.max(24).min(room.caption.width);
    let x = room.caption.x + (room.caption.width - width) / 2;
    let area = Rect { x, width, ..room.caption };
    let plan = session.display().map_or(&session.plan, |(run, _)| &run.job.plan);
    let bounded = plan.attack.bound == Bound::FixedEpsilon && plan.norm == Norm::Linf;
    let by_epsilon = AMPLIFICATIONS[session.amplification].is_none() && bounded;
    let number = short_distance_text(Norm::Linf, f64::from(full));
    let number = if number == "0" { short(full) } else { number };
    let (low, high) = match by_epsilon {
        true => ("−ε ".to_string(), " +ε".to_string()),
        false => (format!("−{number} "), format!(" +{number}")),
    };
    let (left, right) = (columns(&low) as u16, columns(&high) as u16);
    if area.width < left + right + 4 {
        return;
    }
    let style = session.theme.base;
    buf.set_string(area.x, area.y, low, style);
    let bar = Rect { x: area.x + left, width: area.width - left - right, ..area };
    Legend { look }.render(bar, buf);
    buf.set_string(bar.right(), area.y, high, style);
}
