//! The evaluation lamps on the screen: what keys and mouse do about them, and how they look.

use crate::fake::{self, press, send};
use crate::snapshots::{render, text};
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use epsiloscope::defence::Stance;
use epsiloscope::engine::{CheckJob, DefenceRef, Request, Update};
use epsiloscope::metrics::checks::{CheckStatus, Evidence, GradientTest, Probe, RestartHistory};
use epsiloscope::parameter::Value;
use epsiloscope::tui::action::Action::ToggleStance;
use epsiloscope::tui::app::App;

use epsiloscope::tui::screen::Screen;
use epsiloscope::tui::screens::checks::{self, Checks};
use epsiloscope::tui::screens::explore::Explore;
use epsiloscope::tui::session::{CheckSummary, Effect};
use epsiloscope::tui::theme::ThemeKind;
use epsiloscope::tui::widgets::panel::window_place;
use ratatui::layout::Rect;
use std::sync::Arc;

fn app() -> App {
    fake::app(ThemeKind::Dark, (120, 36))
}

fn lamp(app: &App, id: &str) -> CheckSummary {
    app.session
        .check_summaries()
        .into_iter()
        .find(|summary| summary.check.id == id)
        .expect("a lamp for one picture")
}

/// Opens the list and puts the cursor on this lamp.
fn go(app: &mut App, id: &str) {
    let at = app
        .session
        .check_summaries()
        .iter()
        .position(|summary| summary.check.id == id)
        .expect("a lamp");
    fake::close_all(app);
    app.act(checks::OPEN);
    app.get_mut::<Checks>().expect("the list").at = at;
}

/// The row under the cursor of the list, while that is open.
fn cursor(app: &App) -> Option<usize> {
    app.get::<Checks>().map(|list| list.at).filter(|_| app.stack() == ["checks"])
}

fn asked(effects: &[Effect]) -> Option<Arc<CheckJob>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Request(Request::Checks(job)) => Some(job.clone()),
        _ => None,
    })
}

/// What the attack on the bare network is known to have done, changed.
fn bare(app: &App, change: impl FnOnce(&mut Evidence)) -> Update {
    let run = app.session.shown.as_ref().expect("a run");
    let mut evidence = run.report.as_ref().expect("a report").checks.clone();
    change(&mut evidence);
    Update::CheckEvidence(run.id, None, Arc::new(evidence))
}

/// A failed attack that was still climbing.
fn climbing(app: &mut App) {
    let run = app.session.shown.as_mut().expect("a run");
    let mut report = epsiloscope::experiment::Report::clone(run.report.as_ref().expect("a report"));
    (report.success, report.reached, report.checks.reached) = (false, false, false);
    let losses: Vec<f32> = (0..=40).map(|i| i as f32).collect();
    report.checks.histories = vec![RestartHistory::new(&losses, &[1.0], false)];
    report.checks.success = false;
    run.report = Some(Arc::new(report));
}

#[test]
fn the_list_opens_at_the_worst_and_enter_cures_it() {
    let mut app = app();
    let stance = lamp(&app, "stance");
    assert_eq!(stance.status(), CheckStatus::Red);
    assert!(stance.reason().contains("naive: the attack does not know"), "{}", stance.reason());
    press(&mut app, "w");
    assert_eq!(cursor(&app), Some(0));
    press(&mut app, "\n");
    assert_eq!(app.session.stance, Stance::Adaptive);
    assert_eq!(lamp(&app, "stance").status(), CheckStatus::Green);
    press(&mut app, "w");
    assert!(app.stack().is_empty());
    climbing(&mut app);
    go(&mut app, "converged");
    let effects = press(&mut app, "\n");
    assert_eq!(app.session.plan.settings.get("steps"), Value::Int(160));
    assert!(effects.iter().any(|e| matches!(e, Effect::Request(Request::Run(_)))));
    // What is cured by nothing says so.
    go(&mut app, "draws");
    press(&mut app, "\n");
    assert!(app.session.messages.last().expect("a message").text.contains("nothing to say"));
}

