//! Similarity of two images: PSNR and SSIM.

use crate::data::Image;

/// Peak signal-to-noise ratio in dB for pixels in 0..1; infinite for equal images.
pub fn psnr(a: &Image, b: &Image) -> f32 {
    let pairs = a.pixels().iter().zip(b.pixels());
    let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    let mean = sum / a.pixels().len() as f64;
    (-10.0 * mean.log10()) as f32
}

/// K₁² of SSIM, for pixels in 0..1.
const C1: f32 = 0.0001;

/// K₂² of SSIM, for pixels in 0..1.
const C2: f32 = 0.0009;

/// Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels with σ = 1.5, K₁ = 0.01,
/// K₂ = 0.03, mean over the positions where the whole window fits and over the channels. For
/// images smaller than the window, the largest odd window that fits.
pub fn ssim(a: &Image, b: &Image) -> f32 {
    let [c, h, w] = a.shape();
    let side = 11.min(h).min(w);
    let side = if side % 2 == 0 { side - 1 } else { side };
    let middle = (side / 2) as f32;
    let weight = |i: usize| (-(i as f32 - middle).powi(2) / (2.0 * 1.5 * 1.5)).exp();
    let sum: f32 = (0..side).map(weight).sum();
    let window: Vec<f32> = (0..side).map(|i| weight(i) / sum).collect();
    let mut total = 0.0;
    for plane in 0..c {
        let range = plane * h * w..(plane + 1) * h * w;
        let (a, b) = (&a.pixels()[range.clone()], &b.pixels()[range]);
        let blur = |f: &dyn Fn(usize) -> f32| blur(f, h, w, &window);
        let (ma, mb) = (blur(&|i| a[i]), blur(&|i| b[i]));
        let (aa, bb) = (blur(&|i| a[i] * a[i]), blur(&|i| b[i] * b[i]));
        let ab = blur(&|i| a[i] * b[i]);
        let at = |i: usize| {
            let (va, vb) = (aa[i] - ma[i] * ma[i], bb[i] - mb[i] * mb[i]);
            let cov = ab[i] - ma[i] * mb[i];
            let top = (2.0 * ma[i] * mb[i] + C1) * (2.0 * cov + C2);
            f64::from(top / ((ma[i] * ma[i] + mb[i] * mb[i] + C1) * (va + vb + C2)))
        };
        total += (0..ma.len()).map(at).sum::<f64>() / ma.len() as f64;
    }
    (total / c as f64) as f32
}

/// Separable convolution over the positions where the window fits.
fn blur(f: &dyn Fn(usize) -> f32, h: usize, w: usize, window: &[f32]) -> Vec<f32> {
    let (out_h, out_w) = (h + 1 - window.len(), w + 1 - window.len());
    let mut rows = Vec::with_capacity(h * out_w);
    for y in 0..h {
        let row: Vec<f32> = (0..w).map(|x| f(y * w + x)).collect();
        rows.extend(
            row.windows(window.len())
                .map(|part| part.iter().zip(window).map(|(p, q)| p * q).sum::<f32>()),
        );
    }
    let mut out = Vec::with_capacity(out_h * out_w);
    for y in 0..out_h {
        for x in 0..out_w {
            let column = window.iter().enumerate();
            out.push(column.map(|(k, q)| rows[(y + k) * out_w + x] * q).sum());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pictures_are_alike_and_noise_is_not() {
        let ramp = |k: f32| {
            let at = |i: usize| {
                ((i % 32) as f32 / 31.0 + k * ((i * 7919 % 101) as f32 / 100.0 - 0.5))
                    .clamp(0.0, 1.0)
            };
            Image::new([3, 32, 32], (0..3072).map(|i| at(i % 1024)).collect::<Vec<_>>())
        };
        let (clean, little, much) = (ramp(0.0), ramp(0.05), ramp(0.5));
        assert_eq!(ssim(&clean, &clean), 1.0);
        assert_eq!(psnr(&clean, &clean), f32::INFINITY);
        // skimage.metrics.structural_similarity(a, b, data_range=1, gaussian_weights=True,
        // sigma=1.5, use_sample_covariance=False) of one channel.
        assert!((ssim(&clean, &little) - 0.964_199).abs() < 1e-4, "{}", ssim(&clean, &little));
        assert!((ssim(&clean, &much) - 0.203_303).abs() < 1e-4, "{}", ssim(&clean, &much));
        assert!(psnr(&clean, &little) > psnr(&clean, &much));
        let shifted = Image::new([1, 1, 2], vec![0.1, 0.1]);
        let black = Image::new([1, 1, 2], vec![0.0, 0.0]);
        assert!((psnr(&shifted, &black) - 20.0).abs() < 1e-4);
        assert!(ssim(&shifted, &black).is_finite());
    }
}
