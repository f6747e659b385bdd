//! Random numbers. Each stream has a key: (seed, sample, restart) in attacks, an [`RngKey`] in
//! randomised defences and layers. So results do not depend on batching, order, cancellation or the
//! device.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A random number generator (ChaCha8) for one image in one restart.
#[derive(Clone, Debug)]
pub struct KeyedRng(ChaCha8Rng);

impl KeyedRng {
    /// The stream for this seed, this sample's number and this restart.
    pub fn new(seed: u64, sample: u64, restart: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&sample.to_le_bytes());
        key[16..24].copy_from_slice(&restart.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `0..1`.
    pub fn unit(&mut self) -> f32 {
        self.0.random()
    }

    /// Uniform in `-1..1`.
    pub fn signed(&mut self) -> f32 {
        self.unit() * 2.0 - 1.0
    }

    /// Many numbers uniform in `0..1`.
    pub fn units(&mut self, numbers: &mut [f32]) {
        self.fill::<4>(numbers, |bytes| (u32::from_le_bytes(bytes) >> 8) as f32 / 16_777_216.0);
    }

    /// Many numbers uniform in `0..1` in steps of 1/65536, from half as many random bytes as
    /// [`Self::units`].
    pub fn coarse(&mut self, numbers: &mut [f32]) {
        self.fill::<2>(numbers, |bytes| f32::from(u16::from_le_bytes(bytes)) / 65_536.0);
    }

    fn fill<const N: usize>(&mut self, numbers: &mut [f32], of: impl Fn([u8; N]) -> f32) {
        let mut bytes = [0; 4096];
        for some in numbers.chunks_mut(bytes.len() / N) {
            let drawn = &mut bytes[..some.len() * N];
            self.0.fill_bytes(drawn);
            some.iter_mut().zip(drawn.as_chunks().0).for_each(|(to, bytes)| *to = of(*bytes));
        }
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// A point drawn uniformly on the L2 sphere of this radius in `d` dimensions.
    pub fn on_l2_sphere(&mut self, d: usize, radius: f32) -> Vec<f32> {
        let direction: Vec<f32> = (0..d).map(|_| self.normal()).collect();
        let norm = direction.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let scale = f64::from(radius) / norm.max(1e-12);
        direction.iter().map(|v| (f64::from(*v) * scale) as f32).collect()
    }

    /// A point drawn uniformly from the L1 ball of this radius in `d` dimensions: exponential
    /// variables, one more than dimensions, normalised by their sum.
    pub fn in_l1_ball(&mut self, d: usize, radius: f32) -> Vec<f32> {
        let mut exponential = || -f64::from(1.0 - self.unit()).max(1e-12).ln();
        let sizes: Vec<f64> = (0..=d).map(|_| exponential()).collect();
        let sum: f64 = sizes.iter().sum();
        let value = |size: &f64| (size / sum * f64::from(radius)) as f32;
        sizes[..d].iter().map(|size| value(size).copysign(self.signed())).collect()
    }

    /// A point drawn uniformly from the L2 ball of this radius in `d` dimensions.
    pub fn in_l2_ball(&mut self, d: usize, radius: f32) -> Vec<f32> {
        let share = f64::from(self.unit()).powf(1.0 / d as f64);
        self.on_l2_sphere(d, (f64::from(radius) * share) as f32)
    }
}

/// The key of the random numbers of one prediction of a randomised model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RngKey {
    /// A mix of the seed, of who predicts (attacker or judge), and of the image.
    pub seed: u64,
    /// The number of the draw: several are averaged by EOT, or vote.
    pub draw: u64,
}

impl RngKey {
    /// The random numbers of one part of the model: of a stage of a pipeline, of a layer.
    pub fn rng(self, part: u64) -> KeyedRng {
        KeyedRng::new(self.seed, self.draw, part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_alone_decides_the_stream() {
        let take = |s, p, r| {
            let mut draws = KeyedRng::new(s, p, r);
            (0..8).map(|_| draws.unit()).collect::<Vec<_>>()
        };
        assert_eq!(take(1, 2, 3), take(1, 2, 3));
        for other in [take(0, 2, 3), take(1, 0, 3), take(1, 2, 0), take(2, 1, 3)] {
            assert_ne!(take(1, 2, 3), other);
        }
    }

    #[test]
    fn balls_are_filled_to_their_radius_and_no_further() {
        let mut draws = KeyedRng::new(0, 0, 0);
        let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
        let radii: Vec<f32> = (0..200).map(|_| norm(&draws.in_l2_ball(2, 3.0))).collect();
        assert!(radii.iter().all(|r| *r <= 3.000_01));
        // Uniform in the disc: half of the area lies beyond r·√½.
        let outer = radii.iter().filter(|r| **r > 3.0 * 0.5_f32.sqrt()).count();
        assert!((70..130).contains(&outer), "{outer}");
    }
}
