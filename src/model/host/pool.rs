//! Pooling.

use super::Map;

/// Windows over a picture; a kernel of 0 is one window over all of it.
pub(in crate::model) struct Pool {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// The part of a window that lies in the picture.
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
    /// How many windows along a side of `n` pixels.
    pub(super) fn side(&self, n: usize) -> usize {
        match self.kernel {
            0 => 1,
            kernel => (n + 2 * self.padding).saturating_sub(kernel) / self.stride + 1,
        }
    }

    /// The largest value of each window, and which value of its picture that is (the first of
    /// equals).
    pub(super) fn largest(&self, x: &Map) -> (Map, Vec<u32>) {
        let (k, s, p) = (self.kernel, self.stride, self.padding);
        let (h, w, c) = (self.side(x.h), self.side(x.w), x.c);
        let mut values = vec![f32::NEG_INFINITY; x.n * h * w * c];
        let mut places = vec![0; values.len()];
        let outputs = values.chunks_mut(h * w * c).zip(places.chunks_mut(h * w * c));
        for (image, (values, places)) in x.values.chunks(x.size()).zip(outputs) {
            for oy in 0..h {
                for ox in 0..w {
                    let at = (oy * w + ox) * c;
                    let (best, place) = (&mut values[at..at + c], &mut places[at..at + c]);
                    for y in window(oy, k, s, p, x.h) {
                        for x_ in window(ox, k, s, p, x.w) {
                            let from = (y * x.w + x_) * c;
                            let pixel = &image[from..from + c];
                            for i in 0..c {
                                let wins = pixel[i] > best[i];
                                best[i] = if wins { pixel[i] } else { best[i] };
                                place[i] = if wins { (from + i) as u32 } else { place[i] };
                            }
                        }
                    }
                }
            }
        }
        (Map { n: x.n, h, w, c, values }, places)
    }
}

/// Hands each value of `g` back to the place it came from.
pub(super) fn scatter(g: &Map, [h, w, c]: [usize; 3], places: &[u32]) -> Map {
    let mut values = vec![0.0; g.n * h * w * c];
    let size = g.size();
    let pairs = g.values.chunks(size).zip(places.chunks(size));
    for (image, (g, places)) in values.chunks_mut(h * w * c).zip(pairs) {
        g.iter().zip(places).for_each(|(g, place)| image[*place as usize] += g);
    }
    Map { n: g.n, h, w, c, values }
}

impl Pool {
    fn geometry(&self, h: usize, w: usize) -> ([usize; 2], [usize; 2], usize, usize) {
        match self.kernel {
            0 => ([1, 1], [h, w], 1, 0),
            k => ([self.side(h), self.side(w)], [k, k], self.stride, self.padding),
        }
    }

    /// The mean of each window; padding counts as zeros.
    pub(super) fn mean(&self, x: &Map) -> Map {
        let ([h, w], [kh, kw], s, p) = self.geometry(x.h, x.w);
        let c = x.c;
        let mut values = vec![0.0; x.n * h * w * c];
        for (image, out) in x.values.chunks(x.size()).zip(values.chunks_mut(h * w * c)) {
            for (at, sum) in out.chunks_mut(c).enumerate() {
                for y in window(at / w, kh, s, p, x.h) {
                    for x_ in window(at % w, kw, s, p, x.w) {
                        super::add(sum, &image[(y * x.w + x_) * c..][..c]);
                    }
                }
                sum.iter_mut().for_each(|v| *v /= (kh * kw) as f32);
            }
        }
        Map { n: x.n, h, w, c, values }
    }

    /// Shares each value of `g` out over its window.
    pub(super) fn share(&self, g: &Map, [h, w, c]: [usize; 3]) -> Map {
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
