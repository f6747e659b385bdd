//! Pooling.

use super::map::{CpuRun, Map};

/// Windows over an image; a kernel of 0 is one window over all of it.
pub(in crate::model) struct Pool {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// The part of a window that lies in the image.
fn window(
    at: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    n: usize,
) -> std::ops::Range<usize> {
    let first = at * stride;
    first.saturating_sub(padding)..(first + kernel).saturating_sub(padding).min(n)
}

impl Pool {
    /// One window over the whole map.
    pub(in crate::model) const WHOLE: Self = Self { kernel: 0, stride: 1, padding: 0 };

    /// How many windows along a side of `n` pixels.
    pub(in crate::model) fn side(&self, n: usize) -> usize {
        match self.kernel {
            0 => 1,
            kernel => (n + 2 * self.padding).saturating_sub(kernel) / self.stride + 1,
        }
    }

    /// The largest value of each window.
    pub(in crate::model) fn largest(&self, x: &Map, run: &CpuRun<'_>) -> Map {
        let (h, w, c) = (self.side(x.h), self.side(x.w), x.c);
        let mut values = vec![f32::NEG_INFINITY; x.n * h * w * c];
        run.level.run(|| {
            for (image, values) in x.values.chunks(x.size()).zip(values.chunks_mut(h * w * c)) {
                for (at, best) in values.chunks_mut(c).enumerate() {
                    self.each(at / w, at % w, [x.h, x.w], |pixel| {
                        let pixel = &image[pixel * c..][..c];
                        best.iter_mut().zip(pixel).for_each(|(best, x)| *best = x.max(*best));
                    });
                }
            }
        });
        Map { n: x.n, h, w, c, values }
    }

    /// Hands each value of `g` back to the place in `x` that its largest value came from: the first
    /// of equals.
    pub(in crate::model) fn hand_back(&self, x: &Map, y: &Map, g: &Map, run: &CpuRun<'_>) -> Map {
        let c = x.c;
        let mut values = vec![0.0; x.values.len()];
        let mut open = vec![0.0; c];
        run.level.run(|| {
            let images = x.values.chunks(x.size()).zip(values.chunks_mut(x.size()));
            let pairs = y.values.chunks(y.size()).zip(g.values.chunks(y.size()));
            for ((image, values), (y_, g)) in images.zip(pairs) {
                for (at, (best, g)) in y_.chunks(c).zip(g.chunks(c)).enumerate() {
                    open.copy_from_slice(g);
                    self.each(at / y.w, at % y.w, [x.h, x.w], |pixel| {
                        let to = values[pixel * c..][..c].iter_mut();
                        let from = image[pixel * c..][..c].iter().zip(best);
                        for ((to, (x, best)), open) in to.zip(from).zip(&mut open) {
                            let given = if x == best { *open } else { 0.0 };
                            *to += given;
                            *open -= given;
                        }
                    });
                }
            }
        });
        x.with(values)
    }

    /// Every pixel of a window.
    #[inline(always)]
    fn each(&self, oy: usize, ox: usize, [h, w]: [usize; 2], mut then: impl FnMut(usize)) {
        let (k, s, p) = (self.kernel, self.stride, self.padding);
        for y in window(oy, k, s, p, h) {
            for x in window(ox, k, s, p, w) {
                then(y * w + x);
            }
        }
    }
}

impl Pool {
    fn geometry(&self, h: usize, w: usize) -> ([usize; 2], [usize; 2], usize, usize) {
        match self.kernel {
            0 => ([1, 1], [h, w], 1, 0),
            k => ([self.side(h), self.side(w)], [k, k], self.stride, self.padding),
        }
    }

    /// The mean of each window; padding counts as zeros.
    pub(in crate::model) fn mean(&self, x: &Map) -> Map {
        let ([h, w], [kh, kw], s, p) = self.geometry(x.h, x.w);
        let c = x.c;
        let mut values = vec![0.0; x.n * h * w * c];
        for (image, out) in x.values.chunks(x.size()).zip(values.chunks_mut(h * w * c)) {
            for (at, sum) in out.chunks_mut(c).enumerate() {
                for y in window(at / w, kh, s, p, x.h) {
                    for x_ in window(at % w, kw, s, p, x.w) {
                        super::kernel::add(sum, &image[(y * x.w + x_) * c..][..c]);
                    }
                }
                sum.iter_mut().for_each(|v| *v /= (kh * kw) as f32);
            }
        }
        Map { n: x.n, h, w, c, values }
    }

    /// Shares each value of `g` out over its window.
    pub(in crate::model) fn share(&self, g: &Map, [h, w, c]: [usize; 3]) -> Map {
        let (_, [kh, kw], s, p) = self.geometry(h, w);
        let mut values = vec![0.0; g.n * h * w * c];
        let share = 1.0 / (kh * kw) as f32;
        for (image, g_) in values.chunks_mut(h * w * c).zip(g.values.chunks(g.size())) {
            for (at, pixel) in g_.chunks(c).enumerate() {
                for y in window(at / g.w, kh, s, p, h) {
                    for x_ in window(at % g.w, kw, s, p, w) {
                        let to = &mut image[(y * w + x_) * c..][..c];
                        to.iter_mut().zip(pixel).for_each(|(to, g)| *to += g * share);
                    }
                }
            }
        }
        Map { n: g.n, h, w, c, values }
    }
}
