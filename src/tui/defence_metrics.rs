//! What a defence is worth by itself: the certificate of a sample, and the curve of a detector.

use super::app::{App, Effect, Source};
use super::dialogs::Overlay;
use crate::defence::{DEFENCES, DefenceSpec, DefenceStack, Stance};
use crate::engine::{DefenceMetricsJob, JobId, Request};
use crate::experiment::{CertifyReport, RocReport};
use std::sync::Arc;

/// How many noisy copies a certificate can be computed from.
pub const COPIES: [u64; 6] = [100, 300, 1000, 3000, 10_000, 30_000];

/// The σ that can be certified with, in pixel units.
pub const SIGMAS: [f64; 4] = [0.12, 0.25, 0.5, 1.0];

/// How many samples a detector's curve can be traced on.
pub const COUNTS: [usize; 4] = [50, 100, 200, 500];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// The certificate of the sample on the screen.
    Certificate,
    /// The curve of a detector.
    Detector,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum MetricReport {
    /// A certificate.
    Certificate(Arc<CertifyReport>),
    /// A detector's curve.
    Curve(Arc<RocReport>),
}

/// How it is measured, and what came of it.
#[derive(Clone, Debug)]
pub struct DefenceMetrics {
    /// The number of what is asked for.
    pub id: Option<JobId>,
    /// What came of it; none before.
    pub found: Option<MetricReport>,
    /// How far it is, in percent.
    pub percent: usize,
    /// The seconds that are left; none where nobody can tell.
    pub left: Option<f64>,
    /// Index into [`COPIES`].
    pub copies: usize,
    /// Index into [`SIGMAS`].
    pub sigma: usize,
    /// Index into [`COUNTS`].
    pub count: usize,
    /// Index into [`detectors`].
    pub detector: usize,
    /// How much of the detector the attack knows.
    pub stance: Stance,
}

impl Default for DefenceMetrics {
    fn default() -> Self {
        Self {
            id: None,
            found: None,
            percent: 0,
            left: None,
            copies: 2,
            sigma: 1,
            count: 1,
            detector: 0,
            stance: Stance::Adaptive,
        }
    }
}

impl DefenceMetrics {
    /// Whether something is asked for and not yet there.
    pub fn running(&self) -> bool {
        self.id.is_some() && self.found.is_none()
    }
}

/// The defences that detect.
pub fn detectors() -> Vec<&'static DefenceSpec> {
    DEFENCES.iter().filter(|row| row.family == "detection").collect()
}

/// The window that is open, if one is.
fn which(app: &App) -> Option<MetricKind> {
    match app.overlays.last() {
        Some(Overlay::DefenceMetrics(which)) => Some(*which),
        _ => None,
    }
}

/// Opens a window and begins to measure.
pub fn open(app: &mut App, which: MetricKind) -> Vec<Effect> {
    if !matches!(app.source, Some(Source::Set(_))) {
        app.say("that takes the pictures of a data set: D chooses one".into(), false);
        return Vec::new();
    }
    app.overlays.push(Overlay::DefenceMetrics(which));
    measure(app, which)
}

fn measure(app: &mut App, which: MetricKind) -> Vec<Effect> {
    let defence_metrics = &mut app.defence_metrics;
    (defence_metrics.id, defence_metrics.found, defence_metrics.percent, defence_metrics.left) =
        (None, None, 0, None);
    let job = job(app, which);
    job.map(|job| Effect::Request(Request::DefenceMetrics(Arc::new(job)))).into_iter().collect()
}

fn job(app: &App, which: MetricKind) -> Option<DefenceMetricsJob> {
    let Some(Source::Set(dataset)) = app.source.as_ref().filter(|_| app.ready()) else {
        return None;
    };
    let (defence_metrics, dataset) = (&app.defence_metrics, dataset.clone());
    Some(match which {
        MetricKind::Certificate => DefenceMetricsJob::Certify {
            dataset,
            index: app.sample,
            sigma: SIGMAS[defence_metrics.sigma],
            n: COPIES[defence_metrics.copies],
            seed: app.plan.seed,
        },
        MetricKind::Detector => DefenceMetricsJob::Roc {
            stack: DefenceStack::of(detectors().get(defence_metrics.detector)?),
            stance: defence_metrics.stance,
            draws: app.draws,
            n: samples(app),
            dataset,
            plan: app.plan.clone(),
        },
    })
}

/// On how many samples a detector's curve is traced.
pub fn samples(app: &App) -> usize {
    let there = match &app.source {
        Some(Source::Set(set)) => set.len(),
        _ => 0,
    };
    COUNTS[app.defence_metrics.count].min(there)
}

fn step(at: &mut usize, by: isize, len: usize) -> bool {
    let new = at.saturating_add_signed(by).min(len - 1);
    std::mem::replace(at, new) != new
}

/// More or fewer copies, or samples.
pub fn nudge(app: &mut App, by: isize) -> Vec<Effect> {
    let Some(which) = which(app) else { return Vec::new() };
    let changed = match which {
        MetricKind::Certificate => step(&mut app.defence_metrics.copies, by, COPIES.len()),
        MetricKind::Detector => step(&mut app.defence_metrics.count, by, COUNTS.len()),
    };
    if changed { measure(app, which) } else { Vec::new() }
}

/// Another σ, or another detector.
pub fn turn(app: &mut App, by: isize) -> Vec<Effect> {
    let Some(which) = which(app) else { return Vec::new() };
    let changed = match which {
        MetricKind::Certificate => step(&mut app.defence_metrics.sigma, by, SIGMAS.len()),
        MetricKind::Detector => step(&mut app.defence_metrics.detector, by, detectors().len()),
    };
    if changed { measure(app, which) } else { Vec::new() }
}

/// Lets the attack know the detector, or not.
pub fn turn_stance(app: &mut App) -> Vec<Effect> {
    if which(app) != Some(MetricKind::Detector) {
        return Vec::new();
    }
    let naive = app.defence_metrics.stance == Stance::Naive;
    app.defence_metrics.stance = if naive { Stance::Adaptive } else { Stance::Naive };
    measure(app, MetricKind::Detector)
}

/// Closes the window.
pub fn close(app: &mut App) -> Vec<Effect> {
    app.overlays.pop();
    let running = app.defence_metrics.running();
    app.defence_metrics.id = None;
    let mut effects = Vec::new();
    if running {
        effects.push(Effect::Request(Request::Cancel));
    }
    effects.extend(app.refresh());
    effects
}

/// It is asked for under this number.
pub fn sent(app: &mut App, id: JobId) {
    app.defence_metrics.id = Some(id);
}

/// So much is done, and so many seconds are left.
pub fn progress(app: &mut App, id: JobId, percent: usize, left: Option<f64>) {
    if app.defence_metrics.id == Some(id) {
        (app.defence_metrics.percent, app.defence_metrics.left) = (percent, left);
    }
}

/// It is there.
pub fn found(app: &mut App, id: JobId, found: MetricReport) {
    if app.defence_metrics.id == Some(id) {
        app.defence_metrics.found = Some(found);
    }
}

/// It ended before its end.
pub fn give_up(app: &mut App, id: JobId) {
    if app.defence_metrics.running() && app.defence_metrics.id == Some(id) {
        app.defence_metrics.id = None;
        app.overlays.retain(|overlay| !matches!(overlay, Overlay::DefenceMetrics(_)));
    }
}
