//! The ops: everything a layer of a network can be, each defined in one place.
//!
//! An op is a struct whose fields are its card syntax (PyTorch's names and defaults) and which
//! implements `LayerDef`: its shape rule, its tensors, its cost, and how it becomes nodes of the graph.
//! A node (`NodeOp`) says how it runs on burn and whether it runs on the CPU engine. Nothing has a
//! default: an op that forgets something does not compile.
//!
//! To add one: write its file here, name it below, and put it into the list of [`Layer`].

mod activations;
mod add;
mod batch_norm2d;
mod conv2d;
mod def;
mod flatten;
mod linear;
mod pooling;
mod random;

pub use activations::{Elu, Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Softplus, Tanh};
pub use batch_norm2d::BatchNorm2d;
pub use conv2d::{Conv2d, Padding};
pub(super) use def::{LayerDef, Role};
pub use flatten::Flatten;
pub use linear::Linear;
pub use pooling::{AvgPool2d, GlobalAvgPool2d, MaxPool2d};
pub use random::{Dropout, Kwta, McDropout, RandomSlope, Sap};

use crate::error::Result;
use crate::model::graph::{Graph, ValueId};
use crate::model::graph_builder::{GraphBuilder, WeightSource};
use crate::model::shape::Shape;
use add::AddNode;
use def::shape_after;
use serde::{Deserialize, Serialize};

macro_rules! ops {
    ($($(#[$doc:meta])* $Op:ident,)*) => {
        /// One layer of a card. PyTorch's meanings and defaults.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "op", rename_all = "lowercase")]
        pub enum Layer {
            $($(#[$doc])* $Op($Op),)*
        }

        impl Layer {
            /// Its definition.
            pub(super) fn def(&self) -> &dyn LayerDef {
                match self {
                    $(Self::$Op(op) => op,)*
                }
            }
        }

        $(impl From<$Op> for Layer {
            fn from(op: $Op) -> Self {
                Self::$Op(op)
            }
        })*
    };
}

ops! {
    /// 2-D convolution.
    Conv2d,
    /// Batch normalisation with running statistics.
    BatchNorm2d,
    /// Fully connected.
    Linear,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x where positive, else slope·x.
    LeakyRelu,
    /// Exponential linear unit.
    Elu,
    /// Gaussian error linear unit.
    Gelu,
    /// x·sigmoid(x).
    Silu,
    /// ln(1 + eˣ).
    Softplus,
    /// Logistic function.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Largest value of each window.
    MaxPool2d,
    /// Mean of each window.
    AvgPool2d,
    /// Mean over the whole image.
    GlobalAvgPool2d,
    /// `[N, C, H, W]` to `[N, C·H·W]`.
    Flatten,
    /// Dropout while training.
    Dropout,
    /// Dropout that stays.
    McDropout,
    /// Rectifier whose slope below zero is drawn.
    RandomSlope,
    /// Stochastic activation pruning.
    Sap,
    /// k winners take all.
    Kwta,
    /// x + body(x).
    Residual,
}

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

    fn role(&self) -> Role {
        Role::Other
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
        let shape = shape_after(self, input, graph)?;
        let end = stack(&self.body, input, graph)?;
        Ok(graph.push(AddNode, &[input, end], shape))
    }
}

/// The graph of `layers` for an input of shape `[C, H, W]`; `source` hands out the weights. `card` is
/// the card's name, for messages.
///
/// # Errors
/// Failure, naming the layer that does not fit, or whatever `source` reports.
pub(super) fn graph(
    layers: &[Layer],
    input: [usize; 3],
    card: &str,
    source: &mut WeightSource<'_>,
) -> Result<Graph> {
    let mut graph = GraphBuilder::new(input, card, source);
    stack(layers, 0, &mut graph)?;
    Ok(graph.finish())
}

/// Adds layers one after the other; answers with the value that comes out. Batch norm right behind a
/// convolution is folded into it.
fn stack(
    layers: &[Layer],
    mut value: ValueId,
    graph: &mut GraphBuilder<'_, '_>,
) -> Result<ValueId> {
    let mut rest = layers.iter().enumerate().peekable();
    while let Some((at, layer)) = rest.next() {
        let place = graph.enter(at, &layer.called());
        value = match (layer, rest.peek()) {
            (Layer::Conv2d(conv), Some((_, Layer::BatchNorm2d(norm)))) => {
                rest.next();
                conv.build_with(Some(norm), value, graph)?
            }
            (layer, _) => layer.def().build(value, graph)?,
        };
        graph.leave(place);
    }
    Ok(value)
}

impl Layer {
    /// The layers of its body, where it is a block.
    pub(super) fn body(&self) -> Option<&[Layer]> {
        match self {
            Self::Residual(block) => Some(&block.body),
            _ => None,
        }
    }

    /// What it is called in messages: `conv2d 'conv1'`, `relu`.
    pub(super) fn called(&self) -> String {
        match self.def().param() {
            Some(param) => format!("{} '{param}'", self.def().name()),
            None => self.def().name().to_string(),
        }
    }

    /// The full names and the shapes of its own tensors, without those of a body.
    pub(super) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let prefix = self.def().param().unwrap_or_default();
        let parts = self.def().tensors().into_iter();
        parts.map(|(part, shape)| (format!("{prefix}.{part}"), shape)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every op with all of its fields, by its name in a card.
    const EVERY: &str = r#"[
        {"op": "conv2d", "param": "c", "in": 2, "out": 2, "kernel": 3, "padding": 1},
        {"op": "batchnorm2d", "param": "b", "features": 2},
        {"op": "relu"}, {"op": "relu6"}, {"op": "leakyrelu"}, {"op": "elu"}, {"op": "gelu"},
        {"op": "silu"}, {"op": "softplus"}, {"op": "sigmoid"}, {"op": "tanh"},
        {"op": "maxpool2d", "kernel": 2}, {"op": "avgpool2d", "kernel": 1},
        {"op": "dropout"}, {"op": "mcdropout"}, {"op": "randomslope", "low": 0.1, "high": 0.3},
        {"op": "sap", "share": 1.0}, {"op": "kwta", "share": 0.5},
        {"op": "residual", "body": [{"op": "tanh"}]},
        {"op": "globalavgpool2d"}, {"op": "flatten"},
        {"op": "linear", "param": "l", "in": 2, "out": 3}
    ]"#;

    #[test]
    fn every_op_is_called_in_messages_as_in_cards() {
        let layers: Vec<Layer> = serde_json::from_str(EVERY).unwrap();
        for layer in &layers {
            let card = serde_json::to_value(layer).unwrap();
            assert_eq!(card["op"], layer.def().name());
            assert_eq!(serde_json::from_value::<Layer>(card).unwrap(), *layer);
        }
        let end = layers.iter().try_fold(Shape::Map([2, 8, 8]), |shape, layer| {
            layer.def().output(shape).map_err(|what| format!("{}: {what}", layer.called()))
        });
        assert_eq!(end, Ok(Shape::Flat([3, 1, 1])));
    }
}
