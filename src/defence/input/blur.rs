//! Gaussian blur.

use crate::data::Image;
use crate::defence::input::separable::{Axis, Separable};
use crate::defence::input::{clipped, reflect_index};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;

const SIGMA: FloatParam =
    FloatParam::new("sigma", (0.1, 10.0), 1.0, "σ: standard deviation in pixels, 0.1..10");

/// Gaussian blur.
pub const BLUR: DefenceSpec = DefenceSpec {
    id: "blur",
    aliases: &["gaussian-blur"],
    name: "blur",
    family: "input",
    params: &[SIGMA.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "blurs the picture by a Gaussian",
    about: "Blurring averages over neighbours, so that a perturbation of changing sign cancels itself \
            out; so does whatever is fine in the picture. It is linear and has a gradient, so an attack \
            that differentiates through it simply finds the smooth perturbation that passes: blurring \
            is one more layer of the network, and one that was not trained.",
    paper: "Li, Li: Adversarial Examples Detection in Deep Networks with Convolutional Filter \
            Statistics, ICCV 2017 (a mean filter); broken by Carlini, Wagner, AISec 2017",
    build: |settings, builder| {
        let [_, h, w] = builder.base.card.input.shape;
        let sigma = SIGMA.get(settings);
        let map = Separable { down: gaussian(h, sigma), across: gaussian(w, sigma) };
        builder.stage(Box::new(Blur(map)))
    },
};

/// Gaussian weights out to 4σ, as SciPy's `gaussian_filter`: what looks beyond the edge sees the
/// image mirrored.
fn gaussian(n: usize, sigma: f64) -> Axis {
    let reach = (4.0 * sigma + 0.5) as isize;
    let weight = |k: isize| (-0.5 * (k as f64 / sigma).powi(2)).exp();
    let whole: f64 = (-reach..=reach).map(weight).sum();
    let row = |at: usize| {
        let first = at.saturating_sub(reach as usize);
        let last = (at + reach as usize).min(n - 1);
        let mut weights = vec![0.0; last - first + 1];
        for k in -reach..=reach {
            weights[reflect_index(at as isize + k, n) - first] += weight(k) / whole;
        }
        (first, weights.iter().map(|w| *w as f32).collect())
    };
    Axis((0..n).map(row).collect())
}

struct Blur(Separable);

impl Transform for Blur {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        // Means of values in 0..1 leave it by rounding only, so the backward pass need not know.
        Ok(clipped(image.shape(), self.0.map(image.pixels())))
    }

    fn vjp(&self, _: &Image, gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        Ok(self.0.vjp(&gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, uneven};

    fn blurred(image: &Image, sigma: f64) -> Vec<f32> {
        let [_, h, w] = image.shape();
        let blur = Blur(Separable { down: gaussian(h, sigma), across: gaussian(w, sigma) });
        blur.apply(image, &mut KeyedRng::new(0, 0, 0)).unwrap().pixels().to_vec()
    }

    #[test]
    fn it_is_scipys() {
        // scipy.ndimage.gaussian_filter(uneven, sigma, mode='reflect').
        let small = blurred(&uneven([1, 4, 5]), 0.8);
        let list = [(0, 0.20817), (3, 0.39675), (7, 0.558_215), (12, 0.428_659), (19, 0.496_531)];
        assert!(listed(&small, &list), "{small:?}");
        let wide = blurred(&uneven([1, 4, 5]), 3.0);
        let list = [(0, 0.432_705), (3, 0.453_403), (7, 0.445_479), (12, 0.44544), (19, 0.458_131)];
        assert!(listed(&wide, &list), "{wide:?}");
    }

    #[test]
    fn constants_stay() {
        for (shape, sigma) in [([1, 28, 28], 1.0), ([3, 5, 9], 10.0), ([1, 1, 1], 3.0)] {
            for level in [0.0, 0.3, 1.0] {
                let n = shape.iter().product();
                let out = blurred(&Image::new(shape, vec![level; n]), sigma);
                assert!(out.iter().all(|v| (v - level).abs() < 1e-6 && *v <= 1.0), "{shape:?}");
            }
        }
    }
}
