//! An adversarial image rounded to 8 bits, as a PNG file holds it.

use crate::attack::Norm;
use crate::data::Image;
use crate::metrics::{Norms, norms};

/// Steps of 8 bits that a perturbation may fall short of a whole number of them: what `f32` loses.
const LOST: f32 = 1e-4;

/// An adversarial image and its original, both rounded to 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundedImages {
    /// The original, each value rounded to the nearest.
    pub original: Image,
    /// The adversarial image.
    pub picture: Image,
}

impl RoundedImages {
    /// Rounds each value to the nearest; where that leaves the ball of size `epsilon` (none: no
    /// ball), each perturbation is rounded towards the original instead, so that in no norm it is
    /// larger than before.
    pub fn new(original: &Image, attacked: &Image, norm: Norm, epsilon: Option<f64>) -> Self {
        let nearest =
            Self { original: original.rounded_to_8_bits(), picture: attacked.rounded_to_8_bits() };
        let within = |size: f32| epsilon.is_none_or(|e| f64::from(size) <= e * (1.0 + 1e-6) + 1e-7);
        if within(nearest.norms().size(norm)) {
            return nearest;
        }
        let values = original.pixels().iter().zip(attacked.pixels());
        let towards = values.map(|(before, after)| {
            let steps = (after - before) * 255.0;
            let whole = (steps.abs() + LOST).floor().copysign(steps);
            ((before * 255.0).round() + whole).clamp(0.0, 255.0) / 255.0
        });
        let picture = Image::new(attacked.shape(), towards.collect::<Vec<_>>());
        Self { picture, ..nearest }
    }

    /// How large the perturbation is that is left.
    pub fn norms(&self) -> Norms {
        norms(self.original.pixels(), self.picture.pixels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    #[test]
    fn no_perturbation_grows_beyond_its_ball_by_rounding() {
        let shape = [3, 8, 8];
        let values = 3 * 8 * 8;
        for seed in 0..40 {
            let mut draws = KeyedRng::new(seed, 0, 0);
            let on_grid = seed % 2 == 0;
            let original: Vec<f32> = (0..values)
                .map(|_| match on_grid {
                    true => draws.below(256) as f32 / 255.0,
                    false => draws.unit(),
                })
                .collect();
            for norm in Norm::ALL {
                let epsilon = match norm {
                    Norm::L0 => 20.0,
                    Norm::L1 => 3.0 * f64::from(draws.unit()) + 0.1,
                    Norm::L2 => f64::from(draws.unit()) + 0.01,
                    // Whole numbers of steps now and then: those are reached.
                    Norm::Linf => [8.0, 25.5, 2.3, 76.5][seed as usize % 4] / 255.0,
                };
                let delta: Vec<f32> = match norm {
                    Norm::L0 => (0..values).map(|i| f32::from(i < 20) * draws.signed()).collect(),
                    Norm::L1 => draws.in_l1_ball(values, epsilon as f32),
                    Norm::L2 => draws.in_l2_ball(values, epsilon as f32),
                    Norm::Linf => {
                        let sign = |up: f32| if up < 0.0 { -epsilon } else { epsilon };
                        (0..values).map(|_| sign(draws.signed()) as f32).collect()
                    }
                };
                let attacked: Vec<f32> =
                    original.iter().zip(&delta).map(|(x, d)| (x + d).clamp(0.0, 1.0)).collect();
                let [before, after] = [original.clone(), attacked].map(|p| Image::new(shape, p));
                let eight = RoundedImages::new(&before, &after, norm, Some(epsilon));
                let size = f64::from(eight.norms().size(norm));
                assert!(size <= epsilon * (1.0 + 1e-6) + 2e-7, "{norm} {epsilon}: {size}");
                assert_eq!(eight.picture, eight.picture.rounded_to_8_bits());
                if norm == Norm::Linf {
                    let reached = (epsilon * 255.0 + 1e-6).floor() / 255.0;
                    assert!((size - reached).abs() < 1e-6, "{epsilon}: {size}");
                }
            }
        }
    }
}
