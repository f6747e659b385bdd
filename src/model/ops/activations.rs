//! Activations without random numbers: a function of each value, with its derivative for the CPU
//! engine.

use super::def::{LayerDef, Role, shape_after};
use crate::error::Result;
use crate::model::cpu::{Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Weights};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::Shape;
use burn_tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// A function that is applied to each value of its input.
trait Elementwise: Clone + Send + Sync + 'static {
    /// The function on burn.
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>;

    /// The function and its derivative on the CPU engine, or that it is not there.
    fn on_cpu(&self) -> OnCpu;
}

/// A node of an elementwise function.
struct ElementwiseNode<F>(F);

impl<F: Elementwise> NodeOp for ElementwiseNode<F> {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        Ok(match inputs.remove(0) {
            Value::Map(x) => Value::Map(self.0.on_burn(x)),
            Value::Flat(x) => Value::Flat(self.0.on_burn(x)),
        })
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        self.0.on_cpu()
    }

    fn is_random(&self) -> bool {
        false
    }
}

/// An elementwise function on the CPU engine.
struct CpuElementwise<V, D> {
    value: V,
    /// The derivative at input x.
    derivative: D,
    /// The bounds that are all there is to the function: it then can be a part of the convolution
    /// before it.
    clamp: Clamp,
}

/// The function `value` with its `derivative`; `clamp` as in [`CpuElementwise`].
fn on_cpu(
    value: impl Fn(f32) -> f32 + Send + Sync + 'static,
    derivative: impl Fn(f32) -> f32 + Send + Sync + 'static,
    clamp: Clamp,
) -> OnCpu {
    OnCpu::op(CpuElementwise { value, derivative, clamp })
}

impl<V, D> CpuOp for CpuElementwise<V, D>
where
    V: Fn(f32) -> f32 + Send + Sync,
    D: Fn(f32) -> f32 + Send + Sync,
{
    fn forward(&self, inputs: &[&Map], _: &CpuRun<'_>) -> (Map, Kept) {
        let x = inputs[0];
        (x.with(x.values.iter().map(|v| (self.value)(*v)).collect()), Kept::Nothing)
    }

    fn backward(&self, at: Backward<'_>, mut gradient: Map, _: &CpuRun<'_>) -> Vec<Map> {
        let each = gradient.values.iter_mut().zip(&at.inputs[0].values);
        each.for_each(|(g, x)| *g *= (self.derivative)(*x));
        vec![gradient]
    }

    fn weights(&self) -> Weights {
        Weights::None
    }

    fn clamp(&self) -> Clamp {
        self.clamp
    }

    fn take_clamp(&mut self, _: Clamp) -> bool {
        false
    }
}

/// 1 where true, else 0.
fn step(open: bool) -> f32 {
    if open { 1.0 } else { 0.0 }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The definition of an activation: its struct, its name in cards, its role, and how many times the
/// size of its output it holds (a clamp is part of the layer before it).
macro_rules! activation {
    ($Op:ident, $name:literal, $role:expr, $held:literal) => {
        impl LayerDef for $Op {
            fn name(&self) -> &'static str {
                $name
            }

            fn param(&self) -> Option<&str> {
                None
            }

            fn role(&self) -> Role {
                $role
            }

            fn output(&self, input: Shape) -> Result<Shape, String> {
                Ok(input)
            }

            fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
                Vec::new()
            }

            fn macs(&self, _: Shape) -> u64 {
                0
            }

            fn held(&self) -> f64 {
                $held
            }

            fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
                let shape = shape_after(self, input, graph)?;
                Ok(graph.push(ElementwiseNode(self.clone()), &[input], shape))
            }
        }
    };
}

/// max(x, 0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu {}

activation!(Relu, "relu", Role::Rectifier(None), 0.0);

impl Elementwise for Relu {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::relu(x)
    }

    fn on_cpu(&self) -> OnCpu {
        on_cpu(|x| x.max(0.0), |x| step(x > 0.0), Some((0.0, f32::INFINITY)))
    }
}

/// min(max(x, 0), 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relu6 {}

activation!(Relu6, "relu6", Role::Rectifier(Some(6.0)), 0.0);

