//! The initial point of decision-based attacks: an adversarial image at any distance, and from there
//! the boundary on the line to the clean image.
//!
//! Training images of the target class are tried first, the nearest before the others, then uniform
//! noise, both as in the papers. A network predicts the same few classes for all uniform noise, so most
//! targets, and images of just those classes, need something else: after a few draws smooth random
//! patterns are laid over the image, which reached every class of the networks this was measured on.

use crate::attack::goal::Goal;
use crate::attack::methods::boundary_search::{BoundaryPoint, BoundarySearch, between};
use crate::attack::norm::Norm;
use crate::error::Result;
use crate::rng::KeyedRng;

/// Number of suitable training images that are tried, the nearest first.
const NEIGHBOURS: usize = 10;
/// Number of draws of uniform noise before patterns are tried.
const PLAIN: usize = 10;
/// Largest number of images that are tried; no more than half of the queries are spent on it.
const TRIES: usize = 1000;
/// Number of parts that the line to the initial point is divided into.
const SCAN: usize = 16;
/// Contrast of the patterns: mostly black and white.
const GAIN: f32 = 4.0;

impl BoundarySearch<'_> {
    /// An adversarial image on the boundary, found between the clean image and one from
    /// [`Self::find_adversarial`], to `tolerance` of their distance; shows it as iteration 0. None where no
    /// adversarial image is found, or the clean one is adversarial itself.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn start(&mut self, i: usize, tolerance: f64) -> Result<Option<BoundaryPoint>> {
        let targeted = matches!(self.context.problem.goals[i], Goal::Targeted { .. });
        let Some(far) = self.find_adversarial(i, targeted)? else { return Ok(None) };
        let (x, end) = (self.clean(i), far.image.clone());
        let line = |t: f64| between(Norm::L2, &x, &end, t);
        // The line may cross the boundary many times: the crossing nearest to the image counts.
        let (mut range, mut point) = ((0.0, 1.0), far);
        for step in 1..SCAN {
            let t = step as f64 / SCAN as f64;
            match self.query_one(i, line(t))? {
                Some(found) if found.reached => {
                    (range.1, point) = (t, found);
                    break;
                }
                Some(_) => range.0 = t,
                None => break,
            }
        }
        let (_, point) = self.bisect(i, range, point, tolerance, &line)?;
        self.report(&[i], &[&point], 0, 0.0, Some("boundary found"))?;
        Ok((point.distance > 0.0).then_some(point))
    }

    /// An adversarial image at any distance, if wanted (`others`) one of those that the problem
    /// brings; where there is none, shows the last one that was tried.
    ///
    /// # Errors
    /// Cancelled; device failures.
    pub fn find_adversarial(&mut self, i: usize, others: bool) -> Result<Option<BoundaryPoint>> {
        let neighbours = if others { self.neighbours(i) } else { Vec::new() };
        let most = TRIES.min(self.queries_left(i).div_ceil(2)).max(1);
        let mut last = None;
        for attempt in 0..most {
            let image = match attempt.checked_sub(neighbours.len()) {
                None => neighbours[attempt].clone(),
                Some(draw) => self.picture(i, draw < PLAIN),
            };
            last = self.query_one(i, image)?;
            if last.as_ref().is_none_or(|point| point.reached) {
                break;
            }
        }
        match last {
            Some(point) if !point.reached => {
                self.report(&[i], &[&point], 0, 0.0, Some("no start found"))?;
                Ok(None)
            }
            last => Ok(last),
        }
    }

    /// A random image: uniform noise (`plain`), or the clean image under a smooth pattern.
    fn picture(&mut self, i: usize, plain: bool) -> Vec<f32> {
        let shape = self.context.x.shape();
        let draws = &mut self.draws[i];
        match plain {
            true => (0..self.context.x.size()).map(|_| draws.unit()).collect(),
            false => {
                let cells = 2 + draws.below(7);
                let pattern = pattern(draws, shape, cells);
                let pixels = self.context.x.row(i).iter().zip(pattern);
                pixels.map(|(x, p)| (x + GAIN * (p - 0.5)).clamp(0.0, 1.0)).collect()
            }
        }
    }

    /// The nearest training images of a class that reaches the goal.
    fn neighbours(&self, i: usize) -> Vec<Vec<f32>> {
        let Some(training) = &self.context.problem.training_images else {
            return Vec::new();
        };
        let rows = &training.images;
        let (x, goal) = (self.context.x.row(i), self.context.problem.goals[i]);
        let fits = |label: usize| match goal {
            Goal::Untargeted { truth } => label != truth,
            Goal::Targeted { target } => label == target,
        };
        let mut near: Vec<(f32, usize)> = (0..rows.len())
            .filter(|k| fits(training.labels[*k]))
            .map(|k| (self.norm().distance(x, rows.row(k)), k))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.iter().take(NEIGHBOURS).map(|(_, k)| rows.row(*k).to_vec()).collect()
    }
}

/// Uniform values on a grid of `cells`² a channel, interpolated in between.
fn pattern(draws: &mut KeyedRng, [c, h, w]: [usize; 3], cells: usize) -> Vec<f32> {
    let mut pixels = Vec::with_capacity(c * h * w);
    for _ in 0..c {
        let grid: Vec<f32> = (0..cells * cells).map(|_| draws.unit()).collect();
        let place = |at: usize, of: usize| {
            let place = at as f32 * (cells - 1) as f32 / (of.max(2) - 1) as f32;
            let cell = (place as usize).min(cells - 2);
            (cell, place - cell as f32)
        };
        for row in 0..h {
            let (v, down) = place(row, h);
            for column in 0..w {
                let (u, right) = place(column, w);
                let at = |v: usize, u: usize| grid[v * cells + u];
                let upper = at(v, u) * (1.0 - right) + at(v, u + 1) * right;
                let lower = at(v + 1, u) * (1.0 - right) + at(v + 1, u + 1) * right;
                pixels.push(upper * (1.0 - down) + lower * down);
            }
        }
    }
    pixels
}
