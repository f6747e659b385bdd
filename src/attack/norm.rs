//! [`Norm`], and [`Budget`]: a norm and ε, with the projection onto the ball.
//!
//! Each image is projected on its own, so the result for an image does not depend on its batch.

use crate::attack::image_batch::ImageBatch;
use crate::error::{Error, Result};
pub use crate::norm::Norm;
use burn_tensor::{Device, Tensor};

/// The size that a perturbation may have: a norm, and ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The norm that measures the perturbation.
    pub norm: Norm,
    /// ε, the largest size allowed, in pixel units of 0..1 (for L0: number of values changed).
    pub epsilon: f32,
}

/// Keeps a division by a zero norm from making NaN; far below any real gradient's norm.
const TINY: f32 = 1e-30;

impl Budget {
    /// The budget of images of so many values, checked.
    ///
    /// # Errors
    /// Usage, when ε is not a number, negative, or larger than the largest distance in the box.
    pub fn new(norm: Norm, epsilon: f64, values: usize) -> Result<Self> {
        let largest = norm.largest_distance(values);
        if !epsilon.is_finite() || !(0.0..=largest).contains(&epsilon) {
            return Err(Error::usage(
                format!("ε = {epsilon} is out of range for {norm}"),
                "--eps",
                format!("give 0..{largest:.4}, in pixel units of 0..1 (8/255 is understood too)"),
            ));
        }
        let epsilon = epsilon as f32;
        Ok(Self { norm, epsilon })
    }

    /// Projects each image's perturbation δ, `[N, C, H, W]`, onto the ball of this budget, as the judge
    /// does: as [`Self::project_row`], but in L2 in single precision on the device.
    ///
    /// Clipping the image to 0..1 afterwards keeps it in the ball: the clean image is in the box, so
    /// clipping only shrinks |δ|.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn project(&self, mut delta: ImageBatch, device: &Device) -> Result<ImageBatch> {
        if self.norm == Norm::L2 {
            let delta = delta.to_tensor(device);
            let factor = (l2(&delta).clamp_min(TINY).recip() * self.epsilon).clamp_max(1.0);
            return ImageBatch::from_tensor(delta * factor);
        }
        delta.iter_mut().for_each(|row| self.project_row(row));
        Ok(delta)
    }

    /// Projects one image's perturbation δ, C·H·W values, onto the ball of this budget: clamping for
    /// L∞, scaling for L2, soft thresholding for L1, keeping the ⌊ε⌋ largest values for L0.
    pub fn project_row(&self, delta: &mut [f32]) {
        match self.norm {
            Norm::Linf => {
                delta.iter_mut().for_each(|d| *d = d.clamp(-self.epsilon, self.epsilon));
            }
            Norm::L2 => {
                let size = length(delta);
                if size > f64::from(self.epsilon) {
                    let factor = f64::from(self.epsilon) / size;
                    delta.iter_mut().for_each(|d| *d = (f64::from(*d) * factor) as f32);
                }
            }
            Norm::L1 => project_l1(delta, f64::from(self.epsilon)),
            Norm::L0 => {
                let keep = self.epsilon.max(0.0) as usize;
                let mut order: Vec<usize> = (0..delta.len()).collect();
                order.sort_by(|a, b| delta[*b].abs().total_cmp(&delta[*a].abs()));
                order.iter().skip(keep).for_each(|i| delta[*i] = 0.0);
            }
        }
    }
}

/// The Euclidean projection onto the L1 ball (Duchi et al. 2008): every value shrinks by the same
/// threshold θ. (Dividing by the norm is no projection.)
fn project_l1(delta: &mut [f32], radius: f64) {
    let size: f64 = delta.iter().map(|d| f64::from(d.abs())).sum();
    if size <= radius {
        return;
    }
    let mut sorted: Vec<f64> = delta.iter().map(|d| f64::from(d.abs())).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut threshold) = (0.0, 0.0);
    for (j, value) in sorted.iter().enumerate() {
        sum += value;
        let candidate = (sum - radius) / (j + 1) as f64;
        if value - candidate <= 0.0 {
            break;
        }
        threshold = candidate;
    }
    for d in delta {
        let left = (f64::from(d.abs()) - threshold).max(0.0);
        *d = (left as f32).copysign(*d);
    }
}

/// ‖v‖₂.
pub(super) fn length<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    values.iter().map(|v| (*v).into().powi(2)).sum::<f64>().sqrt()
}

/// 1 or −1, and 0 for 0 and for what is no number, unlike `f32::signum`.
pub(super) fn sign<T: PartialOrd + Default>(value: T) -> f32 {
    match () {
        () if value > T::default() => 1.0,
        () if value < T::default() => -1.0,
        () => 0.0,
    }
}

/// ‖δ‖₂ of each image, `[N, 1, 1, 1]`.
fn l2(delta: &Tensor<4>) -> Tensor<4> {
    delta.clone().square().sum_dims(&[1, 2, 3]).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn projections_reach_the_ball_and_are_the_nearest_point_of_it(
            delta in proptest::collection::vec(-2.0_f32..2.0, 1..30),
            other in proptest::collection::vec(-1.0_f32..1.0, 30),
            epsilon in 0.1_f32..3.0,
        ) {
            let zero = vec![0.0; delta.len()];
            for norm in Norm::ALL {
                let budget = Budget { norm, epsilon };
                let mut near = delta.clone();
                budget.project_row(&mut near);
                prop_assert!(norm.distance(&near, &zero) <= epsilon + 1e-5);
                if norm.distance(&delta, &zero) <= epsilon {
                    prop_assert_eq!(&near, &delta);
                }
                // No other point of the ball is nearer.
                let mut rival = other[..delta.len()].to_vec();
                budget.project_row(&mut rival);
                let l2 = |a: &[f32]| Norm::L2.distance(a, &delta);
                prop_assert!(l2(&near) <= l2(&rival) + 1e-4, "{norm}");
            }
        }
    }
}
