//! Certification by randomised smoothing (Cohen et al. 2019), beside an attack in L2.

use crate::attack::{AttackConfig, Flow, Goal, Norm, TargetModel};
use crate::data::{Dataset, Image};
use crate::defence::{Pipeline, Stance};
use crate::error::{Error, Result};
use crate::experiment::batching::{AttackProgress, LabelledImages, ProgressObserver, read};
use crate::experiment::evaluation::{EvaluationStatus, OnStatus};
use crate::experiment::one_sample::run_attack;
use crate::experiment::prediction::cost;
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::types::{AttackCost, DeviceInfo, Share, VERSION};
use crate::metrics::{Rate, lower_bound, normal_quantile};
use crate::model::Model;
use crate::parameter::Settings;
use serde::Serialize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// A proof about one image (Cohen et al. 2019): with a chance of at least 1 − α no change of it
/// shorter than the radius, in L2, changes the smoothed network's prediction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// The prediction; none where the network abstains.
    pub label: Option<usize>,
    /// How many of the noisy copies were predicted as that class.
    pub hits: usize,
    /// Of how many.
    pub n: usize,
    /// The lower bound of its probability (Clopper-Pearson).
    pub least: f64,
    /// The radius in L2, in pixel units; 0 where it abstains.
    pub radius: f64,
}

/// Noisy copies predicted between two checks for a stop.
const AT_ONCE: usize = 100;

/// The bound of a probability after `hits` of `n`, and the radius σ·Φ⁻¹ of it; none where it is not
/// above one half.
pub fn radius(hits: usize, n: usize, alpha: f64, sigma: f64) -> (f64, Option<f64>) {
    let least = lower_bound(hits, n, alpha);
    (least, (least > 0.5).then(|| sigma * normal_quantile(least)))
}

/// Certifies one image: the class that most of `n0` copies are taken for, and how many of `n`
/// others are.
///
/// `told` is called with the number of copies predicted, and may stop it.
///
/// # Errors
/// Usage, where the pipeline is not smoothed; device failures; what `told` says.
pub fn certify(
    pipeline: &Pipeline,
    picture: &Image,
    [n0, n]: [u64; 2],
    alpha: f64,
    told: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Certificate> {
    let sigma = pipeline.sigma()?;
    let mut tally = |copies: Range<u64>| -> Result<Vec<usize>> {
        let mut counts = vec![0; pipeline.base.card.num_classes];
        for first in copies.clone().step_by(AT_ONCE) {
            told(first)?;
            let part =
                pipeline.class_counts(picture, first..copies.end.min(first + AT_ONCE as u64))?;
            counts.iter_mut().zip(part).for_each(|(all, some)| *all += some);
        }
        Ok(counts)
    };
    let guess = tally(0..n0)?;
    let top = (0..guess.len()).fold(0, |top, k| if guess[k] > guess[top] { k } else { top });
    let hits = tally(n0..n0 + n)?[top];
    let (least, radius) = radius(hits, n as usize, alpha, sigma);
    let label = radius.map(|_| top);
    Ok(Certificate { label, hits, n: n as usize, least, radius: radius.unwrap_or(0.0) })
}

/// Default number of noisy copies that choose the class (n₀).
pub const SELECTION_DRAWS: u64 = 100;
/// Default probability α that a certificate is wrong.
pub const DEFAULT_ALPHA: f64 = 0.001;
/// Default attack beside a certificate.
pub const CERTIFY_ATTACK: &str = "pgd:steps=20";
/// Default number of EOT draws of that attack.
pub const CERTIFY_ATTACK_DRAWS: u64 = 20;

/// A certification to run over samples of a data set.
pub struct Certification {
    /// The undefended model.
    pub model: Arc<Model>,
    /// The smoothed one.
    pub pipeline: Arc<Pipeline>,
    /// The samples are from here.
    pub dataset: Arc<Dataset>,
    /// The number of the first sample.
    pub first: usize,
    /// How many samples.
    pub samples: usize,
    /// Copies that choose the class.
    pub n0: u64,
    /// Copies that bound its probability.
    pub n: u64,
    /// How often a certificate may be wrong.
    pub alpha: f64,
    /// The attack that looks for what can be found in L2; its ε is not used.
    pub plan: AttackConfig,
    /// Draws that EOT averages over.
    pub draws: u64,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
}

impl Certification {
    /// The networks and data it was computed from.
    pub fn sources(&self) -> Sources {
        let mut origin = Sources::default();
        origin.model(&self.model);
        origin.pipeline(&self.pipeline);
        origin.data(DataIdentity::of(&self.dataset));
        origin
    }
}

/// One certified image.
#[derive(Clone, Debug, Serialize)]
pub struct CertifiedRow {
    /// Its number in the data set.
    pub index: usize,
    /// Its true class.
    pub truth: usize,
    /// What is proven.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// The least L2 ε that was tried and at which the attack changed the prediction for a wrong
    /// one; none where none did, or where the prediction is wrong and nothing was attacked.
    pub broken_at: Option<f64>,
}

/// The share of images that is classified correctly within a radius.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CertifiedAccuracy {
    /// The radius in L2.
    pub radius: f64,
    /// Proven.
    pub certified: Share,
    /// Not broken by the attack at any ε up to there.
    pub empirical: Share,
}

