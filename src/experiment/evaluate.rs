//! Robust accuracy over many samples, under one attack or the worst of several.

use crate::attack::{Budget, Flow, Goal, TargetModel};
use crate::data::Image;
use crate::error::{Error, Result};
use crate::experiment::batching::{
    AttackProgress, AttackTimeLeft, CleanPredictions, LabelledImages, ProgressObserver,
    batch_size_for, left_out, read, universal_images,
};
use crate::experiment::defended::extra_ms;
use crate::experiment::evaluation::{Evaluation, EvaluationStatus, OnStatus};
use crate::experiment::evaluation_report::EvaluationReport;
use crate::experiment::evaluation_state::EvaluationState;
use crate::experiment::evaluation_summary::summarise;
use crate::experiment::one_sample::run_attack;
use crate::experiment::prediction::cost;
use std::time::Instant;

/// Measures clean and robust accuracy. A sample counts as robust when it is classified correctly
/// *and* no attack breaks it; misclassified samples are not attacked, and those of the target class
/// are left out. A broken-off evaluation with a state goes on where it stopped, and ends as if it
/// had never been broken off.
///
/// ```
/// use epsiloscope::attack::{AttackConfig, Flow};
/// use epsiloscope::data::Dataset;
/// use epsiloscope::engine::{DeviceChoice, choose};
/// use epsiloscope::experiment::{Evaluation, evaluate};
/// use epsiloscope::model::Model;
///
/// let chosen = choose(DeviceChoice::Cpu);
/// let model = Model::load("mnist-cnn", &chosen.device)?;
/// let attack = AttackConfig::parse("fgsm", 0.1)?;
/// let task = Evaluation::new(model, Dataset::load("mnist")?, 20, attack, chosen.info);
/// let report = evaluate(&task, &mut |_| Flow::Continue)?;
/// assert!(report.robust_accuracy <= report.clean_accuracy);
/// # Ok::<(), epsiloscope::error::Error>(())
/// ```
///
/// # Errors
/// Usage, where the data set's classes are not the model's, where ε, norm or target do not fit, or
/// where the state is another evaluation's; cancelled; device failures.
pub fn evaluate(task: &Evaluation, watch: OnStatus<'_>) -> Result<EvaluationReport> {
    let model = &task.model;
    for plan in &task.plans {
        plan.check()?;
        Budget::new(plan.norm, plan.epsilon, model.card.input.shape.iter().product())?;
    }
    let mut state = EvaluationState::open(task)?;
    let begin = Instant::now();
    let (images, labels) = read(model, &task.dataset, task.range())?;
    let out = left_out(&task.plans, &labels)?;
    let many = LabelledImages { model, images: &images, labels: &labels, first: task.first };
    let seen = task.seen();
    let mut victim = TargetModel::new(task.victim(seen.as_ref()));
    let looking = EvaluationStatus {
        done: 0.0,
        total: 0.0,
        attack: None,
        stage: None,
        robust: 0,
        left: None,
    };
    let mut answers = many.answers(&mut victim, task.batch_size, &mut || watch(&looking))?;
    answers.right.retain(|i| !out[*i]);
    let clean = cost([&victim], begin);
    let extra_ms = match (&task.defence, images.chunks(many.size()).next()) {
        (Some(defence), Some(row)) => {
            let first = Image::new(model.card.input.shape, row);
            Some(extra_ms(&defence.pipeline, &first)?)
        }
        _ => None,
    };
    let mut forecast = AttackTimeLeft::new(&task.plans, answers.right.len(), task.every);
    if forecast.time().asks_for_forward() && !labels.is_empty() {
        // A naive attack queries the undefended network.
        let mut asked = match task.is_naive() {
            true => TargetModel::new(&model.network),
            false => TargetModel::new(task.victim(seen.as_ref())),
        };
        let (images, seconds) = many.lap(&mut asked, task.batch_size)?;
        forecast.time().timed(images, seconds);
    }
    for at in 0..task.plans.len() {
        work(task, at, &many, &answers, &mut state, (&mut forecast, &mut *watch))?;
    }
    Ok(summarise(task, (&labels, &out), &answers, &state, (clean, extra_ms)))
}

/// Lets attack number `at` loose on what it has left to do.
fn work(
    task: &Evaluation,
    at: usize,
    many: &LabelledImages<'_>,
    answers: &CleanPredictions,
    state: &mut EvaluationState,
    (forecast, watch): (&mut AttackTimeLeft, OnStatus<'_>),
) -> Result<()> {
    let (plan, all) = (&task.plans[at], answers.right.len());
    let open = answers.right.iter().copied();
    let open = open.filter(|i| task.every || !state.broken(at, many.first + i));
    let goals = many.goals(plan, answers, open)?;
    // What was done before an interrupt was done in this order, too.
    let left: &[(usize, Goal)] = &goals[state.entries[at].fates.len().min(goals.len())..];
    let crowd = match left.is_empty() {
        true => None,
        false => universal_images(many.model, plan, &task.dataset, task.range()),
    };
    let mut done = all - left.len();
    let stood = answers.right.iter().filter(|i| {
        state.entries[at].fates.get(&(many.first + **i)).is_some_and(|fate| !fate.success)
    });
    let (stood, now) = (stood.count(), forecast.now());
    forecast.time().begin(at, left.len(), stood, now);
    for part in left.chunks(batch_size_for(plan, task.batch_size)) {
        let robust = answers.right.iter().filter(|i| !state.broken(at + 1, many.first + **i));
        let robust = robust.count();
        let now = forecast.now();
        forecast.time().batch(part.len(), now);
        let mut tell = |told: &AttackProgress| {
            watch(&EvaluationStatus {
                done: (at * all + done) as f64 + told.share * part.len() as f64,
                total: (task.plans.len() * all) as f64,
                attack: Some(plan.attack.id),
                stage: told.stage,
                robust,
                left: forecast.follow(told),
            })
        };
        if tell(&AttackProgress::default()) == Flow::Stop {
            return Err(Error::cancelled());
        }
        let mut observer = ProgressObserver::new(&mut tell);
        let begin = Instant::now();
        let seen = task.seen();
        let mut victim = TargetModel::new(task.victim(seen.as_ref()));
        // A naive attack is crafted on the undefended network.
        let mut bare = task.is_naive().then(|| TargetModel::new(&many.model.network));
        let problem = many.problem(plan, part, crowd.clone())?;
        let verdict = run_attack(plan, &mut victim, bare.as_mut(), &problem, &mut observer)?;
        let standing = verdict.success.iter().filter(|broken| !**broken).count();
        let numbers = part.iter().map(|(i, _)| many.first + i);
        let asked = || [&victim].into_iter().chain(&bare);
        state.entries[at].non_finite += asked().map(TargetModel::non_finite).sum::<u64>();
        let cost = cost(asked(), begin);
        let truths = seen
            .is_some_and(|_| task.is_random())
            .then(|| part.iter().map(|(i, _)| many.labels[*i]).collect::<Vec<_>>());
        state.entries[at].add(numbers, verdict, truths.as_deref(), observer.stages, cost);
        done += part.len();
        let now = forecast.now();
        forecast.time().end(standing, now);
        state.save()?;
    }
    Ok(())
}
