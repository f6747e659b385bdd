//! [`BoundarySearch`]: what attacks that see labels only have in common. Queries within a limit, the
//! nearest adversarial image so far, bisection, and the estimate of the boundary's normal.
//!
//! Where the queries of an image depend on each other, one image is worked on at a time, so that its
//! result cannot depend on its batch.

use crate::attack::context::{AttackContext, Predictions, StepReport};
use crate::attack::image_batch::ImageBatch;
use crate::attack::norm::{Norm, length};
use crate::attack::observer::Observer;
use crate::attack::oracle::DecisionOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::error::Result;
use crate::parameter::IntParam;
use crate::rng::KeyedRng;

/// The largest number of queries of an image; each attack has a default of its own.
pub(super) const QUERIES: IntParam =
    IntParam::new("queries", (10, 1_000_000), 1000, "most queries a picture; never exceeded");

/// The number of training images that a targeted attack may start from.
pub(super) const SAMPLES: IntParam = IntParam::new(
    "samples",
    (1, 10_000),
    100,
    "pictures of the data set to look for a start in, where a class is aimed at",
);

/// By how much the result is moved outwards, as a share of its distance: an image on the boundary
/// itself may get another label when it is queried again in another batch.
const MARGIN: f64 = 1e-4;

/// A version of an image that was queried.
#[derive(Clone, Debug)]
pub(super) struct BoundaryPoint {
    /// Its pixels.
    pub image: Vec<f32>,
    /// The predicted label.
    pub label: usize,
    /// Whether it reaches the goal.
    pub reached: bool,
    /// The distance from the clean image, in the budget's norm.
    pub distance: f32,
}

/// A decision-based attack at work on one problem.
pub(super) struct BoundarySearch<'a> {
    /// Queries, goals and reports.
    pub context: AttackContext<'a>,
    /// The random numbers of each image.
    pub draws: Vec<KeyedRng>,
    /// Number of iterations, at most.
    pub iterations: usize,
    oracle: &'a mut dyn DecisionOracle,
    limit: u64,
    best: Vec<Option<BoundaryPoint>>,
}

impl<'a> BoundarySearch<'a> {
    /// A search that has not queried anything yet and will query each image `limit` times at most.
    pub fn new(
        oracle: &'a mut dyn DecisionOracle,
        problem: &'a Problem,
        iterations: usize,
        limit: Option<usize>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Self {
            context: AttackContext::new(problem, observer),
            draws: problem.draws(0),
            iterations,
            oracle,
            limit: limit.map_or(u64::MAX, |limit| limit.max(1) as u64),
            best: vec![None; problem.len()],
        }
    }

    /// The clean image.
    pub fn clean(&self, i: usize) -> Vec<f32> {
        self.context.x.row(i).to_vec()
    }

    /// The norm distances are measured in.
    pub fn norm(&self) -> Norm {
        self.context.problem.budget.norm
    }

    /// Number of queries of image `i` that are left. One is kept back for [`Self::finish`].
    pub fn queries_left(&self, i: usize) -> usize {
        (self.limit - 1).saturating_sub(self.context.queries[i]) as usize
    }

