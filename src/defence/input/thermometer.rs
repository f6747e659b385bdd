//! Thermometer coding.

use crate::data::Image;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::parameter::IntParam;
use crate::rng::KeyedRng;

const LEVELS: IntParam =
    IntParam::new("levels", (1, 255), 16, "thresholds that a pixel is compared with, 1..255");

/// Thermometer coding.
pub const THERMOMETER: DefenceSpec = DefenceSpec {
    id: "thermometer",
    aliases: &[],
    name: "thermometer",
    family: "input",
    params: &[LEVELS.param],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "codes every pixel by the thresholds that it exceeds",
    about: "A pixel becomes a column of bits: bit k says whether it exceeds the k-th of so many evenly \
            spaced thresholds, as a thermometer's column passes its marks. The code is not \
            differentiable, which stops naive gradients. The original network takes the bits in and is \
            trained on them; here any network stands behind, so it is shown their mean, and for such a \
            network the code is rounding to that many steps. BPDA, which differentiates a smooth \
            version or simply the identity, brought the published defence down to nothing; trained \
            adversarially, it keeps less than adversarial training alone.",
    paper: "Buckman, Roy, Raffel, Goodfellow: Thermometer Encoding, ICLR 2018; broken by Athalye, \
            Carlini, Wagner, ICML 2018",
    build: |settings, builder| {
        builder.stage(Box::new(Thermometer { levels: LEVELS.count(settings) }))
    },
};

struct Thermometer {
    levels: usize,
}

impl Thermometer {
    /// The bits of a pixel: its k-th threshold is (k + ½) / levels.
    fn bits(&self, pixel: f32) -> impl Iterator<Item = bool> {
        let levels = self.levels as f32;
        (0..self.levels).map(move |k| pixel * levels > k as f32 + 0.5)
    }
}

impl Transform for Thermometer {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        let mean = |p: &f32| self.bits(*p).filter(|bit| *bit).count() as f32 / self.levels as f32;
        Ok(Image::new(image.shape(), image.pixels().iter().map(mean).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_rises_with_the_pixel() {
        let code = Thermometer { levels: 4 };
        let bits = |p: f32| code.bits(p).map(u8::from).collect::<Vec<_>>();
        assert_eq!(bits(0.0), [0, 0, 0, 0]);
        assert_eq!(bits(0.3), [1, 0, 0, 0]);
        assert_eq!(bits(0.7), [1, 1, 1, 0]);
        assert_eq!(bits(1.0), [1, 1, 1, 1]);
        let image = Image::new([1, 1, 4], vec![0.0, 0.3, 0.7, 1.0]);
        let seen = code.apply(&image, &mut KeyedRng::new(0, 0, 0)).unwrap();
        assert_eq!(seen.pixels(), [0.0, 0.25, 0.75, 1.0]);
    }
}
