//! A worker made up for what is not a plain run: races, the search for the least ε, transfer.

use crate::fake;
use epsiloscope::attack::{ATTACKS, TargetChoice};
use epsiloscope::defence::EOT_DRAWS;
use epsiloscope::engine::{
    DeviceChoice, Engine, JobId, RaceJob, Request, RunJob, TransferJob, Update,
};
use epsiloscope::experiment::{AttackCost, MinimumEpsilon, Report, Share, TransferReport};
use epsiloscope::parameter::Value;
use epsiloscope::tui::action::Action;
use epsiloscope::tui::app::App;
use epsiloscope::tui::screens::{attack_parameters, minimum_epsilon, transfer};
use epsiloscope::tui::session::{Effect, PATIENCE};
use epsiloscope::tui::theme::ThemeKind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// What a worker would say to a race: each lane's course, and its result unless it is still going on.
pub fn race(id: JobId, job: &RaceJob, open: &[usize]) -> Vec<Update> {
    let mut out = vec![Update::Started(id)];
    for (lane, plan) in job.plans.iter().enumerate() {
        let run = RunJob {
            sample: job.sample.clone(),
            plan: plan.clone(),
            surrogate: None,
            defences: Vec::new(),
            draws: EOT_DRAWS,
        };
        let going = open.contains(&lane);
        let mut steps = 0;
        for update in fake::answers(id, &run) {
            match update {
                Update::Clean(_, clean) if lane == 0 => out.push(Update::Clean(id, clean)),
                Update::Step(_, point, expected) if !going || steps < 12 => {
                    steps += 1;
                    out.push(Update::LaneStep(id, lane, point, expected));
                }
                Update::Finished(_, report) if !going => {
                    let worked = Duration::from_millis(40 + 30 * lane as u64);
                    out.push(Update::LaneFinished(id, lane, Ok(report), worked));
                }
                _ => {}
            }
        }
    }
    if open.is_empty() {
        out.push(Update::Done(id));
    }
    out
}

/// A dashboard with a race on it; the lanes `open` are still going on.
pub fn racing(theme: ThemeKind, size: (u16, u16), ids: &[&str], open: &[usize]) -> App {
    let mut app = fake::app(theme, size);
    fake::choose_attack(&mut app, fake::attack(ids[0]));
    fake::press(&mut app, "A");
    for id in &ids[1..] {
        fake::press(&mut app, fake::attack(id).name);
        fake::press(&mut app, " ");
    }
    let mut next = 30;
    for effect in fake::press(&mut app, "\n") {
        if let Effect::Request(request) = effect {
            next += 1;
            app.on_sent(next, &request);
            if let Request::Race(job) = request {
                race(next, &job, open).into_iter().for_each(|update| drop(app.on_update(update)));
            }
        }
    }
    app
}

/// The result that a run would have.
fn report(id: JobId, job: &RunJob) -> Arc<Report> {
    let mut said = fake::answers(id, job).into_iter();
    let found = said.find_map(|update| match update {
        Update::Finished(_, report) => Some(report),
        _ => None,
    });
    found.expect("every run has a result")
}

/// Sends the one request that is no plain run; answers with its number and the request.
fn sent(app: &mut App, effects: Vec<Effect>) -> (JobId, Request) {
    let id = 40;
    let request = effects.into_iter().find_map(|effect| match effect {
        Effect::Request(request) => Some(request),
        _ => None,
    });
    let request = request.expect("a request");
    app.on_sent(id, &request);
    (id, request)
}

/// A dashboard that looks for the least ε: four tries are over, the fifth is going on.
pub fn searching(theme: ThemeKind, size: (u16, u16)) -> (App, JobId, Arc<RunJob>) {
    let mut app = fake::app(theme, size);
    let effects = app.act(minimum_epsilon::OPEN);
    let (id, request) = sent(&mut app, effects);
    let Request::MinimumEpsilon(job) = request else { panic!("a search") };
    app.on_update(Update::Started(id));
    for (epsilon, success) in [(0.3, true), (0.15, true), (0.075, false), (0.1061, true)] {
        app.on_update(Update::EpsilonTried(id, epsilon, None));
        app.on_update(Update::EpsilonTried(id, epsilon, Some(success)));
    }
    app.on_update(Update::EpsilonTried(id, 0.0892, None));
    (app, id, job)
}

/// The search comes to its end.
pub fn find(app: &mut App, id: JobId) -> Vec<Effect> {
    let job =
        app.session.epsilon_search.as_ref().map(|search| search.job.clone()).expect("a search");
    let mut report = Report::clone(&report(id, &job));
    report.epsilon = Some(0.0892);
    app.on_update(Update::EpsilonTried(id, 0.0892, Some(true)));
    let tried =
        app.session.epsilon_search.as_ref().map(|search| search.tried.clone()).unwrap_or_default();
    app.on_update(Update::MinimumEpsilon(
        id,
        Arc::new(MinimumEpsilon { epsilon: Some(0.0892), tried, report }),
    ))
}

