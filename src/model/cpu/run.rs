//! Forward and backward over the nodes.

use super::{Backward, CpuNetwork, CpuRun, Kept, Map, Sums, add, each};

/// What a forward pass leaves for the backward pass.
pub(super) struct Tape {
    /// Every value: what entered, and the nodes' outputs.
    values: Vec<Map>,
    /// What else the nodes keep.
    kept: Vec<Kept>,
}

/// A block of images on its backward pass: how it is run, what to remember, and the gradient with
/// respect to the logits.
pub(super) type Begun<'a> = (CpuRun<'a>, Tape, Map);

impl CpuNetwork {
    /// The logits of what enters. Values are dropped with their last use.
    pub(super) fn forward(&self, x: Map, run: &CpuRun<'_>) -> Map {
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
    pub(super) fn begin<'a>(
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
    pub(super) fn backward(
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