#[test]
fn the_model_is_asked_and_the_answer_is_shown() {
    let mut app = app();
    go(&mut app, "gradient-path");
    assert_eq!(lamp(&app, "gradient-path").status(), CheckStatus::Unlit);
    let effects = press(&mut app, "\n");
    let job = asked(&effects).expect("a question");
    assert_eq!((job.probes.as_slice(), job.rows.len()), (&[Probe::Path][..], 4));
    assert!(job.rows.iter().all(|row| row.stance == Stance::Naive));
    send(&mut app, &mut 100, effects);
    assert!(app.session.busy);
    assert_eq!(asked(&press(&mut app, "L")).map(|job| job.run), None, "one question at a time");
    let path = GradientTest { cosine: 0.2, directions: 16, dead: false, moves: true };
    app.on_update(bare(&app, |evidence| evidence.probes.path = Some(path)));
    assert_eq!(lamp(&app, "gradient-path").status(), CheckStatus::Amber);
    app.on_update(Update::Done(101));
    assert!(!app.session.busy);
    // Of a defence: the row under its stance learns it, ε stays as it was judged.
    let run = app.session.shown.as_ref().expect("a run");
    let row = run.rows.iter().find(|row| row.stance == Stance::Adaptive).expect("a row").clone();
    let mut evidence = row.checks.clone();
    (evidence.success, evidence.probes.path) = (!row.checks.success, Some(path));
    app.on_update(Update::CheckEvidence(run.id, Some(DefenceRef::new(&row)), Arc::new(evidence)));
    let run = app.session.shown.as_ref().expect("a run");
    let now =
        run.rows.iter().find(|other| DefenceRef::new(other) == DefenceRef::new(&row)).expect("it");
    assert_eq!((now.checks.success, now.checks.probes.path), (row.checks.success, Some(path)));
    // A stale answer changes nothing.
    let stale = Arc::new(run.report.as_ref().expect("a report").checks.clone());
    app.on_update(Update::CheckEvidence(999, None, stale));
    assert_eq!(lamp(&app, "gradient-path").status(), CheckStatus::Amber);
}

#[test]
fn a_question_waits_for_the_run_and_ends_when_it_is_cut_short() {
    let mut app = app();
    let id = app.session.shown.as_ref().expect("a run").id;
    app.session.shown.as_mut().expect("a run").done = false;
    press(&mut app, "w");
    assert!(asked(&press(&mut app, "L")).is_none() && app.session.pending_checks.is_some());
    let effects = app.on_update(Update::Done(id));
    assert!(asked(&effects).expect("the question").probes.is_empty());
    send(&mut app, &mut 100, effects);
    app.on_update(Update::Cancelled(101));
    assert!(app.session.pending_checks.is_none());
}

#[test]
fn the_mouse_opens_the_list_and_chooses() {
    for size in [(120, 36), (80, 24)] {
        let mut app = fake::app(ThemeKind::Dark, size);
        let explore = app.get::<Explore>().expect("the screen");
        let at = explore.layout(&app.session).checks;
        let click = |app: &mut App, column: u16, row: u16| {
            let kind = MouseEventKind::Down(MouseButton::Left);
            app.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        };
        click(&mut app, at.x + 2, at.y);
        assert!(cursor(&app).is_some(), "the list at {size:?}");
        let wanted = app.get::<Checks>().and_then(|list| list.window(&app.session));
        let place = window_place(wanted.expect("a window"), Rect::new(0, 0, size.0, size.1));
        click(&mut app, place.x + 4, place.y + 3);
        assert_eq!(cursor(&app), Some(2));
    }
}

#[test]
fn the_list_in_three_sizes_and_what_a_row_says() {
    for (kind, size, name) in [
        (ThemeKind::Dark, (120, 36), "lamps_120x36"),
        (ThemeKind::Dark, (80, 24), "lamps_80x24"),
        (ThemeKind::Dark, (60, 18), "lamps_60x18"),
        (ThemeKind::Mono, (160, 48), "lamps_160x48_mono"),
    ] {
        let mut app = fake::app(kind, size);
        app.act(checks::OPEN);
        insta::assert_snapshot!(name, text(&render(&app)));
    }
    let mut app = app();
    let row = |app: &App| -> String {
        let shown = text(&render(app));
        shown.lines().find(|line| line.contains("checks  w")).expect("a row").to_string()
    };
    assert!(row(&app).contains("✗ stance") && row(&app).contains("does not know the defence"));
    app.act(ToggleStance);
    assert!(row(&app).contains("● stance") && row(&app).contains("● converged"), "{}", row(&app));
    climbing(&mut app);
    assert!(row(&app).contains("✗ converged"), "{}", row(&app));
    let small = text(&render(&fake::app(ThemeKind::Mono, (80, 24))));
    assert!(small.contains("w ✗1 ◐0 ●"), "{small}");
}
