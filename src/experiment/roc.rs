//! The ROC curve of a detector: adversarial against clean images.

use crate::attack::{Bound, Budget, Flow, NON_FINITE, Norm, TargetModel};
use crate::data::Image;
use crate::defence::{Stance, is_calibration_sample};
use crate::error::{Error, Result};
use crate::experiment::batching::{
    AttackProgress, AttackTimeLeft, LabelledImages, ProgressObserver, batch_size_for, left_out,
    read, universal_images,
};
use crate::experiment::evaluation::{EvaluatedDefence, Evaluation, EvaluationStatus, OnStatus};
use crate::experiment::hints;
use crate::experiment::one_sample::run_attack;
use crate::experiment::prediction::cost;
use crate::experiment::types::{AttackCost, DeviceInfo, Share, VERSION};
use crate::metrics::Rate;
use crate::model::argmax;
use crate::parameter::Settings;
use serde::Serialize;
use std::time::Instant;

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// What is more suspicious than this is refused; none: everything is.
    pub threshold: Option<f64>,
    /// The share of clean images that is refused.
    pub fpr: f64,
    /// The share of attacked ones.
    pub tpr: f64,
}

/// What was found of a detector.
#[derive(Clone, Debug, Serialize)]
pub struct RocReport {
    /// [`VERSION`].
    pub version: u32,
    /// The model's name.
    pub model: String,
    /// The stack, as the command line takes it.
    pub defence: String,
    /// How much of the defence the attack knew.
    pub stance: Stance,
    /// Draws that EOT averaged over; none where it did not.
    pub draws: Option<u64>,
    /// The attack's identifier.
    pub attack: &'static str,
    /// The norm.
    pub norm: Norm,
    /// The attack's parameters, `auto` values resolved.
    pub parameters: Settings,
    /// The size allowed, in pixel units; none where ε decides nothing.
    pub epsilon: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// The data set's identifier.
    pub dataset: String,
    /// The number of the first sample.
    pub first: usize,
    /// Number of samples that count as attacked ones.
    pub n: usize,
    /// How many more were left out of those, since they are of the target class already; as clean
    /// ones they count.
    pub left_out: usize,
    /// The threshold in use.
    pub threshold: f64,
    /// How it came about.
    pub basis: String,
    /// Of the clean images that the threshold was not set on, the share that is refused.
    pub false_positives: Share,
    /// Of the images that are classified correctly while clean, the share whose prediction the attack
    /// turned, refused or not.
    pub turned: Share,
    /// Of the turned ones, the share that is refused.
    pub detected: Share,
    /// Of the images classified correctly while clean, the share that was turned and is not
    /// refused.
    pub evaded: Share,
    /// The area under the curve: how often a turned image is more suspicious than a clean one.
    pub auc: f64,
    /// The curve of the turned images against the clean ones.
    pub points: Vec<RocPoint>,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// What it cost.
    pub cost: AttackCost,
    /// What is hardly meant so, one line each.
    pub hints: Vec<String>,
}

/// The curve of a score, and the area under it: the chance that an adversarial image's score is
/// larger than a clean one's, equal ones counting half.
pub fn roc_curve(clean: &[f64], attacked: &[f64]) -> (Vec<RocPoint>, f64) {
    let mut scores: Vec<(f64, bool)> = clean.iter().map(|score| (*score, false)).collect();
    scores.extend(attacked.iter().map(|score| (*score, true)));
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let share = |count: usize, all: &[f64]| count as f64 / all.len() as f64;
    let (mut points, mut area, mut counts) = (Vec::new(), 0.0, [0, 0]);
    for equal in scores.chunk_by(|a, b| a.0 == b.0) {
        let threshold = Some(equal[0].0);
        let (fpr, tpr) = (share(counts[0], clean), share(counts[1], attacked));
        points.push(RocPoint { threshold, fpr, tpr });
        let more = equal.iter().filter(|(_, attacked)| *attacked).count();
        area += (counts[1] as f64 + more as f64 / 2.0) * (equal.len() - more) as f64;
        counts = [counts[0] + equal.len() - more, counts[1] + more];
    }
    points.push(RocPoint { threshold: None, fpr: 1.0, tpr: 1.0 });
    (points, area / (clean.len() * attacked.len()) as f64)
}

