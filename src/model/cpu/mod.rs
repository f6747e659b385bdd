//! A frozen network on the CPU without an autodiff graph: logits, input gradients, weight gradients.
//!
//! Attacks spend their time in one thing: forward, and backward to the pixels; adversarial training
//! in the same, and backward to the weights. burn's CPU backend spends most of it around the matrix
//! products (layout, packing, clearing). Here pictures lie channels last, a convolution reads them
//! where they lie, bias and ReLU are part of it, and the way back looks at what flowed forward.
//!
//! It answers what the network behind it answers, up to rounding (tests/core/host.rs), and stands
//! aside (`CpuNetwork::build` gives none) for layers it does not know.

mod build;
mod conv;
mod depthwise;
mod kernel;
mod pointwise;
mod pool;

use crate::model::stochastic::ActivationMask;
use crate::rng::RngKey;
use conv::{Conv, Sums, unclamp};
use depthwise::Depthwise;
use kernel::{Clamp, Level};
use pointwise::{Activation, Affine};
use pool::Pool;
use rayon::prelude::*;
use std::sync::Arc;

/// N pictures, channels last: `[N, H, W, C]`; flat values are maps of one pixel, or of as many as
/// before they were flattened.
struct Map {
    n: usize,
    h: usize,
    w: usize,
    c: usize,
    values: Vec<f32>,
}

impl Map {
    fn size(&self) -> usize {
        self.h * self.w * self.c
    }

    fn shape(&self) -> [usize; 3] {
        [self.h, self.w, self.c]
    }

    /// The same places with other values.
    fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }
}

/// A layer; with bounds where that is all there is to the activation behind it.
enum Op {
    /// A linear layer, too.
    Conv(Arc<Conv>, Clamp),
    Depthwise(Arc<Depthwise>, Clamp),
    Affine(Affine),
    Activation(Activation),
    MaxPool(Pool),
    AvgPool(Pool),
    ActivationMask(ActivationMask),
    Residual(Vec<Op>),
}

/// What flowed forward, for the way back.
struct Tape {
    /// The layers' outputs.
    outputs: Vec<Map>,
    /// What else the layers keep.
    kept: Vec<Kept>,
}

/// What a layer keeps besides its output.
enum Kept {
    Nothing,
    /// What flowed in its body.
    Body(Tape),
    /// What its input was multiplied by.
    Factors(Vec<f32>),
}

/// How a pass is made.
struct Pass<'a> {
    level: Level,
    /// What random layers draw from, one a picture; empty: the default.
    rng_keys: &'a [RngKey],
    /// Whether layers that work while training only do.
    training: bool,
    /// Whether layers use all threads by themselves, because there are too few pictures for them.
    wide: bool,
}

/// Pictures on their way back: what came in, what was drawn, what to remember, what came out.
type Begun<'a> = (Map, Pass<'a>, Tape, Map);

/// A frozen network on the host.
pub(super) struct CpuNetwork {
    input: [usize; 3],
    /// 1/std and −mean/std of each channel.
    normalisation: Option<(Vec<f32>, Vec<f32>)>,
    ops: Vec<Op>,
    level: Level,
}

/// Pictures that flow through the network together.
const BLOCK: usize = 16;
/// Fewer multiplications are not worth a second thread.
const WIDE: usize = 1 << 21;

impl CpuNetwork {
    /// Logits `[N, K]` of pictures `[N, C, H, W]`.
    pub(super) fn logits(&self, images: &[f32], rng_keys: &[RngKey]) -> Vec<f32> {
        let blocks = self.blocks(images, rng_keys, false);
        let run = |(x, pass)| run(&self.ops, &x, &pass).values;
        each(blocks, run).concat()
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
        let back = each(begun, |(x, pass, tape, g)| {
            self.leave(&back(&self.ops, &x, tape, g, &pass, &mut None, true))
        });
        (logits, back.concat())
    }

