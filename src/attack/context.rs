//! [`AttackContext`]: an attack at work on one problem. It queries the oracle in batches of bounded
//! size, counts the queries of each image, and reports every iteration to the observer.

use crate::attack::goal::Goal;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::objective::{Objective, Reindexed};
use crate::attack::observer::{Flow, Observer, StepEvent};
use crate::attack::oracle::{DecisionOracle, GradientOracle, LossGradient, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::{Error, Result};
use std::ops::Range;

/// One iteration, as the attack reports it: see [`StepEvent`], which is made of it. All lists but
/// `active` belong to the images in `active`, in that order.
pub struct StepReport<'a> {
    /// The indices in the problem of the images that are worked on, `[N]`.
    pub active: &'a [usize],
    /// Iterations done: 0 is the initial point.
    pub iteration: usize,
    /// Number of iterations, at most.
    pub iterations: usize,
    /// The value of the objective that the attack increases (a distance it decreases, negated), `[N]`.
    pub loss: &'a [f32],
    /// What the oracle gave for `images`.
    pub predictions: Predictions<'a>,
    /// The step size in use, in pixel units of 0..1; 0 where there is none.
    pub step_size: f32,
    /// The images at this iteration, `[N, C, H, W]`.
    pub images: &'a ImageBatch,
    /// An event of this attack's own: a halved step, a new constant.
    pub mark: Option<&'a str>,
}

