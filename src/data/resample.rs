//! Resizing with the anti-aliasing of PIL, of no more than is looked at afterwards: what will be cut
//! off is never computed, so that a thin image may be enlarged a thousandfold.

use serde::{Deserialize, Serialize};
use std::f32::consts::PI;

/// How an image is enlarged or shrunk to a network's input size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeFilter {
    /// Nearest neighbour.
    Nearest,
    /// Linear, with the anti-aliasing of PIL.
    #[default]
    Triangle,
    /// Cubic (Catmull-Rom), as PIL's BICUBIC.
    Bicubic,
    /// Lanczos with window 3.
    Lanczos,
}

/// One side: of `from` pixels, scaled to `to`, of which `length` from `first` on are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResampleAxis {
    pub from: usize,
    pub to: usize,
    pub first: usize,
    pub length: usize,
}

/// The pixels, from `first` on, that one pixel of the result is made from, and how much of each.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl ResampleAxis {
    /// For each pixel wanted, what it is made from. The arithmetic is that of the `image` crate, to
    /// the last bit.
    fn taps(self, filter: ResizeFilter) -> Vec<Taps> {
        let (kernel, support) = filter.kernel();
        let ratio = self.from as f32 / self.to as f32;
        let scale = ratio.max(1.0);
        let reach = support * scale;
        let taps = |at: usize| {
            let centre = (at as f32 + 0.5) * ratio;
            let first = ((centre - reach).floor().max(0.0) as usize).min(self.from - 1);
            let last = ((centre + reach).ceil().max(0.0) as usize).clamp(first + 1, self.from);
            let weight = |i: usize| kernel((i as f32 - (centre - 0.5)) / scale);
            let mut weights: Vec<f32> = (first..last).map(weight).collect();
            let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
            weights.iter_mut().for_each(|weight| *weight /= sum);
            Taps { first, weights }
        };
        (self.first..self.first + self.length).map(taps).collect()
    }
}

/// The part of the resized image that is wanted, `[3, rows, columns]` in 0..1; `colour` tells the
/// colour at a row and a column of the image.
pub(super) fn resample(
    colour: impl Fn(usize, usize) -> [f32; 3],
    rows: ResampleAxis,
    columns: ResampleAxis,
    filter: ResizeFilter,
) -> Vec<f32> {
    let (down, across) = (rows.taps(filter), columns.taps(filter));
    let left = across.iter().map(|taps| taps.first).min().unwrap_or(0);
    let right = across.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(left);
    let (h, w) = (rows.length, columns.length);
    let mut out = vec![0.0; 3 * h * w];
    let mut line = vec![[0.0_f32; 3]; right - left];
    for (y, taps) in down.iter().enumerate() {
        line.fill([0.0; 3]);
        for (row, weight) in (taps.first..).zip(&taps.weights) {
            for (sum, column) in line.iter_mut().zip(left..) {
                add(sum, colour(row, column), *weight);
            }
        }
        for (x, taps) in across.iter().enumerate() {
            let mut sum = [0.0; 3];
            for (pixel, weight) in line[taps.first - left..].iter().zip(&taps.weights) {
                add(&mut sum, *pixel, *weight);
            }
            (0..3).for_each(|c| out[(c * h + y) * w + x] = sum[c].clamp(0.0, 1.0));
        }
    }
    out
}

fn add(sum: &mut [f32; 3], colour: [f32; 3], weight: f32) {
    sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += value * weight);
}

impl ResizeFilter {
    /// The filter's curve, and how far it reaches.
    fn kernel(self) -> (fn(f32) -> f32, f32) {
        match self {
            Self::Nearest => (|_| 1.0, 0.0),
            Self::Triangle => (|x| (1.0 - x.abs()).max(0.0), 1.0),
            Self::Bicubic => (cubic, 2.0),
            Self::Lanczos => (|x| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }, 3.0),
        }
    }
}

/// The cubic of Catmull and Rom.
fn cubic(x: f32) -> f32 {
    let a = x.abs();
    let value = match a {
        _ if a < 1.0 => 9.0 * a.powi(3) - 15.0 * a.powi(2) + 6.0,
        _ if a < 2.0 => -3.0 * a.powi(3) + 15.0 * a.powi(2) - 24.0 * a + 12.0,
        _ => 0.0,
    };
    value / 6.0
}

fn sinc(x: f32) -> f32 {
    let a = x * PI;
    if x == 0.0 { 1.0 } else { a.sin() / a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::imageops::{self, FilterType};
    use image::{Rgb, Rgb32FImage};

    #[test]
    fn a_part_is_what_resizing_all_and_cutting_gives() {
        let colour = |y: usize, x: usize| {
            let wave = |k: usize| ((y * 7 + x * 13 + k * 5) % 31) as f32 / 30.0;
            [wave(0), wave(1), wave(2)]
        };
        for (filter, kind) in [
            (ResizeFilter::Nearest, FilterType::Nearest),
            (ResizeFilter::Triangle, FilterType::Triangle),
            (ResizeFilter::Bicubic, FilterType::CatmullRom),
            (ResizeFilter::Lanczos, FilterType::Lanczos3),
        ] {
            for ([from_h, from_w], [to_h, to_w]) in
                [([40, 90], [17, 38]), ([9, 5], [30, 17]), ([30, 8], [11, 21]), ([6, 7], [6, 13])]
            {
                let image = Rgb32FImage::from_fn(from_w, from_h, |x, y| {
                    Rgb(colour(y as usize, x as usize))
                });
                let all = imageops::resize(&image, to_w, to_h, kind);
                let side = |from: u32, to: u32| ResampleAxis {
                    from: from as usize,
                    to: to as usize,
                    first: to as usize / 3,
                    length: to as usize / 2,
                };
                let (rows, columns) = (side(from_h, to_h), side(from_w, to_w));
                let part = resample(colour, rows, columns, filter);
                for (at, value) in part.iter().enumerate() {
                    let (c, y) = (at / columns.length / rows.length, at / columns.length);
                    let (x, y) = (at % columns.length, y % rows.length);
                    let (x, y) = ((columns.first + x) as u32, (rows.first + y) as u32);
                    let expected = all.get_pixel(x, y)[c].clamp(0.0, 1.0);
                    assert!((value - expected).abs() < 1e-6, "{filter:?}: {value} {expected}");
                }
            }
        }
    }
}
