//! Batches: which images come when, and how they are changed. All of it is keyed by seed and step.

use crate::data::Dataset;
use crate::rng::{KeyedRng, RngKey};
use crate::training::recipe::{Recipe, TrainingMethod};

/// Images with their classes.
pub struct Batch {
    /// `[N, C, H, W]` in 0..1.
    pub pixels: Vec<f32>,
    /// The true classes, N of them.
    pub labels: Vec<usize>,
    /// Their numbers in the training set.
    pub samples: Vec<usize>,
    /// What each image's random layers draw from.
    pub rng_keys: Vec<RngKey>,
}

/// The order of the samples in an epoch: Fisher–Yates, keyed by seed and epoch.
pub fn epoch_order(samples: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    let mut draws = KeyedRng::new(seed, epoch as u64, 2 << 32);
    for i in (1..order.len()).rev() {
        order.swap(i, draws.below(i + 1));
    }
    order
}

impl Batch {
    /// The images of one step, mirrored, shifted and made noisy as the recipe says.
    pub fn new(
        data: &Dataset,
        shape: [usize; 3],
        recipe: &Recipe,
        picked: &[usize],
        seed: u64,
        step: usize,
    ) -> Self {
        let mut draws = KeyedRng::new(seed, step as u64, 3 << 32);
        let mut pixels = Vec::with_capacity(picked.len() * shape.iter().product::<usize>());
        for index in picked {
            let bytes = data.bytes(*index).unwrap_or_default();
            let flip = recipe.flip && draws.unit() < 0.5;
            let mut by = || match recipe.shift {
                0 => 0,
                most => draws.below(2 * most + 1) as isize - most as isize,
            };
            let moved = (by(), by());
            place(bytes, shape, flip, moved, &mut pixels);
        }
        if let TrainingMethod::Gaussian { sigma } = recipe.method {
            // Not clipped: randomised smoothing asks about such images, too.
            pixels.iter_mut().for_each(|v| *v += sigma as f32 * draws.normal());
        }
        let labels = picked.iter().map(|i| data.label(*i).unwrap_or(0)).collect();
        let rng_key = |row| RngKey { seed: seed ^ ((step as u64 + 1) << 20), draw: row };
        let rng_keys = (0..picked.len() as u64).map(rng_key).collect();
        Self { pixels, labels, samples: picked.to_vec(), rng_keys }
    }
}

/// Appends an image, mirrored or not, shifted by so many rows and columns; black comes in.
fn place(
    bytes: &[u8],
    [_, h, w]: [usize; 3],
    flip: bool,
    (down, right): (isize, isize),
    pixels: &mut Vec<f32>,
) {
    for plane in bytes.chunks(h * w) {
        for y in 0..h {
            let from = y.checked_add_signed(-down).filter(|y| *y < h);
            for x in 0..w {
                let x = x.checked_add_signed(-right).filter(|x| *x < w);
                pixels.push(match (from, x) {
                    (Some(y), Some(x)) => {
                        f32::from(plane[y * w + if flip { w - 1 - x } else { x }]) / 255.0
                    }
                    _ => 0.0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_mirrored_and_shifted_with_black_behind_them() {
        let mut out = Vec::new();
        place(&[0, 51, 102, 153, 204, 255], [1, 2, 3], true, (1, -1), &mut out);
        // Mirrored: 2 1 0 / 5 4 3 (in fifths); down by one, left by one.
        let fifths: Vec<f32> = out.iter().map(|v| v * 5.0).collect();
        assert_eq!(fifths, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn an_order_holds_every_sample_once() {
        let mut found = epoch_order(100, 3, 1);
        assert_ne!(found, epoch_order(100, 3, 2));
        assert_ne!(found, epoch_order(100, 4, 1));
        found.sort_unstable();
        assert_eq!(found, (0..100).collect::<Vec<_>>());
    }
}
