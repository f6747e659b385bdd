//! The sum of two values.

use crate::error::{Error, Result};
use crate::model::cpu::{Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Weights};
use crate::model::graph::{NodeOp, Run, Value};
use crate::model::shape::Shape;

/// The sum of two maps of one shape.
pub(super) struct AddNode;

impl NodeOp for AddNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        match (inputs.remove(0), inputs.remove(0)) {
            (Value::Map(x), Value::Map(y)) => Ok(Value::Map(x + y)),
            (Value::Flat(x), Value::Flat(y)) => Ok(Value::Flat(x + y)),
            (Value::Map(_), Value::Flat(_)) | (Value::Flat(_), Value::Map(_)) => {
                Err(Error::failure("a map and a vector cannot be added", "network", ""))
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
