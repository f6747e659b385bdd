//! Low-pass by the cosine transform.

use crate::data::{Image, cosines};
use crate::defence::input::separable::{Axis, Separable};
use crate::defence::input::{clip_vjp, clipped};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;

const SHARE: FloatParam = FloatParam::new(
    "share",
    (0.01, 1.0),
    0.25,
    "share of each channel's coefficients that is kept: √share of the frequencies each way",
);

/// The lowest frequencies of the cosine transform.
pub const DCT: DefenceSpec = DefenceSpec {
    id: "dct",
    aliases: &["low-pass"],
    name: "DCT",
    family: "input",
    params: &[SHARE.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "keeps the lowest frequencies of the picture only",
    about: "Pictures have their energy in low frequencies, unconstrained perturbations spend much of \
            theirs in high ones; the discrete cosine transform (DCT-II) tells them apart, and all but \
            the lowest coefficients are dropped. What is left is a projection with an exact gradient: \
            an attack through it looks among the low frequencies from the start, and finds there what \
            it needs.",
    paper: "Zhang, Jung, Liang: Adversarial Defense by Suppressing High-frequency Components, 2019; \
            broken by Sharma, Ding, Brubaker: On the Effectiveness of Low Frequency Perturbations, \
            IJCAI 2019",
    build: |settings, builder| {
        let shape = builder.base.card.input.shape;
        builder.stage(Box::new(Dct::new(shape, SHARE.get(settings))))
    },
};

struct Dct(Separable);

impl Dct {
    fn new([_, h, w]: [usize; 3], share: f64) -> Self {
        Self(Separable { down: lowest(h, share.sqrt()), across: lowest(w, share.sqrt()) })
    }
}

/// The projection of `n` values on the lowest share of their frequencies.
fn lowest(n: usize, share: f64) -> Axis {
    let kept = ((share * n as f64).round() as usize).clamp(1, n);
    let waves = cosines(kept, n);
    let product = |a: usize, b: usize| -> f32 {
        let of = |at: usize| waves[at..].iter().step_by(n);
        of(a).zip(of(b)).map(|(a, b)| a * b).sum::<f64>() as f32
    };
    Axis((0..n).map(|a| (0, (0..n).map(|b| product(a, b)).collect())).collect())
}

impl Transform for Dct {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        Ok(clipped(image.shape(), self.0.map(image.pixels())))
    }

    fn vjp(&self, image: &Image, mut gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        clip_vjp(&self.0.map(image.pixels()), &mut gradient);
        Ok(self.0.vjp(&gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, ramp, uneven};

    #[test]
    fn it_is_a_projection_that_keeps_constants() {
        for shape in [[1, 28, 28], [3, 7, 5], [1, 1, 1]] {
            let dct = Dct::new(shape, 0.25);
            let image = ramp(shape);
            let once = dct.0.map(image.pixels());
            let twice = dct.0.map(&once);
            assert!(once.iter().zip(&twice).all(|(a, b)| (a - b).abs() < 1e-5), "{shape:?}");
            let grey = vec![0.7; image.pixels().len()];
            assert!(dct.0.map(&grey).iter().all(|v| (v - 0.7).abs() < 1e-5), "{shape:?}");
            let whole = Dct::new(shape, 1.0).0.map(image.pixels());
            assert!(whole.iter().zip(image.pixels()).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }

    #[test]
    fn it_is_scipys() {
        // scipy.fft.idctn of dctn(uneven, norm='ortho') with all but [..3, ..4] set to zero.
        let out = Dct::new([1, 6, 7], 0.25).0.map(uneven([1, 6, 7]).pixels());
        let list =
            [(0, 0.199_936), (5, 0.337_889), (13, 0.382_299), (22, 0.421_982), (41, 0.803_758)];
        assert!(listed(&out, &list), "{out:?}");
    }
}
