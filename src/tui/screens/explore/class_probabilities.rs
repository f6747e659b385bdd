//! Class probabilities before and after the attack: a row for each class, two bars, the change.

use super::pictures;
use crate::experiment::judge_outcome;
use crate::tui::session::Session;
use crate::tui::widgets::bars::Bars;
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, first_name, percent, shorten};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

/// The classes to show: all where they fit, else the first five of before and after, the largest
/// first.
fn classes(before: &[f32], after: Option<&[f32]>, rows: usize) -> Vec<usize> {
    if before.len() <= rows {
        return (0..before.len()).collect();
    }
    let after = after.unwrap_or(before);
    let top = |values: &[f32]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        order.truncate(5.min(rows));
        order
    };
    let (one, other) = (top(before), top(after));
    // Turn by turn, so that both firsts are in where there is little room.
    let mut out: Vec<usize> = Vec::new();
    for class in one.iter().zip(&other).flat_map(|(a, b)| [*a, *b]) {
        if !out.contains(&class) {
            out.push(class);
        }
    }
    out.truncate(rows);
    let largest = |class: &usize| before[*class].max(after[*class]);
    out.sort_by(|a, b| largest(b).total_cmp(&largest(a)));
    out
}

/// Draws the rows.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let theme = &session.theme;
    let heading = Line::styled("probabilities %", theme.title);
    // The iteration on show, or the result; the rows stay those of the result, so that none jumps.
    let shown = session.display().and_then(|(run, live)| {
        let result = run.report.as_ref().map(|r| &r.adversarial);
        let result = result.map(|answer| (answer.label, &answer.probabilities[..]));
        let after = match pictures::iteration(session, run, live) {
            Some(at) => {
                let known = run.history.point(at).filter(|p| !p.probabilities.is_empty());
                known.map(|point| (point.label, &point.probabilities[..]))
            }
            None => result,
        };
        run.clean.as_ref().map(|clean| (clean, after, result.or(after)))
    });
    let outcome = session.display().and_then(|(run, live)| {
        let point = pictures::iteration(session, run, live).map(|at| run.history.point(at));
        run.outcome(point.flatten()).map(|(outcome, _)| outcome)
    });
    let before = shown.map_or(&[][..], |(clean, ..)| &clean.prediction.probabilities);
    let after = shown.and_then(|(_, after, _)| after).map(|(_, after)| after);
    let by = shown.and_then(|(.., by)| by).map(|(_, by)| by);
    let listed = classes(before, by, usize::from(area.height - 1));
    let labels = session.model.as_ref().map(|m| m.labels.clone());
    let name = |class: usize| {
        let name = labels.as_ref().and_then(|l| l.get(class));
        name.map_or_else(|| class.to_string(), |n| first_name(n).to_string())
    };
    let longest = listed.iter().map(|c| columns(&name(*c))).max().unwrap_or(1) as u16;
    // Δ only where the bars keep a width worth looking at.
    let wide = area.width >= longest.min(area.width / 3) + 3 + 22 + 10;
    let note = if wide { "▀ before → ▄ after    Δ" } else { "▀ before → ▄ after" };
    let inner = panel(heading, Line::styled(note, theme.dim), area, theme, buf);
    let Some((clean, answered, _)) = shown else { return };
    let numbers: u16 = if wide { 22 } else { 15 };
    let names = longest.min((inner.width / 3).max(inner.width.saturating_sub(numbers + 8)));
    let bar = inner.width.saturating_sub(names + numbers + 3);
    // Air between the rows where there is room for it.
    let spacing = if usize::from(inner.height) >= 2 * listed.len() { 2 } else { 1 };
    for (class, y) in listed.into_iter().zip((inner.y..inner.bottom()).step_by(spacing)) {
        let then = after.map(|a| a[class]);
        let is_truth = class == clean.label;
        let answer = answered.map_or(clean.prediction.label, |(label, _)| label);
        // Before there is a result, the clean answer.
        let outcome = match outcome.filter(|_| answered.is_some()) {
            Some(outcome) => outcome,
            None => judge_outcome(clean.prediction.label == clean.label, false, true),
        };
        let style = match class == answer {
            _ if session.faded() => theme.dim,
            true => theme.outcome(outcome.holds()),
            false if is_truth => theme.right,
            false => theme.base,
        };
        let text = shorten(&name(class), names.into());
        let x = inner.x + 2 + names - columns(&text) as u16;
        if class == answer {
            buf.set_string(inner.x, y, outcome.glyph(), style);
        }
        buf.set_string(x, y, text, style);
        let place = Rect { x: inner.x + names + 3, y, width: bar, height: 1 };
        let plain = if class == answer || is_truth { style } else { theme.dim };
        Bars { before: before[class], after: then.unwrap_or(0.0), style: plain, theme }
            .render(place, buf);
        // Classes that nobody believes in stay in the background.
        let nothing = before[class].max(then.unwrap_or(0.0)) < 0.0005;
        let quiet = if nothing || session.faded() { theme.dim } else { theme.base };
        let first = format!("{:>5}", percent(before[class]));
        let mut x = inner.right().saturating_sub(numbers - 1);
        x = buf.set_string_at(x, y, &first, quiet);
        if let Some(then) = then {
            x = buf.set_string_at(x, y, " → ", theme.dim);
            x = buf.set_string_at(
                x,
                y,
                &format!("{:>5}", percent(then)),
                if nothing { quiet } else { style },
            );
            if wide {
                let change = (then - before[class]) * 100.0;
                let text = match change.abs() < 0.05 {
                    true => format!("{:>7}", "0.0"),
                    false => format!("{:>7}", format!("{change:+.1}").replace('-', "−")),
                };
                buf.set_string_at(x, y, &text, theme.dim);
            }
        }
    }
}

/// Writing that answers with the next column.
trait WriteOn {
    fn set_string_at(&mut self, x: u16, y: u16, text: &str, style: ratatui::style::Style) -> u16;
}

impl WriteOn for Buffer {
    fn set_string_at(&mut self, x: u16, y: u16, text: &str, style: ratatui::style::Style) -> u16 {
        self.set_stringn(x, y, text, usize::from(self.area.right().saturating_sub(x)), style).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_classes_are_all_shown_and_many_by_their_first_five() {
        assert_eq!(classes(&[0.1; 10], None, 10), (0..10).collect::<Vec<_>>());
        let mut before = vec![0.0; 1000];
        (0..5).for_each(|i| before[i * 10] = 0.5 - i as f32 * 0.05);
        let mut after = vec![0.0; 1000];
        after[777] = 0.9;
        let shown = classes(&before, Some(&after), 10);
        assert_eq!(shown[0], 777);
        assert!((0..5).all(|i| shown.contains(&(i * 10))), "{shown:?}");
        assert_eq!(classes(&before, Some(&after), 2), [777, 0]);
    }
}
