//! One sample, one attack, and the defences against it.

use crate::attack::{
    Budget, Goal, Observer, Plan, Problem, Score, Scores, Verdict, Victim, launch,
};
use crate::data::{Picture, Sample};
use crate::defence::{Build, DefencePlan, Transform, apply, jpeg};
use crate::error::{Error, Result};
use crate::experiment::report::{
    Cost, DefenceRow, Device, Outcome, Prediction, Report, SampleRef, Similarity, VERSION,
};
use crate::experiment::trace::probabilities;
use crate::metrics::{norms, psnr, ssim};
use crate::model::{Classifier, Model};
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;
use std::time::Instant;

/// What is to be tried.
#[derive(Clone)]
pub struct Experiment {
    /// The model to attack.
    pub model: Arc<Model>,
    /// Its adversarially trained twin, if there is one.
    pub twin: Option<Arc<Model>>,
    /// The sample.
    pub sample: Sample,
    /// Which attack, how.
    pub plan: Plan,
    /// Which device does the work, for the report.
    pub device: Device,
}

/// The model's answer to the clean picture.
#[derive(Clone, Debug)]
pub struct Clean {
    /// The picture as the model sees it.
    pub picture: Picture,
    /// The answer.
    pub prediction: Prediction,
    /// The class attacked away from: the truth where it is known, else the model's own answer.
    pub label: usize,
    /// Whether `label` is the truth.
    pub label_is_truth: bool,
    /// The logits behind the answer, from which targets are chosen.
    pub logits: Vec<f32>,
}

/// The class of `sample` in the model's own numbering, where the two agree on what classes are.
pub(super) fn truth(model: &Model, sample: &Sample) -> Option<usize> {
    let card = &model.card;
    let unnamed = card.data.is_empty() && card.input.shape == sample.picture.shape();
    let same = card.data == sample.dataset || unnamed;
    sample.label.filter(|label| same && *label < card.num_classes)
}

/// The answer behind a row of logits.
pub(super) fn prediction(model: &Model, row: &[f32]) -> Prediction {
    let probabilities = probabilities(row);
    let label = Scores::new(row.to_vec(), row.len()).labels()[0];
    Prediction {
        label,
        name: model.labels.get(label).cloned().unwrap_or_else(|| label.to_string()),
        confidence: probabilities[label],
        probabilities,
    }
}

/// A picture as a batch of one, `[1, C, H, W]`, on the model's device.
fn tensor(model: &Model, picture: &Picture) -> Tensor<4> {
    let [c, h, w] = picture.shape();
    let data = TensorData::new(picture.pixels().to_vec(), [1, c, h, w]);
    Tensor::from_data(data, model.network.device())
}

fn picture(images: Tensor<4>, shape: [usize; 3]) -> Result<Picture> {
    let pixels = images.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
    Ok(Picture::new(shape, pixels))
}

fn answer(
    model: &Model,
    victim: &mut Victim<'_>,
    images: &Tensor<4>,
) -> Result<(Prediction, Vec<f32>)> {
    let scores = victim.scores(images)?;
    let row = scores.rows().next().unwrap_or_default().to_vec();
    Ok((prediction(model, &row), row))
}

/// The model's answer to the clean picture.
///
/// # Errors
/// Device failures.
pub fn clean(experiment: &Experiment) -> Result<Clean> {
    let model = &experiment.model;
    let picture = model.card.input.fit(&experiment.sample.picture);
    picture.check(&experiment.sample.name)?;
    let images = tensor(model, &picture);
    let (prediction, logits) = answer(model, &mut Victim::new(&model.network), &images)?;
    let known = truth(model, &experiment.sample);
    let label = known.unwrap_or(prediction.label);
    Ok(Clean { picture, prediction, label, label_is_truth: known.is_some(), logits })
}

fn problem(experiment: &Experiment, images: Tensor<4>, goal: Goal) -> Result<Problem> {
    let Plan { norm, epsilon, seed, .. } = experiment.plan;
    let values = images.dims()[1..].iter().product();
    Ok(Problem {
        budget: Budget::new(norm, epsilon, values)?,
        images,
        goals: vec![goal],
        seed,
        samples: vec![experiment.sample.index as u64],
        crowd: None,
    })
}

