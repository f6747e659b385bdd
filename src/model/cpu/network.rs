//! A network on the CPU engine: forward and backward over its nodes.

use super::conv::{Conv, Sums};
use super::kernel::{Level, add};
use super::map::{CpuRun, Map};
use super::op::{Backward, CpuOp, Kept, Weights};
use crate::rng::RngKey;
use rayon::prelude::*;
use std::sync::Arc;

/// A network on the CPU engine.
pub(in crate::model) struct CpuNetwork {
    /// `[C, H, W]`.
    pub(super) input: [usize; 3],
    /// 1/std and −mean/std of each channel.
    pub(super) normalisation: Option<(Vec<f32>, Vec<f32>)>,
    pub(super) nodes: Vec<CpuNode>,
    /// The value that holds the logits.
    pub(super) output: usize,
    pub(super) level: Level,
}

/// A node: what it does, and to which values. Value 0 is what enters the network, i + 1 the output of
/// node i.
pub(super) struct CpuNode {
    pub op: Box<dyn CpuOp>,
    pub inputs: Vec<usize>,
    /// Those of its inputs that no later node reads and that are not the logits.
    pub finished: Vec<usize>,
}

/// Images that flow through the network together.
const BLOCK: usize = 16;
impl CpuNetwork {
    /// Logits `[N, K]` of images `[N, C, H, W]`.
    pub(in crate::model) fn logits(&self, images: &[f32], rng_keys: &[RngKey]) -> Vec<f32> {
        let blocks = self.blocks(images, rng_keys, false);
        each(blocks, |(x, run)| self.forward(x, &run).values).concat()
    }

    /// Logits, and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels,
    /// `[N, C, H, W]`.
    pub(in crate::model) fn input_gradient(
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
    pub(in crate::model) fn weight_gradients(
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

/// Does the work one by one, on several threads where that helps.
fn each<A: Send, T: Send>(items: Vec<A>, work: impl Fn(A) -> T + Sync + Send) -> Vec<T> {
    match items.len() > 1 && rayon::current_num_threads() > 1 {
        true => items.into_par_iter().map(work).collect(),
        false => items.into_iter().map(work).collect(),
    }
}

/// What a forward pass leaves for the backward pass.
struct Tape {
    /// Every value: what entered, and the nodes' outputs.
    values: Vec<Map>,
    /// What else the nodes keep.
    kept: Vec<Kept>,
}

/// A block of images on its backward pass: how it is run, what to remember, and the gradient with
/// respect to the logits.
type Begun<'a> = (CpuRun<'a>, Tape, Map);

impl CpuNetwork {
    /// The logits of what enters. Values are dropped with their last use.
    fn forward(&self, x: Map, run: &CpuRun<'_>) -> Map {
        let mut values = vec![Some(x)];
        for node in &self.nodes {
            let inputs: Vec<&Map> = node.inputs.iter().flat_map(|id| &values[*id]).collect();
            let (y, _) = node.op.forward(&inputs, run);
            node.finished.iter().for_each(|id| values[*id] = None);
            values.push(Some(y));
        }
        let empty = || Map { n: 0, h: 0, w: 0, c: 0, values: Vec::new() };
        values.swap_remove(self.output).unwrap_or_else(empty)
    }

    fn record(&self, x: Map, run: &CpuRun<'_>) -> Tape {
        let mut tape = Tape { values: vec![x], kept: Vec::new() };
        for node in &self.nodes {
            let inputs: Vec<&Map> = node.inputs.iter().map(|id| &tape.values[*id]).collect();
            let (y, kept) = node.op.forward(&inputs, run);
            tape.values.push(y);
            tape.kept.push(kept);
        }
        tape
    }

    /// Forward, and the gradients that the backward pass of each block begins with.
    fn begin<'a>(
        &self,
        blocks: Vec<(Map, CpuRun<'a>)>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> (Vec<f32>, Vec<Begun<'a>>) {
        let taped = each(blocks, |(x, run)| {
            let tape = self.record(x, &run);
            (run, tape)
        });
        let logits = |tape: &Tape| tape.values[self.output].values.clone();
        let logits: Vec<f32> = taped.iter().flat_map(|(_, tape)| logits(tape)).collect();
        let gradient = logit_gradient(&logits);
        let mut rest = &gradient[..];
        let begun = taped.into_iter().map(|(run, tape)| {
            let y = &tape.values[self.output];
            let (own, others) = rest.split_at(y.values.len());
            rest = others;
            let gradient = y.with(own.to_vec());
            (run, tape, gradient)
        });
        let begun = begun.collect();
        (logits, begun)
    }

    /// From the gradient with respect to the logits to that with respect to what entered. The
    /// gradients of weights are put into `sums`, last node first; where they are wanted, that of
    /// what entered is not, and may be anything.
    fn backward(
        &self,
        mut tape: Tape,
        gradient: Map,
        run: &CpuRun<'_>,
        sums: &mut Option<Vec<Sums>>,
    ) -> Map {
        let empty = gradient.with(Vec::new());
        let mut gradients: Vec<Option<Map>> = tape.values.iter().map(|_| None).collect();
        gradients[self.output] = Some(gradient);
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let (Some(output), Some(kept)) = (tape.values.pop(), tape.kept.pop()) else { break };
            // Nobody has read its output.
            let Some(gradient) = gradients[at + 1].take() else { continue };
            let inputs: Vec<&Map> = node.inputs.iter().map(|id| &tape.values[*id]).collect();
            let input_wanted = sums.is_none() || node.inputs.iter().any(|id| *id > 0);
            let weight_gradients = sums.as_mut();
            let told =
                Backward { inputs: &inputs, output: &output, kept, weight_gradients, input_wanted };
            let found = node.op.backward(told, gradient, run);
            for (id, found) in node.inputs.iter().zip(found) {
                match &mut gradients[*id] {
                    Some(sum) => add(&mut sum.values, &found.values),
                    none => *none = Some(found),
                }
            }
        }
        gradients.swap_remove(0).unwrap_or(empty)
    }
}
