//! The workbench of attacks that work on the host: it asks the oracle in pieces of bounded size,
//! counts the queries of each picture, and reports to the observer.

use crate::attack::goal::Goal;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::objective::{Logits, Objective, Reindexed};
use crate::attack::observer::{AttackStage, Flow, Images, Observer, StepEvent};
use crate::attack::oracle::{DecisionOracle, GradientOracle, ScoreOracle};
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::{Error, Result};
use burn_tensor::Device;

/// A gradient query's answer, on the host.
pub struct LossGradients {
    /// The logits.
    pub logits: Logits,
    /// The objective's value for each picture.
    pub loss: Vec<f32>,
    /// Its gradient with respect to the pixels.
    pub gradient: ImageBatch,
    /// log₂ of what each picture's gradient was multiplied by to keep it from underflowing (0 nearly
    /// always): to be undone before gradients of different pictures are added up.
    pub log2_scale: Vec<f64>,
}

/// What an attack shows of one iteration. `active` are the pictures of the problem it speaks of; the
/// other lists have one entry for each of them.
pub struct StepReport<'a> {
    /// Which pictures.
    pub active: &'a [usize],
    /// Iterations done: 0 is the start.
    pub iteration: usize,
    /// How many iterations there will be at most.
    pub iterations: usize,
    /// What the attack climbs (or the distance it shortens, negated).
    pub loss: &'a [f32],
    /// What is known of the answers.
    pub predictions: Predictions<'a>,
    /// The step size in use, in pixel units; 0 where there is none.
    pub step_size: f32,
    /// The pictures as they are now.
    pub images: &'a ImageBatch,
    /// An event of this family at this iteration: a halved step, a new constant, a window.
    pub mark: Option<&'a str>,
}

/// What an oracle answered.
#[derive(Clone, Copy)]
pub enum Predictions<'a> {
    /// Logits.
    Logits(&'a Logits),
    /// Labels only.
    Labels(&'a [usize]),
}

/// One attack at work on one problem.
pub struct AttackContext<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The clean pictures.
    pub x: ImageBatch,
    /// Queries so far, by picture.
    pub queries: Vec<u64>,
    /// What was seen of its gradients, by picture.
    pub gradient_stats: Vec<GradientStats>,
    /// Which restart, from 0, of how many.
    pub restart: (usize, usize),
    /// For an attack of several stages: which one.
    pub stage: Option<AttackStage>,
    device: Device,
    observer: &'a mut dyn Observer,
}

/// How many values go through the network at once, roughly: enough to keep it busy, few enough to
/// bound memory and to be cancelled soon.
const VALUES: usize = 1 << 17;

impl<'a> AttackContext<'a> {
    /// Begins.
    ///
    /// # Errors
    /// Device failures.
    pub fn new(problem: &'a Problem, observer: &'a mut dyn Observer) -> Result<Self> {
        Ok(Self {
            x: ImageBatch::from_tensor(&problem.images)?,
            queries: vec![0; problem.len()],
            gradient_stats: vec![GradientStats::default(); problem.len()],
            restart: (0, 1),
            stage: None,
            device: problem.images.device(),
            problem,
            observer,
        })
    }

    /// All pictures of the problem.
    pub fn all(&self) -> Vec<usize> {
        (0..self.problem.len()).collect()
    }

    /// The goals of these pictures.
    pub fn goals(&self, active: &[usize]) -> Vec<Goal> {
        active.iter().map(|i| self.problem.goals[*i]).collect()
    }

    /// Whether these answers to versions of the pictures `active` reach their goals.
    pub fn reached(&self, active: &[usize], labels: &[usize]) -> Vec<bool> {
        let goals = active.iter().map(|i| self.problem.goals[*i]);
        goals.zip(labels).map(|(goal, label)| goal.reached(*label)).collect()
    }

    /// Keeps those of `images`, versions of the pictures `active`, whose answers reach their goals: the
    /// nearest in the problem's norm. Says which reach them.
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