/// Attacks the sample and measures what came of it.
///
/// A picture that the model gets wrong already is not attacked: the report says so.
///
/// # Errors
/// Cancelled, when the observer stops it; usage, for an ε, a norm or a target that does not fit;
/// device failures.
pub fn run(experiment: &Experiment, observer: &mut dyn Observer) -> Result<Report> {
    run_from(experiment, clean(experiment)?, observer)
}

/// As [`run`], for who has asked for the [`clean`] answer already.
///
/// # Errors
/// As [`run`].
pub fn run_from(
    experiment: &Experiment,
    clean: Clean,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let (model, plan) = (&experiment.model, &experiment.plan);
    plan.check()?;
    let goal = plan.aim.goal(clean.label, &clean.logits)?;
    let problem = problem(experiment, tensor(model, &clean.picture), goal)?;
    let attacked = clean.prediction.label == clean.label;
    let begin = Instant::now();
    let mut victim = Victim::new(&model.network);
    let (adversarial, after, success) = match attacked {
        true => {
            let settings = plan.resolved();
            let verdict = launch(plan.attack, &settings, &mut victim, &problem, observer)?;
            finish(model, verdict, clean.picture.shape())?
        }
        false => (clean.picture.clone(), clean.prediction.clone(), false),
    };
    let cost = cost(&victim, begin);
    let norms = norms(clean.picture.pixels(), adversarial.pixels());
    let similarity = Similarity {
        psnr: psnr(&clean.picture, &adversarial),
        ssim: ssim(&clean.picture, &adversarial),
        changed: norms.l0 as f32 / adversarial.pixels().len() as f32,
        survives_8_bit: success && reached(model, &adversarial.rounded_to_8_bits(), goal)?,
        survives_jpeg: success && reached(model, &jpeg(&adversarial, 90)?, goal)?,
    };
    let sample = &experiment.sample;
    Ok(Report {
        version: VERSION,
        model: model.card.name.clone(),
        sample: SampleRef {
            dataset: sample.dataset.clone(),
            index: sample.index,
            name: sample.name.clone(),
        },
        label: clean.label,
        label_name: model.labels.get(clean.label).cloned().unwrap_or_default(),
        label_is_truth: clean.label_is_truth,
        attack: plan.attack.id,
        norm: plan.norm,
        parameters: plan.resolved(),
        epsilon: plan.epsilon,
        target: match goal {
            Goal::Targeted { target } => Some(target),
            Goal::Untargeted { .. } => None,
        },
        seed: plan.seed,
        device: experiment.device.clone(),
        clean: clean.prediction,
        adversarial: after,
        success,
        attacked,
        norms,
        similarity,
        cost,
        defences: Vec::new(),
        picture: adversarial,
        original: clean.picture,
        plan: plan.clone(),
    })
}

fn finish(
    model: &Model,
    verdict: Verdict,
    shape: [usize; 3],
) -> Result<(Picture, Prediction, bool)> {
    let row = verdict.scores.rows().next().unwrap_or_default();
    let after = prediction(model, row);
    Ok((picture(verdict.images, shape)?, after, verdict.success[0]))
}

fn cost(victim: &Victim<'_>, begin: Instant) -> Cost {
    use crate::attack::Decision;
    let (forward, backward) = victim.passes();
    Cost { forward, backward, seconds: begin.elapsed().as_secs_f64() }
}

/// Whether the model's answer to a picture reaches the goal.
fn reached(model: &Model, picture: &Picture, goal: Goal) -> Result<bool> {
    let mut victim = Victim::new(&model.network);
    Ok(goal.reached(answer(model, &mut victim, &tensor(model, picture))?.0.label))
}

/// A defended model: stages before a network.
struct Defended<'a> {
    model: &'a Model,
    transform: Option<Box<dyn Transform>>,
}

impl<'a> Defended<'a> {
    /// None where the defence does not apply to this model (it has no twin).
    fn new(experiment: &'a Experiment, plan: &DefencePlan) -> Option<Self> {
        match plan.defence.build {
            Build::Input(build) => {
                Some(Self { model: &experiment.model, transform: Some(build(&plan.settings)) })
            }
            Build::Twin => {
                experiment.twin.as_ref().map(|twin| Self { model: twin, transform: None })
            }
        }
    }

