//! Convolutions with one kernel a channel.

use super::conv::Geometry;
use super::kernel::Clamp;
use super::map::{CpuRun, Map};

/// One kernel a channel.
pub(in crate::model) struct Depthwise {
    pub geometry: Geometry,
    /// `[kernel·kernel, C]`.
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Depthwise {
    pub(in crate::model) fn forward(&self, x: &Map, clamp: Clamp, run: &CpuRun<'_>) -> Map {
        let [h, w] = self.geometry.sides(x.h, x.w);
        let c = x.c;
        let mut values = vec![0.0; x.n * h * w * c];
        let terms = self.geometry.kernel.pow(2);
        for (image, values) in x.values.chunks(x.size()).zip(values.chunks_mut(h * w * c)) {
            run.bands(values, w * c, terms, |first, values| {
                run.level.run(|| {
                    for (at, out) in values.chunks_mut(c).enumerate() {
                        out.copy_from_slice(&self.bias);
                        self.each(first + at / w, at % w, [x.h, x.w], |pixel, weight| {
                            let pixel = &image[pixel * c..][..c];
                            let both = pixel.iter().zip(weight);
                            out.iter_mut().zip(both).for_each(|(out, (x, w))| *out += x * w);
                        });
                        if let Some((low, high)) = clamp {
                            out.iter_mut().for_each(|v| *v = v.max(low).min(high));
                        }
                    }
                });
            });
        }
        Map { n: x.n, h, w, c, values }
    }

    pub(in crate::model) fn backward(
        &self,
        g: &Map,
        [h, w, c]: [usize; 3],
        run: &CpuRun<'_>,
    ) -> Map {
        let mut values = vec![0.0; g.n * h * w * c];
        for (image, g_) in values.chunks_mut(h * w * c).zip(g.values.chunks(g.size())) {
            run.level.run(|| {
                for (at, out) in g_.chunks(c).enumerate() {
                    self.each(at / g.w, at % g.w, [h, w], |pixel, weight| {
                        let pixel = &mut image[pixel * c..][..c];
                        let both = out.iter().zip(weight);
                        pixel.iter_mut().zip(both).for_each(|(x, (g, w))| *x += g * w);
                    });
                }
            });
        }
        Map { n: g.n, h, w, c, values }
    }

    /// Every pixel under the kernel at one output, with the kernel's weights there.
    #[inline(always)]
    fn each(&self, oy: usize, ox: usize, [h, w]: [usize; 2], mut then: impl FnMut(usize, &[f32])) {
        let (k, c) = (self.geometry.kernel, self.bias.len());
        let under = |o: usize, i: usize, n: usize| {
            let first = (o * self.geometry.stride) as isize - self.geometry.before[i] as isize;
            let from = (-first).max(0) as usize;
            let to = (n as isize - first).clamp(0, k as isize) as usize;
            (from..to.max(from), first)
        };
        let ((lines, top), (columns, left)) = (under(oy, 0, h), under(ox, 1, w));
        for ky in lines {
            let line = (top + ky as isize) as usize * w;
            for kx in columns.clone() {
                let pixel = line + (left + kx as isize) as usize;
                then(pixel, &self.weight[(ky * k + kx) * c..][..c]);
            }
        }
    }
}
