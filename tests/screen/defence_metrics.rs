//! Certificates and detectors on the screen.

use crate::fake::{self, press, send};
use crate::snapshots::{render, text};
use epsiloscope::attack::Norm;
use epsiloscope::defence::Stance;
use epsiloscope::engine::{DefenceMetricsJob, JobId, Request, Update};
use epsiloscope::experiment::{
    AttackCost, Certificate, CertifiedRow, CertifyReport, RocPoint, RocReport, Share, radius,
};
use epsiloscope::parameter::Settings;
use epsiloscope::tui::app::App;
use epsiloscope::tui::session::Effect;
use epsiloscope::tui::theme::ThemeKind;
use std::sync::Arc;

fn share(hits: usize, n: usize) -> Share {
    let value = hits as f64 / n as f64;
    Share { value, interval: [value * 0.9, (value * 1.1).min(1.0)], hits, n }
}

fn certified(n: u64, sigma: f64, label: Option<usize>) -> Update {
    let hits = if label.is_some() { n as usize } else { n as usize / 2 };
    let (least, proven) = radius(hits, n as usize, 0.001, sigma);
    let radius = proven.unwrap_or(0.0);
    let certificate = Certificate { label, hits, n: n as usize, least, radius };
    let broken_at = label.map(|_| 2.0);
    let report = CertifyReport {
        version: 1,
        model: "mnist-cnn".into(),
        network: "mnist-gaussian".into(),
        defence: "smoothing".into(),
        sigma,
        n0: 100,
        n,
        alpha: 0.001,
        seed: 0,
        dataset: "mnist".into(),
        attack: "pgd",
        parameters: Settings::default(),
        draws: 20,
        tried: vec![0.25, 8.0],
        rows: vec![CertifiedRow { index: 0, truth: 7, certificate, broken_at }],
        clean: share(1, 1),
        abstained: share(0, 1),
        within: Vec::new(),
        device: fake::device(),
        cost: AttackCost::default(),
    };
    Update::Certified(50, Arc::new(report))
}

fn traced() -> Update {
    let point = |(threshold, fpr, tpr)| RocPoint { threshold, fpr, tpr };
    let points = [(Some(1.9), 0.0, 0.0), (Some(0.5), 0.05, 0.8), (None, 1.0, 1.0)].map(point);
    let report = RocReport {
        hints: Vec::new(),
        version: 1,
        model: "mnist-cnn".into(),
        defence: "squeeze".into(),
        stance: Stance::Adaptive,
        draws: None,
        attack: "pgd",
        norm: Norm::Linf,
        parameters: Settings::default(),
        epsilon: Some(0.3),
        seed: 0,
        dataset: "mnist".into(),
        first: 0,
        n: 100,
        left_out: 0,
        threshold: 0.5,
        basis: "50 of 1000 samples of mnist (one in 10) exceed it".into(),
        false_positives: share(5, 90),
        turned: share(95, 100),
        detected: share(76, 95),
        evaded: share(19, 100),
        auc: 0.875,
        points: points.to_vec(),
        device: fake::device(),
        cost: AttackCost::default(),
    };
    Update::RocTraced(50, Arc::new(report))
}

/// What was asked for, sent as number 50.
fn asked(app: &mut App, effects: Vec<Effect>) -> Option<Arc<DefenceMetricsJob>> {
    let job = effects.iter().find_map(|effect| match effect {
        Effect::Request(Request::DefenceMetrics(job)) => Some(job.clone()),
        _ => None,
    });
    let mut next: JobId = 49;
    send(app, &mut next, effects);
    job
}

#[test]
fn a_certificate_stands_beside_what_was_broken() {
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let effects = press(&mut app, "C");
    let job = asked(&mut app, effects).expect("a certificate");
    let DefenceMetricsJob::Certify { index: 0, sigma: 0.25, n: 1000, seed: 0, .. } = &*job else {
        panic!("{job:?}")
    };
    app.on_update(Update::Progress(50, 40, 100, Some(75.0)));
    assert!(text(&render(&app)).contains("● 40 %"));
    assert!(text(&render(&app)).contains("1 min 15 s left"));
    app.on_update(Update::Progress(50, 41, 100, None));
    assert!(text(&render(&app)).contains("time left unknown"));
    app.on_update(certified(1000, 0.25, Some(7)));
    insta::assert_snapshot!("certificate_120x36", text(&render(&app)));
    // More copies, more noise: asked again, and what was there is gone.
    let effects = press(&mut app, "→");
    let job = asked(&mut app, effects).expect("another certificate");
    assert!(matches!(&*job, DefenceMetricsJob::Certify { n: 3000, .. }));
    assert!(!text(&render(&app)).contains("0.616"));
    let effects = press(&mut app, "↓");
    let job = asked(&mut app, effects).expect("another certificate");
    assert!(matches!(&*job, DefenceMetricsJob::Certify { n: 3000, sigma: 0.5, .. }));
    app.on_update(certified(3000, 0.5, None));
    let screen = text(&render(&app));
    assert!(screen.contains("? abstains") && screen.contains("not attacked"), "{screen}");
    assert!(press(&mut app, "v").is_empty(), "there is no stance to turn");
    press(&mut app, "\u{1b}");
    assert!(app.stack().is_empty());
}

#[test]
fn a_detector_has_its_curve_and_its_figures() {
    let mut app = fake::app(ThemeKind::Dark, (120, 36));
    let effects = press(&mut app, "O");
    let job = asked(&mut app, effects).expect("a curve");
    let DefenceMetricsJob::Roc { stack, stance, n, .. } = &*job else { panic!("{job:?}") };
    assert_eq!((stack.text().as_str(), *stance, *n), ("squeeze", Stance::Adaptive, 30));
    app.on_update(traced());
    insta::assert_snapshot!("detector_120x36", text(&render(&app)));
    app.session.size = (80, 24);
    insta::assert_snapshot!("detector_80x24", text(&render(&app)));
    let effects = press(&mut app, "v");
    let job = asked(&mut app, effects).expect("another curve");
    assert!(matches!(&*job, DefenceMetricsJob::Roc { stance: Stance::Naive, .. }));
    let effects = press(&mut app, "↓");
    let job = asked(&mut app, effects).expect("another curve");
    assert!(matches!(&*job, DefenceMetricsJob::Roc { stack, .. } if stack.text() == "variance"));
    // Closed before it is there: it is stopped.
    let effects = press(&mut app, "\u{1b}");
    assert!(effects.iter().any(|e| matches!(e, Effect::Request(Request::Cancel))));
}