/// Opens the transfer matrix on that many samples (0: the current one), with its result.
pub fn open_transfer(app: &mut App, count: usize) {
    fake::close_all(app);
    let mut effects = app.act(transfer::OPEN);
    for _ in 0..count {
        effects = app.act(Action::More);
    }
    let (id, request) = sent(app, effects);
    let Request::Transfer(job) = request else { panic!("a transfer") };
    app.on_update(Update::Started(id));
    for update in transferred(id, &job, app) {
        app.on_update(update);
    }
}

fn transferred(id: JobId, job: &TransferJob, app: &App) -> Vec<Update> {
    let n = match &job.samples {
        epsiloscope::engine::TransferSamples::One(sample) => {
            let run = RunJob {
                sample: sample.clone(),
                plan: job.plan.clone(),
                surrogate: None,
                defences: Vec::new(),
                draws: EOT_DRAWS,
            };
            let mut held = Report::clone(&report(id, &run));
            (held.success, held.reached, held.adversarial) = (false, false, held.clean.clone());
            let (fooled, held) = (report(id, &run), Arc::new(held));
            let cell = |i: usize, j: usize| if i == j { fooled.clone() } else { held.clone() };
            let pairs = (0..4).map(|at| (at / 2, at % 2));
            return pairs.map(|(i, j)| Update::TransferCell(id, i, j, cell(i, j))).collect();
        }
        epsiloscope::engine::TransferSamples::First(_, n) => *n,
    };
    let share = |hits: usize| Share {
        value: hits as f64 / n as f64,
        interval: [hits as f64 / n as f64 * 0.8, (hits as f64 / n as f64 * 1.1).min(1.0)],
        hits,
        n,
    };
    let report = TransferReport {
        hints: Vec::new(),
        version: 1,
        models: job.models.clone(),
        dataset: "mnist".into(),
        n,
        left_out: 0,
        attack: job.plan.attack.id,
        norm: job.plan.norm,
        parameters: job.plan.settings.clone(),
        epsilon: Some(job.plan.epsilon),
        target: TargetChoice::Untargeted,
        seed: app.session.plan.seed,
        device: fake::device(),
        clean: vec![share(n), share(n - 1)],
        success: vec![vec![share(n), share(n / 10)], vec![share(n / 2), share(n / 5)]],
        cost: AttackCost::default(),
    };
    vec![Update::Progress(id, n, n, None), Update::TransferRates(id, Arc::new(report))]
}

/// Every attack of the real registry, on a real model, through the real worker, onto the screen:
/// its course is drawn at every size while it runs, its card can be read, its parameters fit.
#[test]
fn every_attack_plays_on_the_screen() {
    const FEW: &[(&str, i64)] = &[
        ("steps", 6),
        ("restarts", 2),
        ("repeats", 5),
        ("queries", 60),
        ("searches", 3),
        ("samples", 4),
    ];
    let (sender, updates) = channel();
    let engine = Engine::start(DeviceChoice::Cpu, move |update| drop(sender.send(update)));
    let (mut app, effects) = fake::begin(ThemeKind::Dark);
    let ask = |app: &mut App, effects: Vec<Effect>| {
        for effect in effects {
            if let Effect::Request(request) = effect {
                let id = engine.request(request.clone());
                app.on_sent(id, &request);
            }
        }
    };
    // Nothing is defended here: the attacks alone take long enough.
    app.session.defences.iter_mut().for_each(|entry| entry.on = false);
    ask(&mut app, effects);
    for attack in ATTACKS {
        let effects = fake::choose_attack(&mut app, attack);
        let mut asked = !effects.is_empty();
        for (id, most) in FEW {
            if let Some(param) = attack.params.iter().find(|param| param.id == *id) {
                app.session.plan.settings.set(param.id, Value::Int(*most));
            }
        }
        app.session.settings_changed();
        let effects = app.settle();
        asked |= !effects.is_empty();
        ask(&mut app, effects);
        let done = |app: &App| {
            let run = app.session.shown.as_ref().filter(|run| run.done && !app.session.busy);
            run.is_some_and(|run| run.job.plan == app.session.plan)
        };
        let mut seen = 0;
        while asked && !done(&app) || app.session.shown.is_none() {
            let update = updates.recv_timeout(Duration::from_mins(1));
            let update = update.unwrap_or_else(|e| panic!("{}: {e}", attack.id));
            assert!(!matches!(update, Update::Failed(..)), "{}: {update:?}", attack.id);
            let effects = app.on_update(update);
            ask(&mut app, effects);
            app.session.tick(app.session.now + PATIENCE);
            seen += 1;
            if seen % 5 == 0 {
                draw(&mut app);
            }
        }
        let run = app.session.shown.as_ref().expect("a run");
        assert!(run.job.plan.attack == attack && !run.history.is_empty(), "{}", attack.id);
        draw(&mut app);
        for action in [Action::Rewind, Action::About, Action::Back, attack_parameters::OPEN] {
            app.act(action);
            draw(&mut app);
        }
        fake::close_all(&mut app);
    }
}

/// Draws every page at every size.
fn draw(app: &mut App) {
    for size in [(160, 48), (120, 36), (80, 24), (60, 18)] {
        app.session.size = size;
        app.act(Action::ShowPane(if size.0 == 60 { 5 } else { 3 }));
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        app.draw(buffer.area, &mut buffer);
    }
}