    /// Queries `images`, `images[k]` being a version of image `active[k]`, and keeps the nearest
    /// adversarial one of each.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn query(&mut self, active: &[usize], images: &ImageBatch) -> Result<Vec<BoundaryPoint>> {
        let labels = self.context.labels(self.oracle, active, images)?;
        let reached = self.context.reached(active, &labels);
        let mut points = Vec::with_capacity(labels.len());
        for (row, i) in active.iter().enumerate() {
            debug_assert!(self.context.queries[*i] <= self.limit);
            let image = images.row(row);
            let distance = self.norm().distance(self.context.x.row(*i), image);
            let (label, reached) = (labels[row], reached[row]);
            let point = BoundaryPoint { image: image.to_vec(), label, reached, distance };
            let nearer = self.best[*i].as_ref().is_none_or(|best| distance < best.distance);
            if reached && nearer {
                self.best[*i] = Some(point.clone());
            }
            points.push(point);
        }
        Ok(points)
    }

    /// Queries one version of image `i`; `None` where no query is left.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn query_one(&mut self, i: usize, image: Vec<f32>) -> Result<Option<BoundaryPoint>> {
        match self.queries_left(i) {
            0 => Ok(None),
            _ => Ok(self.query(&[i], &ImageBatch::new(self.context.x.shape(), image))?.pop()),
        }
    }

    /// Follows `path` back from `hi`, where the goal is reached at `point`, towards `lo`, where it
    /// is not, until the two are `tolerance` apart or no query is left.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn bisect(
        &mut self,
        i: usize,
        (mut lo, mut hi): (f64, f64),
        mut point: BoundaryPoint,
        tolerance: f64,
        path: &dyn Fn(f64) -> Vec<f32>,
    ) -> Result<(f64, BoundaryPoint)> {
        while hi - lo > tolerance {
            let middle = f64::midpoint(lo, hi);
            let Some(found) = self.query_one(i, path(middle))? else { break };
            match found.reached {
                true => (hi, point) = (middle, found),
                false => lo = middle,
            }
        }
        Ok((hi, point))
    }

    /// Goes from `point` straight towards the clean image (L∞: by shrinking the largest changes)
    /// until the boundary is `tolerance` away, as a share of the distance.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn approach(
        &mut self,
        i: usize,
        point: BoundaryPoint,
        tolerance: f64,
    ) -> Result<BoundaryPoint> {
        let (x, far, norm) = (self.clean(i), point.image.clone(), self.norm());
        Ok(self.bisect(i, (0.0, 1.0), point, tolerance, &|t| between(norm, &x, &far, t))?.1)
    }

    /// Estimates the normal of the boundary, towards the goal, from `count` queries at
    /// `radius` (L2) around the point `at` of the boundary: the mean of the directions weighed by
    /// the outcomes ±1, less their mean, which takes out most of the variance (HopSkipJump, eq. 16).
    /// What clipping to the box leaves of each direction is what counts.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn normal(
        &mut self,
        i: usize,
        at: &[f32],
        radius: f64,
        count: usize,
        draw: &dyn Fn(&mut KeyedRng) -> Vec<f32>,
    ) -> Result<Vec<f64>> {
        let (mut weighed, mut plain) = (vec![0.0; at.len()], vec![0.0; at.len()]);
        let most = self.context.batch_size();
        let count = count.min(self.queries_left(i));
        let (mut todo, mut sum) = (count, 0.0);
        while todo > 0 {
            let part = todo.min(most);
            let mut images = ImageBatch::zeros(self.context.x.shape(), 0);
            for _ in 0..part {
                let direction = draw(&mut self.draws[i]);
                images.push(&moved(at, radius, direction.iter().map(|u| f64::from(*u))));
            }
            for point in self.query(&vec![i; part], &images)? {
                let answer = if point.reached { 1.0 } else { -1.0 };
                sum += answer;
                let sums = weighed.iter_mut().zip(&mut plain);
                for ((weighed, plain), (p, q)) in sums.zip(point.image.iter().zip(at)) {
                    let u = f64::from(p - q) / radius;
                    *weighed += answer * u;
                    *plain += u;
                }
            }
            todo -= part;
        }
        let n = count.max(1) as f64;
        // Where all outcomes agree, their mean would cancel everything.
        let mean = if f64::abs(sum) < n { sum / n } else { 0.0 };
        Ok(weighed.iter().zip(&plain).map(|(w, u)| (w - mean * u) / n).collect())
    }

    /// Reports one iteration of the images in `active`, which are now at `points`.
    ///
    /// # Errors
    /// Cancelled, when the observer says so.
    pub fn report(
        &mut self,
        active: &[usize],
        points: &[&BoundaryPoint],
        iteration: usize,
        step_size: f64,
        mark: Option<&str>,
    ) -> Result<()> {
        let mut images = ImageBatch::zeros(self.context.x.shape(), 0);
        points.iter().for_each(|point| images.push(&point.image));
        let labels: Vec<usize> = points.iter().map(|point| point.label).collect();
        let loss: Vec<f32> = points.iter().map(|point| -point.distance).collect();
        self.context.report(&StepReport {
            active,
            iteration,
            iterations: self.iterations,
            loss: &loss,
            predictions: Predictions::Labels(&labels),
            step_size: step_size as f32,
            images: &images,
            mark,
        })
    }

    /// Ends with the nearest adversarial images, moved slightly beyond the boundary, and with the
    /// originals where there are none.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn finish(mut self) -> Result<AttackOutput> {
        let found: Vec<usize> = (0..self.best.len()).filter(|i| self.best[*i].is_some()).collect();
        let (mut images, mut beyond) =
            (self.context.x.clone(), ImageBatch::zeros(self.context.x.shape(), 0));
        for i in &found {
            let Some(best) = &self.best[*i] else { continue };
            images.row_mut(*i).copy_from_slice(&best.image);
            let x = self.context.x.row(*i);
            let delta = best.image.iter().zip(x).map(|(p, x)| f64::from(p - x));
            beyond.push(&moved(&best.image, MARGIN, delta));
        }
        for (point, i) in self.query(&found, &beyond)?.iter().zip(&found) {
            if point.reached {
                images.row_mut(*i).copy_from_slice(&point.image);
            }
        }
        Ok(self.context.finish(images))
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
