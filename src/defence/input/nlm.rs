//! Non-local means.

use crate::data::Image;
use crate::defence::input::{clipped, reflect_index};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, PipelineStage, Transform};
use crate::error::Result;
use crate::parameter::{FloatParam, IntParam};
use crate::rng::KeyedRng;
use rayon::prelude::*;

const SEARCH: IntParam =
    IntParam::new("search", (3, 21), 11, "side of the window searched for like patches, 3..21");

const PATCH: IntParam = IntParam::new("patch", (1, 7), 3, "side of the patches compared, 1..7");

const STRENGTH: FloatParam =
    FloatParam::new("strength", (0.5, 100.0), 4.0, "difference that counts as none, in 255ths");

/// Non-local means.
pub const NLM: DefenceSpec = DefenceSpec {
    id: "nlm",
    aliases: &["non-local-means"],
    name: "non-local means",
    family: "input",
    params: &[SEARCH.param, PATCH.param, STRENGTH.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "averages every pixel with those whose surroundings look alike",
    about: "Every pixel becomes the mean of the pixels near it, each counted by how alike the patches \
            around the two are: small changes are smoothed away, edges stay sharp. 13-3-2 (search, \
            patch, strength) is published for CIFAR-10, 11-3-4 for photographs. A perturbation larger \
            than the strength counts as an edge and stays, so at large ε it does nothing; at small ε the \
            exact gradient, weights and all, leads an attack round it.",
    paper: "Buades, Coll, Morel: A Non-Local Algorithm for Image Denoising, CVPR 2005; as a defence Xu, \
            Evans, Qi: Feature Squeezing, NDSS 2018; broken by He et al., WOOT 2017",
    build: |settings, builder| {
        let (search, patch) = (SEARCH.count(settings), PATCH.count(settings));
        builder.stage(Box::new(NonLocal::new(search, patch, STRENGTH.get(settings))))
    },
};

/// The same as a stage.
pub fn nlm_stage(search: usize, patch: usize, strength: f64) -> PipelineStage {
    let transform = Box::new(NonLocal::new(search, patch, strength));
    PipelineStage { transform, backward: BackwardRule::Exact, randomised: false }
}

/// Weights are e^(−d²/h²), d² the mean square difference of two patches over their pixels and
/// channels, h the strength; windows of even sides begin half of them before the pixel.
struct NonLocal {
    search: usize,
    patch: usize,
    strength: f32,
}

/// So many rows of gradients are added up in a buffer of their own, in parallel.
const BAND: usize = 16;

impl NonLocal {
    /// With the strength in 255ths.
    fn new(search: usize, patch: usize, strength: f64) -> Self {
        Self { search, patch, strength: strength as f32 / 255.0 }
    }

    /// How far a window and a patch in it reach beyond their pixel.
    fn margin(&self) -> usize {
        self.search / 2 + self.patch / 2
    }
}

/// An image with a mirrored margin, in which the windows of all its pixels lie.
struct Framed<'a> {
    by: &'a NonLocal,
    /// Of the image itself.
    shape: [usize; 3],
    /// Length of a row with its margins.
    stride: usize,
    /// `[C, H + 2·margin, W + 2·margin]`.
    values: Vec<f32>,
}

/// What becomes of one row: Σ weights for each pixel, and the means `[C, W]`.
struct Row {
    whole: Vec<f32>,
    means: Vec<f32>,
}

impl<'a> Framed<'a> {
    fn new(by: &'a NonLocal, image: &Image) -> Self {
        let shape @ [_, h, w] = image.shape();
        let stride = w + 2 * by.margin();
        let mut framed = Self { by, shape, stride, values: Vec::new() };
        let pixel = |at: usize| image.pixels()[framed.source(at, h)];
        framed.values = (0..shape[0] * (h + 2 * by.margin()) * stride).map(pixel).collect();
        framed
    }

