//! Numbers of a result: norms of the change, similarity of the images, whether the attack survives
//! saving, and what it cost.

use crate::tui::session::{Session, by_queries};
use crate::tui::widgets::panel::panel;
use crate::tui::widgets::text::{columns, short, shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Draws the figures.
pub fn draw(session: &Session, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let theme = &session.theme;
    let heading = Line::styled("metrics", theme.title);
    let inner = panel(
        heading,
        Line::styled(format!("n = 1, seed {}", session.plan.seed), theme.dim),
        area,
        theme,
        buf,
    );
    let Some((run, live)) = session.display() else { return };
    let Some(report) = run.report.as_ref().filter(|_| !live) else { return };
    let (n, s, cost) = (&report.norms, &report.similarity, &report.cost);
    let number = if session.faded() { theme.dim } else { theme.base };
    let survives = |yes: bool| match (report.reached, yes) {
        _ if session.faded() => (if yes { "✓ yes" } else { "✗ no" }, theme.dim),
        (false, _) => ("–", theme.dim),
        // Beyond ε nothing was fooled: neither is good or bad.
        (true, yes) if report.is_beyond() => (if yes { "✓ yes" } else { "✗ no" }, number),
        (true, true) => ("✓ yes", theme.fooled),
        (true, false) => ("✗ no", theme.right),
    };
    let decibel = match s.psnr.is_finite() {
        true => format!("{:.1} dB", s.psnr),
        false => "∞ dB".into(),
    };
    let (eight, jpeg) = (survives(s.survives_8_bit), survives(s.survives_jpeg));
    let passes = format!("{}, {}", cost.forward, cost.backward);
    let rows: Vec<(&str, String, Style)> = vec![
        ("L∞ largest change", short(n.linf), number),
        ("L2 length", short(n.l2), number),
        ("L1 sum", short(n.l1), number),
        ("L0 changed", format!("{} ({:.0} %)", n.l0, s.changed * 100.0), number),
        ("PSNR", decibel, number),
        ("SSIM", format!("{:.3}", s.ssim), number),
        ("survives 8 bit (PNG)", eight.0.into(), eight.1),
        ("survives JPEG 90", jpeg.0.into(), jpeg.1),
        match by_queries(run.job.plan.attack) {
            true => ("queries", run.queries().max(report.queries).to_string(), number),
            false => ("passes fwd, back", passes, number),
        },
        ("time", time(cost.seconds), number),
    ];
    let width = inner.width.min(44);
    let notes: Vec<String> =
        report.notes.iter().flat_map(|note| wrap(note, width.into())).collect();
    let lines = 2 * rows.len() + notes.len();
    let spacing = if usize::from(inner.height) >= lines { 2 } else { 1 };
    let below = inner.y + (rows.len() * spacing) as u16 + u16::from(spacing == 1);
    for (note, y) in notes.iter().zip(below..inner.bottom()) {
        buf.set_string(inner.x, y, note, theme.dim);
    }
    for ((name, value, style), y) in
        rows.into_iter().zip((inner.y..inner.bottom()).step_by(spacing))
    {
        let room = usize::from(width).saturating_sub(columns(&value) + 1);
        let brief = name.strip_prefix("passes ").unwrap_or(name);
        let name = if columns(name) > room { brief } else { name };
        buf.set_stringn(inner.x, y, shorten(name, room), room, theme.dim);
        let x = inner.x + width.saturating_sub(columns(&value) as u16);
        buf.set_string(x, y, value, style);
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        ..1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.1} s"),
    }
}
