//! One sample, one attack.

use crate::attack::{
    AttackConfig, Budget, Goal, GradientStats, ImageBatch, JudgedOutput, NON_FINITE, Note,
    Observer, Problem, TargetModel, generate, generate_and_judge, judge,
};
use crate::data::{Image, Sample};
use crate::defence::jpeg;
use crate::error::{Error, Result};
use crate::experiment::checks::{LossHistory, first_gradient};
use crate::experiment::hints;
use crate::experiment::prediction::{answer, cost, prediction, truth};
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::report::{Report, Similarity};
use crate::experiment::samples::training_images;
use crate::experiment::types::{DeviceInfo, Prediction, SampleRef, VERSION};
use crate::metrics::checks::{Evidence, logit_gap};
use crate::metrics::{RoundedImages, norms, psnr, ssim};
use crate::model::Model;
use std::sync::Arc;
use std::time::Instant;

/// An attack on one sample to run.
#[derive(Clone)]
pub struct Experiment {
    /// The model to attack.
    pub model: Arc<Model>,
    /// The model that the attack is crafted on, if it is not `model`; on the same device. `model`
    /// alone judges the result of it.
    pub surrogate: Option<Arc<Model>>,
    /// The sample.
    pub sample: Sample,
    /// Which attack, how.
    pub plan: AttackConfig,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
}

impl Experiment {
    /// The model, the surrogate and the data, for the provenance; not yet its defences.
    ///
    /// # Errors
    /// Failure, when the data set cannot be read.
    pub fn sources(&self) -> Result<Sources> {
        let mut origin = Sources::default();
        origin.model(&self.model);
        self.surrogate.iter().for_each(|surrogate| origin.model(surrogate));
        origin.data(DataIdentity::of_sample(&self.sample)?);
        Ok(origin)
    }
}

/// The model's prediction to the clean image.
#[derive(Clone, Debug)]
pub struct CleanPrediction {
    /// The image as the model sees it.
    pub picture: Image,
    /// The prediction.
    pub prediction: Prediction,
    /// The class attacked away from: the truth where it is known, else the model's own prediction.
    pub label: usize,
    /// Whether `label` is the truth.
    pub label_is_truth: bool,
    /// Its logits, from which targets are chosen.
    pub logits: Vec<f32>,
}

/// The model's prediction to the clean image.
///
/// # Errors
/// Device failures; failure, where the truth is not known and the network gives no number.
pub fn predict_clean(experiment: &Experiment) -> Result<CleanPrediction> {
    let model = &experiment.model;
    let picture = model.card.input.fit(&experiment.sample.image);
    picture.check(&experiment.sample.name)?;
    let images = ImageBatch::of(&picture);
    let (prediction, logits) = answer(model, &mut TargetModel::new(&model.network), &images)?;
    let known = truth(model, &experiment.sample);
    let label = known.unwrap_or(prediction.label);
    if label == NON_FINITE {
        return Err(Error::failure(
            "the network gives no number for this picture",
            &experiment.sample.name,
            "take another picture, or another network",
        ));
    }
    Ok(CleanPrediction { picture, prediction, label, label_is_truth: known.is_some(), logits })
}

/// The problem that the attack is given: the image, its goal, the budget, the seed.
pub(super) fn problem(experiment: &Experiment, images: ImageBatch, goal: Goal) -> Result<Problem> {
    let AttackConfig { norm, epsilon, seed, .. } = experiment.plan;
    Ok(Problem {
        budget: Budget::new(norm, epsilon, images.size())?,
        images,
        goals: vec![goal],
        seed,
        samples: vec![experiment.sample.index as u64],
        training_images: training_images(&experiment.model, &experiment.plan, &experiment.sample)?,
    })
}

