//! How a certificate is drawn: what is proven, and what an attack broke, on one axis.

use crate::attack::{self, Norm};
use crate::experiment::{CertifyReport, radius, short_distance_text};
use crate::tui::session::Session;
use crate::tui::widgets::page::TextPage;
use ratatui::style::Style;

/// A certificate: what is proven, and what was broken, on one axis.
pub fn draw(session: &Session, report: &CertifyReport, page: &mut TextPage<'_>) {
    let theme = &session.theme;
    let Some(row) = report.rows.first() else { return };
    let proof = &row.certificate;
    let labels = session.model.as_ref().map(|model| model.labels.clone()).unwrap_or_default();
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
    page.line("distance from the image in L2, pixel units", theme.strong);
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
