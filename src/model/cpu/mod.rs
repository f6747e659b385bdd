//! The CPU engine: a network of final weights without an autodiff graph. Logits, input gradients,
//! weight gradients.
//!
//! Attacks spend their time in one thing: forward, and backward to the pixels; adversarial training
//! in the same, and backward to the weights. burn's CPU backend spends most of it around the matrix
//! products (layout, packing, clearing). Here maps lie channels last, a convolution reads them where
//! they lie, bias and ReLU are part of it, and the backward pass reads what the forward pass kept.
//!
//! Its logits are those of the same graph on burn, up to rounding (tests/core/cpu_engine.rs). A
//! network with an op that has no kernel here stays on burn: [`CpuNetwork::build`] says which.

mod affine;
mod conv;
mod depthwise;
mod kernel;
mod lower;
mod pool;
mod run;

pub(super) use affine::Affine;
pub(super) use conv::{Conv, Geometry, Sums, unclamp};
pub(super) use depthwise::Depthwise;
pub(super) use kernel::Clamp;
pub(super) use lower::{Lower, OnCpu, numbers};
pub(super) use pool::Pool;

use crate::rng::RngKey;
use kernel::Level;
use rayon::prelude::*;
use std::sync::Arc;

/// Feature maps of N images, channels last: `[N, H, W, C]`. A vector is a map of one pixel, or of as
/// many as before it was flattened.
pub(super) struct Map {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub values: Vec<f32>,
}

impl Map {
    /// Number of values of one image.
    pub(super) fn size(&self) -> usize {
        self.h * self.w * self.c
    }

    /// `[H, W, C]`.
    pub(super) fn shape(&self) -> [usize; 3] {
        [self.h, self.w, self.c]
    }

    /// A map of the same shape with other values.
    pub(super) fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }
}

/// How the network is run.
pub(super) struct CpuRun<'a> {
    pub level: Level,
    /// What random layers draw from, one key an image; empty: the default key for all.
    pub rng_keys: &'a [RngKey],
    /// Whether layers that work while training only do.
    pub training: bool,
    /// Whether layers use all threads by themselves, because there are too few images for them.
    wide: bool,
}

/// What a node keeps for the backward pass beside its inputs and its output.
pub(super) enum Kept {
    /// No more.
    Nothing,
    /// What its input was multiplied by.
    Factors(Vec<f32>),
}

/// What a node is told on the backward pass.
pub(super) struct Backward<'a> {
    pub inputs: &'a [&'a Map],
    pub output: &'a Map,
    pub kept: Kept,
    /// Where to put the gradients of weights; none where they are not wanted.
    pub weight_gradients: Option<&'a mut Vec<Sums>>,
    /// Whether the gradients of the inputs are wanted.
    pub input_wanted: bool,
}

/// The weights of a node.
pub(super) enum Weights {
    /// It has none.
    None,
    /// Those of a convolution of one group or of a linear layer, which can be trained here.
    Conv(Arc<Conv>),
    /// Those of a convolution with one kernel a channel, which cannot.
    Depthwise(Arc<Depthwise>),
    /// Others that cannot be trained here.
    Frozen,
}

/// What a node does on the CPU engine.
pub(super) trait CpuOp: Send + Sync {
    /// Its output, and what it keeps; `inputs` are as many as the node has.
    fn forward(&self, inputs: &[&Map], run: &CpuRun<'_>) -> (Map, Kept);

    /// From the gradient with respect to its output to those with respect to its inputs, one each; none
    /// at all where they are not wanted.
    fn backward(&self, at: Backward<'_>, gradient: Map, run: &CpuRun<'_>) -> Vec<Map>;

    /// Its weights.
    fn weights(&self) -> Weights;

    /// The bounds, where all it does is to keep its input within them: so that the node before it can
    /// do that.
    fn clamp(&self) -> Clamp;

    /// Keeps its output within these bounds from now on, if it can.
    fn take_clamp(&mut self, clamp: Clamp) -> bool;
}

/// A network on the CPU engine.
pub(super) struct CpuNetwork {
    /// `[C, H, W]`.
    input: [usize; 3],
    /// 1/std and −mean/std of each channel.
    normalisation: Option<(Vec<f32>, Vec<f32>)>,
    nodes: Vec<CpuNode>,
    /// The value that holds the logits.
    output: usize,
    level: Level,
}

/// A node: what it does, and to which values. Value 0 is what enters the network, i + 1 the output of
/// node i.
struct CpuNode {
    op: Box<dyn CpuOp>,
    inputs: Vec<usize>,
    /// Those of its inputs that no later node reads and that are not the logits.
    finished: Vec<usize>,
}

/// Images that flow through the network together.
const BLOCK: usize = 16;
/// Fewer multiplications are not worth a second thread.
const WIDE: usize = 1 << 21;

impl CpuNetwork {
    /// Logits `[N, K]` of images `[N, C, H, W]`.
    pub(super) fn logits(&self, images: &[f32], rng_keys: &[RngKey]) -> Vec<f32> {
        let blocks = self.blocks(images, rng_keys, false);
        each(blocks, |(x, run)| self.forward(x, &run).values).concat()
    }

