//! What attacks that see labels only share: questions within a limit, the nearest adversarial
//! picture so far, bisection, and the estimate of the decision boundary's normal.
//!
//! One picture is worked on at a time wherever the questions of a picture wait for each other, so
//! that its answers cannot depend on its batch.

use crate::attack::norm::{Norm, length};
use crate::attack::observer::Observer;
use crate::attack::oracle::Decision;
use crate::attack::problem::{Attempt, Problem};
use crate::attack::rows::Rows;
use crate::attack::trial::{Answers, Sight, Trial};
use crate::draws::Draws;
use crate::error::Result;
use crate::parameter::{Param, Settings};

/// The limit on questions.
pub(super) const fn queries(default: i64) -> Param {
    Param::int("queries", (10, 1_000_000), default, "most queries a picture; never exceeded")
}

/// How many pictures are at hand to start from.
pub(super) const SAMPLES: Param = Param::int(
    "samples",
    (1, 10_000),
    100,
    "pictures of the data set to look for a start in, where a class is aimed at",
);

/// By how much the answer is moved outwards, relative to its distance: a picture on the boundary
/// itself may be answered otherwise when it is asked again in another batch.
const MARGIN: f64 = 1e-4;

/// A picture that was asked about.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// Its pixels.
    pub image: Vec<f32>,
    /// The answer.
    pub label: usize,
    /// Whether the goal is reached there.
    pub reached: bool,
    /// How far it is from the clean picture, in the budget's norm.
    pub distance: f32,
}

/// An attack on decisions at work on one problem.
pub(super) struct Walk<'a> {
    /// The workbench.
    pub trial: Trial<'a>,
    /// Random numbers of each picture.
    pub draws: Vec<Draws>,
    /// How many iterations there will be at most.
    pub iterations: usize,
    /// Pictures that may serve as starts, where the problem brings some.
    pub crowd: Option<Rows>,
    oracle: &'a mut dyn Decision,
    limit: u64,
    best: Vec<Option<Spot>>,
}

impl<'a> Walk<'a> {
    /// Begins; `queries` of the settings is the limit.
    ///
    /// # Errors
    /// Device failures.
    pub fn new(
        oracle: &'a mut dyn Decision,
        problem: &'a Problem,
        settings: &Settings,
        iterations: usize,
        watcher: &'a mut dyn Observer,
    ) -> Result<Self> {
        Ok(Self {
            trial: Trial::new(problem, watcher)?,
            draws: problem.draws(0),
            iterations,
            crowd: problem.crowd.as_ref().map(|crowd| Rows::read(&crowd.images)).transpose()?,
            oracle,
            limit: settings.int("queries", i64::MAX).max(1) as u64,
            best: vec![None; problem.len()],
        })
    }

    /// The clean picture.
    pub fn clean(&self, i: usize) -> Vec<f32> {
        self.trial.x.row(i).to_vec()
    }

    /// The norm distances are measured in.
    pub fn norm(&self) -> Norm {
        self.trial.problem.budget.norm
    }

    /// How many questions about this picture are left. One is kept back for [`Self::finish`].
    pub fn left(&self, i: usize) -> usize {
        (self.limit - 1).saturating_sub(self.trial.queries[i]) as usize
    }

