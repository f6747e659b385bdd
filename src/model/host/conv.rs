//! Convolutions, channels last: the windows as rows of a matrix, times the weights.

use super::{Map, product};
use crate::error::Result;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

/// Where a kernel stands.
#[derive(Clone, Copy)]
pub(in crate::model) struct Geometry {
    pub kernel: usize,
    pub stride: usize,
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Zeros below and to the right.
    pub after: [usize; 2],
}

impl Geometry {
    pub(super) fn sides(&self, h: usize, w: usize) -> [usize; 2] {
        let side = |n: usize, i: usize| {
            (n + self.before[i] + self.after[i]).saturating_sub(self.kernel) / self.stride + 1
        };
        [side(h, 0), side(w, 1)]
    }

    /// The kernel's columns that lie in the picture for output column `ox` of a row of `w`, and the
    /// picture's column under the first of them.
    fn columns(&self, ox: usize, w: usize) -> (std::ops::Range<usize>, usize) {
        let first = (ox * self.stride) as isize - self.before[1] as isize;
        let from = (-first).max(0) as usize;
        let to = (w as isize - first).clamp(0, self.kernel as isize) as usize;
        (from..to.max(from), (first + from as isize).max(0) as usize)
    }

    /// The picture's row under the kernel's row `ky` for output row `oy`; none in the padding.
    fn line(&self, oy: usize, ky: usize, h: usize) -> Option<usize> {
        (oy * self.stride + ky).checked_sub(self.before[0]).filter(|y| *y < h)
    }
}

/// A full convolution (one group).
pub(in crate::model) struct Conv {
    pub geometry: Geometry,
    /// `[kernel·kernel·in, out]`.
    pub weight: Tensor<2>,
    pub bias: Vec<f32>,
}

impl Conv {
    /// A kernel of one pixel: the picture itself is the matrix of windows.
    fn is_pointwise(&self) -> bool {
        let Geometry { kernel, stride, before, after } = self.geometry;
        kernel == 1 && stride == 1 && before == [0, 0] && after == [0, 0]
    }

    pub(super) fn forward(&self, x: &Map, device: &Device) -> Result<Map> {
        let [h, w] = self.geometry.sides(x.h, x.w);
        let c = self.bias.len();
        let width = self.geometry.kernel.pow(2) * x.c;
        let weight = || self.weight.clone();
        let mut values = match self.is_pointwise() {
            true => product(x.values.clone(), [x.n * h * w, x.c], weight(), device)?,
            false if x.n == 1 => {
                let rows = self.windows(&x.values, x, [h, w]);
                product(rows, [h * w, width], weight(), device)?
            }
            false => {
                let mut values = vec![0.0; x.n * h * w * c];
                let images = x.values.par_chunks(x.size()).zip(values.par_chunks_mut(h * w * c));
                images.try_for_each(|(image, out)| {
                    let rows = self.windows(image, x, [h, w]);
                    out.copy_from_slice(&product(rows, [h * w, width], weight(), device)?);
                    Ok::<_, crate::error::Error>(())
                })?;
                values
            }
        };
        values.chunks_mut(c).for_each(|pixel| super::add(pixel, &self.bias));
        Ok(Map { n: x.n, h, w, c, values })
    }

    pub(super) fn backward(&self, g: Map, [h, w, c]: [usize; 3], device: &Device) -> Result<Map> {
        let outputs = self.bias.len();
        let (n, size) = (g.n, g.size());
        let back = || self.weight.clone().transpose();
        if self.is_pointwise() {
            let values = product(g.values, [n * h * w, outputs], back(), device)?;
            return Ok(Map { n, h, w, c, values });
        }
        let shape = [g.h * g.w, outputs];
        let mut values = vec![0.0; n * h * w * c];
        let one = |g_: Vec<f32>, image: &mut [f32]| {
            let rows = product(g_, shape, back(), device)?;
            self.gather(&rows, image, [h, w, c], [g.h, g.w]);
            Ok::<_, crate::error::Error>(())
        };
        match n {
            1 => one(g.values.clone(), &mut values)?,
            _ => {
                let images = values.par_chunks_mut(h * w * c).zip(g.values.par_chunks(size));
                images.try_for_each(|(image, g_)| one(g_.to_vec(), image))?;
            }
        }
        Ok(Map { n, h, w, c, values })
    }