    /// Logits, and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels,
    /// `[N, C, H, W]`.
    pub(super) fn input_gradient(
        &self,
        images: &[f32],
        rng_keys: &[RngKey],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> (Vec<f32>, Vec<f32>) {
        let (logits, begun) = self.begin(self.blocks(images, rng_keys, false), logit_gradient);
        let gradients = each(begun, |(run, tape, gradient)| {
            self.leave(&self.backward(tape, gradient, &run, &mut None))
        });
        (logits, gradients.concat())
    }

    /// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to the weights, a
    /// list a tensor; none where a node has weights that cannot be trained here.
    pub(super) fn weight_gradients(
        &self,
        images: &[f32],
        rng_keys: &[RngKey],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Option<(Vec<f32>, Vec<Vec<f32>>)> {
        let layers = self.trainable()?;
        let (logits, begun) = self.begin(self.blocks(images, rng_keys, true), logit_gradient);
        let sums = each(begun, |(run, tape, gradient)| {
            let mut sums = Some(Vec::new());
            self.backward(tape, gradient, &run, &mut sums);
            sums.unwrap_or_default()
        });
        // One after the other, so that threads change no rounding.
        let sums = sums.into_iter().reduce(|mut all, block| {
            all.iter_mut().zip(&block).for_each(|(all, block)| all.add(block));
            all
        });
        let gradients = layers.iter().zip(sums?.into_iter().rev());
        Some((logits, gradients.flat_map(|(layer, sums)| layer.unpack(sums)).collect()))
    }

    /// The layers whose weights can be trained, in order; none where one can not.
    fn trainable(&self) -> Option<Vec<Arc<Conv>>> {
        let mut found = Vec::new();
        for node in &self.nodes {
            match node.op.weights() {
                Weights::Conv(conv) => found.push(conv),
                Weights::Depthwise(_) | Weights::Frozen => return None,
                Weights::None => {}
            }
        }
        Some(found)
    }

    /// The images, block by block.
    fn blocks<'a>(
        &self,
        images: &[f32],
        rng_keys: &'a [RngKey],
        training: bool,
    ) -> Vec<(Map, CpuRun<'a>)> {
        let size: usize = self.input.iter().product();
        let threads = rayon::current_num_threads();
        let wide = threads > 1 && images.len() / size < threads;
        let blocks = images.chunks(BLOCK * size).enumerate();
        let own = |i| rng_keys.chunks(BLOCK).nth(i).unwrap_or_default();
        let run = |i| CpuRun { level: self.level, rng_keys: own(i), training, wide };
        blocks.map(|(i, block)| (self.enter(block), run(i))).collect()
    }

    /// Images `[N, C, H, W]` as a map, normalised.
    fn enter(&self, images: &[f32]) -> Map {
        let [c, h, w] = self.input;
        let n = images.len() / (c * h * w);
        let mut values = vec![0.0; images.len()];
        for (from, to) in images.chunks(c * h * w).zip(values.chunks_mut(c * h * w)) {
            for (channel, plane) in from.chunks(h * w).enumerate() {
                let (scale, shift) = match &self.normalisation {
                    Some((scale, shift)) => (scale[channel], shift[channel]),
                    None => (1.0, 0.0),
                };
                let places = to.iter_mut().skip(channel).step_by(c);
                places.zip(plane).for_each(|(to, from)| *to = from * scale + shift);
            }
        }
        Map { n, h, w, c, values }
    }

    /// The gradient of what [`Self::enter`] made as that of the images `[N, C, H, W]`.
    fn leave(&self, map: &Map) -> Vec<f32> {
        let [c, h, w] = self.input;
        let mut images = vec![0.0; map.values.len()];
        for (from, to) in map.values.chunks(c * h * w).zip(images.chunks_mut(c * h * w)) {
            for (channel, plane) in to.chunks_mut(h * w).enumerate() {
                let scale = self.normalisation.as_ref().map_or(1.0, |(scale, _)| scale[channel]);
                let places = from.iter().skip(channel).step_by(c);
                plane.iter_mut().zip(places).for_each(|(to, from)| *to = from * scale);
            }
        }
        images
    }
}

impl CpuRun<'_> {
    /// Fills `values`, which are groups of `group` numbers with `terms` multiplications each, in
    /// bands of whole groups; `fill` is told the number of the first.
    fn bands(
        &self,
        values: &mut [f32],
        group: usize,
        terms: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        if !self.wide || values.len() * terms < WIDE {
            return fill(0, values);
        }
        let groups = values.len().div_ceil(group);
        let size = groups.div_ceil(2 * rayon::current_num_threads()).max(1);
        let bands = values.par_chunks_mut(size * group).enumerate();
        bands.for_each(|(i, values)| fill(i * size, values));
    }
}

/// Does the work one by one, on several threads where that helps.
fn each<A: Send, T: Send>(items: Vec<A>, work: impl Fn(A) -> T + Sync + Send) -> Vec<T> {
    match items.len() > 1 && rayon::current_num_threads() > 1 {
        true => items.into_par_iter().map(work).collect(),
        false => items.into_iter().map(work).collect(),
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}