/// The certificates of many images, and the accuracy certified at each radius.
#[derive(Clone, Debug, Serialize)]
pub struct CertifyReport {
    /// [`VERSION`].
    pub version: u32,
    /// The model's name.
    pub model: String,
    /// The network that predicts.
    pub network: String,
    /// The stack, as the command line takes it.
    pub defence: String,
    /// σ of the noise.
    pub sigma: f64,
    /// Copies that choose the class.
    pub n0: u64,
    /// Copies that bound its probability.
    pub n: u64,
    /// How often a certificate may be wrong.
    pub alpha: f64,
    /// The seed.
    pub seed: u64,
    /// The data set's identifier.
    pub dataset: String,
    /// The attack's identifier, its parameters, and the draws of EOT.
    pub attack: &'static str,
    /// The attack's parameters at the first ε.
    pub parameters: Settings,
    /// Draws that EOT averaged over.
    pub draws: u64,
    /// Every ε that was tried.
    pub tried: Vec<f64>,
    /// One row an image.
    pub rows: Vec<CertifiedRow>,
    /// The share that is classified correctly and not abstained from.
    pub clean: Share,
    /// The share that is abstained from.
    pub abstained: Share,
    /// At some radii, what is proven and what the attack leaves.
    pub within: Vec<CertifiedAccuracy>,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// What the attacks cost.
    pub cost: AttackCost,
}

/// The radii that published tables give.
const RADII: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// The ε that the attack tries, in order.
const TRIED: [f64; 10] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0];