/// Checks that what is crafted on `surrogate` can be tried on `victim`.
///
/// # Errors
/// Usage, where shapes or classes differ.
pub fn check_compatible(surrogate: &Model, victim: &Model) -> Result<()> {
    let kind = |model: &Model| {
        let [c, h, w] = model.card.input.shape;
        format!("'{}' takes {c}×{h}×{w} into {} classes", model.card.name, model.card.num_classes)
    };
    let [ours, theirs] = [surrogate, victim].map(|m| (m.card.input.shape, m.card.num_classes));
    match ours == theirs && (surrogate.labels == victim.labels) {
        true => Ok(()),
        false => Err(Error::usage(
            format!("{}, {}", kind(surrogate), kind(victim)),
            "--surrogate",
            "choose a model with the same input and the same classes",
        )),
    }
}

/// Runs the plan's attack, on the surrogate's oracle where there is one, and lets the target model
/// judge.
pub(super) fn run_attack(
    plan: &AttackConfig,
    victim: &mut TargetModel<'_>,
    surrogate: Option<&mut TargetModel<'_>>,
    problem: &Problem,
    observer: &mut dyn Observer,
) -> Result<JudgedOutput> {
    let (spec, settings) = (plan.attack, plan.resolved());
    match surrogate {
        None => generate_and_judge(spec, &settings, victim, problem, observer),
        Some(surrogate) => {
            let found = generate(spec, &settings, surrogate, problem, observer)?;
            judge(spec.bound, found, victim, problem)
        }
    }
}

/// Attacks the sample and measures the result of it.
///
/// An image that the model gets wrong already is not attacked: the report says so.
///
/// ```
/// use epsiloscope::attack::{AttackConfig, NoObserver};
/// use epsiloscope::data::Dataset;
/// use epsiloscope::engine::{DeviceChoice, choose};
/// use epsiloscope::experiment::{Experiment, attack_sample};
/// use epsiloscope::model::Model;
///
/// let chosen = choose(DeviceChoice::Cpu);
/// let experiment = Experiment {
///     model: Model::load("mnist-cnn", &chosen.device)?,
///     surrogate: None,
///     sample: Dataset::load("mnist")?.get(0)?,
///     plan: AttackConfig::parse("pgd:steps=10", 0.3)?,
///     device: chosen.info,
/// };
/// let report = attack_sample(&experiment, &mut NoObserver)?;
/// assert!(report.success && report.distance <= 0.3001);
/// # Ok::<(), epsiloscope::error::Error>(())
/// ```
///
/// # Errors
/// Cancelled, when the observer stops it; usage, for an ε, a norm, a target or a surrogate that
/// does not fit; device failures.
pub fn attack_sample(experiment: &Experiment, observer: &mut dyn Observer) -> Result<Report> {
    attack_sample_from(experiment, predict_clean(experiment)?, observer)
}

