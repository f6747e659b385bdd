//! [`EotOracle`]: a gradient oracle that averages over several versions of each image. Over repeated
//! queries of the same image it is expectation over transformation, for networks and defences that
//! are random (EOT, Athalye et al. 2018); transfer attacks average over changed copies.

use crate::attack::context::AttackContext;
use crate::attack::image_batch::ImageBatch;
use crate::attack::logits::Logits;
use crate::attack::objective::{Objective, Reindexed, times_power_of_two};
use crate::attack::oracle::{GradientOracle, LossGradient};
use crate::error::Result;

/// A gradient oracle whose logits, losses and gradients are means over `draws` queries of the same
/// image; with one draw it is the oracle itself.
pub(super) struct EotOracle<'a> {
    /// The oracle that is queried.
    pub oracle: &'a mut dyn GradientOracle,
    /// The loss, indexed by the image's number in the problem.
    pub objective: &'a dyn Objective,
    /// Number of queries that each result is the mean of.
    pub draws: usize,
}

impl EotOracle<'_> {
    /// Logits, losses and gradients at `images`, versions of the images in `active`.
    pub fn gradients(
        &mut self,
        context: &mut AttackContext<'_>,
        active: &[usize],
        images: &ImageBatch,
    ) -> Result<LossGradient> {
        match self.draws {
            1 => context.gradients(
                self.oracle,
                active,
                images,
                &Reindexed(self.objective, |at| active[at]),
            ),
            draws => {
                self.mean(context, active, draws, &mut |k, _| images.row(k).to_vec(), &|_| 1.0)
            }
        }
    }

    /// Logits and losses at `images`, without gradients.
    pub fn logits(
        &mut self,
        context: &mut AttackContext<'_>,
        active: &[usize],
        images: &ImageBatch,
    ) -> Result<(Logits, Vec<f32>)> {
        let repeated = |which: &[usize]| -> Vec<usize> {
            which.iter().flat_map(|i| std::iter::repeat_n(*i, self.draws)).collect()
        };
        let numbers = repeated(active);
        let logits = match self.draws {
            1 => context.logits(self.oracle, active, images)?,
            _ => {
                let copies = images.select(&repeated(&(0..images.len()).collect::<Vec<_>>()));
                context.logits(self.oracle, &numbers, &copies)?
            }
        };
        let loss =
            logits.losses(&context.goals(&numbers), &Reindexed(self.objective, |at| numbers[at]));
        Ok((mean_scores(&logits, self.draws), mean(&loss, self.draws, 1)))
    }

    /// The means over `copies` versions of each image: `version(k, copy)` makes those of the image
    /// `active[k]`, and the gradient of each is multiplied by `weight(copy)`. Works on a few images at
    /// a time, to bound its memory.
    pub fn mean(
        &mut self,
        context: &mut AttackContext<'_>,
        active: &[usize],
        copies: usize,
        version: &mut dyn FnMut(usize, usize) -> Vec<f32>,
        weight: &dyn Fn(usize) -> f64,
    ) -> Result<LossGradient> {
        let shape = context.x.shape();
        let mut means = LossGradient {
            logits: Logits::new(Vec::new(), self.oracle.classes()),
            loss: Vec::with_capacity(active.len()),
            gradient: ImageBatch::zeros(shape, 0),
            log2_scale: Vec::with_capacity(active.len()),
        };
        let few = (context.batch_size() / copies).max(1);
        for first in (0..active.len()).step_by(few) {
            let part = &active[first..(first + few).min(active.len())];
            let mut images = ImageBatch::zeros(shape, 0);
            let mut numbers = Vec::with_capacity(part.len() * copies);
            for (k, i) in part.iter().enumerate() {
                for copy in 0..copies {
                    images.push(&version(first + k, copy));
                    numbers.push(*i);
                }
            }
            let found = context.gradients(
                self.oracle,
                &numbers,
                &images,
                &Reindexed(self.objective, |at| numbers[at]),
            )?;
            means.logits.append(mean_scores(&found.logits, copies));
            means.loss.extend(mean(&found.loss, copies, 1));
            for k in 0..part.len() {
                let (gradient, exponent) = mean_gradient(&found, k * copies, copies, weight);
                means.gradient.push(&gradient);
                means.log2_scale.push(exponent);
            }
        }
        Ok(means)
    }
}

/// The mean gradient of one image's copies, from row `first` on, and the binary exponent it is scaled
/// by: the smallest of its copies'.
fn mean_gradient(
    found: &LossGradient,
    first: usize,
    copies: usize,
    weight: &dyn Fn(usize) -> f64,
) -> (Vec<f32>, f64) {
    let exponents = &found.log2_scale[first..first + copies];
    let least = exponents.iter().copied().fold(f64::MAX, f64::min);
    let mut sum = vec![0.0; found.gradient.size()];
    for (copy, exponent) in exponents.iter().enumerate() {
        let share = times_power_of_two(weight(copy), least - exponent);
        let row = found.gradient.row(first + copy).iter();
        sum.iter_mut().zip(row).for_each(|(sum, g)| *sum += share * f64::from(*g));
    }
    (sum.iter().map(|s| (s / copies as f64) as f32).collect(), least)
}

/// The means of each `copies` successive entries of `size` values.
fn mean(values: &[f32], copies: usize, size: usize) -> Vec<f32> {
    if copies == 1 {
        return values.to_vec();
    }
    let one = |entries: &[f32]| -> Vec<f32> {
        let sum = |k| entries[k..].iter().step_by(size).map(|v| f64::from(*v)).sum::<f64>();
        (0..size).map(|k| (sum(k) / copies as f64) as f32).collect()
    };
    values.chunks(copies * size).flat_map(one).collect()
}

fn mean_scores(logits: &Logits, copies: usize) -> Logits {
    let values: Vec<f32> = logits.rows().flatten().copied().collect();
    Logits::new(mean(&values, copies, logits.classes()), logits.classes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_taken_over_each_pictures_own_copies() {
        assert_eq!(mean(&[1.0, 2.0, 3.0, 6.0, 5.0, 5.0, 7.0, 9.0], 2, 2), [2.0, 4.0, 6.0, 7.0]);
        let found = LossGradient {
            logits: Logits::new(vec![0.0; 4], 1),
            loss: vec![0.0; 4],
            gradient: ImageBatch::new([1, 1, 1], vec![9.0, 9.0, 8.0, 6.0]),
            log2_scale: vec![0.0, 0.0, 2000.0, 1999.0],
        };
        // 8/4 and 6/2 with 2¹⁹⁹⁸ for 1; the second counts half.
        let (gradient, scale) = mean_gradient(&found, 2, 2, &|copy| 0.5_f64.powi(copy as i32));
        assert_eq!((gradient, scale), (vec![3.5], 1999.0));
    }
}
