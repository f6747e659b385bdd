//! Expectation over a network's own randomness (EOT, Athalye et al. 2018): answers and gradients
//! averaged over several draws, for pictures each of which pays for all of them.

use crate::attack::goal::Goal;
use crate::attack::objective::{Objective, Scores};
use crate::attack::oracle::Gradient;
use crate::attack::rows::Rows;
use crate::attack::trial::{Slopes, Trial};
use crate::error::Result;

/// How the network is asked.
pub(super) struct Survey<'a> {
    /// The white box.
    pub oracle: &'a mut dyn Gradient,
    /// The loss; asked by the picture's number in the problem.
    pub what: &'a dyn Objective,
    /// Over how many draws each answer is averaged.
    pub draws: usize,
}

impl Survey<'_> {
    /// What the network says about `images` (versions of the pictures `open`), with gradients.
    pub fn slopes(&mut self, trial: &mut Trial, open: &[usize], images: &Rows) -> Result<Slopes> {
        let what = self.what;
        let n = open.len();
        let numbered = |at: usize, row: &[f32], goal: Goal, slope: &mut [f64]| {
            what.evaluate(open[at % n], row, goal, slope)
        };
        if self.draws == 1 {
            return trial.slopes(self.oracle, open, images, &numbered);
        }
        let all =
            trial.slopes(self.oracle, &open.repeat(self.draws), &self.copies(images), &numbered)?;
        let (gradient, scale) = mean_gradient(&all, n);
        Ok(Slopes {
            scores: mean_scores(&all.scores, n),
            loss: mean(&all.loss, n, 1),
            gradient,
            scale,
        })
    }

    /// What the network says about `images`, without gradients: its answers and the loss.
    pub fn scores(
        &mut self,
        trial: &mut Trial,
        open: &[usize],
        images: &Rows,
    ) -> Result<(Scores, Vec<f32>)> {
        let scores = match self.draws {
            1 => trial.scores(self.oracle, open, images)?,
            _ => trial.scores(self.oracle, &open.repeat(self.draws), &self.copies(images))?,
        };
        let goals = trial.goals(open);
        let mut slope = vec![0.0; scores.classes()];
        let value = |(at, row): (usize, &[f32])| {
            let at = at % open.len();
            self.what.evaluate(open[at], row, goals[at], &mut slope) as f32
        };
        let loss: Vec<f32> = scores.rows().enumerate().map(value).collect();
        Ok((mean_scores(&scores, open.len()), mean(&loss, open.len(), 1)))
    }

    fn copies(&self, images: &Rows) -> Rows {
        let all: Vec<usize> = (0..images.len()).collect();
        images.select(&all.repeat(self.draws))
    }
}

/// The means over copies: `values` are several lists one after the other, each of `n` entries of
/// `size` values.
fn mean(values: &[f32], n: usize, size: usize) -> Vec<f32> {
    let copies = values.len() / (n * size).max(1);
    if copies == 1 {
        return values.to_vec();
    }
    let at = |k: usize| values[k..].iter().step_by(n * size).map(|v| f64::from(*v)).sum::<f64>();
    (0..n * size).map(|k| (at(k) / copies as f64) as f32).collect()
}

fn mean_scores(scores: &Scores, n: usize) -> Scores {
    let values: Vec<f32> = scores.rows().flatten().copied().collect();
    Scores::new(mean(&values, n, scores.classes()), scores.classes())
}

/// The mean gradient of each of `n` pictures over its copies, and by what it is multiplied: the least
/// of what kept a copy's gradient from underflowing.
pub(super) fn mean_gradient(all: &Slopes, n: usize) -> (Rows, Vec<f64>) {
    let copies = all.gradient.len() / n;
    let mut means = Rows::zeros(all.gradient.shape(), 0);
    let least = |i: usize| (0..copies).map(|copy| all.scale[copy * n + i]).fold(f64::MAX, f64::min);
    let scale: Vec<f64> = (0..n).map(least).collect();
    for (i, scale) in scale.iter().enumerate() {
        let mut sum = vec![0.0; all.gradient.size()];
        for copy in (i..copies * n).step_by(n) {
            let share = scale / all.scale[copy];
            let row = all.gradient.row(copy).iter();
            sum.iter_mut().zip(row).for_each(|(sum, g)| *sum += share * f64::from(*g));
        }
        means.push(&sum.iter().map(|s| (s / copies as f64) as f32).collect::<Vec<f32>>());
    }
    (means, scale)
}