/// As [`attack_sample`], where the [clean prediction](predict_clean) is known already.
///
/// # Errors
/// As [`attack_sample`].
pub fn attack_sample_from(
    experiment: &Experiment,
    clean: CleanPrediction,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let (model, plan) = (&experiment.model, &experiment.plan);
    plan.check()?;
    experiment.surrogate.as_ref().map_or(Ok(()), |surrogate| check_compatible(surrogate, model))?;
    let goal = plan.target.goal(clean.label, &clean.logits)?;
    let attacked = clean.prediction.label == clean.label;
    let begin = Instant::now();
    let mut victim = TargetModel::new(&model.network);
    let mut surrogate = experiment.surrogate.as_ref().map(|model| TargetModel::new(&model.network));
    let mut history = LossHistory::new(observer);
    let found = match attacked {
        true => {
            let problem = problem(experiment, ImageBatch::of(&clean.picture), goal)?;
            let verdict =
                run_attack(plan, &mut victim, surrogate.as_mut(), &problem, &mut history)?;
            AttackedImage::new(model, verdict)
        }
        false => {
            // The ε is checked all the same.
            Budget::new(plan.norm, plan.epsilon, clean.picture.pixels().len())?;
            AttackedImage::nothing(&clean)
        }
    };
    let asked = || [&victim].into_iter().chain(&surrogate);
    let non_finite = asked().map(TargetModel::non_finite).sum();
    let cost = cost(asked(), begin);
    let adversarial = &found.picture;
    let norms = norms(clean.picture.pixels(), adversarial.pixels());
    let epsilon = plan.threshold(clean.picture.pixels().len());
    let eight = RoundedImages::new(&clean.picture, adversarial, plan.norm, epsilon);
    let similarity = Similarity {
        psnr: psnr(&clean.picture, adversarial),
        ssim: ssim(&clean.picture, adversarial),
        changed: norms.l0 as f32 / adversarial.pixels().len() as f32,
        survives_8_bit: found.reached && reached(model, &eight.picture, goal)?,
        survives_jpeg: found.reached && reached(model, &jpeg(adversarial, 90)?, goal)?,
    };
    let sample = &experiment.sample;
    let checks = Evidence {
        attacked,
        reached: found.reached,
        success: found.success,
        transferred: surrogate.is_some(),
        survives_8_bit: found.reached.then_some(similarity.survives_8_bit),
        histories: history.finish(),
        first: first_gradient(surrogate.as_ref().unwrap_or(&victim)),
        gradients: found.gradients,
        gap: Some(logit_gap(&clean.logits)),
        non_finite,
        ..Evidence::new(plan.clone(), epsilon)
    };
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
        extent: plan.attack.bound,
        surrogate: experiment.surrogate.as_ref().map(|model| model.card.name.clone()),
        norm: plan.norm,
        parameters: plan.resolved(),
        epsilon,
        target: match goal {
            Goal::Targeted { target } => Some(target),
            Goal::Untargeted { .. } => None,
        },
        seed: plan.seed,
        device: experiment.device.clone(),
        clean: clean.prediction,
        adversarial: found.answer,
        success: found.success,
        reached: found.reached,
        distance: found.distance,
        queries: found.queries,
        notes: told_first(experiment, found.notes),
        stage: found.stage,
        attacked,
        norms,
        similarity,
        cost,
        checks,
        defences: Vec::new(),
        picture: found.picture,
        original: clean.picture,
        plan: plan.clone(),
        saved: None,
    })
}

/// Hints about the user's own image, before the attack's notes.
fn told_first(experiment: &Experiment, notes: Vec<String>) -> Vec<String> {
    let hints = hints::of_picture(&experiment.model.card, &experiment.sample);
    hints.into_iter().chain(notes).collect()
}

/// The adversarial image with the attack's outcome.
struct AttackedImage {
    picture: Image,
    answer: Prediction,
    success: bool,
    reached: bool,
    distance: f32,
    queries: u64,
    gradients: GradientStats,
    notes: Vec<String>,
    stage: Option<&'static str>,
}

impl AttackedImage {
    fn new(model: &Model, verdict: JudgedOutput) -> Self {
        let GradientStats { queries, dead, .. } = verdict.gradient_stats[0];
        let stood = verdict.stalled(0).then(|| {
            format!(
                "{dead} of {queries} gradients were zero or not a number: the picture stood still"
            )
        });
        Self {
            answer: prediction(model, verdict.logits.rows().next().unwrap_or_default()),
            picture: verdict.images.image(0),
            success: verdict.success[0],
            reached: verdict.reached[0],
            distance: verdict.distance[0],
            queries: verdict.queries[0],
            gradients: verdict.gradient_stats[0],
            notes: Note::texts(&verdict.notes).into_iter().chain(stood).collect(),
            stage: verdict.stages.first().copied().flatten(),
        }
    }

    fn nothing(clean: &CleanPrediction) -> Self {
        Self {
            picture: clean.picture.clone(),
            answer: clean.prediction.clone(),
            success: false,
            reached: false,
            distance: 0.0,
            queries: 0,
            gradients: GradientStats::default(),
            notes: Vec::new(),
            stage: None,
        }
    }
}

/// Whether the model's prediction to an image reaches the goal.
fn reached(model: &Model, picture: &Image, goal: Goal) -> Result<bool> {
    let mut victim = TargetModel::new(&model.network);
    Ok(goal.reached(answer(model, &mut victim, &ImageBatch::of(picture))?.0.label))
}