/// Certifies images, and attacks those that are classified correctly at one ε after the other.
///
/// # Errors
/// Usage, where the pipeline is not smoothed, or the data set not the model's; cancelled; device
/// failures.
pub fn certify_dataset(task: &Certification, watch: OnStatus<'_>) -> Result<CertifyReport> {
    let (model, pipeline, begin) = (&task.model, &task.pipeline, Instant::now());
    let end = (task.first + task.samples).min(task.dataset.len());
    let (images, labels) = read(model, &task.dataset, task.first..end)?;
    let many = LabelledImages { model, images: &images, labels: &labels, first: task.first };
    let (mut rows, total) = (Vec::new(), labels.len() as f64);
    let mut tell = |done: f64, attack, stage, robust| match watch(&EvaluationStatus {
        done,
        total: 2.0 * total,
        attack,
        stage,
        robust,
        left: None,
    }) {
        Flow::Stop => Err(Error::cancelled()),
        Flow::Continue => Ok(()),
    };
    for (i, truth) in labels.iter().enumerate() {
        let picture = Image::new(model.card.input.shape, many.row(i));
        let copies = [task.n0, task.n];
        let mut told = |copy: u64| {
            let share = copy as f64 / (task.n0 + task.n) as f64;
            tell(i as f64 + share, None, None, rows.len())
        };
        let certificate = certify(pipeline, &picture, copies, task.alpha, &mut told)?;
        let (index, truth) = (task.first + i, *truth);
        rows.push(CertifiedRow { index, truth, certificate, broken_at: None });
    }
    let seen = pipeline.attacker_view(Stance::Adaptive, task.draws);
    let mut victim = TargetModel::new(&seen);
    let right = |row: &CertifiedRow| row.certificate.label == Some(row.truth);
    for (at, epsilon) in TRIED.into_iter().enumerate() {
        let plan = AttackConfig { epsilon, norm: Norm::L2, ..task.plan.clone() };
        plan.check()?;
        let open = (0..rows.len()).filter(|i| right(&rows[*i]) && rows[*i].broken_at.is_none());
        let open: Vec<usize> = open.collect();
        let goal = |i: &usize| (*i, Goal::Untargeted { truth: labels[*i] });
        let goals: Vec<(usize, Goal)> = open.iter().map(goal).collect();
        for part in goals.chunks(8) {
            let done = total * (1.0 + at as f64 / TRIED.len() as f64);
            tell(done, Some(plan.attack.id), None, open.len())?;
            let problem = many.problem(&plan, part, None)?;
            let mut go_on = |told: &AttackProgress| match tell(
                done,
                Some(plan.attack.id),
                told.stage,
                open.len(),
            ) {
                Ok(()) => Flow::Continue,
                Err(_) => Flow::Stop,
            };
            let verdict = run_attack(
                &plan,
                &mut victim,
                None,
                &problem,
                &mut ProgressObserver::new(&mut go_on),
            )?;
            for ((i, _), success) in part.iter().zip(verdict.success) {
                rows[*i].broken_at = success.then_some(epsilon);
            }
        }
    }
    let share = |which: &dyn Fn(&CertifiedRow) -> bool| -> Share {
        Rate { hits: rows.iter().filter(|row| which(row)).count(), n: rows.len() }.into()
    };
    let within = |r: f64| CertifiedAccuracy {
        radius: r,
        certified: share(&|row| right(row) && row.certificate.radius >= r),
        empirical: share(&|row| right(row) && row.broken_at.is_none_or(|at| at > r)),
    };
    let first = AttackConfig { epsilon: TRIED[0], norm: Norm::L2, ..task.plan.clone() };
    Ok(CertifyReport {
        version: VERSION,
        model: model.card.name.clone(),
        network: pipeline.models[0].card.name.clone(),
        defence: pipeline.stack.text(),
        sigma: pipeline.sigma()?,
        n0: task.n0,
        n: task.n,
        alpha: task.alpha,
        seed: task.plan.seed,
        dataset: task.dataset.id.clone(),
        attack: task.plan.attack.id,
        parameters: first.resolved(),
        draws: task.draws,
        tried: TRIED.to_vec(),
        clean: share(&right),
        abstained: share(&|row| row.certificate.label.is_none()),
        within: RADII.into_iter().map(within).collect(),
        rows,
        device: task.device.clone(),
        cost: cost([&victim], begin),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_is_that_of_the_closed_form() {
        for (n, sigmas) in [(100, 1.50), (1000, 2.46), (100_000, 3.81)] {
            let found = radius(n, n, 0.001, 0.5).1.unwrap();
            assert!((found - 0.5 * sigmas).abs() < 0.004, "{n}: {found}");
            let p = 0.001_f64.powf(1.0 / n as f64);
            assert!((found - 0.5 * normal_quantile(p)).abs() < 1e-9);
        }
        assert_eq!(radius(60, 100, 0.001, 0.5).1, None);
        assert!(radius(900, 1000, 0.001, 0.5).1 > radius(800, 1000, 0.001, 0.5).1);
    }
}