    /// The pixel that the framed value `at` shows.
    fn source(&self, at: usize, h: usize) -> usize {
        let (margin, high, w) = (self.by.margin(), h + 2 * self.by.margin(), self.shape[2]);
        let (c, y, x) = (at / self.stride / high, at / self.stride % high, at % self.stride);
        let inside = |place: usize, n| reflect_index(place as isize - margin as isize, n);
        (c * h + inside(y, h)) * w + inside(x, w)
    }

    /// Where a row of the frame begins, from its margin's first value on.
    fn row(&self, c: usize, y: usize) -> usize {
        (c * (self.shape[1] + 2 * self.by.margin()) + y) * self.stride
    }

    /// Every pair of places, channel by channel and row of the patch by row, that row `y` compares
    /// for an offset; each stands for as many values as a row has, and the patch's width beyond.
    fn pairs(&self, y: usize, [down, right]: [usize; 2]) -> impl Iterator<Item = [usize; 2]> {
        let (window, patch) = (self.by.search / 2, self.by.patch);
        (0..self.shape[0]).flat_map(move |c| {
            (0..patch).map(move |k| {
                let here = self.row(c, y + window + k) + window;
                [here, self.row(c, y + down + k) + right]
            })
        })
    }

    /// The weights of one offset in row `y`; `columns` is room for the columns of the patches.
    fn weigh(&self, y: usize, offset: [usize; 2], columns: &mut [f32], weights: &mut [f32]) {
        columns.fill(0.0);
        let n = columns.len();
        for [a, b] in self.pairs(y, offset) {
            let both = self.values[a..a + n].iter().zip(&self.values[b..b + n]);
            columns.iter_mut().zip(both).for_each(|(sum, (a, b))| *sum += (a - b) * (a - b));
        }
        let scale = -1.0 / (self.values_a_patch() * self.by.strength.powi(2));
        for (weight, column) in weights.iter_mut().zip(columns.windows(self.by.patch)) {
            *weight = (scale * column.iter().sum::<f32>()).exp();
        }
    }

    fn values_a_patch(&self) -> f32 {
        (self.shape[0] * self.by.patch * self.by.patch) as f32
    }

    fn offsets(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let side = self.by.search;
        (0..side * side).map(move |k| [k / side, k % side])
    }

    /// The row that channel `c` shows at an offset of row `y`.
    fn shown(&self, c: usize, y: usize, [down, right]: [usize; 2]) -> usize {
        let half = self.by.patch / 2;
        self.row(c, y + down + half) + right + half
    }

