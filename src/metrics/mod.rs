//! Metrics: norms of perturbations, similarity of images, rates with intervals, evaluation checks.

mod binomial;
pub mod checks;
mod eight_bits;
mod mcnemar;
mod rate;
mod similarity;

pub use binomial::{lower_bound, normal_quantile, tail};
pub use eight_bits::RoundedImages;
pub use mcnemar::{McNemar, RateContrast, SIGNIFICANCE, mcnemar};
pub use rate::{Rate, median, wilson};
pub use similarity::{psnr, ssim};

use crate::attack::Norm;
use serde::Serialize;

/// The norms of a perturbation, in pixel units of 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Norms {
    /// Number of values that changed by more than 1e-6.
    pub l0: u32,
    /// Sum of the changes.
    pub l1: f32,
    /// Euclidean length.
    pub l2: f32,
    /// Largest change.
    pub linf: f32,
}

impl Norms {
    /// The size in the given norm.
    pub fn size(&self, norm: Norm) -> f32 {
        match norm {
            Norm::L0 => self.l0 as f32,
            Norm::L1 => self.l1,
            Norm::L2 => self.l2,
            Norm::Linf => self.linf,
        }
    }
}

/// Measures the difference of two images, summing in `f64`.
pub fn norms(a: &[f32], b: &[f32]) -> Norms {
    let (mut l0, mut l1, mut l2, mut linf) = (0, 0.0, 0.0, 0.0_f64);
    for (a, b) in a.iter().zip(b) {
        let d = (f64::from(*a) - f64::from(*b)).abs();
        l0 += u32::from(d > 1e-6);
        l1 += d;
        l2 += d * d;
        linf = linf.max(d);
    }
    Norms { l0, l1: l1 as f32, l2: l2.sqrt() as f32, linf: linf as f32 }
}
