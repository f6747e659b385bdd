//! Transformations of the image before the network sees it, one a file.

mod bit_depth;
mod blur;
mod dct;
mod jpeg;
mod median;
mod nlm;
mod noise;
mod pca;
mod resize_pad;
mod separable;
mod thermometer;
mod tv;

pub use bit_depth::{BIT_DEPTH, bit_depth_stage};
pub use blur::BLUR;
pub use dct::DCT;
pub use jpeg::{JPEG, jpeg};
pub use median::{MEDIAN, median_stage};
pub use nlm::{NLM, nlm_stage};
pub use noise::NOISE;
pub use pca::PCA;
pub use resize_pad::RESIZE_PAD;
pub use thermometer::THERMOMETER;
pub use tv::TV;

use crate::data::Image;

/// Where a place beyond the edge of `n` pixels is mirrored to; the edge pixel counts twice.
fn reflect_index(place: isize, n: usize) -> usize {
    let place = place.rem_euclid(2 * n as isize) as usize;
    if place < n { place } else { 2 * n - 1 - place }
}

/// An image of these values, cut off at 0 and 1.
fn clipped(shape: [usize; 3], mut values: Vec<f32>) -> Image {
    values.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    Image::new(shape, values)
}

/// The backward pass of [`clipped`]: nothing gets through where these values were cut off by more than
/// rounding.
fn clip_vjp(values: &[f32], gradient: &mut [f32]) {
    for (value, slope) in values.iter().zip(gradient) {
        if !(-1e-6..=1.0 + 1e-6).contains(value) {
            *slope = 0.0;
        }
    }
}

/// An image of uneven values, 0..1: ((7i² + 3i) mod 23) / 22, as the numbers in tests were found for.
#[cfg(test)]
fn uneven(shape: [usize; 3]) -> Image {
    let n = shape.iter().product::<usize>();
    let value = |i: usize| ((i * i * 7 + i * 3) % 23) as f32 / 22.0;
    Image::new(shape, (0..n).map(value).collect::<Vec<_>>())
}

/// Whether the values at these places are those listed, to six digits.
#[cfg(test)]
fn listed(values: &[f32], list: &[(usize, f32)]) -> bool {
    list.iter().all(|(at, value)| (values[*at] - value).abs() < 3e-6)
}

/// An image of rising values, 0..1.
#[cfg(test)]
fn ramp(shape: [usize; 3]) -> Image {
    let n = shape.iter().product::<usize>();
    Image::new(shape, (0..n).map(|i| i as f32 / (n - 1).max(1) as f32).collect::<Vec<_>>())
}
