//! The worker: latest wins, cancellation, order of updates, errors that do not stop it.

use epsiloscope::attack::{Plan, find};
use epsiloscope::data::Dataset;
use epsiloscope::defence::DefencePlan;
use epsiloscope::engine::{DeviceChoice, Engine, JobId, Request, RunJob, SearchJob, Update};
use epsiloscope::parameter::Value;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

fn start(model: &str) -> (Engine, Receiver<Update>) {
    let (sender, receiver) = channel();
    let engine = Engine::start(DeviceChoice::Cpu, move |update| {
        let _ = sender.send(update);
    });
    engine.request(Request::Model(model.into()));
    (engine, receiver)
}

fn job(sample: usize, epsilon: f64, steps: i64) -> RunJob {
    let mut plan = Plan::new(find("pgd").unwrap(), epsilon);
    plan.settings.set("steps", Value::Int(steps));
    let sample = Dataset::load("mnist").unwrap().sample(sample);
    RunJob { sample, plan, surrogate: None, defences: Vec::new() }
}

/// Waits for an update that `wanted` accepts; everything before it is handed back too.
fn until(receiver: &Receiver<Update>, wanted: impl Fn(&Update) -> bool) -> Vec<Update> {
    let end = Instant::now() + Duration::from_secs(60);
    let mut seen = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let update = receiver.recv_timeout(left).expect("the update came in time");
        let found = wanted(&update);
        seen.push(update);
        if found {
            return seen;
        }
    }
}

#[test]
fn a_run_tells_its_story_in_order() {
    let (engine, updates) = start("mnist-cnn");
    let mut run = job(0, 0.3, 8);
    run.defences = DefencePlan::all();
    let id = engine.request(Request::Run(run));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    let place = |what: &dyn Fn(&Update) -> bool| seen.iter().position(what).unwrap();
    let device = place(&|u| matches!(u, Update::Device { .. }));
    let model = place(&|u| matches!(u, Update::Model(_)));
    let started = place(&|u| matches!(u, Update::Started(_)));
    let clean = place(&|u| matches!(u, Update::Clean(..)));
    let step = place(&|u| matches!(u, Update::Step(..)));
    let finished = place(&|u| matches!(u, Update::Finished(..)));
    let defended = place(&|u| matches!(u, Update::Defended(..)));
    let order = [device, model, started, clean, step, finished, defended];
    assert!(order.is_sorted(), "{order:?}");
    assert!(seen.iter().filter_map(Update::job).all(|job| job == id));
    assert_eq!(seen.iter().filter(|u| matches!(u, Update::Step(..))).count(), 9);
    let rows: Vec<_> = seen
        .iter()
        .filter_map(|u| if let Update::Defended(_, row) = u { Some(row.clone()) } else { None })
        .collect();
    assert_eq!(rows.len(), 2 * DefencePlan::all().len());
    assert!(rows.iter().take(rows.len() / 2).all(|r| r.stance == "naive"));
    assert!(rows.iter().skip(rows.len() / 2).all(|r| r.stance == "adaptive"));
}

#[test]
fn the_latest_request_wins_and_the_running_one_stops() {
    let (engine, updates) = start("mnist-cnn");
    until(&updates, |u| matches!(u, Update::Model(_)));
    let long = engine.request(Request::Run(job(0, 0.3, 10_000)));
    until(&updates, |u| matches!(u, Update::Step(..)));
    let skipped: Vec<JobId> =
        (1..5).map(|i| engine.request(Request::Run(job(i, 0.3, 10_000)))).collect();
    let last = engine.request(Request::Run(job(9, 0.1, 3)));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    assert!(seen.iter().any(|u| matches!(u, Update::Cancelled(id) if *id == long)));
    assert!(matches!(seen.last(), Some(Update::Done(id)) if *id == last));
    // At most one of those in between was begun; the waiting one was replaced.
    let begun = seen.iter().filter(|u| matches!(u, Update::Started(id) if skipped.contains(id)));
    assert!(begun.count() <= 1);
}

#[test]
fn dragging_epsilon_shows_results_instead_of_cancelling_all_of_them() {
    let (engine, updates) = start("mnist-cnn");
    until(&updates, |u| matches!(u, Update::Model(_)));
    engine.request(Request::Run(job(0, 0.10, 1)));
    until(&updates, |u| matches!(u, Update::Started(_)));
    let last = engine.request(Request::Run(job(0, 0.11, 1)));
    let seen = until(&updates, |u| matches!(u, Update::Done(id) if *id == last));
    let finished = seen.iter().filter(|u| matches!(u, Update::Finished(..))).count();
    assert_eq!(finished, 2, "the first short run was allowed to finish");
}

#[test]
fn errors_are_told_and_the_worker_goes_on() {
    let (engine, updates) = start("no-such-model");
    let seen = until(&updates, |u| matches!(u, Update::Failed(..)));
    assert!(format!("{seen:?}").contains("no-such-model"));
    engine.request(Request::Run(job(0, 0.1, 2)));
    until(&updates, |u| matches!(u, Update::Failed(..)));
    engine.request(Request::Model("mnist-cnn".into()));
    let id = engine.request(Request::Run(job(0, 7.0, 2)));
    let seen = until(&updates, |u| matches!(u, Update::Failed(job, _) if *job == id));
    assert!(format!("{seen:?}").contains("out of range"));
    engine.request(Request::Run(job(0, 0.1, 2)));
    until(&updates, |u| matches!(u, Update::Done(_)));
}

#[test]
fn the_next_misclassified_sample_is_found() {
    let (engine, updates) = start("mnist-cnn-at");
    let dataset = Dataset::load("mnist").unwrap();
    engine.request(Request::Search(SearchJob { dataset, from: 0, class: None }));
    let seen = until(&updates, |u| matches!(u, Update::Found(..)));
    let Some(Update::Found(_, Some(index))) = seen.last() else { panic!("{seen:?}") };
    assert!(*index > 0);
    let mut run = job(*index, 0.1, 1);
    run.plan = Plan::new(find("fgsm").unwrap(), 0.1);
    engine.request(Request::Run(run));
    let seen = until(&updates, |u| matches!(u, Update::Finished(..)));
    let Some(Update::Finished(_, report)) = seen.last() else { panic!() };
    assert!(!report.attacked && report.clean.label != report.label);
}
