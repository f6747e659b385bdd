//! The worker: latest wins, cancellation, order of updates, errors that do not stop it.

use epsiloscope::attack::{AttackConfig, find};
use epsiloscope::data::Dataset;
use epsiloscope::defence::{DefenceStack, EOT_DRAWS, Stance};
use epsiloscope::engine::{
    CheckJob, DefenceMetricsJob, DefenceRef, DeviceChoice, Engine, FindMistakeJob, JobId, RaceJob,
    Request, RunJob, TransferJob, TransferSamples, Update,
};
use epsiloscope::experiment::radius;
use epsiloscope::metrics::checks::Probe;
use epsiloscope::parameter::Value;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

fn start(model: &str) -> (Engine, Receiver<Update>) {
    with_grace(model, Duration::ZERO)
}

/// An engine that lets a run go on for so long when its successor differs only in ε.
fn with_grace(model: &str, grace: Duration) -> (Engine, Receiver<Update>) {
    let (sender, receiver) = channel();
    let engine = Engine::with_grace(DeviceChoice::Cpu, grace, move |update| {
        let _ = sender.send(update);
    });
    engine.request(Request::Model(model.into()));
    (engine, receiver)
}

fn job(sample: usize, epsilon: f64, steps: i64) -> RunJob {
    let mut plan = AttackConfig::new(find("pgd").unwrap(), epsilon);
    plan.settings.set("steps", Value::Int(steps));
    let sample = Dataset::load("mnist").unwrap().sample(sample);
    RunJob { sample, plan, surrogate: None, defences: Vec::new(), draws: EOT_DRAWS }
}

/// Waits for an update that `wanted` accepts; everything before it is handed back too.
fn until(receiver: &Receiver<Update>, wanted: impl Fn(&Update) -> bool) -> Vec<Update> {
    let end = Instant::now() + Duration::from_mins(1);
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
    let stacks = ["bits", "median", "jpeg", "pgd-at", "jpeg:50+pgd-at"];
    run.defences = stacks.map(|text| DefenceStack::parse(text).unwrap()).to_vec();
    let id = engine.request(Request::Run(Arc::new(run)));
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
    let count = |stance| rows.iter().filter(|r| r.stance == stance).count();
    assert_eq!((count(Stance::Naive), count(Stance::Adaptive)), (5, 5));
    // Only what lies behind a stage without a gradient can be attacked by gradients alone.
    assert_eq!((count(Stance::Gradient), rows.len()), (4, 14));
    assert!(rows.iter().take(5).all(|r| r.stance == Stance::Naive));
}

#[test]
fn the_latest_request_wins_and_the_running_one_stops() {
    let (engine, updates) = start("mnist-cnn");
    until(&updates, |u| matches!(u, Update::Model(_)));
    let long = engine.request(Request::Run(Arc::new(job(0, 0.3, 10_000))));
    until(&updates, |u| matches!(u, Update::Step(..)));
    let skipped: Vec<JobId> =
        (1..5).map(|i| engine.request(Request::Run(Arc::new(job(i, 0.3, 10_000))))).collect();
    let last = engine.request(Request::Run(Arc::new(job(9, 0.1, 3))));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    assert!(seen.iter().any(|u| matches!(u, Update::Cancelled(id) if *id == long)));
    assert!(matches!(seen.last(), Some(Update::Done(id)) if *id == last));
    // At most one of those in between was begun; the waiting one was replaced.
    let begun = seen.iter().filter(|u| matches!(u, Update::Started(id) if skipped.contains(id)));
    assert!(begun.count() <= 1);
}

#[test]
fn dragging_epsilon_shows_results_instead_of_cancelling_all_of_them() {
    for (grace, steps, allowed) in [(Duration::MAX, 50, true), (Duration::ZERO, 10_000, false)] {
        let (engine, updates) = with_grace("mnist-cnn", grace);
        until(&updates, |u| matches!(u, Update::Model(_)));
        let first = engine.request(Request::Run(Arc::new(job(0, 0.10, steps))));
        until(&updates, |u| matches!(u, Update::Started(_)));
        engine.request(Request::Run(Arc::new(job(0, 0.11, steps))));
        let over = |u: &Update| matches!(u, Update::Finished(id, _) | Update::Cancelled(id) if *id == first);
        let seen = until(&updates, over);
        assert_eq!(matches!(seen.last(), Some(Update::Finished(..))), allowed, "{grace:?}");
    }
}

