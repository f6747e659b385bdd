//! A network as a graph: values, and the nodes that make them. Card layers make it
//! ([`GraphBuilder`]); burn runs it here on any device, the [`cpu`](super::cpu) engine on the CPU
//! once the weights are final. Gradients come from burn's autodiff: of the pixels for attacks, of
//! the weights for training.

use crate::error::{Error, Result};
use crate::model::cpu::{Lower, OnCpu};
use crate::model::network::{Network, WeightSource};
use crate::model::ops::{Layer, LayerDef};
use crate::model::read;
use crate::model::shape::Shape;
use crate::rng::RngKey;
use burn_tensor::{Device, Tensor, TensorData};
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

/// Logits, and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels. Forward
/// passes that need no gradient run on plain tensors: a tracked graph that is never consumed would
/// leak.
pub(super) fn input_gradient(
    network: &Network,
    images: &Tensor<4>,
    rng_keys: &[RngKey],
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<4>)> {
    let tracked = images.clone().autodiff().require_grad();
    let logits = network.run(tracked.clone(), &Run { rng_keys, training: false })?;
    let (logits, loss) = scalar(logits, &network.device, logit_gradient)?;
    let mut gradients = loss.backward();
    // A network that is constant in its input (all units dead) has a zero gradient.
    let gradient = tracked.grad_remove(&mut gradients).unwrap_or_else(|| images.zeros_like());
    Ok((logits, gradient))
}

/// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to `weights`; `build`
/// makes the network of the same weights, tracked.
pub(super) fn weight_gradients(
    weights: &[Tensor<1>],
    build: impl FnOnce(&[Tensor<1>]) -> Result<Network>,
    images: &Tensor<4>,
    rng_keys: &[RngKey],
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let tracked: Vec<_> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
    let network = build(&tracked)?;
    let logits = network.run(images.clone().autodiff(), &Run { rng_keys, training: true })?;
    let (logits, loss) = scalar(logits, &network.device, logit_gradient)?;
    let mut gradients = loss.backward();
    let gradient = |weight: &Tensor<1>| match weight.grad_remove(&mut gradients) {
        Some(gradient) => read(gradient),
        None => Ok(vec![0.0; weight.dims()[0]]),
    };
    Ok((logits, tracked.iter().map(gradient).collect::<Result<_>>()?))
}

/// Logits as numbers, and the scalar whose gradient is wanted.
fn scalar(
    logits: Tensor<2>,
    device: &Device,
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<1>)> {
    let shape = logits.dims();
    let numbers = read(logits.clone().inner())?;
    let weights = TensorData::new(logit_gradient(&numbers), shape);
    let weights = Tensor::<2>::from_data(weights, device).autodiff();
    Ok((numbers, (logits * weights).sum()))
}

/// Makes a graph of layers, one after the other.
pub(super) struct GraphBuilder<'a, 'b> {
    source: &'a mut WeightSource<'b>,
    graph: Graph,
    /// The card's name, for messages.
    card: &'a str,
    /// How many random and sparse layers there are so far.
    random: u64,
    /// The way to the layers at hand, for messages: `layer 2, body `.
    within: String,
    /// The layer at hand, for messages.
    layer: Arc<str>,
}

impl<'a, 'b> GraphBuilder<'a, 'b> {
    /// The graph of `layers` for an input of shape `[C, H, W]`; `source` hands out the weights.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit, or whatever `source` reports.
    pub(super) fn build(
        layers: &[Layer],
        input: [usize; 3],
        card: &'a str,
        source: &'a mut WeightSource<'b>,
    ) -> Result<Graph> {
        let graph = Graph { input: Shape::Map(input), nodes: Vec::new() };
        let (within, layer) = (String::new(), Arc::from(""));
        let mut builder = Self { source, graph, card, random: 0, within, layer };
        builder.stack(layers, 0)?;
        Ok(builder.graph)
    }

    /// Adds layers one after the other; answers with the value that comes out. Batch norm right behind
    /// a convolution is folded into it.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub(super) fn stack(&mut self, layers: &[Layer], mut value: ValueId) -> Result<ValueId> {
        let mut rest = layers.iter().enumerate().peekable();
        let (within, outer) = (self.within.clone(), self.layer.clone());
        while let Some((i, layer)) = rest.next() {
            let place = format!("{within}layer {}", i + 1);
            self.layer = Arc::from(format!("{place} ({})", layer.called()));
            self.within = format!("{place}, body ");
            value = match (layer, rest.peek()) {
                (Layer::Conv2d(conv), Some((_, Layer::BatchNorm2d(norm)))) => {
                    rest.next();
                    conv.build_with(Some(norm), value, self)?
                }
                (layer, _) => layer.def().build(value, self)?,
            };
        }
        (self.within, self.layer) = (within, outer);
        Ok(value)
    }

    /// Adds a node; answers with its output.
    pub(super) fn push(
        &mut self,
        op: impl NodeOp + 'static,
        inputs: &[ValueId],
        output: Shape,
    ) -> ValueId {
        let (op, inputs, layer) = (Arc::new(op), inputs.to_vec(), self.layer.clone());
        self.graph.nodes.push(Node { op, inputs, output, layer });
        self.graph.nodes.len()
    }

    /// The shape that a layer makes of a value.
    ///
    /// # Errors
    /// Failure, where it does not fit.
    pub(super) fn shape_after(&self, layer: &dyn LayerDef, value: ValueId) -> Result<Shape> {
        layer.output(self.graph.shape(value)).map_err(|what| self.misfit(what))
    }

    /// The tensor `name.part`, flat, which must have this shape.
    ///
    /// # Errors
    /// Whatever the source reports.
    pub(super) fn take(&mut self, name: &str, part: &str, shape: &[usize]) -> Result<Tensor<1>> {
        (self.source)(&format!("{name}.{part}"), shape)
    }

    /// The number of the next random or sparse layer.
    pub(super) fn next_random(&mut self) -> u64 {
        self.random += 1;
        self.random - 1
    }

    /// That the layers do not fit each other.
    pub(super) fn misfit(&self, what: String) -> Error {
        Error::failure(what, format!("card '{}'", self.card), "make the layer sizes agree")
    }
}
