//! The workbench of attacks that work on the host: it asks the oracle in pieces of bounded size,
//! counts the queries of each picture, and reports to the observer.

use crate::attack::goal::Goal;
use crate::attack::gradients::GradientCount;
use crate::attack::objective::{Numbered, Objective, Scores};
use crate::attack::observer::{Flow, Images, Observer, Stage, Step};
use crate::attack::oracle::{Decision, Gradient, Score};
use crate::attack::problem::{Attempt, Problem};
use crate::attack::rows::Rows;
use crate::error::{Error, Result};
use burn_tensor::Device;

/// A gradient query's answer, on the host.
pub struct Slopes {
    /// The logits.
    pub scores: Scores,
    /// The objective's value for each picture.
    pub loss: Vec<f32>,
    /// Its gradient with respect to the pixels.
    pub gradient: Rows,
    /// log₂ of what each picture's gradient was multiplied by to keep it from underflowing (0 nearly
    /// always): to be undone before gradients of different pictures are added up.
    pub log2_scale: Vec<f64>,
}

/// What an attack shows of one iteration. `open` are the pictures of the problem it speaks of; the
/// other lists have one entry for each of them.
pub struct Sight<'a> {
    /// Which pictures.
    pub open: &'a [usize],
    /// Iterations done: 0 is the start.
    pub iteration: usize,
    /// How many iterations there will be at most.
    pub iterations: usize,
    /// What the attack climbs (or the distance it shortens, negated).
    pub loss: &'a [f32],
    /// What is known of the answers.
    pub answers: Answers<'a>,
    /// The step size in use, in pixel units; 0 where there is none.
    pub step_size: f32,
    /// The pictures as they are now.
    pub images: &'a Rows,
    /// An event of this family at this iteration: a halved step, a new constant, a window.
    pub mark: Option<&'a str>,
}

/// What an oracle answered.
#[derive(Clone, Copy)]
pub enum Answers<'a> {
    /// Logits.
    Scores(&'a Scores),
    /// Labels only.
    Labels(&'a [usize]),
}

/// One attack at work on one problem.
pub struct Trial<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// The clean pictures.
    pub x: Rows,
    /// Queries so far, by picture.
    pub queries: Vec<u64>,
    /// What was seen of its gradients, by picture.
    pub gradients: Vec<GradientCount>,
    /// Which restart, from 0, of how many.
    pub restart: (usize, usize),
    /// For an attack of several stages: which one.
    pub stage: Option<Stage>,
    device: Device,
    watcher: &'a mut dyn Observer,
}

/// How many values go through the network at once, roughly: enough to keep it busy, few enough to
/// bound memory and to be cancelled soon.
const VALUES: usize = 1 << 17;

impl<'a> Trial<'a> {
    /// Begins.
    ///
    /// # Errors
    /// Device failures.
    pub fn new(problem: &'a Problem, watcher: &'a mut dyn Observer) -> Result<Self> {
        Ok(Self {
            x: Rows::read(&problem.images)?,
            queries: vec![0; problem.len()],
            gradients: vec![GradientCount::default(); problem.len()],
            restart: (0, 1),
            stage: None,
            device: problem.images.device(),
            problem,
            watcher,
        })
    }

    /// All pictures of the problem.
    pub fn all(&self) -> Vec<usize> {
        (0..self.problem.len()).collect()
    }

    /// The goals of these pictures.
    pub fn goals(&self, open: &[usize]) -> Vec<Goal> {
        open.iter().map(|i| self.problem.goals[*i]).collect()
    }

    /// Whether these answers to versions of the pictures `open` reach their goals.
    pub fn reached(&self, open: &[usize], labels: &[usize]) -> Vec<bool> {
        let goals = open.iter().map(|i| self.problem.goals[*i]);
        goals.zip(labels).map(|(goal, label)| goal.reached(*label)).collect()
    }

    /// Keeps those of `images`, versions of the pictures `open`, whose answers reach their goals: the
    /// nearest in the problem's norm. Says which reach them.
    pub fn keep(
        &self,
        best: &mut Best,
        open: &[usize],
        images: &Rows,
        scores: &Scores,
    ) -> Vec<bool> {
        let reached = self.reached(open, &scores.labels());
        let norm = self.problem.budget.norm;
        for (row, i) in open.iter().enumerate().filter(|(row, _)| reached[*row]) {
            let image = images.row(row);
            best.offer(*i, image, true, norm.distance(self.x.row(*i), image));
        }
        reached
    }

