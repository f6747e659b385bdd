//! From a graph to the CPU engine's nodes.

use super::kernel::Level;
use super::network::{CpuNetwork, CpuNode};
use super::op::{Lower, OnCpu, Weights, numbers};
use crate::model::graph::Graph;
use burn_tensor::Tensor;

/// A value of the graph as it is here.
#[derive(Clone, Copy)]
struct Placed {
    id: usize,
    /// Whether one node reads it, and nothing else.
    single: bool,
}

impl CpuNetwork {
    /// The same network on the CPU engine. A network that is `like` another but for its activations
    /// shares its weights.
    ///
    /// # Errors
    /// Which layer has no kernel here, and why.
    pub(in crate::model) fn build(
        graph: &Graph,
        normalisation: Option<&(Tensor<4>, Tensor<4>)>,
        like: Option<&Self>,
    ) -> Result<Self, String> {
        let normalisation = match normalisation {
            Some((scale, shift)) => {
                let both = numbers(scale).zip(numbers(shift));
                Some(both.ok_or("the normalisation cannot be read")?)
            }
            None => None,
        };
        let weights = like.into_iter().flat_map(|like| &like.nodes).map(|node| node.op.weights());
        let shared = weights.filter(|w| matches!(w, Weights::Conv(_) | Weights::Depthwise(_)));
        let level = Level::detect();
        let mut lower = Lower { level, shared: Box::new(shared) };
        let mut uses = vec![0_usize; graph.nodes.len() + 1];
        graph.nodes.iter().flat_map(|node| &node.inputs).for_each(|id| uses[*id] += 1);
        let mut nodes: Vec<CpuNode> = Vec::new();
        let mut placed = vec![Placed { id: 0, single: uses[0] == 1 }];
        for (at, node) in graph.nodes.iter().enumerate() {
            let shapes: Vec<_> = node.inputs.iter().map(|id| graph.shape(*id)).collect();
            let inputs: Vec<Placed> = node.inputs.iter().map(|id| placed[*id]).collect();
            let single = uses[at + 1] == 1;
            placed.push(match node.op.on_cpu(&shapes, node.output, &mut lower) {
                OnCpu::No(why) => return Err(format!("{}: {why}", node.layer)),
                OnCpu::SameValues => Placed { single: single && inputs[0].single, ..inputs[0] },
                OnCpu::Op(op) => {
                    let before = inputs.first().filter(|input| input.single && inputs.len() == 1);
                    let before = before.and_then(|input| nodes.get_mut(input.id.checked_sub(1)?));
                    let before = before.filter(|_| op.clamp().is_some());
                    // An activation that only bounds is part of the convolution before it.
                    if before.is_some_and(|before| before.op.take_clamp(op.clamp())) {
                        Placed { single, ..inputs[0] }
                    } else {
                        let inputs = inputs.iter().map(|input| input.id).collect();
                        nodes.push(CpuNode { op, inputs, finished: Vec::new() });
                        Placed { id: nodes.len(), single }
                    }
                }
            });
        }
        // Logits that are still a map of several pixels would come out in another order.
        let [_, h, w] = graph.shape(graph.nodes.len()).sides();
        if h * w != 1 {
            return Err("the logits are a map of several pixels".into());
        }
        let output = placed.last().map_or(0, |last| last.id);
        let mut last = vec![None; nodes.len() + 1];
        for (at, node) in nodes.iter().enumerate() {
            node.inputs.iter().for_each(|id| last[*id] = Some(at));
        }
        for (id, at) in last.into_iter().enumerate().filter(|(id, _)| *id != output) {
            if let Some(node) = at.and_then(|at: usize| nodes.get_mut(at)) {
                node.finished.push(id);
            }
        }
        let input = graph.input.sides();
        Ok(Self { input, normalisation, nodes, output, level })
    }
}
