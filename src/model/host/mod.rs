//! A frozen network on the CPU without an autodiff graph: logits, input gradients, weight gradients.
//!
//! Attacks spend their time in one thing: forward, and backward to the pixels; adversarial training
//! in the same, and backward to the weights. burn's CPU backend spends most of it around the matrix
//! products (layout, packing, clearing). Here pictures lie channels last, a convolution reads them
//! where they lie, bias and ReLU are part of it, and the way back looks at what flowed forward.
//!
//! It answers what the network behind it answers, up to rounding (tests/core/host.rs), and stands
//! aside (`Host::build` gives none) for layers it does not know.

mod build;
mod conv;
mod depthwise;
mod kernel;
mod pointwise;
mod pool;

use conv::{Conv, Sums};
use depthwise::Depthwise;
use kernel::Level;
use pointwise::{Affine, Curve};
use pool::Pool;
use rayon::prelude::*;

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

/// A layer.
enum Op {
    /// A linear layer, too.
    Conv(Conv),
    Depthwise(Depthwise),
    Affine(Affine),
    Curve(Curve),
    MaxPool(Pool),
    AvgPool(Pool),
    Residual(Vec<Op>),
}

/// What flowed forward, for the way back.
struct Tape {
    /// The layers' outputs.
    outputs: Vec<Map>,
    /// Of each layer that has a body, what flowed there.
    bodies: Vec<Option<Tape>>,
}

/// How a pass is made.
struct Pass {
    level: Level,
    /// Whether layers use all threads by themselves, because there are too few pictures for them.
    wide: bool,
}

/// A frozen network on the host.
pub(super) struct Host {
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

impl Host {
    /// Logits `[N, K]` of pictures `[N, C, H, W]`.
    pub(super) fn logits(&self, images: &[f32]) -> Vec<f32> {
        let blocks = self.each(images, BLOCK, |pass, block| run(&self.ops, &block, &pass).values);
        blocks.concat()
    }