    /// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to the weights; none where
    /// a layer gives none here.
    pub(super) fn weight_gradients(
        &self,
        images: &[f32],
        rng_keys: &[RngKey],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Option<(Vec<f32>, Vec<Vec<f32>>)> {
        let layers = learning(&self.ops)?;
        let (logits, begun) = self.begin(self.blocks(images, rng_keys, true), logit_gradient);
        let sums = each(begun, |(x, pass, tape, g)| {
            let mut sums = Some(Vec::new());
            back(&self.ops, &x, tape, g, &pass, &mut sums, false);
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

    /// The pictures, block by block.
    fn blocks<'a>(
        &self,
        images: &[f32],
        rng_keys: &'a [RngKey],
        training: bool,
    ) -> Vec<(Map, Pass<'a>)> {
        let size: usize = self.input.iter().product();
        let threads = rayon::current_num_threads();
        let wide = threads > 1 && images.len() / size < threads;
        let blocks = images.chunks(BLOCK * size).enumerate();
        let mine = |i| rng_keys.chunks(BLOCK).nth(i).unwrap_or_default();
        let pass = |i| Pass { level: self.level, rng_keys: mine(i), training, wide };
        blocks.map(|(i, block)| (self.enter(block), pass(i))).collect()
    }

    /// Forward, and the gradients that the way back of each block begins with.
    fn begin<'a>(
        &self,
        blocks: Vec<(Map, Pass<'a>)>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> (Vec<f32>, Vec<Begun<'a>>) {
        let taped = each(blocks, |(x, pass)| {
            let tape = record(&self.ops, &x, &pass);
            (x, pass, tape)
        });
        let answers = |(x, _, tape): &(Map, Pass<'_>, Tape)| tape.last(x).values.clone();
        let logits: Vec<f32> = taped.iter().flat_map(answers).collect();
        let logit_gradient = logit_gradient(&logits);
        let mut rest = &logit_gradient[..];
        let begun = taped.into_iter().map(|(x, pass, tape)| {
            let y = tape.last(&x);
            let (mine, others) = rest.split_at(y.values.len());
            rest = others;
            let g = y.with(mine.to_vec());
            (x, pass, tape, g)
        });
        let begun = begun.collect();
        (logits, begun)
    }

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

impl Tape {
    /// The last output; `x` where there is none.
    fn last<'a>(&'a self, x: &'a Map) -> &'a Map {
        self.outputs.last().unwrap_or(x)
    }
}

/// Does the work one by one, on several threads where that helps.
fn each<A: Send, T: Send>(items: Vec<A>, work: impl Fn(A) -> T + Sync + Send) -> Vec<T> {
    match items.len() > 1 && rayon::current_num_threads() > 1 {
        true => items.into_par_iter().map(work).collect(),
        false => items.into_iter().map(work).collect(),
    }
}

impl Pass<'_> {
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

/// The layers whose weights can be learnt, in order; none where one can not.
fn learning(ops: &[Op]) -> Option<Vec<&Conv>> {
    let mut found: Vec<&Conv> = Vec::new();
    for op in ops {
        match op {
            Op::Conv(conv, _) => found.push(conv),
            Op::Residual(body) => found.extend(learning(body)?),
            Op::Depthwise(..) | Op::Affine(_) => return None,
            Op::Activation(_) | Op::ActivationMask(_) | Op::MaxPool(_) | Op::AvgPool(_) => {}
        }
    }
    Some(found)
}

fn run(ops: &[Op], x: &Map, pass: &Pass<'_>) -> Map {
    let mut ops = ops.iter();
    let first = ops.next().map_or_else(|| x.with(x.values.clone()), |op| op.forward(x, pass));
    ops.fold(first, |x, op| op.forward(&x, pass))
}

fn record(ops: &[Op], x: &Map, pass: &Pass<'_>) -> Tape {
    let mut tape = Tape { outputs: Vec::new(), kept: Vec::new() };
    for op in ops {
        let x = tape.last(x);
        let (y, kept) = match op {
            Op::Residual(body) => {
                let inner = record(body, x, pass);
                let both = inner.last(x).values.iter().zip(&x.values);
                (x.with(both.map(|(y, x)| y + x).collect()), Kept::Body(inner))
            }
            Op::ActivationMask(mask) if pass.training || !mask.training => {
                let factors = mask.factors(&x.values, pass.rng_keys);
                let both = x.values.iter().zip(&factors);
                (x.with(both.map(|(x, factor)| x * factor).collect()), Kept::Factors(factors))
            }
            _ => (op.forward(x, pass), Kept::Nothing),
        };
        tape.outputs.push(y);
        tape.kept.push(kept);
    }
    tape
}

/// From the gradient of the output to that of the input `x`; the gradients of weights are put into
/// `sums`, last layer first. Where the gradient of the input is not wanted, the first layer may
/// answer with what it got.
fn back(
    ops: &[Op],
    x: &Map,
    mut tape: Tape,
    mut g: Map,
    pass: &Pass<'_>,
    sums: &mut Option<Vec<Sums>>,
    wanted: bool,
) -> Map {
    for (i, op) in ops.iter().enumerate().rev() {
        let (Some(y), Some(kept)) = (tape.outputs.pop(), tape.kept.pop()) else { break };
        let x = tape.last(x);
        if let Op::Conv(_, clamp) | Op::Depthwise(_, clamp) = op {
            unclamp(*clamp, &y.values, &mut g.values);
        }
        g = match (op, kept) {
            (Op::Residual(inner), Kept::Body(body)) => {
                let mut result = back(inner, x, body, g.with(g.values.clone()), pass, sums, true);
                add(&mut result.values, &g.values);
                result
            }
            (_, Kept::Factors(factors)) => {
                g.values.iter_mut().zip(&factors).for_each(|(g, factor)| *g *= factor);
                g
            }
            (Op::Conv(conv, _), _) => {
                if let Some(sums) = sums {
                    let mut mine = conv.zeros(pass.level);
                    conv.gradient(x, &g, &mut mine, pass);
                    sums.push(mine);
                }
                match wanted || i > 0 {
                    true => conv.backward(&g, x.shape(), pass),
                    false => g,
                }
            }
            (op, _) => op.backward(x, &y, g, pass),
        };
    }
    g
}

impl Op {
    fn forward(&self, x: &Map, pass: &Pass<'_>) -> Map {
        match self {
            Self::Conv(conv, clamp) => conv.forward(x, *clamp, pass),
            Self::Depthwise(conv, clamp) => conv.forward(x, *clamp, pass),
            Self::Affine(affine) => affine.forward(x),
            Self::Activation(kind) => kind.forward(x),
            Self::MaxPool(pool) => pool.largest(x, pass),
            Self::AvgPool(pool) => pool.mean(x),
            Self::ActivationMask(mask) if mask.training && !pass.training => {
                x.with(x.values.clone())
            }
            Self::ActivationMask(mask) => {
                let mut y = x.with(mask.factors(&x.values, pass.rng_keys));
                y.values.iter_mut().zip(&x.values).for_each(|(y, x)| *y *= x);
                y
            }
            Self::Residual(body) => {
                let mut y = run(body, x, pass);
                add(&mut y.values, &x.values);
                y
            }
        }
    }

    /// The way back through a layer without weights to be learnt and without a body.
    fn backward(&self, x: &Map, y: &Map, g: Map, pass: &Pass<'_>) -> Map {
        match self {
            Self::Depthwise(conv, _) => conv.backward(&g, x.shape(), pass),
            Self::Affine(affine) => affine.backward(g),
            Self::Activation(kind) => kind.backward(x, g),
            Self::MaxPool(pool) => pool.hand_back(x, y, &g, pass),
            Self::AvgPool(pool) => pool.share(&g, x.shape()),
            Self::Conv(..) | Self::ActivationMask(_) | Self::Residual(_) => g,
        }
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}
