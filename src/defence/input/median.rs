//! The median filter.

use crate::data::Image;
use crate::defence::input::reflect_index;
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, PipelineStage, Transform};
use crate::error::Result;
use crate::parameter::IntParam;
use crate::rng::KeyedRng;

const SIZE: IntParam = IntParam::new("size", (2, 7), 2, "side of the window in pixels, 2..7");

/// The median filter.
pub const MEDIAN: DefenceSpec = DefenceSpec {
    id: "median",
    aliases: &[],
    name: "median",
    family: "input",
    params: &[SIZE.param],
    backward: BackwardRule::StraightThrough,
    randomised: false,
    summary: "replaces every pixel by the median of its neighbourhood",
    about: "A median filter removes isolated changes, so it hurts attacks that change few pixels by much \
            and leaves smooth ones alone. An adaptive attack simply makes its perturbation smooth enough \
            to survive. Fine strokes of the picture itself are lost too: watch the clean answer.",
    paper: "Xu, Evans, Qi: Feature Squeezing, NDSS 2018",
    build: |settings, builder| builder.stage(Box::new(Median { size: SIZE.count(settings) })),
};

/// The same as a stage.
pub fn median_stage(size: usize) -> PipelineStage {
    let transform = Box::new(Median { size });
    PipelineStage { transform, backward: BackwardRule::StraightThrough, randomised: false }
}

struct Median {
    size: usize,
}

impl Transform for Median {
    /// As SciPy's `median_filter`: the window begins ⌊size/2⌋ before the pixel, the border is
    /// reflected, and of an even number of values the upper middle one is taken.
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        let [c, h, w] = image.shape();
        let before = self.size as isize / 2;
        let reflect =
            |at: usize, offset: usize, n| reflect_index((at + offset) as isize - before, n);
        let pixels = image.pixels();
        let mut window = Vec::with_capacity(self.size * self.size);
        let mut out = Vec::with_capacity(pixels.len());
        for plane in 0..c {
            for y in 0..h {
                for x in 0..w {
                    window.clear();
                    for dy in 0..self.size {
                        let row = (plane * h + reflect(y, dy, h)) * w;
                        window.extend((0..self.size).map(|dx| pixels[row + reflect(x, dx, w)]));
                    }
                    let middle = window.len() / 2;
                    out.push(*window.select_nth_unstable_by(middle, f32::total_cmp).1);
                }
            }
        }
        Ok(Image::new(image.shape(), out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_scipys() {
        // scipy.ndimage.median_filter([[1,2,3],[4,5,6],[7,8,9]], size=2 and 3), over 10.
        let image = Image::new([1, 3, 3], (1..10).map(|v| v as f32 / 10.0).collect::<Vec<_>>());
        let tenths = |size| {
            let out = Median { size }.apply(&image, &mut KeyedRng::new(0, 0, 0)).unwrap();
            out.pixels().iter().map(|v| (v * 10.0).round() as u8).collect::<Vec<_>>()
        };
        assert_eq!(tenths(2), [1, 2, 3, 4, 4, 5, 7, 7, 8]);
        assert_eq!(tenths(3), [2, 3, 3, 4, 5, 6, 7, 7, 8]);
    }
}
