//! 2-D convolution, Conv2d: on burn, and on the CPU engine with one group or with one kernel a
//! channel.

use super::batch_norm2d::BatchNorm2d;
use super::def::defaults::{is_one, is_yes, one, yes};
use super::def::{LayerDef, Role, shape_after, weight_and_bias};
use crate::error::Result;
use crate::model::cpu::{
    Backward, Clamp, Conv, CpuOp, CpuRun, Depthwise, Geometry, Kept, Lower, Map, OnCpu, Weights,
    numbers, unclamp,
};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::{Shape, windowed};
use burn_tensor::Tensor;
use burn_tensor::module;
use burn_tensor::ops::ConvOptions;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// 2-D convolution; tensors `weight` `[out, in / groups, kernel, kernel]` and `bias` `[out]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// Prefix of its tensors' names.
    pub param: String,
    /// Channels in.
    #[serde(rename = "in")]
    pub inputs: usize,
    /// Channels out.
    pub out: usize,
    /// Side of the kernel in pixels.
    pub kernel: usize,
    /// Step of the kernel in pixels.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stride: usize,
    /// Zero padding: one number, or `[top, left, bottom, right]`.
    #[serde(default)]
    pub padding: Padding,
    /// Number of groups.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: usize,
    /// Whether it has a bias.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub bias: bool,
}

/// Zero padding of a convolution, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Padding {
    /// The same on every side.
    Even(usize),
    /// `[top, left, bottom, right]`.
    Sides([usize; 4]),
}

impl Default for Padding {
    fn default() -> Self {
        Self::Even(0)
    }
}

impl Padding {
    /// `[(top, bottom), (left, right)]`.
    pub fn pairs(self) -> [(usize, usize); 2] {
        match self {
            Self::Even(n) => [(n, n), (n, n)],
            Self::Sides([top, left, bottom, right]) => [(top, bottom), (left, right)],
        }
    }
}

impl Conv2d {
    fn weight_shape(&self) -> [usize; 4] {
        [self.out, self.inputs / self.groups.max(1), self.kernel, self.kernel]
    }

    /// Its node, with batch norm in evaluation mode folded into weight and bias where `norm` follows
    /// it directly.
    pub(in crate::model) fn build_with(
        &self,
        norm: Option<&BatchNorm2d>,
        input: ValueId,
        graph: &mut GraphBuilder<'_, '_>,
    ) -> Result<ValueId> {
        let shape = shape_after(self, input, graph)?;
        let sides = self.weight_shape();
        let mut weight = graph.take(&self.param, "weight", &sides)?.reshape(sides);
        let mut bias = match self.bias {
            true => Some(graph.take(&self.param, "bias", &[self.out])?),
            false => None,
        };
        if let Some(norm) = norm {
            norm.output(shape).map_err(|what| graph.misfit(what))?;
            let (scale, shift) = norm.scale_and_shift(graph)?;
            weight = weight * scale.clone().reshape([norm.features, 1, 1, 1]);
            bias = Some(match bias {
                Some(bias) => bias * scale + shift,
                None => shift,
            });
        }
        let pads = self.padding.pairs();
        let options = ConvOptions::new_with_padding([self.stride; 2], pads, [1; 2], self.groups);
        Ok(graph.push(ConvNode { weight, bias, options }, &[input], shape))
    }
}

impl LayerDef for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn param(&self) -> Option<&str> {
        Some(&self.param)
    }

    fn role(&self) -> Role {
        Role::Other
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        let Self { param, inputs, out, kernel, stride, padding, groups, .. } = self;
        let map = input.map("conv2d")?;
        let fits = *groups > 0 && *stride > 0 && *kernel > 0 && *out > 0 && map[0] == *inputs;
        let fits = fits && inputs % groups == 0 && out % groups == 0;
        let pads = padding.pairs();
        let sides = pads.iter().zip(&map[1..]);
        let mut far =
            sides.flat_map(|((a, b), side)| [a, b].map(|pad| (*pad, (*side).max(*kernel))));
        if let Some((pad, most)) = far.find(|(pad, most)| pad > most) {
            return Err(format!(
                "conv2d '{param}' has padding {pad}, more than the picture and the kernel: at most {most}"
            ));
        }
        let next = windowed(map, *kernel, *stride, pads).filter(|_| fits);
        let misfit = || format!("conv2d '{param}' ({inputs} channels in) gets {map:?}");
        let [_, h, w] = next.ok_or_else(misfit)?;
        Ok(Shape::Map([*out, h, w]))
    }

    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        weight_and_bias(self.weight_shape().to_vec(), self.out, self.bias)
    }

    fn macs(&self, output: Shape) -> u64 {
        let [out, inputs, h, w] = self.weight_shape().map(|side| side as u64);
        let [_, rows, columns] = output.sides().map(|side| side as u64);
        [out, inputs, h, w, rows, columns].into_iter().fold(1, u64::saturating_mul)
    }

    fn held(&self) -> f64 {
        1.0
    }

    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
        self.build_with(None, input, graph)
    }
}