/// What an oracle gave for N images.
#[derive(Clone, Copy)]
pub enum Predictions<'a> {
    /// Logits, `[N, K]`.
    Logits(&'a Logits),
    /// Logits, and the labels and margins that follow from them, where the attack has them already.
    Judged(&'a Logits, &'a [usize], &'a [f32]),
    /// Labels only, `[N]`.
    Labels(&'a [usize]),
}

/// An attack at work on one problem. Its images are told apart by their index in the problem; most
/// methods take `active`, the indices of those that the attack still works on.
pub struct AttackContext<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The clean images, `[N, C, H, W]`.
    pub x: &'a ImageBatch,
    /// Queries so far for each image, `[N]`.
    pub queries: Vec<u64>,
    /// Statistics of the gradients seen of each image, `[N]`.
    pub gradient_stats: Vec<GradientStats>,
    /// Which restart, from 0, of how many.
    pub restart: (usize, usize),
    observer: &'a mut dyn Observer,
}

/// Number of pixel values in one query of the network, roughly: enough to keep it busy, few enough to
/// bound its memory and to be stopped soon.
const VALUES: usize = 1 << 17;

impl<'a> AttackContext<'a> {
    /// An attack that has not queried anything yet.
    pub fn new(problem: &'a Problem, observer: &'a mut dyn Observer) -> Self {
        Self {
            problem,
            x: &problem.images,
            queries: vec![0; problem.len()],
            gradient_stats: vec![GradientStats::default(); problem.len()],
            restart: (0, 1),
            observer,
        }
    }

    /// The indices of all images of the problem.
    pub fn all(&self) -> Vec<usize> {
        (0..self.problem.len()).collect()
    }

    /// The goals of these images.
    pub fn goals(&self, active: &[usize]) -> Vec<Goal> {
        active.iter().map(|i| self.problem.goals[*i]).collect()
    }

    /// Whether predicting `labels` for versions of the images in `active` reaches their goals.
    pub fn reached(&self, active: &[usize], labels: &[usize]) -> Vec<bool> {
        let goals = active.iter().map(|i| self.problem.goals[*i]);
        goals.zip(labels).map(|(goal, label)| goal.reached(*label)).collect()
    }

    /// Offers to `best` each of `images`, versions of the images in `active` with these `logits`, that
    /// reaches its goal, with its distance in the problem's norm. Returns which reach it.
    pub fn keep_successes(
        &self,
        best: &mut BestSoFar,
        active: &[usize],
        images: &ImageBatch,
        logits: &Logits,
    ) -> Vec<bool> {
        let reached = self.reached(active, &logits.labels());
        let norm = self.problem.budget.norm;
        for (row, i) in active.iter().enumerate().filter(|(row, _)| reached[*row]) {
            let image = images.row(row);
            best.offer(*i, image, true, norm.distance(self.x.row(*i), image));
        }
        reached
    }

    /// The predicted labels of `images`. `active[k]` is the index of the image that `images[k]` is a
    /// version of, to which the query is counted; an index may occur many times.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn labels(
        &mut self,
        oracle: &mut (impl DecisionOracle + ?Sized),
        active: &[usize],
        images: &ImageBatch,
    ) -> Result<Vec<usize>> {
        let mut labels = Vec::with_capacity(images.len());
        self.in_batches(active, images, |_, _, part| {
            labels.extend(oracle.labels(part)?);
            Ok(())
        })?;
        Ok(labels)
    }

    /// The logits of `images`; see [`Self::labels`].
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn logits(
        &mut self,
        oracle: &mut (impl ScoreOracle + ?Sized),
        active: &[usize],
        images: &ImageBatch,
    ) -> Result<Logits> {
        let mut all = Logits::new(Vec::new(), oracle.classes());
        self.in_batches(active, images, |_, _, part| {
            all.append(oracle.logits(part)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The values and gradients of `objective` at `images`; see [`Self::labels`]. The objective is
    /// indexed by the row in `images`. Values of the gradient that are no finite numbers are
    /// replaced: see [`GradientStats`].
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn gradients(
        &mut self,
        oracle: &mut (impl GradientOracle + ?Sized),
        active: &[usize],
        images: &ImageBatch,
        objective: &dyn Objective,
    ) -> Result<LossGradient> {
        let goals = self.goals(active);
        let mut all = LossGradient {
            logits: Logits::new(Vec::new(), oracle.classes()),
            loss: Vec::with_capacity(images.len()),
            gradient: ImageBatch::zeros(images.shape(), 0),
            log2_scale: Vec::with_capacity(images.len()),
        };
        self.in_batches(active, images, |context, range, part| {
            let first = range.start;
            let shifted = Reindexed(objective, |at| at + first);
            let mut found = oracle.gradient(part, &goals[range.clone()], &shifted)?;
            for (i, gradient) in active[range].iter().zip(found.gradient.iter_mut()) {
                context.gradient_stats[*i].record(gradient);
            }
            all.logits.append(found.logits);
            all.loss.extend(found.loss);
            all.log2_scale.extend(found.log2_scale);
            all.gradient.append(found.gradient);
            Ok(())
        })?;
        Ok(all)
    }

    /// Counts one query for each of `images`, and hands them on in batches of [`Self::batch_size`].
    fn in_batches(
        &mut self,
        active: &[usize],
        images: &ImageBatch,
        mut query: impl FnMut(&mut Self, Range<usize>, &ImageBatch) -> Result<()>,
    ) -> Result<()> {
        debug_assert_eq!(active.len(), images.len());
        active.iter().for_each(|i| self.queries[*i] += 1);
        let (n, most) = (images.len(), self.batch_size());
        for first in (0..n).step_by(most) {
            let range = first..(first + most).min(n);
            match range.len() == n {
                true => query(self, range, images)?,
                false => query(self, range.clone(), &images.slice(range))?,
            }
            self.poll()?;
        }
        Ok(())
    }

    /// Reports one iteration to the observer.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn report(&mut self, report: &StepReport<'_>) -> Result<()> {
        let goals = self.goals(report.active);
        let (found_labels, found_margins);
        let (logits, labels, margin) = match report.predictions {
            Predictions::Judged(logits, labels, margins) => (Some(logits), labels, margins),
            Predictions::Labels(labels) => (None, labels, &[][..]),
            Predictions::Logits(logits) => {
                (found_labels, found_margins) = (logits.labels(), logits.margins(&goals));
                (Some(logits), &found_labels[..], &found_margins[..])
            }
        };
        let event = StepEvent {
            active: report.active,
            goals: &goals,
            restart: self.restart.0,
            restarts: self.restart.1,
            iteration: report.iteration,
            iterations: report.iterations,
            loss: report.loss,
            margin,
            logits,
            labels,
            step_size: report.step_size,
            images: report.images,
            queries: report.active.first().map_or(0, |i| self.queries[*i]),
            stage: None,
            mark: report.mark,
        };
        goes_on(self.observer.step(&event))
    }

    /// Asks the observer whether to go on, between two pieces of work.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn poll(&mut self) -> Result<()> {
        goes_on(self.observer.poll())
    }

    /// Ends with these images, `[N, C, H, W]`, one for each of the problem.
    pub fn finish(self, images: ImageBatch) -> AttackOutput {
        let output = AttackOutput::new(images, self.queries);
        AttackOutput { gradient_stats: self.gradient_stats, ..output }
    }

    /// How many images are queried at once. An attack that needs many versions of an image makes so
    /// many at a time, to bound its memory.
    pub fn batch_size(&self) -> usize {
        (VALUES / self.x.size().max(1)).clamp(8, 128)
    }
}

fn goes_on(flow: Flow) -> Result<()> {
    match flow {
        Flow::Continue => Ok(()),
        Flow::Stop => Err(Error::cancelled()),
    }
}

/// The best version found so far of each image of a problem: one that reaches its goal before one
/// that does not, then the one of the smallest value.
pub struct BestSoFar {
    /// The images, `[N, C, H, W]`.
    pub images: ImageBatch,
    /// Whether each reaches its goal, `[N]`.
    pub reached: Vec<bool>,
    /// The value that is to be small, `[N]`: a distance, or a negated loss.
    pub value: Vec<f32>,
}

impl BestSoFar {
    /// Nothing found yet: the clean images, `[N, C, H, W]`.
    pub fn new(x: &ImageBatch) -> Self {
        let n = x.len();
        Self { images: x.clone(), reached: vec![false; n], value: vec![f32::INFINITY; n] }
    }

    /// Takes a version of image `i` if it is better than the one so far; returns whether it was.
    pub fn offer(&mut self, i: usize, image: &[f32], reached: bool, value: f32) -> bool {
        let better = match (reached, self.reached[i]) {
            (true, false) => true,
            (false, true) => false,
            _ => value < self.value[i],
        };
        if better {
            self.images.row_mut(i).copy_from_slice(image);
            self.reached[i] = reached;
            self.value[i] = value;
        }
        better
    }

    /// Those of the images `among` whose goals are not reached yet.
    pub fn active(&self, among: &[usize]) -> Vec<usize> {
        among.iter().copied().filter(|i| !self.reached[*i]).collect()
    }
}
