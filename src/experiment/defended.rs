//! One sample attacked behind a defence: without the attack knowing of it (naive), or through it
//! (adaptive).

use crate::attack::{Goal, GradientStats, ImageBatch, Observer, REJECTED, TargetModel};
use crate::data::Image;
use crate::defence::{Pipeline, Stance};
use crate::error::Result;
use crate::experiment::checks::{LossHistory, first_gradient};
use crate::experiment::one_sample::{Experiment, problem, run_attack};
use crate::experiment::prediction::{answer, cost, prediction};
use crate::experiment::report::{DefenceRow, Report};
use crate::experiment::types::{AttackCost, Outcome, Prediction, Share};
use crate::metrics::checks::{AttackedDefence, Evidence, FirstGradient, RestartHistory};
use crate::metrics::{Rate, median};
use crate::model::Model;
use std::time::Instant;

/// A defence and how it is attacked: the pipeline, the attacker's knowledge, EOT draws.
#[derive(Clone, Copy)]
pub struct DefendedAttack<'a> {
    /// The defence.
    pub pipeline: &'a Pipeline,
    /// The same defence around the surrogate, where the attack is crafted on one: an attacker who
    /// knows the defence adds it there, too.
    pub surrogate: Option<&'a Pipeline>,
    /// How much of it the attack knows.
    pub stance: Stance,
    /// Draws that EOT averages over.
    pub draws: u64,
}

/// A defended network's predictions for one image.
pub(super) struct PipelinePrediction {
    prediction: Prediction,
    refused: bool,
    /// The labels of the judge's predictions.
    labels: Vec<usize>,
}

impl PipelinePrediction {
    /// How many of the judge's predictions the attack did not change.
    pub fn held(&self, goal: Goal) -> Rate {
        let hits = self.labels.iter().filter(|label| !goal.reached(**label)).count();
        Rate { hits, n: self.labels.len() }
    }
}

/// A defence before it is attacked: its prediction for the clean image, and what a prediction
/// costs.
#[derive(Clone, Debug)]
pub struct DefenceBaseline {
    /// The prediction for the clean image.
    pub clean: Prediction,
    /// Whether it refuses to classify it.
    pub refused: bool,
    /// How long one prediction takes, in milliseconds (median of five).
    pub ms: f64,
    /// How much longer than one of the undefended network.
    pub extra_ms: f64,
}

pub(super) fn predict_through(pipeline: &Pipeline, picture: &Image) -> Result<PipelinePrediction> {
    let answers = pipeline.judge_predictions(std::slice::from_ref(picture))?.swap_remove(0);
    let label = |(row, refused): &(Vec<f32>, bool)| match refused {
        true => REJECTED,
        false => prediction(&pipeline.base, row).label,
    };
    let labels = answers.iter().map(label).collect();
    let decided = pipeline.aggregate(&answers);
    let prediction = prediction(&pipeline.base, &decided.0);
    Ok(PipelinePrediction { prediction, refused: decided.1, labels })
}

/// The prediction of a defence for the clean image, and how long it takes.
///
/// # Errors
/// Device failures; those of the stages.
pub fn defence_baseline(pipeline: &Pipeline, original: &Image) -> Result<DefenceBaseline> {
    let PipelinePrediction { prediction, refused, .. } = predict_through(pipeline, original)?;
    let (ms, extra_ms) = laps(pipeline, original)?;
    Ok(DefenceBaseline { clean: prediction, refused, ms, extra_ms })
}

/// What one prediction takes longer than one of the undefended network, in ms.
pub(super) fn extra_ms(pipeline: &Pipeline, picture: &Image) -> Result<f64> {
    Ok(laps(pipeline, picture)?.1)
}

/// How long one prediction of the undefended network takes, in milliseconds (median of five).
pub(super) fn bare_ms(model: &Model, picture: &Image) -> Result<f64> {
    five(|| bare_lap(model, picture))
}

/// How long one prediction takes and what it takes longer than one of the undefended network, in
/// ms: medians of five. The two are timed in turns, so that other work on the machine slows both
/// alike.
fn laps(pipeline: &Pipeline, picture: &Image) -> Result<(f64, f64)> {
    let pair = |_| Ok((lap(pipeline, picture)?, bare_lap(&pipeline.base, picture)?));
    let pairs = (0..5).map(pair).collect::<Result<Vec<_>>>()?;
    let of = |figure: fn(&(f64, f64)) -> f64| {
        median(pairs.iter().map(figure).collect::<Vec<_>>()).unwrap_or_default()
    };
    Ok((of(|(ms, _)| *ms), of(|(ms, bare)| ms - bare)))
}

