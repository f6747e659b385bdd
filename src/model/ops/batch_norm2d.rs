//! Batch normalisation in evaluation mode: one scale and one shift a channel. Directly behind a
//! convolution it is folded into that one.

use super::def::{LayerDef, Role, shape_after};
use crate::error::Result;
use crate::model::cpu::{
    Affine, Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Weights, numbers,
};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::Shape;
use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Batch normalisation with running statistics; tensors `weight`, `bias`, `running_mean` and
/// `running_var`, each `[features]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm2d {
    /// Prefix of its tensors' names.
    pub param: String,
    /// Number of channels.
    pub features: usize,
    /// Added to the variance.
    #[serde(default = "epsilon")]
    pub eps: f64,
}

fn epsilon() -> f64 {
    1e-5
}

/// The parts of its tensors' names, in the order in which they are asked for.
const PARTS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

impl BatchNorm2d {
    /// The scale and the shift of each channel, `[features]` each.
    ///
    /// # Errors
    /// Whatever the source of the weights reports.
    pub(super) fn scale_and_shift(
        &self,
        graph: &mut GraphBuilder<'_, '_>,
    ) -> Result<(Tensor<1>, Tensor<1>)> {
        let mut part = |name: &str| graph.take(&self.param, name, &[self.features]);
        let (gamma, beta) = (part(PARTS[0])?, part(PARTS[1])?);
        let (mean, variance) = (part(PARTS[2])?, part(PARTS[3])?);
        let scale = gamma / variance.add_scalar(self.eps).sqrt();
        let shift = beta - mean * scale.clone();
        Ok((scale, shift))
    }
}

impl LayerDef for BatchNorm2d {
    fn name(&self) -> &'static str {
        "batchnorm2d"
    }

    fn param(&self) -> Option<&str> {
        Some(&self.param)
    }

    fn role(&self) -> Role {
        Role::Other
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        let Self { param, features, eps } = self;
        let [channels, ..] = input.map("batchnorm2d")?;
        if !(*eps >= 0.0 && eps.is_finite()) {
            return Err(format!("batchnorm2d '{param}' has eps {eps}, which must be 0 or more"));
        }
        match channels == *features {
            true => Ok(input),
            false => Err(format!("batchnorm2d '{param}' of {features} gets {input:?}")),
        }
    }

    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        PARTS.map(|part| (part, vec![self.features])).to_vec()
    }

    fn macs(&self, _: Shape) -> u64 {
        0
    }

    fn held(&self) -> f64 {
        0.0
    }

    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
        let shape = shape_after(self, input, graph)?;
        let (scale, shift) = self.scale_and_shift(graph)?;
        let sides = [1, self.features, 1, 1];
        let node = AffineNode { scale: scale.reshape(sides), shift: shift.reshape(sides) };
        Ok(graph.push(node, &[input], shape))
    }
}

/// x·scale + shift, channel by channel; both `[1, C, 1, 1]`.
struct AffineNode {
    scale: Tensor<4>,
    shift: Tensor<4>,
}

impl NodeOp for AffineNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        let x = inputs.remove(0).map("batchnorm2d")?;
        Ok(Value::Map(x * self.scale.clone() + self.shift.clone()))
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        match (numbers(&self.scale), numbers(&self.shift)) {
            (Some(scale), Some(shift)) => OnCpu::op(CpuAffine(Affine { scale, shift })),
            _ => OnCpu::UNREADABLE,
        }
    }

    fn is_random(&self) -> bool {
        false
    }
}

struct CpuAffine(Affine);

impl CpuOp for CpuAffine {
    fn forward(&self, inputs: &[&Map], _: &CpuRun<'_>) -> (Map, Kept) {
        (self.0.forward(inputs[0]), Kept::Nothing)
    }

    fn backward(&self, _: Backward<'_>, gradient: Map, _: &CpuRun<'_>) -> Vec<Map> {
        vec![self.0.backward(gradient)]
    }

    fn weights(&self) -> Weights {
        Weights::Frozen
    }

    fn clamp(&self) -> Clamp {
        None
    }

    fn take_clamp(&mut self, _: Clamp) -> bool {
        false
    }
}