/// A convolution with its weights.
struct ConvNode {
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
}

/// A larger stride is left to burn: the backward pass keeps a part of the kernel for each remainder by
/// the stride.
const LARGEST_STRIDE: usize = 64;

impl NodeOp for ConvNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        let x = inputs.remove(0).map("conv2d")?;
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        Ok(Value::Map(module::conv2d(x, weight, bias, self.options.clone())))
    }

    fn on_cpu(&self, inputs: &[Shape], _: Shape, lower: &mut Lower<'_>) -> OnCpu {
        let [out, inputs_a_group, k, kw] = self.weight.dims();
        let (options, [channels, ..]) = (&self.options, inputs[0].sides());
        let even = k == kw && options.stride[0] == options.stride[1];
        if !even || options.dilation != [1, 1] || options.stride[0] > LARGEST_STRIDE {
            return OnCpu::No("its stride or dilation");
        }
        let sides = options.padding;
        let geometry = Geometry {
            kernel: k,
            stride: options.stride[0],
            before: [sides[0].0, sides[1].0],
            after: [sides[0].1, sides[1].1],
        };
        let depthwise =
            options.groups > 1 && options.groups == out && inputs_a_group == 1 && channels == out;
        match lower.shared() {
            Some(Weights::Conv(conv)) => return OnCpu::op(CpuConv { conv, clamp: None }),
            Some(Weights::Depthwise(conv)) => return OnCpu::op(CpuDepthwise { conv, clamp: None }),
            Some(Weights::None | Weights::Frozen) | None => {}
        }
        let bias = self.bias.as_ref().map(numbers);
        let (weight, bias) = match (depthwise, bias) {
            (_, Some(None)) => return OnCpu::UNREADABLE,
            (true, bias) => (numbers(&self.weight.clone().permute([2, 3, 1, 0])), bias.flatten()),
            (false, bias) => (numbers(&self.weight), bias.flatten()),
        };
        let Some(weight) = weight else { return OnCpu::UNREADABLE };
        match options.groups {
            1 => {
                let conv = Conv::new(geometry, [out, inputs_a_group], &weight, bias, lower.level);
                OnCpu::op(CpuConv { conv: Arc::new(conv), clamp: None })
            }
            _ if depthwise => {
                let bias = bias.unwrap_or_else(|| vec![0.0; out]);
                let conv = Arc::new(Depthwise { geometry, weight, bias });
                OnCpu::op(CpuDepthwise { conv, clamp: None })
            }
            _ => OnCpu::No("its groups are neither one nor one a channel"),
        }
    }

    fn is_random(&self) -> bool {
        false
    }
}

/// A convolution of one group, or a linear layer, with the bounds of the activation behind it.
pub(super) struct CpuConv {
    pub conv: Arc<Conv>,
    pub clamp: Clamp,
}

impl CpuOp for CpuConv {
    fn forward(&self, inputs: &[&Map], run: &CpuRun<'_>) -> (Map, Kept) {
        (self.conv.forward(inputs[0], self.clamp, run), Kept::Nothing)
    }

    fn backward(&self, at: Backward<'_>, mut gradient: Map, run: &CpuRun<'_>) -> Vec<Map> {
        unclamp(self.clamp, &at.output.values, &mut gradient.values);
        if let Some(sums) = at.weight_gradients {
            let mut own = self.conv.zeros(run.level);
            self.conv.gradient(at.inputs[0], &gradient, &mut own, run);
            sums.push(own);
        }
        match at.input_wanted {
            true => vec![self.conv.backward(&gradient, at.inputs[0].shape(), run)],
            false => Vec::new(),
        }
    }

    fn weights(&self) -> Weights {
        Weights::Conv(self.conv.clone())
    }

    fn clamp(&self) -> Clamp {
        None
    }

    fn take_clamp(&mut self, clamp: Clamp) -> bool {
        let free = self.clamp.is_none();
        if free {
            self.clamp = clamp;
        }
        free
    }
}

/// A convolution with one kernel a channel, with the bounds of the activation behind it.
struct CpuDepthwise {
    conv: Arc<Depthwise>,
    clamp: Clamp,
}

impl CpuOp for CpuDepthwise {
    fn forward(&self, inputs: &[&Map], run: &CpuRun<'_>) -> (Map, Kept) {
        (self.conv.forward(inputs[0], self.clamp, run), Kept::Nothing)
    }

    fn backward(&self, at: Backward<'_>, mut gradient: Map, run: &CpuRun<'_>) -> Vec<Map> {
        unclamp(self.clamp, &at.output.values, &mut gradient.values);
        vec![self.conv.backward(&gradient, at.inputs[0].shape(), run)]
    }

    fn weights(&self) -> Weights {
        Weights::Depthwise(self.conv.clone())
    }

    fn clamp(&self) -> Clamp {
        None
    }

    fn take_clamp(&mut self, clamp: Clamp) -> bool {
        let free = self.clamp.is_none();
        if free {
            self.clamp = clamp;
        }
        free
    }
}