impl Elementwise for Relu6 {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.clamp(0.0, 6.0)
    }

    fn on_cpu(&self) -> OnCpu {
        on_cpu(|x| x.clamp(0.0, 6.0), |x| step(x > 0.0 && x < 6.0), Some((0.0, 6.0)))
    }
}

/// x where positive, else slope·x.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    /// The slope below zero.
    #[serde(default = "hundredth")]
    pub slope: f64,
}

fn hundredth() -> f64 {
    0.01
}

activation!(LeakyRelu, "leakyrelu", Role::Other, 1.0);

impl Elementwise for LeakyRelu {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::leaky_relu(x, self.slope)
    }

    fn on_cpu(&self) -> OnCpu {
        let slope = self.slope as f32;
        let value = move |x| if x >= 0.0 { x } else { slope * x };
        on_cpu(value, move |x| if x >= 0.0 { 1.0 } else { slope }, None)
    }
}

/// x where positive, else α·(eˣ − 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elu {
    /// Its scale α below zero.
    #[serde(default = "unit")]
    pub alpha: f64,
}

fn unit() -> f64 {
    1.0
}

activation!(Elu, "elu", Role::Other, 1.0);

impl Elementwise for Elu {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::elu(x, self.alpha)
    }

    fn on_cpu(&self) -> OnCpu {
        let alpha = self.alpha as f32;
        let value = move |x: f32| if x >= 0.0 { x } else { alpha * x.exp_m1() };
        on_cpu(value, move |x: f32| if x >= 0.0 { 1.0 } else { alpha * x.exp() }, None)
    }
}

/// Gaussian error linear unit, x·Φ(x).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gelu {}

activation!(Gelu, "gelu", Role::Other, 1.0);

impl Elementwise for Gelu {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::gelu(x)
    }

    fn on_cpu(&self) -> OnCpu {
        OnCpu::No("gelu has no kernel there")
    }
}

/// x·sigmoid(x).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silu {}

activation!(Silu, "silu", Role::Other, 1.0);

impl Elementwise for Silu {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::silu(x)
    }

    fn on_cpu(&self) -> OnCpu {
        let derivative = |x| {
            let s = sigmoid(x);
            s + x * s * (1.0 - s)
        };
        on_cpu(|x| x * sigmoid(x), derivative, None)
    }
}

/// ln(1 + eˣ).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softplus {}

activation!(Softplus, "softplus", Role::Other, 1.0);

impl Elementwise for Softplus {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::softplus(x, 1.0)
    }

    fn on_cpu(&self) -> OnCpu {
        on_cpu(|x| x.max(0.0) + (-x.abs()).exp().ln_1p(), sigmoid, None)
    }
}

/// 1/(1 + e⁻ˣ).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigmoid {}

activation!(Sigmoid, "sigmoid", Role::Other, 1.0);

impl Elementwise for Sigmoid {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::sigmoid(x)
    }

    fn on_cpu(&self) -> OnCpu {
        let derivative = |x| {
            let s = sigmoid(x);
            s * (1.0 - s)
        };
        on_cpu(sigmoid, derivative, None)
    }
}

/// Hyperbolic tangent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tanh {}

activation!(Tanh, "tanh", Role::Other, 1.0);

impl Elementwise for Tanh {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::tanh(x)
    }

    fn on_cpu(&self) -> OnCpu {
        on_cpu(f32::tanh, |x| 1.0 - x.tanh().powi(2), None)
    }
}

/// min(x, bound): what bounds a random or sparse layer in the place of a ReLU6.
#[derive(Clone)]
struct UpperBound(f64);

impl Elementwise for UpperBound {
    fn on_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x.clamp_max(self.0)
    }

    fn on_cpu(&self) -> OnCpu {
        let bound = self.0 as f32;
        let clamp = Some((f32::NEG_INFINITY, bound));
        on_cpu(move |x: f32| x.min(bound), move |x| step(x < bound), clamp)
    }
}

/// min(x, `bound`) as a node.
pub(super) fn upper_bound(bound: f64) -> impl NodeOp {
    ElementwiseNode(UpperBound(bound))
}
