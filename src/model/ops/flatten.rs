//! Flattening a map.

use super::def::{LayerDef, Role, shape_after};
use crate::error::Result;
use crate::model::cpu::{Lower, OnCpu};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::shape::Shape;
use serde::{Deserialize, Serialize};

/// `[N, C, H, W]` to `[N, C·H·W]`, channels first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flatten {}

impl LayerDef for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn param(&self) -> Option<&str> {
        None
    }

    fn role(&self) -> Role {
        Role::Other
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        Ok(Shape::Flat(input.sides()))
    }

    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        Vec::new()
    }

    fn macs(&self, _: Shape) -> u64 {
        0
    }

    fn held(&self) -> f64 {
        0.0
    }

    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
        let shape = shape_after(self, input, graph)?;
        Ok(graph.push(FlattenNode, &[input], shape))
    }
}

struct FlattenNode;

impl NodeOp for FlattenNode {
    fn forward(&self, mut inputs: Vec<Value>, _: &Run<'_>) -> Result<Value> {
        Ok(Value::Flat(inputs.remove(0).flat()))
    }

    /// The CPU engine keeps maps channels last; the linear layer behind sorts its weights instead.
    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        OnCpu::SameValues
    }

    fn is_random(&self) -> bool {
        false
    }
}