    /// The labels of `images`; `active[k]` is the picture that `images[k]` is a version of (the same
    /// one may occur many times), which pays for the query.
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
        for range in self.batches(active, images)? {
            labels.extend(oracle.labels(&images.slice(range, &self.device))?);
            self.poll()?;
        }
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
        for range in self.batches(active, images)? {
            all.append(oracle.logits(&images.slice(range, &self.device))?);
            self.poll()?;
        }
        Ok(all)
    }

    /// The gradients of `objective` at `images`; see [`Self::labels`]. The objective is asked by the
    /// number of the row in `images`. What the network gives that is no number comes as one: see
    /// [`GradientStats`].
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn gradients(
        &mut self,
        oracle: &mut (impl GradientOracle + ?Sized),
        active: &[usize],
        images: &ImageBatch,
        objective: &dyn Objective,
    ) -> Result<LossGradients> {
        let goals = self.goals(active);
        let mut all = LossGradients {
            logits: Logits::new(Vec::new(), oracle.classes()),
            loss: Vec::with_capacity(images.len()),
            gradient: ImageBatch::zeros(images.shape(), 0),
            log2_scale: Vec::with_capacity(images.len()),
        };
        for range in self.batches(active, images)? {
            let first = range.start;
            let shifted = Reindexed(objective, |at| at + first);
            let part = images.slice(range.clone(), &self.device);
            let found = oracle.gradient(&part, &goals[range.clone()], &shifted)?;
            all.logits.append(found.logits);
            all.loss.extend(found.loss);
            all.log2_scale.extend(found.log2_scale);
            let mut gradient = ImageBatch::from_tensor(&found.gradient)?;
            for (row, i) in active[range].iter().enumerate() {
                self.gradient_stats[*i].record(gradient.row_mut(row));
            }
            all.gradient.append(gradient);
            self.poll()?;
        }
        Ok(all)
    }

    /// Shows one iteration.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn report(&mut self, report: &StepReport<'_>) -> Result<()> {
        let goals = self.goals(report.active);
        let (labels, margin) = match report.predictions {
            Predictions::Logits(logits) => (logits.labels(), logits.margins(&goals)),
            Predictions::Labels(labels) => (labels.to_vec(), Vec::new()),
        };
        let step = StepEvent {
            active: report.active,
            goals: &goals,
            restart: self.restart.0,
            restarts: self.restart.1,
            iteration: report.iteration,
            iterations: report.iterations,
            loss: report.loss,
            margin: &margin,
            logits: match report.predictions {
                Predictions::Logits(logits) => Some(logits),
                Predictions::Labels(_) => None,
            },
            labels: &labels,
            step_size: report.step_size,
            images: Images::ImageBatch(report.images),
            queries: report.active.first().map_or(0, |i| self.queries[*i]),
            stage: self.stage,
            mark: report.mark,
        };
        match self.observer.step(&step) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::cancelled()),
        }
    }

    /// Ends with these pictures, one for each of the problem.
    pub fn finish(self, images: &ImageBatch) -> AttackOutput {
        let output = AttackOutput::new(images.to_tensor(&self.device), self.queries);
        AttackOutput { gradient_stats: self.gradient_stats, ..output }
    }

    /// Asks whether to go on, between two pieces of work.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn poll(&mut self) -> Result<()> {
        match self.observer.poll() {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::cancelled()),
        }
    }

    /// How many pictures go through the network at once: what needs many versions of a picture
    /// makes so many at a time, to bound its memory.
    pub fn batch_size(&self) -> usize {
        (VALUES / self.x.size().max(1)).clamp(8, 128)
    }

    fn batches(
        &mut self,
        active: &[usize],
        images: &ImageBatch,
    ) -> Result<impl Iterator<Item = std::ops::Range<usize>> + use<>> {
        debug_assert_eq!(active.len(), images.len());
        active.iter().for_each(|i| self.queries[*i] += 1);
        let (n, most) = (images.len(), self.batch_size());
        Ok((0..n).step_by(most).map(move |first| first..(first + most).min(n)))
    }
}

/// The best picture found so far for each picture of a problem, by a rule of the attack's own:
/// the smaller the value, the better. Pictures that reach the goal beat all that do not.
pub struct BestSoFar {
    /// The pictures.
    pub images: ImageBatch,
    /// Whether the goal is reached.
    pub reached: Vec<bool>,
    /// The value that is to be small: a distance, or a negated loss.
    pub value: Vec<f32>,
}

impl BestSoFar {
    /// Nothing found yet: the clean pictures.
    pub fn new(x: &ImageBatch) -> Self {
        let n = x.len();
        Self { images: x.clone(), reached: vec![false; n], value: vec![f32::INFINITY; n] }
    }

    /// Takes a candidate for picture `i` where it is better; says whether it was.
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

    /// The pictures of `among` that are not there yet.
    pub fn active(&self, among: &[usize]) -> Vec<usize> {
        among.iter().copied().filter(|i| !self.reached[*i]).collect()
    }
}