/// Attacks a detector with the task's only plan and draws its curve: clean images against those
/// whose prediction the attack changed. A naive attack is crafted on the undefended network.
///
/// # Errors
/// Usage, where the task's defence detects nothing, or as [`super::evaluate`]; cancelled; device
/// failures.
pub fn roc(task: &Evaluation, watch: OnStatus<'_>) -> Result<RocReport> {
    let model = &task.model;
    let [plan] = task.plans.as_slice() else {
        return Err(Error::usage("several attacks are named", "--attack", "name one"));
    };
    let Some((EvaluatedDefence { pipeline, stance, draws }, guard)) =
        task.defence.as_ref().and_then(|d| {
            let detects = d.pipeline.detector.as_ref().filter(|guard| guard.detects);
            detects.map(|guard| (d, guard))
        })
    else {
        return Err(Error::usage(
            "the defence detects nothing",
            "--defence",
            "give one of the family detection (`epsiloscope defences`)",
        ));
    };
    plan.check()?;
    let values = model.card.input.shape.iter().product();
    Budget::new(plan.norm, plan.epsilon, values)?;
    let begin = Instant::now();
    let (images, labels) = read(model, &task.dataset, task.range())?;
    let out = left_out(&task.plans, &labels)?;
    let left_out = out.iter().filter(|out| **out).count();
    let many = LabelledImages { model, images: &images, labels: &labels, first: task.first };
    let look = |pixels: &[f32]| -> Result<Vec<(usize, f64)>> {
        let pictures: Vec<Image> =
            pixels.chunks(values).map(|row| Image::new(model.card.input.shape, row)).collect();
        let mut found = Vec::new();
        for part in pictures.chunks(task.batch_size.max(1)) {
            found.extend(pipeline.detection_scores(part)?);
        }
        let label = |(row, score): (Vec<f32>, f64)| (argmax(&row).unwrap_or(NON_FINITE), score);
        Ok(found.into_iter().map(label).collect())
    };
    let looked = Instant::now();
    let clean = look(&images)?;
    let looked = looked.elapsed().as_secs_f64() / labels.len().max(1) as f64;
    let right: Vec<usize> = (0..labels.len()).filter(|i| clean[*i].0 == labels[*i]).collect();
    let lost = clean.iter().filter(|(label, _)| *label == NON_FINITE).count();
    let seen = pipeline.attacker_view(*stance, *draws);
    let mut victim = match stance {
        Stance::Naive => TargetModel::new(&model.network),
        _ => TargetModel::new(&seen),
    };
    let mut asked = match stance {
        Stance::Naive => TargetModel::new(&model.network),
        _ => TargetModel::new(&seen),
    };
    // The clean logits are what a target is chosen by.
    let answers = many.answers(&mut victim, task.batch_size, &mut || Flow::Continue)?;
    let goals = many.goals(plan, &answers, right)?;
    let crowd = universal_images(model, plan, &task.dataset, task.range());
    let mut forecast = AttackTimeLeft::new(&task.plans, goals.len(), false);
    forecast.time().followed_by(looked);
    if forecast.time().asks_for_forward() && !goals.is_empty() {
        let (images, seconds) = many.lap(&mut asked, task.batch_size)?;
        forecast.time().timed(images, seconds);
    }
    let mut attacked = Vec::new();
    for part in goals.chunks(batch_size_for(plan, task.batch_size)) {
        let done = attacked.len();
        let now = forecast.now();
        forecast.time().batch(part.len(), now);
        let mut tell = |told: &AttackProgress| {
            let turned = |(i, (label, _)): &(usize, (usize, f64))| *label != labels[*i];
            watch(&EvaluationStatus {
                done: done as f64 + told.share * part.len() as f64,
                total: goals.len() as f64,
                attack: Some(plan.attack.id),
                stage: told.stage,
                robust: goals.len() - attacked.iter().filter(|one| turned(one)).count(),
                left: forecast.follow(told),
            })
        };
        if tell(&AttackProgress::default()) == Flow::Stop {
            return Err(Error::cancelled());
        }
        let problem = many.problem(plan, part, crowd.clone())?;
        let verdict =
            run_attack(plan, &mut victim, None, &problem, &mut ProgressObserver::new(&mut tell))?;
        let (standing, now) = (verdict.success.iter().filter(|b| !**b).count(), forecast.now());
        forecast.time().end(standing, now);
        let found = verdict.images.into_values();
        attacked.extend(part.iter().map(|(i, _)| *i).zip(look(&found)?));
    }
    let threshold = guard.threshold;
    let refused = |scores: &[f64]| {
        let hits = scores.iter().filter(|score| **score > threshold).count();
        Rate { hits, n: scores.len() }
    };
    let turned = attacked.iter().filter(|(i, (label, _))| *label != labels[*i]);
    let turned: Vec<f64> = turned.map(|(_, (_, score))| *score).collect();
    let fresh = clean.iter().zip(task.range());
    let fresh = fresh.filter(|(_, index)| !is_calibration_sample(*index, task.dataset.len()));
    let clean: Vec<f64> = fresh.map(|((_, score), _)| *score).collect();
    let (points, auc) = roc_curve(&clean, &turned);
    let detected = refused(&turned);
    Ok(RocReport {
        version: VERSION,
        model: model.card.name.clone(),
        defence: pipeline.stack.text(),
        stance: *stance,
        draws: pipeline.averages(*stance).then_some(*draws),
        attack: plan.attack.id,
        norm: plan.norm,
        parameters: plan.resolved(),
        epsilon: plan.threshold(values).filter(|_| plan.attack.bound != Bound::Own),
        seed: plan.seed,
        dataset: task.dataset.id.clone(),
        first: task.first,
        n: labels.len() - left_out,
        left_out,
        threshold,
        basis: guard.basis.clone(),
        false_positives: refused(&clean).into(),
        turned: Rate { hits: turned.len(), n: attacked.len() }.into(),
        detected: detected.into(),
        evaded: Rate { hits: turned.len() - detected.hits, n: attacked.len() }.into(),
        auc,
        points,
        device: task.device.clone(),
        cost: cost([&victim], begin),
        hints: [
            hints::of_epsilon(plan, values),
            hints::of_logits(&model.card.name, lost, labels.len()),
        ]
        .into_iter()
        .flatten()
        .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs() {
        let area = |clean: &[f64], attacked: &[f64]| roc_curve(clean, attacked).1;
        assert_eq!(area(&[0.1, 0.2], &[0.3, 0.4]), 1.0);
        assert_eq!(area(&[0.3, 0.4], &[0.1, 0.2]), 0.0);
        assert_eq!(area(&[0.5, 0.5], &[0.5]), 0.5);
        // Of the six pairs five are in order, and one is equal.
        assert!((area(&[0.1, 0.2, 0.3], &[0.3, 0.9]) - 5.5 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn the_curve_rises_from_nothing_to_everything() {
        let (points, _) = roc_curve(&[0.1, 0.2, 0.3, 0.4], &[0.35, 0.9]);
        let seen: Vec<_> = points.iter().map(|p| (p.threshold, p.fpr, p.tpr)).collect();
        assert_eq!(seen[0], (Some(0.9), 0.0, 0.0));
        assert_eq!(seen[1], (Some(0.4), 0.0, 0.5));
        assert_eq!(seen[3], (Some(0.3), 0.25, 1.0));
        assert_eq!(seen.last(), Some(&(None, 1.0, 1.0)));
        assert!(points.windows(2).all(|w| w[0].fpr <= w[1].fpr && w[0].tpr <= w[1].tpr));
    }
}
