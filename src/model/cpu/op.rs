//! What a node does on the CPU engine, and what flows between nodes.

use super::conv::{Conv, Sums};
use super::depthwise::Depthwise;
use super::kernel::{Clamp, Level};
use super::map::{CpuRun, Map};
use burn_tensor::Tensor;
use std::sync::Arc;

/// What a node keeps for the backward pass beside its inputs and its output.
pub(in crate::model) enum Kept {
    /// No more.
    Nothing,
    /// What its input was multiplied by.
    Factors(Vec<f32>),
}

/// What a node is told on the backward pass.
pub(in crate::model) struct Backward<'a> {
    pub inputs: &'a [&'a Map],
    pub output: &'a Map,
    pub kept: Kept,
    /// Where to put the gradients of weights; none where they are not wanted.
    pub weight_gradients: Option<&'a mut Vec<Sums>>,
    /// Whether the gradients of the inputs are wanted.
    pub input_wanted: bool,
}

/// The weights of a node.
pub(in crate::model) enum Weights {
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
pub(in crate::model) trait CpuOp: Send + Sync {
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

/// What becomes of a node on the CPU engine.
pub(in crate::model) enum OnCpu {
    /// It does this.
    Op(Box<dyn CpuOp>),
    /// Its output lies here as its input does: a change of shape only.
    SameValues,
    /// It has no kernel here: why.
    No(&'static str),
}

impl OnCpu {
    /// The device of the weights is lost.
    pub(in crate::model) const UNREADABLE: Self = Self::No("its weights cannot be read");

    pub(in crate::model) fn op(op: impl CpuOp + 'static) -> Self {
        Self::Op(Box::new(op))
    }
}

/// What nodes are told when they are brought to the CPU engine.
pub(in crate::model) struct Lower<'a> {
    pub level: Level,
    /// The weighted layers of a network of the same weights, in order.
    pub(super) shared: Box<dyn Iterator<Item = Weights> + 'a>,
}

impl Lower<'_> {
    /// The weights of the next convolution or linear layer as a network of the same weights has sorted
    /// them; none where there is no such network.
    pub(in crate::model) fn shared(&mut self) -> Option<Weights> {
        self.shared.next()
    }
}

/// The values of a tensor; none where the device is lost.
pub(in crate::model) fn numbers<const D: usize>(tensor: &Tensor<D>) -> Option<Vec<f32>> {
    tensor.clone().try_into_vec_as::<f32>().ok()
}
