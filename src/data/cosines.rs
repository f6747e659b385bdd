//! Cosine waves (DCT-II), in which images and the perturbations that matter are smooth.

use std::f64::consts::PI;

/// The first `k` vectors of the orthonormal cosine basis of `n` values, `[k, n]`.
pub fn cosines(k: usize, n: usize) -> Vec<f64> {
    let wave = |k: usize, at: usize| {
        let scale = if k == 0 { 1.0 } else { 2.0 } / n as f64;
        scale.sqrt() * (PI * (at as f64 + 0.5) * k as f64 / n as f64).cos()
    };
    (0..k).flat_map(|k| (0..n).map(move |at| wave(k, at))).collect()
}
