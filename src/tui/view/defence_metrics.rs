//! The windows of what a defence is worth by itself: a certificate beside what an attack found, and
//! the curve of a detector.

use super::wording;
use crate::attack::{self, Norm};
use crate::experiment::{CertifyReport, RocReport, Share, radius, short_distance_text};
use crate::tui::app::App;
use crate::tui::defence_metrics::{self, COPIES, MetricKind, MetricReport, SIGMAS, detectors};
use crate::tui::widgets::panel::window;
use crate::tui::widgets::text::{shorten, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line as Segment};

/// The rows that the windows ask for.
pub const HEIGHT: u16 = 22;

/// Lines from the top of a window down.
struct TextPage<'a> {
    inner: Rect,
    y: u16,
    buf: &'a mut Buffer,
}

impl TextPage<'_> {
    fn line(&mut self, text: &str, style: Style) {
        if self.y < self.inner.bottom() {
            let width = usize::from(self.inner.width);
            self.buf.set_stringn(self.inner.x, self.y, shorten(text, width), width, style);
        }
        self.y += 1;
    }

    fn text(&mut self, text: &str, style: Style) {
        for line in wrap(text, self.inner.width.into()) {
            self.line(&line, style);
        }
    }
}

/// Draws a window.
pub fn draw(app: &App, which: MetricKind, place: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let heading = match which {
        MetricKind::Certificate => {
            let name = app.current_sample().map_or(String::new(), |sample| sample.name);
            format!("Certified by randomised smoothing: {name}")
        }
        MetricKind::Detector => {
            let name = detectors().get(app.defence_metrics.detector).map_or("", |row| row.name);
            format!("Detector: {name}, {} attack", app.defence_metrics.stance)
        }
    };
    let inner = window(&heading, place, theme, buf);
    let mut page = TextPage { inner, y: inner.y, buf };
    page.line(&asked(app, which), theme.accent);
    page.y += 1;
    match &app.defence_metrics.found {
        Some(MetricReport::Certificate(report)) => certificate(app, report, &mut page),
        Some(MetricReport::Curve(report)) => curve(app, report, &mut page),
        None => {
            let (percent, left) =
                (app.defence_metrics.percent, wording::time_left(app.defence_metrics.left));
            page.line(&format!("● {percent} %{}, {left}", at_work(app, which)), theme.accent)
        }
    }
}

/// What is being done.
fn at_work(app: &App, which: MetricKind) -> &'static str {
    match which {
        // The certificate is the first half of the work.
        MetricKind::Certificate if app.defence_metrics.percent < 50 => "  the noisy copies vote",
        MetricKind::Certificate => "  an attack tries one L2 distance after the other",
        MetricKind::Detector => "",
    }
}

/// How it is measured, and the keys that change it.
fn asked(app: &App, which: MetricKind) -> String {
    let seed = app.plan.seed;
    match which {
        MetricKind::Certificate => format!(
            "◂ n = {} noisy copies ▸   ↑↓ σ = {}   seed {seed}",
            COPIES[app.defence_metrics.copies], SIGMAS[app.defence_metrics.sigma]
        ),
        MetricKind::Detector => {
            let size = wording::epsilon_short(app.plan.norm, app.plan.epsilon);
            let (n, attack) = (defence_metrics::samples(app), wording::attack(&app.plan));
            format!("◂ n = {n} samples ▸   ↑↓ detector   v stance   {attack} ε {size}, seed {seed}")
        }
    }
}

