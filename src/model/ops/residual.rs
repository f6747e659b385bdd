//! Residual blocks: x + body(x).

use super::{Layer, LayerDef, Role};
use crate::error::{Error, Result};
use crate::model::cpu::{Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Weights};
use crate::model::graph::{GraphBuilder, NodeOp, Run, Value, ValueId};
use crate::model::shape::Shape;
use serde::{Deserialize, Serialize};

/// x + body(x), where the body keeps the shape of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// The layers whose result is added.
    pub body: Vec<Layer>,
}

impl LayerDef for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn param(&self) -> Option<&str> {
        None
    }

    fn role(&self) -> Role<'_> {
        Role::Block(&self.body)
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        input.map("residual")?;
        let end = self.body.iter().try_fold(input, |shape, layer| layer.def().output(shape))?;
        match end == input {
            true => Ok(input),
            false => Err(format!("a residual body turns {input:?} into {end:?}")),
        }
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
        let shape = graph.shape_after(self, input)?;
        let end = graph.stack(&self.body, input)?;
        Ok(graph.push(AddNode, &[input, end], shape))
    }
}

/// The sum of two maps of one shape.
struct AddNode;

impl NodeOp for AddNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        match (inputs.remove(0), inputs.remove(0)) {
            (Value::Map(x), Value::Map(y)) => Ok(Value::Map(x + y)),
            (Value::Flat(x), Value::Flat(y)) => Ok(Value::Flat(x + y)),
            (Value::Map(_), Value::Flat(_)) | (Value::Flat(_), Value::Map(_)) => {
                Err(Error::failure("a map and a vector cannot be added", "residual", ""))
            }
        }
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        OnCpu::op(CpuAdd)
    }

    fn is_random(&self) -> bool {
        false
    }
}

struct CpuAdd;

impl CpuOp for CpuAdd {
    fn forward(&self, inputs: &[&Map], _: &CpuRun<'_>) -> (Map, Kept) {
        let both = inputs[0].values.iter().zip(&inputs[1].values);
        (inputs[0].with(both.map(|(x, y)| x + y).collect()), Kept::Nothing)
    }

    fn backward(&self, _: Backward<'_>, gradient: Map, _: &CpuRun<'_>) -> Vec<Map> {
        vec![gradient.with(gradient.values.clone()), gradient]
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
