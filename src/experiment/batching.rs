//! Many labelled images and one model: what batches, evaluations and transfers share.

use crate::attack::{
    AttackConfig, Bound, Budget, Flow, Goal, ImageBatch, Logits, Observer, Problem, TrainingImages,
};
use crate::attack::{ScoreOracle, StepEvent, TargetModel};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::hints;
use crate::experiment::passes::parts;
use crate::experiment::prediction::truth;
use crate::experiment::samples::{first_images, needs_training_images};
use crate::experiment::time_left::{StageProgress, TimeEstimate};
use crate::model::Model;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Labelled images as a model sees them: pixels `[N, C, H, W]` in 0..1, flattened.
pub(super) struct LabelledImages<'a> {
    /// The model.
    pub model: &'a Model,
    /// Pixels in 0..1, `[N, C, H, W]`.
    pub images: &'a [f32],
    /// The true class of each.
    pub labels: &'a [usize],
    /// The number of the first one, which keys its random numbers; the others follow.
    pub first: usize,
}

/// A [`TimeEstimate`] with a clock.
pub(super) struct AttackTimeLeft {
    time: TimeEstimate,
    begin: Instant,
    /// For each part of each attack, whether it searches for the least perturbation: then its
    /// iterates reach the goal beyond ε too, and say nothing of what stands.
    searches: Vec<Vec<bool>>,
}

impl AttackTimeLeft {
    /// Of these attacks on so many images.
    pub fn new(plans: &[AttackConfig], images: usize, every: bool) -> Self {
        let attacks = plans.iter().map(parts).collect();
        let searches = |plan: &AttackConfig| {
            let least = |stage: &AttackConfig| stage.attack.bound == Bound::MinimumNorm;
            plan.stages().iter().map(least).collect()
        };
        let searches = plans.iter().map(searches).collect();
        Self { time: TimeEstimate::new(attacks, images, every), begin: Instant::now(), searches }
    }

    /// The estimate, for reports beside the attack's events.
    pub fn time(&mut self) -> &mut TimeEstimate {
        &mut self.time
    }

    /// Seconds since the work began.
    pub fn now(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Takes in the progress of an attack on a batch; the seconds that are left.
    pub fn follow(&mut self, told: &AttackProgress) -> Option<f64> {
        let now = self.now();
        if let Some(mut reach) = told.reach {
            let parts: Option<&Vec<bool>> = self.searches.get(self.time.attack());
            if parts.and_then(|parts| parts.get(reach.part)) == Some(&true) {
                reach.standing = reach.open;
            }
            self.time.step(reach, now);
        }
        self.time.left()
    }
}

/// The model's predictions for the clean images.
pub(super) struct CleanPredictions {
    /// The logits.
    pub scores: Logits,
    /// The labels.
    pub labels: Vec<usize>,
    /// Which images are classified correctly, by their numbers here.
    pub right: Vec<usize>,
}

impl LabelledImages<'_> {
    /// Values of one image.
    pub fn size(&self) -> usize {
        self.model.card.input.shape.iter().product()
    }

    /// The images with these indices.
    fn select(&self, which: &[usize]) -> ImageBatch {
        let mut images = ImageBatch::new(self.model.card.input.shape, Vec::new());
        for i in which {
            images.push(self.row(*i));
        }
        images
    }

    /// How many seconds the scores of images take (after a lap that warms up, over a third of a
    /// second, so that other work on the machine slows it as it will slow the rest), and of how
    /// many.
    ///
    /// # Errors
    /// Device failures.
    pub fn lap(&self, victim: &mut TargetModel<'_>, batch: usize) -> Result<(usize, f64)> {
        let few: Vec<usize> = (0..self.labels.len().min(batch.clamp(1, 128))).collect();
        let images = self.select(&few);
        victim.logits(&images)?;
        let (begin, mut laps) = (Instant::now(), 0);
        while laps == 0 || laps < 25 && begin.elapsed().as_secs_f64() < 0.33 {
            victim.logits(&images)?;
            laps += 1;
        }
        Ok((laps * few.len(), begin.elapsed().as_secs_f64()))
    }

    /// One image.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.images[i * self.size()..(i + 1) * self.size()]
    }

    /// The model's predictions for all of them, `batch` at a time.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn answers(
        &self,
        victim: &mut TargetModel<'_>,
        batch: usize,
        go_on: &mut dyn FnMut() -> Flow,
    ) -> Result<CleanPredictions> {
        let all: Vec<usize> = (0..self.labels.len()).collect();
        let mut scores = Logits::new(Vec::new(), self.model.card.num_classes);
        for part in all.chunks(batch.max(1)) {
            scores.append(victim.predict(&self.select(part))?);
            if go_on() == Flow::Stop {
                return Err(Error::cancelled());
            }
        }
        let labels = scores.labels();
        let right = all.into_iter().filter(|i| labels[*i] == self.labels[*i]).collect();
        Ok(CleanPredictions { scores, labels, right })
    }

    /// The goals of those of `which` that the plan can attack: none is its target already.
    ///
    /// # Errors
    /// Usage, for a target that does not exist.
    pub fn goals(
        &self,
        plan: &AttackConfig,
        answers: &CleanPredictions,
        which: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<(usize, Goal)>> {
        let which = which.into_iter().filter(|i| !plan.target.is_at(self.labels[*i]));
        which.map(|i| Ok((i, plan.target.goal(self.labels[i], answers.scores.row(i))?))).collect()
    }

    /// The problem of attacking some of them.
    ///
    /// # Errors
    /// Usage, for an ε out of range.
    pub fn problem(
        &self,
        plan: &AttackConfig,
        part: &[(usize, Goal)],
        crowd: Option<Arc<TrainingImages>>,
    ) -> Result<Problem> {
        let which: Vec<usize> = part.iter().map(|(i, _)| *i).collect();
        Ok(Problem {
            budget: Budget::new(plan.norm, plan.epsilon, self.size())?,
            images: self.select(&which),
            goals: part.iter().map(|(_, goal)| *goal).collect(),
            seed: plan.seed,
            samples: which.iter().map(|i| (self.first + i) as u64).collect(),
            training_images: crowd,
        })
    }
}