    /// Asks about `images`, `images[k]` being a version of picture `open[k]`, and keeps those that
    /// are nearer than any before.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn ask(&mut self, open: &[usize], images: &Rows) -> Result<Vec<Spot>> {
        let labels = self.trial.labels(self.oracle, open, images)?;
        let reached = self.trial.reached(open, &labels);
        let mut spots = Vec::with_capacity(labels.len());
        for (row, i) in open.iter().enumerate() {
            debug_assert!(self.trial.queries[*i] <= self.limit);
            let image = images.row(row);
            let distance = self.norm().distance(self.trial.x.row(*i), image);
            let (label, reached) = (labels[row], reached[row]);
            let spot = Spot { image: image.to_vec(), label, reached, distance };
            let nearer = self.best[*i].as_ref().is_none_or(|best| distance < best.distance);
            if reached && nearer {
                self.best[*i] = Some(spot.clone());
            }
            spots.push(spot);
        }
        Ok(spots)
    }

    /// Asks about one picture; none where no question is left.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn probe(&mut self, i: usize, image: Vec<f32>) -> Result<Option<Spot>> {
        match self.left(i) {
            0 => Ok(None),
            _ => Ok(self.ask(&[i], &Rows::new(self.trial.x.shape(), image))?.pop()),
        }
    }

    /// Follows `path` back from `hi`, where the goal is reached at `spot`, towards `lo`, where it
    /// is not, until the two are `tolerance` apart or no question is left.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn bisect(
        &mut self,
        i: usize,
        (mut lo, mut hi): (f64, f64),
        mut spot: Spot,
        tolerance: f64,
        path: &dyn Fn(f64) -> Vec<f32>,
    ) -> Result<(f64, Spot)> {
        while hi - lo > tolerance {
            let middle = f64::midpoint(lo, hi);
            let Some(found) = self.probe(i, path(middle))? else { break };
            match found.reached {
                true => (hi, spot) = (middle, found),
                false => lo = middle,
            }
        }
        Ok((hi, spot))
    }

    /// Walks from `spot` straight towards the clean picture (L∞: by shrinking the largest changes)
    /// until the boundary is `tolerance` away, as a share of the distance.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn approach(&mut self, i: usize, spot: Spot, tolerance: f64) -> Result<Spot> {
        let (x, far, norm) = (self.clean(i), spot.image.clone(), self.norm());
        Ok(self.bisect(i, (0.0, 1.0), spot, tolerance, &|t| between(norm, &x, &far, t))?.1)
    }

    /// Estimates the direction in which the answer turns to the goal, from `count` questions at
    /// `radius` (L2) around the point `at` of the boundary: the mean of the directions weighed by
    /// the answers ±1, less their mean, which takes out most of the variance (HopSkipJump, eq. 16).
    /// What clipping to the box leaves of each direction is what counts.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn normal(
        &mut self,
        i: usize,
        at: &[f32],
        radius: f64,
        count: usize,
        draw: &dyn Fn(&mut Draws) -> Vec<f32>,
    ) -> Result<Vec<f64>> {
        let (mut weighed, mut plain) = (vec![0.0; at.len()], vec![0.0; at.len()]);
        let most = self.trial.piece();
        let count = count.min(self.left(i));
        let (mut todo, mut sum) = (count, 0.0);
        while todo > 0 {
            let part = todo.min(most);
            let mut images = Rows::zeros(self.trial.x.shape(), 0);
            for _ in 0..part {
                let direction = draw(&mut self.draws[i]);
                images.push(&moved(at, radius, direction.iter().map(|u| f64::from(*u))));
            }
            for spot in self.ask(&vec![i; part], &images)? {
                let answer = if spot.reached { 1.0 } else { -1.0 };
                sum += answer;
                let sums = weighed.iter_mut().zip(&mut plain);
                for ((weighed, plain), (p, q)) in sums.zip(spot.image.iter().zip(at)) {
                    let u = f64::from(p - q) / radius;
                    *weighed += answer * u;
                    *plain += u;
                }
            }
            todo -= part;
        }
        let n = count.max(1) as f64;
        // Where all answers agree their mean would take everything out.
        let mean = if f64::abs(sum) < n { sum / n } else { 0.0 };
        Ok(weighed.iter().zip(&plain).map(|(w, u)| (w - mean * u) / n).collect())
    }

    /// Shows one iteration of the pictures `open`, which are now at `spots`.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn show(
        &mut self,
        open: &[usize],
        spots: &[&Spot],
        iteration: usize,
        step_size: f64,
        mark: Option<&str>,
    ) -> Result<()> {
        let mut images = Rows::zeros(self.trial.x.shape(), 0);
        spots.iter().for_each(|spot| images.push(&spot.image));
        let labels: Vec<usize> = spots.iter().map(|spot| spot.label).collect();
        let loss: Vec<f32> = spots.iter().map(|spot| -spot.distance).collect();
        self.trial.show(&Sight {
            open,
            iteration,
            iterations: self.iterations,
            loss: &loss,
            answers: Answers::Labels(&labels),
            step_size: step_size as f32,
            images: &images,
            mark,
        })
    }

    /// Ends with the nearest adversarial pictures, a hair's breadth beyond the boundary, and with
    /// the originals where there are none.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn finish(mut self) -> Result<Attempt> {
        let found: Vec<usize> = (0..self.best.len()).filter(|i| self.best[*i].is_some()).collect();
        let (mut images, mut beyond) = (self.trial.x.clone(), Rows::zeros(self.trial.x.shape(), 0));
        for i in &found {
            let Some(best) = &self.best[*i] else { continue };
            images.row_mut(*i).copy_from_slice(&best.image);
            let x = self.trial.x.row(*i);
            let delta = best.image.iter().zip(x).map(|(p, x)| f64::from(p - x));
            beyond.push(&moved(&best.image, MARGIN, delta));
        }
        for (spot, i) in self.ask(&found, &beyond)?.iter().zip(&found) {
            if spot.reached {
                images.row_mut(*i).copy_from_slice(&spot.image);
            }
        }
        Ok(self.trial.finish(&images))
    }
}

/// The point of the box nearest to `from` + `length`·`direction`.
pub(super) fn moved(from: &[f32], length: f64, direction: impl Iterator<Item = f64>) -> Vec<f32> {
    let moved = from.iter().zip(direction).map(|(p, d)| f64::from(*p) + length * d);
    moved.map(|p| (p as f32).clamp(0.0, 1.0)).collect()
}

/// The point at share `t` of the way from `x` to `far`: on the straight line, or for L∞ with no
/// pixel farther from `x` than that share of the distance.
pub(super) fn between(norm: Norm, x: &[f32], far: &[f32], t: f64) -> Vec<f32> {
    let most = t * f64::from(norm.distance(x, far));
    let delta = x.iter().zip(far).map(|(x, far)| f64::from(far - x));
    match norm {
        Norm::Linf => moved(x, 1.0, delta.map(|d| d.clamp(-most, most))),
        _ => moved(x, t, delta),
    }
}

/// Scales to unit L2 length; zero stays zero.
pub(super) fn unit(mut direction: Vec<f64>) -> Vec<f64> {
    let length = length(&direction);
    if length > 0.0 {
        direction.iter_mut().for_each(|d| *d /= length);
    }
    direction
}
