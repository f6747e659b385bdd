//! Transformations of the input that transfer attacks take the gradient through: random shrinking and
//! padding (DI, Xie et al. 2019), and blurring the gradient (TI, Dong et al. 2019). Both are linear.

use crate::rng::KeyedRng;

/// An image shrunk by the nearest pixel and placed somewhere on black: for each pixel of the result,
/// the index of the source pixel, if any.
pub(super) struct ResizePad(Vec<Option<usize>>);

impl ResizePad {
    /// A random shrinking of images of `h` by `w` pixels to at least `rate` of their height.
    pub fn draw(h: usize, w: usize, rate: f64, draws: &mut KeyedRng) -> Self {
        let least = ((rate * h as f64) as usize).clamp(1, h);
        let high = least + draws.below((h - least).max(1));
        let wide = ((high * w) as f64 / h as f64).round().max(1.0) as usize;
        let (top, left) = (draws.below(h - high + 1), draws.below(w - wide + 1));
        let source = |row: usize, column: usize| {
            let (row, column) = (row.checked_sub(top)?, column.checked_sub(left)?);
            (row < high && column < wide).then(|| row * h / high * w + column * w / wide)
        };
        Self((0..h * w).map(|p| source(p / w, p % w)).collect())
    }

    /// The image transformed, channel by channel.
    pub fn apply(&self, image: &[f32]) -> Vec<f32> {
        let channel = |pixels: &[f32]| -> Vec<f32> {
            self.0.iter().map(|source| source.map_or(0.0, |p| pixels[p])).collect()
        };
        image.chunks(self.0.len()).flat_map(channel).collect()
    }

    /// The gradient with respect to the image, from that with respect to the transformed one (adjoint).
    pub fn pull_back(&self, gradient: &[f32]) -> Vec<f32> {
        let channel = |gradients: &[f32]| {
            let mut back = vec![0.0; gradients.len()];
            for (source, slope) in self.0.iter().zip(gradients) {
                source.iter().for_each(|p| back[*p] += slope);
            }
            back
        };
        gradient.chunks(self.0.len()).flat_map(channel).collect()
    }
}

/// A Gaussian kernel of this many values, three standard deviations to each side, with sum 1.
pub(super) fn gaussian(width: usize) -> Vec<f64> {
    let middle = (width as f64 - 1.0) / 2.0;
    let at = |k: usize| if width > 1 { 3.0 * (k as f64 - middle) / middle } else { 0.0 };
    let raw: Vec<f64> = (0..width).map(|k| (-at(k).powi(2) / 2.0).exp()).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|v| v / sum).collect()
}

/// Blurs every channel of an image of `h` by `w` pixels with the product of two kernels, zero outside.
pub(super) fn blur(values: &mut [f64], h: usize, w: usize, kernel: &[f64]) {
    for channel in values.chunks_mut(h * w) {
        (0..h).for_each(|row| along(channel, row * w, 1, w, kernel));
        (0..w).for_each(|column| along(channel, column, w, h, kernel));
    }
}

/// Convolves `n` values, `stride` apart from `first` on.
fn along(values: &mut [f64], first: usize, stride: usize, n: usize, kernel: &[f64]) {
    let line: Vec<f64> = (0..n).map(|k| values[first + k * stride]).collect();
    let half = kernel.len() / 2;
    for k in 0..n {
        let reach = kernel.iter().enumerate().filter_map(|(j, weight)| {
            let at = (k + j).checked_sub(half)?;
            line.get(at).map(|value| weight * value)
        });
        values[first + k * stride] = reach.sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_back_is_the_adjoint() {
        let mut draws = KeyedRng::new(0, 0, 0);
        for (h, w) in [(8, 6), (28, 28), (5, 9), (1, 1), (2, 3)] {
            let shrunk = ResizePad::draw(h, w, 0.7, &mut draws);
            let mut take = || (0..3 * h * w).map(|_| draws.signed()).collect::<Vec<f32>>();
            let (image, slope) = (take(), take());
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let (there, back) = (shrunk.apply(&image), shrunk.pull_back(&slope));
            assert!((dot(&there, &slope) - dot(&image, &back)).abs() < 1e-3, "{h}×{w}");
        }
    }

    #[test]
    fn shrunk_pictures_are_whole_and_as_small_as_allowed() {
        let mut draws = KeyedRng::new(0, 0, 1);
        let mut sizes = Vec::new();
        for _ in 0..50 {
            let shrunk = ResizePad::draw(28, 28, 0.9, &mut draws);
            let shown = shrunk.0.iter().flatten().count();
            let side = (shown as f64).sqrt().round() as usize;
            assert_eq!(side * side, shown);
            sizes.push(side);
        }
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes, [25, 26, 27]);
    }

    #[test]
    fn blurring_spreads_and_keeps_the_sum() {
        assert_eq!(gaussian(1), [1.0]);
        let kernel = gaussian(3);
        assert!((kernel[0] - (-4.5_f64).exp() / (1.0 + 2.0 * (-4.5_f64).exp())).abs() < 1e-12);
        let mut values = vec![0.0; 2 * 25];
        values[25 + 12] = 1.0;
        blur(&mut values, 5, 5, &gaussian(5));
        assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(values[..25], [0.0; 25], "the other channel");
        assert!((values[25 + 11] - values[25 + 7]).abs() < 1e-12 && values[25] > 0.0);
    }
}