/// How long one prediction takes, in milliseconds.
pub(super) fn lap(pipeline: &Pipeline, picture: &Image) -> Result<f64> {
    let begin = Instant::now();
    pipeline.predict_once(picture)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

/// How long one prediction of the undefended network takes, in milliseconds.
pub(super) fn bare_lap(model: &Model, picture: &Image) -> Result<f64> {
    let begin = Instant::now();
    answer(model, &mut TargetModel::new(&model.network), &ImageBatch::of(picture))?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}

/// The median of five laps.
fn five(lap: impl Fn() -> Result<f64>) -> Result<f64> {
    let laps = (0..5).map(|_| lap()).collect::<Result<Vec<_>>>()?;
    Ok(median(laps).unwrap_or_default())
}

/// Attacks one sample behind a defence under a stance: the same attack, made on the undefended
/// network (naive) or through the defence. `report` is that of the undefended network.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures; those of the stages.
pub fn defend(
    experiment: &Experiment,
    report: &Report,
    against: DefendedAttack<'_>,
    known: &DefenceBaseline,
    observer: &mut dyn Observer,
) -> Result<DefenceRow> {
    let DefendedAttack { pipeline, stance, .. } = against;
    let wrong = known.clean.label != report.label || known.refused;
    let (found, course) = match (stance, wrong) {
        (Stance::Naive, _) => (report.picture.clone(), DefendedRun::default()),
        (_, true) => (report.original.clone(), DefendedRun::default()),
        _ => attack(experiment, report, against, observer)?,
    };
    let answer = predict_through(pipeline, &found)?;
    let distance = report.norm.distance(report.original.pixels(), found.pixels());
    let refusal = pipeline.detector.as_ref().filter(|_| answer.refused).map(|guard| guard.detects);
    let outcome = match refusal {
        _ if wrong => Outcome::Wrong,
        Some(true) => Outcome::Detected,
        Some(false) => Outcome::Abstained,
        None => report.judge_outcome(known.clean.label, answer.prediction.label, distance),
    };
    let goal = report.goal();
    let held = pipeline.is_random().then(|| answer.held(goal));
    let draws = pipeline.averages(stance).then_some(against.draws);
    let (broken, random, refused) = (pipeline.is_broken(), pipeline.is_random(), answer.refused);
    let checks = Evidence {
        attacked: !wrong,
        reached: !refused && goal.reached(answer.prediction.label),
        success: outcome == Outcome::Fooled,
        transferred: against.surrogate.is_some(),
        defence: Some(AttackedDefence { stance, broken, random, draws, held, refused }),
        histories: course.histories,
        first: course.first,
        gradients: course.gradients,
        gap: course.gap,
        non_finite: course.non_finite,
        ..Evidence::new(experiment.plan.clone(), report.epsilon)
    };
    Ok(DefenceRow {
        defence: pipeline.stack.text(),
        name: pipeline.stack.to_string(),
        stance,
        draws,
        clean: known.clean.clone(),
        adversarial: answer.prediction,
        outcome,
        held: held.map(Share::from),
        distance,
        extra_ms: known.extra_ms,
        cost: course.cost,
        checks,
        picture: found,
    })
}

/// An attack through a defence that is over.
#[derive(Default)]
struct DefendedRun {
    cost: AttackCost,
    histories: Vec<RestartHistory>,
    first: Option<FirstGradient>,
    gradients: GradientStats,
    gap: Option<f32>,
    non_finite: u64,
}

/// The attack through the defence.
fn attack(
    experiment: &Experiment,
    report: &Report,
    against: DefendedAttack<'_>,
    observer: &mut dyn Observer,
) -> Result<(Image, DefendedRun)> {
    let DefendedAttack { pipeline, surrogate, stance, draws } = against;
    let problem = problem(experiment, ImageBatch::of(&report.original), report.goal())?;
    let begin = Instant::now();
    let seen = pipeline.attacker_view(stance, draws);
    let behind = surrogate.map(|surrogate| surrogate.attacker_view(stance, draws));
    let mut victim = TargetModel::new(&seen);
    let mut crafted_on = behind.as_ref().map(|seen| TargetModel::new(seen));
    let mut history = LossHistory::new(observer);
    let plan = &experiment.plan;
    let verdict = run_attack(plan, &mut victim, crafted_on.as_mut(), &problem, &mut history)?;
    let asked = || [&victim].into_iter().chain(&crafted_on);
    let course = DefendedRun {
        cost: cost(asked(), begin),
        first: first_gradient(crafted_on.as_ref().unwrap_or(&victim)),
        gradients: verdict.gradient_stats[0],
        gap: history.gap(),
        non_finite: asked().map(TargetModel::non_finite).sum(),
        histories: history.finish(),
    };
    Ok((verdict.images.image(0), course))
}
