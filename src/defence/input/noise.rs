//! Random noise.

use crate::data::Image;
use crate::defence::input::{clip_vjp, clipped};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;

const SIGMA: FloatParam =
    FloatParam::new("sigma", (0.001, 1.0), 0.1, "σ: standard deviation in pixel units, 0.001..1");

/// Gaussian noise on every pixel.
pub const NOISE: DefenceSpec = DefenceSpec {
    id: "noise",
    aliases: &["gaussian-noise"],
    name: "noise",
    family: "input",
    params: &[SIGMA.param],
    backward: BackwardRule::Exact,
    randomised: true,
    summary: "adds Gaussian noise to every pixel, anew for each answer",
    about: "Every answer is to a picture with other noise on it, so an attack cannot fit its \
            perturbation to the noise of the moment, and one that just crosses the boundary is thrown \
            back at times. Noise has the mean zero, though: the gradient's mean over draws (EOT) shows \
            the way as clearly as ever. A network that was not trained with noise loses clean accuracy; \
            with one that was, and a vote over many draws, this becomes randomised smoothing, which can \
            be proven.",
    paper: "Liu, Cheng, Zhang, Hsieh: Towards Robust Neural Networks via Random Self-Ensemble, ECCV \
            2018; the attack by the mean over draws: Athalye, Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        builder.stage(Box::new(GaussianNoise { sigma: SIGMA.get(settings) as f32 }))
    },
};

struct GaussianNoise {
    sigma: f32,
}

impl GaussianNoise {
    fn noisy(&self, image: &Image, rng: &mut KeyedRng) -> Vec<f32> {
        image.pixels().iter().map(|p| p + self.sigma * rng.normal()).collect()
    }
}

impl Transform for GaussianNoise {
    fn apply(&self, image: &Image, rng: &mut KeyedRng) -> Result<Image> {
        Ok(clipped(image.shape(), self.noisy(image, rng)))
    }

    fn vjp(&self, image: &Image, mut gradient: Vec<f32>, rng: &mut KeyedRng) -> Result<Vec<f32>> {
        clip_vjp(&self.noisy(image, rng), &mut gradient);
        Ok(gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_strong_as_it_says_and_stops_where_it_is_cut_off() {
        let noise = GaussianNoise { sigma: 0.1 };
        let image = Image::new([1, 100, 100], vec![0.5; 10_000]);
        let out = noise.apply(&image, &mut KeyedRng::new(1, 0, 0)).unwrap();
        let moved = out.pixels().iter().map(|p| f64::from(p - 0.5));
        let (sum, squares) = moved.fold((0.0, 0.0), |(s, q), m| (s + m, q + m * m));
        // Within four standard errors of the mean and of the variance.
        assert!((sum / 1e4).abs() < 4e-3, "{sum}");
        assert!((squares / 1e4 / 0.01 - 1.0).abs() < 0.06, "{squares}");
        let black = Image::new([1, 100, 100], vec![0.0; 10_000]);
        let slope = noise.vjp(&black, vec![1.0; 10_000], &mut KeyedRng::new(1, 0, 0)).unwrap();
        let out = noise.apply(&black, &mut KeyedRng::new(1, 0, 0)).unwrap();
        assert!(slope.iter().zip(out.pixels()).all(|(s, p)| (*s == 1.0) == (*p > 0.0)));
    }
}