    /// Logits, and the gradient of Σ logits·`start(logits)` with respect to the pixels,
    /// `[N, C, H, W]`.
    pub(super) fn slope(
        &self,
        images: &[f32],
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> (Vec<f32>, Vec<f32>) {
        let (logits, tapes) = self.record(images, BLOCK, start);
        let back = self.all(tapes, |(pass, x, tape, g)| {
            self.leave(&back(&self.ops, &x, tape, g, &pass, &mut None, true))
        });
        (logits, back.concat())
    }

    /// Logits, and the gradients of Σ logits·`start(logits)` with respect to the weights; none where
    /// a layer gives none here.
    pub(super) fn learn(
        &self,
        images: &[f32],
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Option<(Vec<f32>, Vec<Vec<f32>>)> {
        let layers = learning(&self.ops)?;
        let (logits, tapes) = self.record(images, BLOCK, start);
        let sums = self.all(tapes, |(pass, x, tape, g)| {
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

    /// Forward, block by block, and the gradients that the way back of each begins with.
    fn record(
        &self,
        images: &[f32],
        block: usize,
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> (Vec<f32>, Vec<(Pass, Map, Tape, Map)>) {
        let tapes = self.each(images, block, |pass, x| {
            let tape = record(&self.ops, &x, &pass);
            (pass, x, tape)
        });
        let outputs = |tape: &Tape, x: &Map| tape.outputs.last().map_or(x, |y| y).values.clone();
        let logits = tapes.iter().flat_map(|(_, x, tape)| outputs(tape, x)).collect::<Vec<_>>();
        let start = start(&logits);
        let mut rest = &start[..];
        let begun = tapes.into_iter().map(|(pass, x, tape)| {
            let y = tape.outputs.last().unwrap_or(&x);
            let (mine, others) = rest.split_at(y.values.len());
            rest = others;
            let g = y.with(mine.to_vec());
            (pass, x, tape, g)
        });
        let begun = begun.collect();
        (logits, begun)
    }

    /// Does the work block by block; on several threads where there are blocks enough.
    fn each<T: Send>(
        &self,
        images: &[f32],
        block: usize,
        work: impl Fn(Pass, Map) -> T + Sync + Send,
    ) -> Vec<T> {
        let [c, h, w] = self.input;
        let n = images.len() / (c * h * w);
        let threads = rayon::current_num_threads();
        let wide = threads > 1 && n < threads;
        let blocks: Vec<_> = images.chunks(block * c * h * w).collect();
        let pass = || Pass { level: self.level, wide };
        self.all(blocks, |block| work(pass(), self.enter(block)))
    }

    fn all<A: Send, T: Send>(&self, items: Vec<A>, work: impl Fn(A) -> T + Sync + Send) -> Vec<T> {
        match items.len() > 1 && rayon::current_num_threads() > 1 {
            true => items.into_par_iter().map(work).collect(),
            false => items.into_iter().map(work).collect(),
        }
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

impl Pass {
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
    let mut found = Vec::new();
    for op in ops {
        match op {
            Op::Conv(conv) => found.push(conv),
            Op::Residual(body) => found.extend(learning(body)?),
            Op::Depthwise(_) | Op::Affine(_) => return None,
            Op::Curve(_) | Op::MaxPool(_) | Op::AvgPool(_) => {}
        }
    }
    Some(found)
}

fn run(ops: &[Op], x: &Map, pass: &Pass) -> Map {
    let mut ops = ops.iter();
    let first = ops.next().map_or_else(|| x.with(x.values.clone()), |op| op.forward(x, pass));
    ops.fold(first, |x, op| op.forward(&x, pass))
}

fn record(ops: &[Op], x: &Map, pass: &Pass) -> Tape {
    let mut tape = Tape { outputs: Vec::new(), bodies: Vec::new() };
    for op in ops {
        let x = tape.outputs.last().unwrap_or(x);
        let (y, body) = match op {
            Op::Residual(body) => {
                let inner = record(body, x, pass);
                let y = inner.outputs.last().unwrap_or(x);
                let both = y.values.iter().zip(&x.values);
                (y.with(both.map(|(y, x)| y + x).collect()), Some(inner))
            }
            _ => (op.forward(x, pass), None),
        };
        tape.outputs.push(y);
        tape.bodies.push(body);
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
    pass: &Pass,
    sums: &mut Option<Vec<Sums>>,
    wanted: bool,
) -> Map {
    for (i, op) in ops.iter().enumerate().rev() {
        let (Some(y), Some(body)) = (tape.outputs.pop(), tape.bodies.pop()) else { break };
        let x = tape.outputs.last().unwrap_or(x);
        g = match (op, body) {
            (Op::Residual(inner), Some(body)) => {
                let mut result = back(inner, x, body, g.with(g.values.clone()), pass, sums, true);
                add(&mut result.values, &g.values);
                result
            }
            (Op::Conv(conv), _) => {
                conv.unclamp(&y.values, &mut g.values);
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
    fn forward(&self, x: &Map, pass: &Pass) -> Map {
        match self {
            Self::Conv(conv) => conv.forward(x, pass),
            Self::Depthwise(conv) => conv.forward(x, pass),
            Self::Affine(affine) => affine.forward(x),
            Self::Curve(kind) => kind.forward(x),
            Self::MaxPool(pool) => pool.largest(x, pass),
            Self::AvgPool(pool) => pool.mean(x),
            Self::Residual(body) => {
                let mut y = run(body, x, pass);
                add(&mut y.values, &x.values);
                y
            }
        }
    }

    /// The way back through a layer without weights to be learnt and without a body.
    fn backward(&self, x: &Map, y: &Map, g: Map, pass: &Pass) -> Map {
        match self {
            Self::Depthwise(conv) => conv.backward(y, g, x.shape(), pass),
            Self::Affine(affine) => affine.backward(g),
            Self::Curve(kind) => kind.backward(x, g),
            Self::MaxPool(pool) => pool.hand_back(x, y, &g, pass),
            Self::AvgPool(pool) => pool.share(&g, x.shape()),
            Self::Conv(_) | Self::Residual(_) => g,
        }
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}
