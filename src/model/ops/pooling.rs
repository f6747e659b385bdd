//! Pooling over windows, and over the whole map.

use super::def::defaults::is_zero;
use super::def::{LayerDef, Role, shape_after};
use crate::error::Result;
use crate::model::cpu::{Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Pool, Weights};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::{Shape, windowed};
use burn_tensor::module;
use burn_tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use serde::{Deserialize, Serialize};

/// The largest value of each window; zeros around the map do not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// Side of the window in pixels.
    pub kernel: usize,
    /// Step of the window in pixels; the kernel's side where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Padding on each side, at most half of the kernel.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub padding: usize,
}

/// The mean of each window; padding counts as zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// Side of the window in pixels.
    pub kernel: usize,
    /// Step of the window in pixels; the kernel's side where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Padding on each side, at most half of the kernel.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub padding: usize,
}

/// The mean over the whole map: `[N, C, 1, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalAvgPool2d {}

/// Which number stands for a window.
#[derive(Clone, Copy)]
enum Reduction {
    Largest,
    Mean,
}

/// Windows over a map.
struct PoolNode {
    reduction: Reduction,
    kernel: usize,
    stride: usize,
    padding: usize,
}

macro_rules! pooling {
    ($Op:ident, $name:literal, $reduction:expr) => {
        impl LayerDef for $Op {
            fn name(&self) -> &'static str {
                $name
            }

            fn param(&self) -> Option<&str> {
                None
            }

            fn role(&self) -> Role {
                Role::Other
            }

            fn output(&self, input: Shape) -> Result<Shape, String> {
                let (map, kernel) = (input.map($name)?, self.kernel);
                let stride = self.stride.unwrap_or(kernel);
                let fits = kernel > 0 && stride > 0 && self.padding <= kernel / 2;
                let next = windowed(map, kernel, stride, [(self.padding, self.padding); 2]);
                let next = next.filter(|_| fits).map(Shape::Map);
                next.ok_or_else(|| format!("pooling by {kernel} gets {map:?}"))
            }

            fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
                Vec::new()
            }

            fn macs(&self, _: Shape) -> u64 {
                0
            }

            fn held(&self) -> f64 {
                1.0
            }

            fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
                let shape = shape_after(self, input, graph)?;
                let node = PoolNode {
                    reduction: $reduction,
                    kernel: self.kernel,
                    stride: self.stride.unwrap_or(self.kernel),
                    padding: self.padding,
                };
                Ok(graph.push(node, &[input], shape))
            }
        }
    };
}

pooling!(MaxPool2d, "maxpool2d", Reduction::Largest);
pooling!(AvgPool2d, "avgpool2d", Reduction::Mean);

impl NodeOp for PoolNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        let (kernel, stride) = ([self.kernel; 2], [self.stride; 2]);
        let padding = [(self.padding, self.padding); 2];
        Ok(Value::Map(match self.reduction {
            Reduction::Largest => {
                let options = MaxPoolOptions { stride, padding, ..MaxPoolOptions::new(kernel) };
                module::max_pool2d(inputs.remove(0).map("maxpool2d")?, options)
            }
            Reduction::Mean => {
                let options = AvgPoolOptions { stride, padding, ..AvgPoolOptions::new(kernel) };
                module::avg_pool2d(inputs.remove(0).map("avgpool2d")?, options)
            }
        }))
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        let pool = Pool { kernel: self.kernel, stride: self.stride, padding: self.padding };
        OnCpu::op(CpuPool { pool, reduction: self.reduction })
    }

    fn is_random(&self) -> bool {
        false
    }
}

struct CpuPool {
    pool: Pool,
    reduction: Reduction,
}

impl CpuOp for CpuPool {
    fn forward(&self, inputs: &[&Map], run: &CpuRun<'_>) -> (Map, Kept) {
        let y = match self.reduction {
            Reduction::Largest => self.pool.largest(inputs[0], run),
            Reduction::Mean => self.pool.mean(inputs[0]),
        };
        (y, Kept::Nothing)
    }

    fn backward(&self, at: Backward<'_>, gradient: Map, run: &CpuRun<'_>) -> Vec<Map> {
        let x = at.inputs[0];
        vec![match self.reduction {
            Reduction::Largest => self.pool.hand_back(x, at.output, &gradient, run),
            Reduction::Mean => self.pool.share(&gradient, x.shape()),
        }]
    }

    fn weights(&self) -> Weights {
        Weights::None
    }

    fn clamp(&self) -> Clamp {
        None
    }

    fn take_clamp(&mut self, _: Clamp) -> bool {
        false
    }
}

impl LayerDef for GlobalAvgPool2d {
    fn name(&self) -> &'static str {
        "globalavgpool2d"
    }

    fn param(&self) -> Option<&str> {
        None
    }

    fn role(&self) -> Role {
        Role::Other
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        let [channels, ..] = input.map("globalavgpool2d")?;
        Ok(Shape::Map([channels, 1, 1]))
    }

    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        Vec::new()
    }

    fn macs(&self, _: Shape) -> u64 {
        0
    }

    fn held(&self) -> f64 {
        1.0
    }

    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
        let shape = shape_after(self, input, graph)?;
        Ok(graph.push(GlobalMeanNode, &[input], shape))
    }
}

struct GlobalMeanNode;

impl NodeOp for GlobalMeanNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        Ok(Value::Map(inputs.remove(0).map("globalavgpool2d")?.mean_dims(&[2, 3])))
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        OnCpu::op(CpuPool { pool: Pool::WHOLE, reduction: Reduction::Mean })
    }

    fn is_random(&self) -> bool {
        false
    }
}