/// Which images of these classes nothing can be attacked on, since every plan aims at the class
/// that they are of: they are left out, and count neither as broken nor as robust. What the model
/// merely takes for the target is misclassified, and counts as that.
///
/// # Errors
/// Usage, where that leaves none.
pub(super) fn left_out(plans: &[AttackConfig], labels: &[usize]) -> Result<Vec<bool>> {
    let at = |label: &usize| !plans.is_empty() && plans.iter().all(|p| p.target.is_at(*label));
    let out: Vec<bool> = labels.iter().map(at).collect();
    match out.is_empty() || out.contains(&false) {
        true => Ok(out),
        false => Err(Error::usage(
            format!("every picture of {} is of the target class already", out.len()),
            "--target",
            "aim at another class, or take more pictures",
        )),
    }
}

/// The images and classes of a data set, as the model sees them.
///
/// # Errors
/// Usage, where the data set's classes are not the model's.
pub(super) fn read(
    model: &Model,
    dataset: &Dataset,
    range: Range<usize>,
) -> Result<(Vec<f32>, Vec<usize>)> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for index in range {
        let sample = dataset.sample(index);
        let Some(label) = truth(model, &sample) else {
            let what = format!("'{}' was not made for '{}'", model.card.name, dataset.id);
            let what = hints::of_dataset(&model.card, dataset).unwrap_or(what);
            let remedy = match model.card.data.as_str() {
                "" => {
                    "choose a data set of its shape and classes (`epsiloscope samples`)".to_string()
                }
                own => format!("use the model's own data set, '{own}'"),
            };
            return Err(Error::usage(what, "--dataset", remedy));
        };
        images.extend_from_slice(model.card.input.fit(&sample.image).pixels());
        labels.push(label);
    }
    Ok((images, labels))
}

/// What the plan's attack learns from: the images after `range`, round the end of the data set,
/// so that what was learned is tried on images that were not learned from. None where the attack
/// needs none, or where there are no others.
///
/// # Errors
/// Failure, when the data set cannot be read.
pub(super) fn universal_images(
    model: &Model,
    plan: &AttackConfig,
    dataset: &Dataset,
    range: Range<usize>,
) -> Option<Arc<TrainingImages>> {
    let order = (range.end..dataset.len()).chain(0..range.start);
    needs_training_images(plan).then(|| first_images(model, plan, dataset, order)).flatten()
}

/// How many images to attack at a time: one perturbation for all needs all of them.
pub(super) fn batch_size_for(plan: &AttackConfig, batch: usize) -> usize {
    if plan.attack.universal { usize::MAX } else { batch.max(1) }
}

/// The progress of an attack on a batch.
#[derive(Clone, Copy, Default)]
pub(super) struct AttackProgress {
    /// The share of all of it that is done, 0..1.
    pub share: f64,
    /// Its stage, if it has any.
    pub stage: Option<&'static str>,
    /// After an iteration: how far its stage is.
    pub reach: Option<StageProgress>,
}

/// An [`Observer`] that reports the progress of an attack and can stop it.
pub(super) struct ProgressObserver<'a> {
    told: AttackProgress,
    /// The names of the attack's stages, where it has any.
    pub stages: &'static [&'static str],
    tell: &'a mut dyn FnMut(&AttackProgress) -> Flow,
}

impl<'a> ProgressObserver<'a> {
    /// Calls `tell` with the progress of the attack.
    pub fn new(tell: &'a mut dyn FnMut(&AttackProgress) -> Flow) -> Self {
        Self { told: AttackProgress::default(), stages: &[], tell }
    }
}

impl Observer for ProgressObserver<'_> {
    fn step(&mut self, step: &StepEvent<'_>) -> Flow {
        let within = (step.iteration as f64 + 1.0) / (step.iterations as f64 + 1.0);
        let share = (step.restart as f64 + within) / step.restarts.max(1) as f64;
        let share = share.clamp(0.0, 1.0);
        let (part, whole) = match step.stage {
            None => (0, share),
            Some(stage) => {
                self.stages = stage.all;
                (stage.number, (stage.number as f64 + share) / stage.all.len().max(1) as f64)
            }
        };
        let broken =
            step.goals.iter().zip(step.labels).filter(|(goal, label)| goal.reached(**label));
        let open = step.active.len();
        let standing = open.saturating_sub(broken.count());
        let reach = Some(StageProgress { part, share, open, standing });
        let stage = step.stage.map(|stage| stage.name());
        self.told = AttackProgress { share: whole, stage, reach: None };
        (self.tell)(&AttackProgress { reach, ..self.told })
    }

    fn poll(&mut self) -> Flow {
        (self.tell)(&self.told)
    }
}
