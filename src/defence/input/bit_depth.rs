//! Fewer levels a pixel.

use crate::data::Image;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, PipelineStage, Transform};
use crate::error::Result;
use crate::parameter::IntParam;
use crate::rng::KeyedRng;

const BITS: IntParam = IntParam::new("bits", (1, 8), 3, "bits left per value, 1..8");

/// Reducing the bit depth.
pub const BIT_DEPTH: DefenceSpec = DefenceSpec {
    id: "bit-depth",
    aliases: &["bits"],
    name: "bit depth",
    family: "input",
    params: &[BITS.param],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "rounds every pixel to few levels",
    about: "Reducing the colour depth wipes out perturbations smaller than half a level. The gradient of \
            rounding is zero almost everywhere, which stops an attack that does not know better; one \
            that treats the rounding as the identity on the way back walks right through it. Black and \
            white digits are a special case: with one bit, no ε below ½ turns black into white.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018; broken by He et al., WOOT 2017",
    build: |settings, builder| {
        builder.stage(Box::new(BitDepth { bits: BITS.get(settings) as u32 }))
    },
};

/// The same as a stage.
pub fn bit_depth_stage(bits: u32) -> PipelineStage {
    let transform = Box::new(BitDepth { bits });
    PipelineStage { transform, backward: BackwardRule::StraightThrough, randomised: false }
}

struct BitDepth {
    bits: u32,
}

impl Transform for BitDepth {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        let levels = (2_u32.pow(self.bits) - 1) as f32;
        let round = |p: &f32| (p * levels).round() / levels;
        Ok(Image::new(image.shape(), image.pixels().iter().map(round).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::ramp;

    #[test]
    fn that_many_levels_are_left() {
        let apply = |bits| BitDepth { bits }.apply(&ramp([1, 16, 16]), &mut KeyedRng::new(0, 0, 0));
        let mut levels: Vec<u32> =
            apply(2).unwrap().pixels().iter().map(|p| (p * 3.0).round() as u32).collect();
        levels.dedup();
        assert_eq!(levels, [0, 1, 2, 3]);
        assert_eq!(apply(8).unwrap(), ramp([1, 16, 16]).rounded_to_8_bits());
    }
}