    /// The labels of `images`; `open[k]` is the picture that `images[k]` is a version of (the same
    /// one may occur many times), which pays for the query.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn labels(
        &mut self,
        oracle: &mut (impl Decision + ?Sized),
        open: &[usize],
        images: &Rows,
    ) -> Result<Vec<usize>> {
        let mut labels = Vec::with_capacity(images.len());
        for range in self.pieces(open, images)? {
            labels.extend(oracle.labels(&images.slice(range, &self.device))?);
            self.pulse()?;
        }
        Ok(labels)
    }

    /// The logits of `images`; see [`Self::labels`].
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn scores(
        &mut self,
        oracle: &mut (impl Score + ?Sized),
        open: &[usize],
        images: &Rows,
    ) -> Result<Scores> {
        let mut all = Scores::new(Vec::new(), oracle.classes());
        for range in self.pieces(open, images)? {
            all.append(oracle.scores(&images.slice(range, &self.device))?);
            self.pulse()?;
        }
        Ok(all)
    }

    /// The gradients of `what` at `images`; see [`Self::labels`]. The objective is asked by the
    /// number of the row in `images`. What the network gives that is no number comes as one: see
    /// [`GradientCount`].
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn slopes(
        &mut self,
        oracle: &mut (impl Gradient + ?Sized),
        open: &[usize],
        images: &Rows,
        what: &dyn Objective,
    ) -> Result<Slopes> {
        let goals = self.goals(open);
        let mut all = Slopes {
            scores: Scores::new(Vec::new(), oracle.classes()),
            loss: Vec::with_capacity(images.len()),
            gradient: Rows::zeros(images.shape(), 0),
            log2_scale: Vec::with_capacity(images.len()),
        };
        for range in self.pieces(open, images)? {
            let first = range.start;
            let shifted = Numbered(what, |at| at + first);
            let part = images.slice(range.clone(), &self.device);
            let slope = oracle.slope(&part, &goals[range.clone()], &shifted)?;
            all.scores.append(slope.scores);
            all.loss.extend(slope.loss);
            all.log2_scale.extend(slope.log2_scale);
            let mut gradient = Rows::read(&slope.gradient)?;
            for (row, i) in open[range].iter().enumerate() {
                self.gradients[*i].take(gradient.row_mut(row));
            }
            all.gradient.append(gradient);
            self.pulse()?;
        }
        Ok(all)
    }

    /// Shows one iteration.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn show(&mut self, sight: &Sight<'_>) -> Result<()> {
        let goals = self.goals(sight.open);
        let (labels, margin) = match sight.answers {
            Answers::Scores(scores) => (scores.labels(), scores.margins(&goals)),
            Answers::Labels(labels) => (labels.to_vec(), Vec::new()),
        };
        let step = Step {
            open: sight.open,
            goals: &goals,
            restart: self.restart.0,
            restarts: self.restart.1,
            iteration: sight.iteration,
            iterations: sight.iterations,
            loss: sight.loss,
            margin: &margin,
            scores: match sight.answers {
                Answers::Scores(scores) => Some(scores),
                Answers::Labels(_) => None,
            },
            labels: &labels,
            step_size: sight.step_size,
            images: Images::Rows(sight.images),
            queries: sight.open.first().map_or(0, |i| self.queries[*i]),
            stage: self.stage,
            mark: sight.mark,
        };
        match self.watcher.step(&step) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::cancelled()),
        }
    }

    /// Ends with these pictures, one for each of the problem.
    pub fn finish(self, images: &Rows) -> Attempt {
        let attempt = Attempt::new(images.tensor(&self.device), self.queries);
        Attempt { gradients: self.gradients, ..attempt }
    }

    /// Asks whether to go on, between two pieces of work.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn pulse(&mut self) -> Result<()> {
        match self.watcher.pulse() {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(Error::cancelled()),
        }
    }

    /// How many pictures go through the network at once: what needs many versions of a picture
    /// makes so many at a time, to bound its memory.
    pub fn piece(&self) -> usize {
        (VALUES / self.x.size().max(1)).clamp(8, 128)
    }

    fn pieces(
        &mut self,
        open: &[usize],
        images: &Rows,
    ) -> Result<impl Iterator<Item = std::ops::Range<usize>> + use<>> {
        debug_assert_eq!(open.len(), images.len());
        open.iter().for_each(|i| self.queries[*i] += 1);
        let (n, most) = (images.len(), self.piece());
        Ok((0..n).step_by(most).map(move |first| first..(first + most).min(n)))
    }
}

/// The best picture found so far for each picture of a problem, by a rule of the attack's own:
/// the smaller the value, the better. Pictures that reach the goal beat all that do not.
pub struct Best {
    /// The pictures.
    pub images: Rows,
    /// Whether the goal is reached.
    pub reached: Vec<bool>,
    /// The value that is to be small: a distance, or a negated loss.
    pub value: Vec<f32>,
}

impl Best {
    /// Nothing found yet: the clean pictures.
    pub fn new(x: &Rows) -> Self {
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
    pub fn open(&self, among: &[usize]) -> Vec<usize> {
        among.iter().copied().filter(|i| !self.reached[*i]).collect()
    }
}
