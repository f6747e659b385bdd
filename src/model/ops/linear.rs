//! Fully connected layers.

use super::conv2d::CpuConv;
use super::def::defaults::{is_yes, yes};
use super::def::{LayerDef, Role, shape_after, weight_and_bias};
use crate::error::Result;
use crate::model::cpu::{Conv, Lower, OnCpu, Weights, numbers};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::Shape;
use burn_tensor::Tensor;
use burn_tensor::module;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Fully connected; tensors `weight` `[out, in]` and `bias` `[out]`. A map in front of it is
/// flattened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Prefix of its tensors' names.
    pub param: String,
    /// Number of values in.
    #[serde(rename = "in")]
    pub inputs: usize,
    /// Number of values out.
    pub out: usize,
    /// Whether it has a bias.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub bias: bool,
}

impl LayerDef for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn param(&self) -> Option<&str> {
        Some(&self.param)
    }

    fn role(&self) -> Role {
        Role::Other
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        let Self { param, inputs, out, .. } = self;
        match input.count() {
            Some(values) if values == *inputs && *out > 0 => Ok(Shape::Flat([*out, 1, 1])),
            values => {
                let values = values.map_or("too many".into(), |values| values.to_string());
                Err(format!("linear '{param}' takes {inputs} values and gets {values}"))
            }
        }
    }

    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        weight_and_bias(vec![self.out, self.inputs], self.out, self.bias)
    }

    fn macs(&self, _: Shape) -> u64 {
        (self.out as u64).saturating_mul(self.inputs as u64)
    }

    fn held(&self) -> f64 {
        1.0
    }

    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
        let shape = shape_after(self, input, graph)?;
        let sides = [self.out, self.inputs];
        let weight = graph.take(&self.param, "weight", &sides)?.reshape(sides).transpose();
        let bias = match self.bias {
            true => Some(graph.take(&self.param, "bias", &[self.out])?),
            false => None,
        };
        Ok(graph.push(LinearNode { weight, bias }, &[input], shape))
    }
}

/// A linear layer with its weights, `[in, out]` and `[out]`.
struct LinearNode {
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
}

impl NodeOp for LinearNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        let x = inputs.remove(0).flat();
        Ok(Value::Flat(module::linear(x, self.weight.clone(), self.bias.clone())))
    }

    /// A convolution over one pixel whose weights are sorted as the map before it lies: channels last.
    fn on_cpu(&self, inputs: &[Shape], _: Shape, lower: &mut Lower<'_>) -> OnCpu {
        if let Some(Weights::Conv(conv)) = lower.shared() {
            return OnCpu::op(CpuConv { conv, clamp: None });
        }
        let bias = self.bias.as_ref().map(numbers);
        let (Some(weight), None | Some(Some(_))) =
            (numbers(&self.weight.clone().transpose()), &bias)
        else {
            return OnCpu::UNREADABLE;
        };
        let conv = Conv::linear(inputs[0].sides(), &weight, bias.flatten(), lower.level);
        OnCpu::op(CpuConv { conv: Arc::new(conv), clamp: None })
    }

    fn is_random(&self) -> bool {
        false
    }
}