    /// Every window of one picture as a row: `[h·w, kernel·kernel·in]`.
    fn windows(&self, image: &[f32], x: &Map, [h, w]: [usize; 2]) -> Vec<f32> {
        let (k, c) = (self.geometry.kernel, x.c);
        let mut rows = vec![0.0; h * w * k * k * c];
        for oy in 0..h {
            for ox in 0..w {
                let row = &mut rows[(oy * w + ox) * k * k * c..][..k * k * c];
                let (columns, first) = self.geometry.columns(ox, x.w);
                let length = columns.len() * c;
                for ky in 0..k {
                    let Some(y) = self.geometry.line(oy, ky, x.h) else { continue };
                    let from = &image[(y * x.w + first) * c..][..length];
                    row[(ky * k + columns.start) * c..][..length].copy_from_slice(from);
                }
            }
        }
        rows
    }

    /// Adds every window's row back onto the picture: the adjoint of [`Self::windows`].
    fn gather(&self, rows: &[f32], image: &mut [f32], [h, w, c]: [usize; 3], [oh, ow]: [usize; 2]) {
        let k = self.geometry.kernel;
        for oy in 0..oh {
            for ox in 0..ow {
                let row = &rows[(oy * ow + ox) * k * k * c..][..k * k * c];
                let (columns, first) = self.geometry.columns(ox, w);
                let length = columns.len() * c;
                for ky in 0..k {
                    let Some(y) = self.geometry.line(oy, ky, h) else { continue };
                    let to = &mut image[(y * w + first) * c..][..length];
                    super::add(to, &row[(ky * k + columns.start) * c..][..length]);
                }
            }
        }
    }
}

/// One kernel a channel.
pub(in crate::model) struct Depthwise {
    pub geometry: Geometry,
    /// `[kernel·kernel, C]`.
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Depthwise {
    pub(super) fn forward(&self, x: &Map) -> Map {
        let [h, w] = self.geometry.sides(x.h, x.w);
        let c = x.c;
        let mut values = vec![0.0; x.n * h * w * c];
        let lines = values.par_chunks_mut(w * c).enumerate();
        lines.for_each(|(at, line)| {
            let (image, oy) = (&x.values[at / h * x.size()..][..x.size()], at % h);
            for (ox, out) in line.chunks_mut(c).enumerate() {
                out.copy_from_slice(&self.bias);
                self.each(oy, ox, [x.h, x.w], |pixel, weight| {
                    let pixel = &image[pixel * c..][..c];
                    let both = pixel.iter().zip(weight);
                    out.iter_mut().zip(both).for_each(|(out, (x, w))| *out += x * w);
                });
            }
        });
        Map { n: x.n, h, w, c, values }
    }

    pub(super) fn backward(&self, g: &Map, [h, w, c]: [usize; 3]) -> Map {
        let mut values = vec![0.0; g.n * h * w * c];
        let images = values.par_chunks_mut(h * w * c).zip(g.values.par_chunks(g.size()));
        images.for_each(|(image, g_)| {
            for (at, out) in g_.chunks(c).enumerate() {
                self.each(at / g.w, at % g.w, [h, w], |pixel, weight| {
                    let pixel = &mut image[pixel * c..][..c];
                    let both = out.iter().zip(weight);
                    pixel.iter_mut().zip(both).for_each(|(x, (g, w))| *x += g * w);
                });
            }
        });
        Map { n: g.n, h, w, c, values }
    }

    /// Every pixel under the kernel at one output, with the kernel's weights there.
    fn each(&self, oy: usize, ox: usize, [h, w]: [usize; 2], mut then: impl FnMut(usize, &[f32])) {
        let (k, c) = (self.geometry.kernel, self.bias.len());
        let (columns, first) = self.geometry.columns(ox, w);
        for ky in 0..k {
            let Some(y) = self.geometry.line(oy, ky, h) else { continue };
            for (i, kx) in columns.clone().enumerate() {
                then(y * w + first + i, &self.weight[(ky * k + kx) * c..][..c]);
            }
        }
    }
}