#[test]
fn errors_are_told_and_the_worker_goes_on() {
    let (engine, updates) = start("no-such-model");
    let seen = until(&updates, |u| matches!(u, Update::Failed(..)));
    assert!(format!("{seen:?}").contains("no-such-model"));
    engine.request(Request::Run(Arc::new(job(0, 0.1, 2))));
    until(&updates, |u| matches!(u, Update::Failed(..)));
    engine.request(Request::Model("mnist-cnn".into()));
    let id = engine.request(Request::Run(Arc::new(job(0, 7.0, 2))));
    let seen = until(&updates, |u| matches!(u, Update::Failed(job, _) if *job == id));
    assert!(format!("{seen:?}").contains("out of range"));
    engine.request(Request::Run(Arc::new(job(0, 0.1, 2))));
    until(&updates, |u| matches!(u, Update::Done(_)));
}

#[test]
fn the_next_misclassified_sample_is_found() {
    let (engine, updates) = start("mnist-cnn-at");
    let dataset = Dataset::load("mnist").unwrap();
    engine.request(Request::FindMistake(FindMistakeJob { dataset, from: 0, class: None }));
    let seen = until(&updates, |u| matches!(u, Update::MistakeFound(..)));
    let Some(Update::MistakeFound(_, Some(index))) = seen.last() else { panic!("{seen:?}") };
    assert!(*index > 0);
    let mut run = job(*index, 0.1, 1);
    run.plan = AttackConfig::new(find("fgsm").unwrap(), 0.1);
    engine.request(Request::Run(Arc::new(run)));
    let seen = until(&updates, |u| matches!(u, Update::Finished(..)));
    let Some(Update::Finished(_, report)) = seen.last() else { panic!() };
    assert!(!report.attacked && report.clean.label != report.label);
}

