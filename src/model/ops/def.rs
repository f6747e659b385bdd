//! What every op defines.

use crate::error::Result;
use crate::model::graph::ValueId;
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::Shape;

/// What a layer is to those that put others in its place or look for one of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::model) enum Role {
    /// A rectifier, with its upper bound where it has one (ReLU6).
    Rectifier(Option<f64>),
    /// Dropout that works while training only, with its probability.
    TrainingDropout(f64),
    /// None of these; a block of layers, too.
    Other,
}

/// The definition of an op, as a card gives it.
pub(in crate::model) trait LayerDef {
    /// What it is called in a card: `conv2d`.
    fn name(&self) -> &'static str;

    /// The prefix of its tensors' names; none where it has no tensors.
    fn param(&self) -> Option<&str>;

    /// What it is to those that put others in its place.
    fn role(&self) -> Role;

    /// The shape of its output for an input of this shape.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn output(&self, input: Shape) -> Result<Shape, String>;

    /// The last parts of its tensors' names and their shapes: `weight`, `[out, in]`.
    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)>;

    /// Multiply-accumulate operations for one image, counted as usual: of convolutions and linear
    /// layers. `output` is the shape of its output.
    fn macs(&self, output: Shape) -> u64;

    /// How many times the size of its output it holds for the backward pass; 0 where the node before it
    /// takes it in.
    fn held(&self) -> f64;

    /// Adds its nodes to the graph; answers with the value that comes out.
    ///
    /// # Errors
    /// Failure, naming what does not fit, or whatever the source of the weights reports.
    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId>;
}

/// The output shape of a layer behind a value of the graph.
///
/// # Errors
/// Failure, where it does not fit.
pub(in crate::model) fn shape_after(
    layer: &dyn LayerDef,
    value: ValueId,
    graph: &GraphBuilder<'_, '_>,
) -> Result<Shape> {
    layer.output(graph.shape(value)).map_err(|what| graph.misfit(what))
}

/// A convolution's or a linear layer's tensors.
pub(super) fn weight_and_bias(
    weight: Vec<usize>,
    out: usize,
    bias: bool,
) -> Vec<(&'static str, Vec<usize>)> {
    let bias = bias.then(|| ("bias", vec![out]));
    [Some(("weight", weight)), bias].into_iter().flatten().collect()
}

/// Defaults of card fields, and whether a field has its default and can be left out.
pub(super) mod defaults {
    pub fn one() -> usize {
        1
    }
    pub fn yes() -> bool {
        true
    }
    pub fn half() -> f64 {
        0.5
    }
    pub fn is_one(v: &usize) -> bool {
        *v == 1
    }
    pub fn is_zero(v: &usize) -> bool {
        *v == 0
    }
    pub fn is_yes(v: &bool) -> bool {
        *v
    }
}
