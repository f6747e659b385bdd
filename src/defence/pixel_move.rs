//! Mirroring and shifting, as a transformation with an exact gradient.

use crate::data::Image;
use crate::defence::transform::Transform;
use crate::error::Result;
use crate::rng::KeyedRng;

/// Mirrors or shifts an image: each pixel is one of the input's.
pub(super) struct PixelMove {
    mirror: bool,
    /// How far down and to the right; the border is repeated.
    by: [isize; 2],
}

impl PixelMove {
    /// Left and right exchanged.
    pub fn mirror() -> Self {
        Self { mirror: true, by: [0; 2] }
    }

    /// So far down and to the right.
    pub fn shift(down: isize, right: isize) -> Self {
        Self { mirror: false, by: [down, right] }
    }

    /// The moved image.
    pub fn of(&self, image: &Image) -> Image {
        let (shape, pixels) = (image.shape(), image.pixels());
        let moved = (0..pixels.len()).map(|at| pixels[self.source(at, shape)]);
        Image::new(shape, moved.collect::<Vec<_>>())
    }

    /// Where the pixel at `at` comes from.
    fn source(&self, at: usize, [_, h, w]: [usize; 3]) -> usize {
        let (plane, y, x) = (at / (h * w), at / w % h, at % w);
        let from = |i: usize, by: isize, n: usize| (i as isize - by).clamp(0, n as isize - 1);
        let x = if self.mirror { w - 1 - x } else { x };
        let (y, x) = (from(y, self.by[0], h) as usize, from(x, self.by[1], w) as usize);
        (plane * h + y) * w + x
    }
}

impl Transform for PixelMove {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        Ok(self.of(image))
    }

    fn vjp(&self, image: &Image, gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        let mut out = vec![0.0; gradient.len()];
        for (at, g) in gradient.iter().enumerate() {
            out[self.source(at, image.shape())] += g;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_those_of_the_hand_and_the_way_back_is_their_transpose() {
        let image = Image::new([1, 2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let pixels = |by: &PixelMove| by.of(&image).pixels().to_vec();
        assert_eq!(pixels(&PixelMove::mirror()), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        assert_eq!(pixels(&PixelMove::shift(1, 1)), [1.0, 1.0, 2.0, 1.0, 1.0, 2.0]);
        let g = vec![0.3_f32, -1.0, 0.5, 2.0, 0.1, -0.7];
        for by in [PixelMove::mirror(), PixelMove::shift(1, 1), PixelMove::shift(0, -1)] {
            let forth: f32 = pixels(&by).iter().zip(&g).map(|(p, g)| p * g).sum();
            let pulled = by.vjp(&image, g.clone(), &mut KeyedRng::new(0, 0, 0)).unwrap();
            let back: f32 = image.pixels().iter().zip(pulled).map(|(p, g)| p * g).sum();
            assert!((forth - back).abs() < 1e-5, "{forth} {back}");
        }
    }
}
