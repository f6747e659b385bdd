//! The ops: everything a layer of a network can be, each defined in one place.
//!
//! An op is a struct whose fields are its card syntax (PyTorch's names and defaults) and which
//! implements [`LayerDef`]: its shape rule, its tensors, its cost, and how it becomes nodes of the
//! [`graph`](super::graph). A node says how it runs on burn and whether it runs on the CPU engine
//! ([`NodeOp`](super::graph::NodeOp)). Nothing has a default: an op that forgets something does not
//! compile.
//!
//! To add one: write its file here, name the file below and the op in the list of [`Layer`].

mod activations;
mod batch_norm2d;
mod conv2d;
mod flatten;
mod linear;
mod pooling;
mod random;
mod residual;

pub use activations::{Elu, Gelu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Softplus, Tanh};
pub use batch_norm2d::BatchNorm2d;
pub use conv2d::{Conv2d, Padding};
pub use flatten::Flatten;
pub use linear::Linear;
pub use pooling::{AvgPool2d, GlobalAvgPool2d, MaxPool2d};
pub use random::{Dropout, Kwta, McDropout, RandomSlope, Sap};
pub use residual::Residual;

use crate::error::Result;
use crate::model::graph::{GraphBuilder, ValueId};
use crate::model::shape::Shape;
use serde::{Deserialize, Serialize};

/// What a layer is to those that put others in its place or look for one of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role<'a> {
    /// A rectifier, with its upper bound where it has one (ReLU6).
    Rectifier(Option<f64>),
    /// Dropout that works while training only, with its probability.
    TrainingDropout(f64),
    /// A block of layers with something around them.
    Block(&'a [Layer]),
    /// None of these.
    Other,
}

/// The definition of an op, as a card gives it.
pub(super) trait LayerDef {
    /// What it is called in a card: `conv2d`.
    fn name(&self) -> &'static str;

    /// The prefix of its tensors' names; none where it has no tensors.
    fn param(&self) -> Option<&str>;

    /// What it is to those that put others in its place.
    fn role(&self) -> Role<'_>;

    /// The shape of its output for an input of this shape.
    ///
    /// # Errors
    /// What does not fit, in words.
    fn output(&self, input: Shape) -> Result<Shape, String>;

    /// The last parts of its tensors' names and their shapes: `weight`, `[out, in]`.
    fn tensors(&self) -> Vec<(&'static str, Vec<usize>)>;

    /// Multiply-accumulate operations for one image, counted as usual: of convolutions and linear
    /// layers. `output` is the shape of its output for an input of shape `input`.
    fn macs(&self, output: Shape) -> u64;

    /// How many times the size of its output it holds for the way back; 0 where the node before it
    /// takes it in.
    fn held(&self) -> f64;

    /// Adds its nodes to the graph; answers with the value that comes out.
    ///
    /// # Errors
    /// Failure, naming what does not fit, or whatever the source of the weights reports.
    fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId>;
}

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

impl Layer {
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

/// A convolution's or a linear layer's tensors.
fn weight_and_bias(weight: Vec<usize>, out: usize, bias: bool) -> Vec<(&'static str, Vec<usize>)> {
    let bias = bias.then(|| ("bias", vec![out]));
    [Some(("weight", weight)), bias].into_iter().flatten().collect()
}

/// Defaults of card fields, and whether a field has its default and can be left out.
mod defaults {
    pub fn one() -> usize {
        1
    }
    pub fn yes() -> bool {
        true
    }
    pub fn half() -> f64 {
        0.5
    }
    pub fn is_one(v: &usize) -> bool {
        *v == 1
    }
    pub fn is_zero(v: &usize) -> bool {
        *v == 0
    }
    pub fn is_yes(v: &bool) -> bool {
        *v
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