#[test]
fn the_least_epsilon_is_searched_for_try_by_try() {
    let (engine, updates) = start("mnist-cnn");
    let id = engine.request(Request::MinimumEpsilon(Arc::new(job(0, 0.3, 10))));
    let seen = until(&updates, |u| matches!(u, Update::MinimumEpsilon(..)));
    let Some(Update::MinimumEpsilon(_, least)) = seen.last() else { panic!() };
    let told: Vec<(f64, bool)> = seen
        .iter()
        .filter_map(|u| match u {
            Update::EpsilonTried(job, epsilon, Some(success)) if *job == id => {
                Some((*epsilon, *success))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, least.tried);
    let begun = seen.iter().filter(|u| matches!(u, Update::EpsilonTried(_, _, None))).count();
    assert_eq!(begun, told.len(), "every try is told when it begins");
    assert!(least.epsilon.is_some_and(|epsilon| epsilon < 0.3 && least.report.success));
}

/// PGD, Square and DeepFool on one sample.
fn race(steps: i64) -> Request {
    let RunJob { sample, plan, .. } = job(0, 0.3, steps);
    let other = |id| AttackConfig { norm: plan.norm, ..AttackConfig::new(find(id).unwrap(), 0.3) };
    let plans = vec![plan.clone(), other("square"), other("deepfool")];
    Request::Race(Arc::new(RaceJob { sample, surrogate: None, plans }))
}

#[test]
fn a_race_goes_on_step_by_step_and_each_lane_is_as_if_it_ran_alone() {
    let (engine, updates) = start("mnist-cnn");
    let id = engine.request(race(30));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    assert!(seen.iter().filter_map(Update::job).all(|job| job == id));
    let lanes: Vec<(usize, u64)> = seen
        .iter()
        .filter_map(|u| match u {
            Update::LaneStep(_, lane, point, _) => Some((*lane, point.queries)),
            _ => None,
        })
        .collect();
    // No lane is far ahead of another that is still going on: they take turns.
    let turns = lanes.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    assert!(turns > 20, "{turns} turns in {} steps", lanes.len());
    let ended = |lane: usize| {
        seen.iter().find_map(|u| match u {
            Update::LaneFinished(_, at, Ok(report), worked) if *at == lane => {
                Some((report, *worked))
            }
            _ => None,
        })
    };
    for lane in 0..3 {
        let (report, worked) = ended(lane).expect("it came to its end");
        assert!(worked > Duration::ZERO);
        let mut run = job(0, 0.3, 30);
        run.plan = report.plan.clone();
        engine.request(Request::Run(Arc::new(run)));
        let seen = until(&updates, |u| matches!(u, Update::Finished(..)));
        let Some(Update::Finished(_, alone)) = seen.last() else { panic!() };
        assert_eq!(alone.picture.pixels(), report.picture.pixels(), "{}", report.attack);
        assert_eq!((alone.success, alone.queries), (report.success, report.queries));
    }
}

#[test]
fn a_race_stops_within_a_step_and_a_lane_that_cannot_run_does_not_stop_the_others() {
    let (engine, updates) = start("mnist-cnn");
    let long = engine.request(race(10_000));
    until(&updates, |u| matches!(u, Update::LaneStep(..)));
    engine.request(Request::Cancel);
    let seen = until(&updates, |u| matches!(u, Update::Cancelled(id) if *id == long));
    // What was on its way, and far from the 10,000 steps of each lane.
    assert!(seen.len() < 2000, "{} updates after the cancel", seen.len());
    let Request::Race(job) = race(5) else { panic!() };
    let mut job = RaceJob::clone(&job);
    job.plans[1].epsilon = 7.0;
    engine.request(Request::Race(Arc::new(job)));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    let ended = seen.iter().filter_map(|u| match u {
        Update::LaneFinished(_, lane, result, _) => Some((*lane, result.is_ok())),
        _ => None,
    });
    let mut ended: Vec<_> = ended.collect();
    ended.sort_unstable();
    assert_eq!(ended, [(0, true), (1, false), (2, true)]);
}

#[test]
fn transfer_on_one_sample_and_on_many() {
    let (engine, updates) = start("mnist-cnn");
    let RunJob { sample, plan, .. } = job(0, 0.3, 10);
    let ask = |samples| {
        let models = vec!["mnist-cnn".to_string(), "mnist-cnn-at".to_string()];
        engine.request(Request::Transfer(Arc::new(TransferJob {
            models,
            plan: plan.clone(),
            samples,
        })))
    };
    ask(TransferSamples::One(sample));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    let cells: Vec<_> = seen
        .iter()
        .filter_map(|u| match u {
            Update::TransferCell(_, i, j, report) => Some((*i, *j, report.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(cells.len(), 4);
    for (i, j, report) in cells {
        assert_eq!(report.surrogate.is_some(), i != j);
        assert_eq!(report.model, ["mnist-cnn", "mnist-cnn-at"][j]);
    }
    ask(TransferSamples::First(Dataset::load("mnist").unwrap(), 20));
    let seen = until(&updates, |u| matches!(u, Update::TransferRates(..)));
    let Some(Update::TransferRates(_, report)) = seen.last() else { panic!() };
    assert!(report.n == 20 && report.success[0][0].value > report.success[0][1].value);
    assert!(seen.iter().any(|u| matches!(u, Update::Progress(..))));
}

#[test]
fn crafted_on_one_model_and_judged_on_another() {
    let (engine, updates) = start("mnist-cnn-at");
    let mut run = job(0, 0.3, 5);
    run.surrogate = Some("mnist-cnn".into());
    engine.request(Request::Run(Arc::new(run)));
    let seen = until(&updates, |u| matches!(u, Update::Finished(..)));
    let Some(Update::Finished(_, report)) = seen.last() else { panic!() };
    assert_eq!(
        (report.model.as_str(), report.surrogate.as_deref()),
        ("mnist-cnn-at", Some("mnist-cnn"))
    );
}

#[test]
fn lamps_are_told_beside_a_run_and_on_demand() {
    let (engine, updates) = start("mnist-cnn");
    let mut run = job(0, 0.02, 60);
    run.defences = vec![DefenceStack::parse("bits").unwrap()];
    let id = engine.request(Request::Run(Arc::new(run.clone())));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    let (mut report, mut rows, mut told) = (None, Vec::new(), 0);
    for update in &seen {
        match update {
            Update::Finished(_, found) => report = Some(found.clone()),
            Update::Defended(_, row) => rows.push(row.clone()),
            Update::CheckEvidence(of, _, found) => {
                assert_eq!(*of, id);
                assert!(report.is_some(), "the result is on the screen first");
                told += usize::from(found.probes.single_step.is_some());
            }
            _ => {}
        }
    }
    // The bare network, and the defence under each stance that asks it.
    assert!(told >= 3, "{told}");
    let report = report.unwrap();
    rows.retain(|row| row.stance == Stance::Gradient);
    let ask = |probes: Vec<Probe>| {
        let (job, report, rows) = (run.clone(), report.clone(), rows.clone());
        Request::Checks(Arc::new(CheckJob { run: id, job, report, rows, probes }))
    };
    let asked = engine.request(ask(vec![Probe::Unbounded]));
    let seen = until(&updates, |u| matches!(u, Update::Done(job) if *job == asked));
    let answers: Vec<_> = seen
        .iter()
        .filter_map(|u| match u {
            Update::CheckEvidence(_, whose, found) => Some((whose.clone(), found.probes.unbounded)),
            _ => None,
        })
        .collect();
    let whose = DefenceRef::new(&rows[0]);
    assert_eq!(answers, [(None, Some(true)), (Some(whose), Some(false))]);
    // Whatever comes next stops it.
    engine.request(ask(Vec::new()));
    until(&updates, |u| matches!(u, Update::Started(_)));
    engine.request(Request::Run(Arc::new(job(1, 0.1, 1))));
    until(&updates, |u| matches!(u, Update::Done(_)));
}

#[test]
fn certificates_and_curves_are_measured_and_can_be_stopped() {
    let (engine, updates) = start("mnist-cnn");
    let dataset = Dataset::load("mnist").unwrap();
    let certify = |n| {
        let dataset = dataset.clone();
        Request::DefenceMetrics(Arc::new(DefenceMetricsJob::Certify {
            dataset,
            index: 2,
            sigma: 0.25,
            n,
            seed: 0,
        }))
    };
    let id = engine.request(certify(250));
    let seen = until(&updates, |u| matches!(u, Update::Certified(..)));
    let Some(Update::Certified(of, report)) = seen.last() else { unreachable!() };
    let row = &report.rows[0];
    assert_eq!(
        (*of, row.index, row.certificate.n, report.network.as_str()),
        (id, 2, 250, "mnist-gaussian")
    );
    let (least, proven) = radius(row.certificate.hits, 250, 0.001, 0.25);
    assert_eq!((row.certificate.least, row.certificate.radius), (least, proven.unwrap()));
    assert!(row.broken_at.is_some_and(|at| at > row.certificate.radius), "{row:?}");
    let percents: Vec<usize> = seen
        .iter()
        .filter_map(|u| if let Update::Progress(_, done, 100, _) = u { Some(*done) } else { None })
        .collect();
    assert!(percents.len() > 4 && percents.is_sorted(), "{percents:?}");
    // A certificate of very many copies ends when something else is asked for.
    let long = engine.request(certify(1_000_000));
    until(&updates, |u| matches!(u, Update::Progress(id, ..) if *id == long));
    let stack = DefenceStack::parse("squeeze").unwrap();
    let plan = job(0, 0.3, 5).plan;
    let (stance, draws) = (Stance::Naive, EOT_DRAWS);
    let trace =
        DefenceMetricsJob::Roc { stack, stance, draws, dataset: dataset.clone(), n: 10, plan };
    engine.request(Request::DefenceMetrics(Arc::new(trace)));
    let seen = until(&updates, |u| matches!(u, Update::RocTraced(..)));
    assert!(seen.iter().any(|u| matches!(u, Update::Cancelled(id) if *id == long)));
    let Some(Update::RocTraced(_, report)) = seen.last() else { unreachable!() };
    assert_eq!((report.n, report.stance), (10, Stance::Naive));
    let ends = [report.points.first(), report.points.last()].map(|p| p.map(|p| (p.fpr, p.tpr)));
    assert_eq!(ends, [Some((0.0, 0.0)), Some((1.0, 1.0))]);
}

/// A question about a run waits while another model is loaded. The run's pictures are not that
/// model's: with its larger ones the worker failed.
#[test]
fn a_question_about_another_model_s_run_is_dropped() {
    let (engine, updates) = start("cifar-plain");
    let sample = Dataset::load("cifar10").unwrap().sample(0);
    let run = RunJob { sample, ..job(0, 0.02, 2) };
    let id = engine.request(Request::Run(Arc::new(run.clone())));
    let seen = until(&updates, |u| matches!(u, Update::Done(_)));
    let report = seen.iter().find_map(|update| match update {
        Update::Finished(_, found) => Some(found.clone()),
        _ => None,
    });
    let probe = CheckJob {
        run: id,
        job: run,
        report: report.unwrap(),
        rows: Vec::new(),
        probes: vec![Probe::Path],
    };
    engine.request(Request::Model("mnist-cnn".into()));
    let asked = engine.request(Request::Checks(Arc::new(probe)));
    let ended = |u: &Update| {
        matches!(u, Update::Cancelled(_) | Update::Done(_) | Update::Failed(..))
            && u.job() == Some(asked)
    };
    let seen = until(&updates, ended);
    assert!(matches!(seen.last(), Some(Update::Cancelled(_))), "{:?}", seen.last());
}
