//! A network as a graph: values, and the nodes that make them. Front ends make it (today the layers of
//! a card, by [`GraphBuilder`](super::graph_builder::GraphBuilder)); two back ends run it: burn here,
//! on any device, and the CPU engine ([`cpu`](super::cpu)) once the weights are final.

use crate::error::{Error, Result};
use crate::model::cpu::{Lower, OnCpu};
use crate::model::shape::Shape;
use crate::rng::RngKey;
use burn_tensor::Tensor;
use std::sync::Arc;

/// The number of a value: 0 is what enters the network, i + 1 is the output of node i.
pub(super) type ValueId = usize;

/// What a node does, with its weights on a device.
pub(super) trait NodeOp: Send + Sync {
    /// Its output on burn; `inputs` are as many as the node has.
    ///
    /// # Errors
    /// Failure, for inputs of a kind that it does not take; device, when the device is lost.
    fn forward(&self, inputs: Vec<Value>, run: &Run<'_>) -> Result<Value>;

    /// The same on the CPU engine, for inputs and an output of these shapes, or why it is not there.
    fn on_cpu(&self, inputs: &[Shape], output: Shape, lower: &mut Lower<'_>) -> OnCpu;

    /// Whether its output depends on random numbers when the network predicts.
    fn is_random(&self) -> bool;
}

/// A value on burn.
#[derive(Clone)]
pub(super) enum Value {
    /// `[N, C, H, W]`.
    Map(Tensor<4>),
    /// `[N, K]`.
    Flat(Tensor<2>),
}

impl Value {
    /// The map.
    ///
    /// # Errors
    /// Failure, where it is a vector: `layer` does not take one.
    pub(super) fn map(self, layer: &str) -> Result<Tensor<4>> {
        match self {
            Self::Map(x) => Ok(x),
            Self::Flat(_) => {
                Err(Error::failure(format!("{layer} gets a vector, not a map"), "network", ""))
            }
        }
    }

    /// As vectors `[N, C·H·W]`.
    pub(super) fn flat(self) -> Tensor<2> {
        match self {
            Self::Flat(x) => x,
            Self::Map(x) => {
                let [n, c, h, w] = x.dims();
                x.reshape([n, c * h * w])
            }
        }
    }
}

/// How the network is run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// What random layers draw from, one key an image; empty: the default key for all.
    pub rng_keys: &'a [RngKey],
    /// Whether layers that work while training only do.
    pub training: bool,
}

/// A node: what it does, to which values, and what comes out.
pub(super) struct Node {
    pub op: Arc<dyn NodeOp>,
    pub inputs: Vec<ValueId>,
    pub output: Shape,
    /// The layer that it belongs to, as messages call it: `layer 3 (conv2d 'c')`.
    pub layer: Arc<str>,
}

/// Nodes in an order in which each finds its inputs made. The last value holds the logits.
pub(super) struct Graph {
    /// Shape of what enters the network.
    pub input: Shape,
    pub nodes: Vec<Node>,
}

impl Graph {
    /// The shape of a value.
    pub(super) fn shape(&self, value: ValueId) -> Shape {
        match value.checked_sub(1) {
            Some(node) => self.nodes[node].output,
            None => self.input,
        }
    }

    /// For each value the last node that reads it; none where it is the logits or nobody does.
    pub(super) fn last_uses(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.nodes.len() + 1];
        for (at, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|value| last[*value] = Some(at));
        }
        last
    }

    /// Logits `[N, K]` of `images` `[N, C, H, W]` (normalised).
    ///
    /// # Errors
    /// Those of the nodes.
    pub(super) fn forward(&self, images: Tensor<4>, run: &Run<'_>) -> Result<Tensor<2>> {
        let last = self.last_uses();
        let mut values = vec![Some(Value::Map(images))];
        for (at, node) in self.nodes.iter().enumerate() {
            let inputs = node.inputs.iter().enumerate().map(|(i, value)| {
                // A value is given away with its last use, so that burn can work in its place.
                let again = last[*value] != Some(at) || node.inputs[i + 1..].contains(value);
                let given = if again { values[*value].clone() } else { values[*value].take() };
                given.ok_or_else(|| Error::failure("a value is read too late", &*node.layer, ""))
            });
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            values.push(Some(node.op.forward(inputs, run)?));
        }
        let logits = values.pop().flatten();
        Ok(logits.ok_or_else(|| Error::failure("no logits", "network", ""))?.flat())
    }

    /// Whether the logits depend on random numbers when the network predicts.
    pub(super) fn is_random(&self) -> bool {
        self.nodes.iter().any(|node| node.op.is_random())
    }
}