/// A certificate: what is proven, and what was broken, on one axis.
fn certificate(app: &App, report: &CertifyReport, page: &mut TextPage<'_>) {
    let theme = &app.theme;
    let Some(row) = report.rows.first() else { return };
    let proof = &row.certificate;
    let labels = app.model.as_ref().map(|model| model.labels.clone()).unwrap_or_default();
    let name = |label: usize| labels.get(label).map_or("?", String::as_str).to_string();
    let (words, style) = match proof.label {
        None => ("? abstains: the vote is too close for a certificate".into(), theme.fooled),
        Some(label) if label == row.truth => (format!("✓ {}", name(label)), theme.right),
        Some(label) => (format!("✗ {} instead of {}", name(label), name(row.truth)), theme.fooled),
    };
    page.line(&words, style);
    let (hits, n, least, alpha) = (proof.hits, proof.n, proof.least, report.alpha);
    page.line(
        &format!("{hits} of {n} votes: p ≥ {least:.4} (Clopper-Pearson, α = {alpha})"),
        theme.base,
    );
    page.line(&format!("answered by {}", report.network), theme.dim);
    page.y += 1;
    let last = report.tried.last().copied().unwrap_or(1.0);
    let far = row.broken_at.unwrap_or(last).max(proof.radius) * 1.1;
    let right = proof.label == Some(row.truth);
    page.line("distance from the picture in L2, pixel units", theme.strong);
    bar(
        page,
        "certified",
        (proof.radius, far),
        "█",
        (&format!("{:.3}", proof.radius), theme.right),
    );
    match row.broken_at {
        Some(at) => {
            let found = format!("✗ at {}", short_distance_text(Norm::L2, at));
            bar(page, "empirical", (at, far), "━", (&found, theme.fooled));
        }
        None if right => {
            let found = format!("held to {last}");
            bar(page, "empirical", (last, far), "━", (&found, theme.right));
        }
        None => page.line("empirical  not attacked: there is no right answer to turn", theme.dim),
    }
    page.y += 1;
    let sure = |n: u64| radius(n as usize, n as usize, report.alpha, report.sigma).1;
    let best = [100, 1000, 10_000].map(|n| format!("{:.2} for {n}", sure(n).unwrap_or_default()));
    page.text(
        &format!(
            "No change shorter than the certified radius changes the answer, whatever the attack; \
             more copies prove more: at σ = {} at most {}.",
            report.sigma,
            best.join(", "),
        ),
        theme.dim,
    );
    let attack = attack::find(report.attack).map_or(report.attack, |spec| spec.name);
    page.text(
        &format!(
            "Where it says ✗, {attack} in L2 (EOT over {} draws) was seen to change it. The truth lies \
             between. n₀ = {}, seed {}.",
            report.draws, report.n0, report.seed
        ),
        theme.dim,
    );
}

/// A bar with its name before it and a number behind it.
fn bar(
    page: &mut TextPage<'_>,
    name: &str,
    (at, far): (f64, f64),
    sign: &str,
    (said, style): (&str, Style),
) {
    const NAMES: u16 = 11;
    let room = page.inner.width.saturating_sub(NAMES + 12);
    let length = (f64::from(room) * at / far).round() as usize;
    let y = page.y;
    page.line(name, Style::default());
    if y < page.inner.bottom() {
        let text = format!("{} {said}", sign.repeat(length));
        page.buf.set_string(page.inner.x + NAMES, y, text.trim_start(), style);
    }
}

/// A detector's curve beside its figures.
fn curve(app: &App, report: &RocReport, page: &mut TextPage<'_>) {
    let theme = &app.theme;
    let wide = (page.inner.width * 11 / 20).min(56);
    let below = page.inner.bottom().saturating_sub(page.y);
    let place = Rect { x: page.inner.x, y: page.y, width: wide, height: below.saturating_sub(2) };
    let colour = |style: Style| style.fg.unwrap_or_default();
    let (curve, chance) = (colour(theme.right), colour(theme.rule));
    Canvas::default()
        .marker(Marker::Braille)
        .background_color(theme.base.bg.unwrap_or_default())
        .x_bounds([0.0, 1.0])
        .y_bounds([0.0, 1.0])
        .paint(|context| {
            context.draw(&Segment { x1: 0.0, y1: 0.0, x2: 1.0, y2: 1.0, color: chance });
            for pair in report.points.windows(2) {
                let ([x1, y1], [x2, y2]) = ([pair[0].fpr, pair[0].tpr], [pair[1].fpr, pair[1].tpr]);
                context.draw(&Segment { x1, y1, x2, y2, color: curve });
            }
            let (x, y) = (report.false_positives.value, report.detected.value);
            context.print(x, y, Line::styled("◆", theme.accent));
        })
        .render(place, page.buf);
    let under = Line::styled("0 %  of clean pictures refused  100 %", theme.dim);
    page.buf.set_line(place.x, place.bottom(), &under, wide);
    page.inner.x += wide + 2;
    page.inner.width = page.inner.width.saturating_sub(wide + 2);
    let share = |page: &mut TextPage<'_>, name: &str, share: &Share, style: Style| {
        let [low, high] = share.interval.map(|end| end * 100.0);
        page.line(&format!("{:.1} % {name}", share.value * 100.0), style);
        let (hits, n) = (share.hits, share.n);
        page.line(&format!("  {hits} of {n}, {low:.0}–{high:.0} %"), theme.dim);
    };
    let evades = if report.evaded.value >= 0.5 { theme.fooled } else { theme.right };
    share(page, "of clean ones refused", &report.false_positives, theme.base);
    share(page, "turned by the attack", &report.turned, theme.base);
    share(page, "of those refused", &report.detected, theme.right);
    share(page, "turned and not refused", &report.evaded, evades);
    page.line(&format!("{:.3} area under the curve", report.auc), theme.base);
    page.y += 1;
    page.text(&format!("◆ threshold {:.4}: {}", report.threshold, report.basis), theme.dim);
}