    fn means(&self, y: usize) -> Row {
        let [c, _, w] = self.shape;
        let mut columns = vec![0.0; w + self.by.patch - 1];
        let mut weights = vec![0.0; w];
        let mut row = Row { whole: vec![0.0; w], means: vec![0.0; c * w] };
        for offset in self.offsets() {
            self.weigh(y, offset, &mut columns, &mut weights);
            row.whole.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight);
            for (c, means) in row.means.chunks_mut(w).enumerate() {
                let shown = &self.values[self.shown(c, y, offset)..];
                let parts = weights.iter().zip(shown);
                means.iter_mut().zip(parts).for_each(|(sum, (weight, v))| *sum += weight * v);
            }
        }
        // The pixel itself counts fully, so there is something to divide by.
        for means in row.means.chunks_mut(w) {
            means.iter_mut().zip(&row.whole).for_each(|(mean, whole)| *mean /= whole);
        }
        row
    }

    /// Adds what row `y` sends back to the frame's values: directly to those it averages, and to
    /// the patches by which it weighs them. `first` is where `back` begins in each channel.
    fn send_back(&self, y: usize, gradient: &[f32], first: usize, back: &mut [Vec<f32>]) {
        let [channels, h, w] = self.shape;
        let n = w + self.by.patch - 1;
        let Row { whole, means } = self.means(y);
        let (mut columns, mut weights) = (vec![0.0; n], vec![0.0; w]);
        let mut pushes = vec![0.0; w];
        let slope = -2.0 / (self.values_a_patch() * self.by.strength.powi(2));
        let high = (h + 2 * self.by.margin()) * self.stride;
        for offset in self.offsets() {
            self.weigh(y, offset, &mut columns, &mut weights);
            weights.iter_mut().zip(&whole).for_each(|(weight, whole)| *weight /= whole);
            pushes.fill(0.0);
            for c in 0..channels {
                let slopes = &gradient[(c * h + y) * w..][..w];
                let shown = self.shown(c, y, offset);
                let (values, to) =
                    (&self.values[shown..], &mut back[c][shown - c * high - first..]);
                for x in 0..w {
                    to[x] += slopes[x] * weights[x];
                    pushes[x] += slopes[x] * (values[x] - means[c * w + x]);
                }
            }
            // Each pixel's push spreads over the columns of its patch.
            columns.fill(0.0);
            for (x, (push, weight)) in pushes.iter().zip(&weights).enumerate() {
                let push = slope * push * weight;
                columns[x..x + self.by.patch].iter_mut().for_each(|column| *column += push);
            }
            for (at, [a, b]) in self.pairs(y, offset).enumerate() {
                let c = at / self.by.patch;
                let (from, back) = (c * high + first, &mut back[c]);
                for x in 0..n {
                    let push = columns[x] * (self.values[a + x] - self.values[b + x]);
                    back[a + x - from] += push;
                    back[b + x - from] -= push;
                }
            }
        }
    }

    /// The gradient with respect to the image, from that with respect to its means.
    fn vjp(&self, gradient: &[f32]) -> Vec<f32> {
        let [c, h, w] = self.shape;
        let high = h + 2 * self.by.margin();
        let bands: Vec<usize> = (0..h).step_by(BAND).collect();
        let one = |start: &usize| {
            let rows = BAND.min(h - start);
            let size = (rows + 2 * self.by.margin()) * self.stride;
            let mut back = vec![vec![0.0; size]; c];
            for y in *start..start + rows {
                self.send_back(y, gradient, start * self.stride, &mut back);
            }
            back
        };
        // Added up in one order, whatever was ready first.
        let mut out = vec![0.0; c * h * w];
        let parts: Vec<Vec<Vec<f32>>> = bands.par_iter().map(one).collect();
        for (start, part) in bands.iter().zip(parts) {
            for (c, values) in part.iter().enumerate() {
                for (at, value) in values.iter().enumerate() {
                    out[self.source(c * high * self.stride + start * self.stride + at, h)] += value;
                }
            }
        }
        out
    }
}

impl Transform for NonLocal {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        let framed = Framed::new(self, image);
        let shape @ [c, h, w] = image.shape();
        let rows: Vec<Row> = (0..h).into_par_iter().map(|y| framed.means(y)).collect();
        let planes = (0..c).flat_map(|c| rows.iter().map(move |row| &row.means[c * w..][..w]));
        Ok(clipped(shape, planes.flatten().copied().collect()))
    }

    fn vjp(&self, image: &Image, gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        Ok(Framed::new(self, image).vjp(&gradient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, uneven};

    #[test]
    fn it_is_the_sum_over_patches() {
        // The definition, pixel by pixel, in NumPy with np.pad's mode 'symmetric'.
        let means = |shape, search, patch, strength: f32| {
            let by = NonLocal { search, patch, strength: strength / 255.0 };
            let image = uneven(shape);
            by.apply(&image, &mut KeyedRng::new(0, 0, 0)).unwrap().pixels().to_vec()
        };
        let grey = means([1, 5, 6], 5, 3, 100.0);
        let list =
            [(0, 0.389_075), (7, 0.586_388), (14, 0.434_825), (20, 0.478_261), (29, 0.439_242)];
        assert!(listed(&grey, &list), "{grey:?}");
        let colour = means([3, 4, 3], 4, 2, 80.0);
        let list =
            [(0, 0.199_818), (5, 0.368_702), (13, 0.27752), (22, 0.386_692), (35, 0.518_204)];
        assert!(listed(&colour, &list), "{colour:?}");
    }
}