    fn with<T>(&self, then: impl FnOnce(&mut Victim<'_>) -> Result<T>) -> Result<T> {
        match &self.transform {
            None => then(&mut Victim::new(&self.model.network)),
            Some(transform) => {
                let stage = |images: &Tensor<4>| apply(transform.as_ref(), images);
                then(&mut Victim::behind(&self.model.network, &stage))
            }
        }
    }

    fn answer(&self, picture: &Picture) -> Result<Prediction> {
        let images = tensor(self.model, picture);
        self.with(|victim| Ok(answer(self.model, victim, &images)?.0))
    }

    /// What it takes longer than the bare network for one picture: median of five, in ms.
    fn extra_ms(&self, bare: &Model, picture: &Picture) -> Result<f64> {
        let times = |defended: bool| -> Result<f64> {
            let mut laps = Vec::new();
            for _ in 0..5 {
                let begin = Instant::now();
                match defended {
                    true => self.answer(picture)?,
                    false => {
                        let mut victim = Victim::new(&bare.network);
                        answer(bare, &mut victim, &tensor(bare, picture))?.0
                    }
                };
                laps.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            laps.sort_by(f64::total_cmp);
            Ok(laps[2])
        };
        Ok(times(true)? - times(false)?)
    }

    /// The row for `picture`, which cost that much to find. `known` is what was measured before of
    /// the defence alone: its answer to the clean picture and what it takes longer.
    fn row(
        &self,
        plan: &DefencePlan,
        report: &Report,
        stance: &'static str,
        (picture, cost): (Picture, Cost),
        (clean, extra_ms): (Prediction, f64),
    ) -> Result<DefenceRow> {
        let adversarial = self.answer(&picture)?;
        let outcome = match (clean.label == report.label, goal(report).reached(adversarial.label)) {
            (false, _) => Outcome::Wrong,
            (true, true) => Outcome::Fooled,
            (true, false) => Outcome::Right,
        };
        Ok(DefenceRow {
            defence: plan.defence.id,
            name: plan.to_string(),
            parameters: plan.settings.clone(),
            stance,
            clean,
            adversarial,
            outcome,
            extra_ms,
            cost,
            picture,
        })
    }
}

fn goal(report: &Report) -> Goal {
    match report.target {
        Some(target) => Goal::Targeted { target },
        None => Goal::Untargeted { truth: report.label },
    }
}

/// The defence's answer to a picture that was attacked without knowing of it. None where the
/// defence does not apply to this model.
///
/// # Errors
/// Device failures.
pub fn defend_naive(
    experiment: &Experiment,
    report: &Report,
    plan: &DefencePlan,
) -> Result<Option<DefenceRow>> {
    let Some(defended) = Defended::new(experiment, plan) else { return Ok(None) };
    let clean = defended.answer(&report.original)?;
    let extra_ms = defended.extra_ms(&experiment.model, &report.original)?;
    let attacked = (report.picture.clone(), Cost::default());
    defended.row(plan, report, "naive", attacked, (clean, extra_ms)).map(Some)
}

/// The defence's answer to an attack that knows it: the same attack, run through the defence (the
/// gradient passes straight through stages that have none). `naive` is the same defence's row from
/// [`defend_naive`]. None where the defence does not apply.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures.
pub fn defend_adaptive(
    experiment: &Experiment,
    report: &Report,
    plan: &DefencePlan,
    naive: &DefenceRow,
    observer: &mut dyn Observer,
) -> Result<Option<DefenceRow>> {
    let Some(defended) = Defended::new(experiment, plan) else { return Ok(None) };
    let known = (naive.clean.clone(), naive.extra_ms);
    if naive.clean.label != report.label {
        let nothing = (report.original.clone(), Cost::default());
        return defended.row(plan, report, "adaptive", nothing, known).map(Some);
    }
    let images = tensor(defended.model, &report.original);
    let problem = problem(experiment, images, goal(report))?;
    let begin = Instant::now();
    let (verdict, cost) = defended.with(|victim| {
        let settings = experiment.plan.resolved();
        let verdict = launch(experiment.plan.attack, &settings, victim, &problem, observer)?;
        Ok((verdict, cost(victim, begin)))
    })?;
    let found = picture(verdict.images, report.original.shape())?;
    defended.row(plan, report, "adaptive", (found, cost), known).map(Some)
}
