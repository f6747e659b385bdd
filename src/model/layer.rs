//! The layers of a card.

use serde::{Deserialize, Serialize};

/// One layer. PyTorch's meanings and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Layer {
    /// 2-D convolution; weight `[out, in / groups, kernel, kernel]`.
    Conv2d {
        /// Prefix of its tensors' names.
        param: String,
        /// Channels in.
        #[serde(rename = "in")]
        inputs: usize,
        /// Channels out.
        out: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Step of the kernel.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        stride: usize,
        /// Zero padding: one number, or `[top, left, bottom, right]`.
        #[serde(default)]
        padding: Padding,
        /// Number of groups.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
        /// Whether it has a bias.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        bias: bool,
    },
    /// Batch normalisation with running statistics (evaluation mode).
    BatchNorm2d {
        /// Prefix of its tensors' names.
        param: String,
        /// Channels.
        features: usize,
        /// Added to the variance.
        #[serde(default = "epsilon")]
        eps: f64,
    },
    /// Fully connected; weight `[out, in]`.
    Linear {
        /// Prefix of its tensors' names.
        param: String,
        /// Values in.
        #[serde(rename = "in")]
        inputs: usize,
        /// Values out.
        out: usize,
        /// Whether it has a bias.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        bias: bool,
    },
    /// max(x, 0).
    Relu {},
    /// min(max(x, 0), 6).
    Relu6 {},
    /// x where positive, else slope·x.
    LeakyRelu {
        /// The slope below zero.
        #[serde(default = "slope")]
        slope: f64,
    },
    /// Exponential linear unit.
    Elu {
        /// Its scale below zero.
        #[serde(default = "unit")]
        alpha: f64,
    },
    /// Gaussian error linear unit.
    Gelu {},
    /// x·sigmoid(x).
    Silu {},
    /// ln(1 + eˣ).
    Softplus {},
    /// Logistic function.
    Sigmoid {},
    /// Hyperbolic tangent.
    Tanh {},
    /// Largest value of each window.
    MaxPool2d {
        /// Side of the window.
        kernel: usize,
        /// Step of the window; the kernel's side where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
        /// Padding on each side.
        #[serde(default, skip_serializing_if = "is_zero")]
        padding: usize,
    },
    /// Mean of each window.
    AvgPool2d {
        /// Side of the window.
        kernel: usize,
        /// Step of the window; the kernel's side where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
        /// Padding on each side.
        #[serde(default, skip_serializing_if = "is_zero")]
        padding: usize,
    },
    /// Mean over the whole picture: `[N, C, 1, 1]`.
    GlobalAvgPool2d {},
    /// `[N, C·H·W]`.
    Flatten {},
    /// Zeroes values while training, and does nothing after that.
    Dropout {
        /// Probability of zeroing a value while training.
        #[serde(default = "half")]
        p: f64,
    },
    /// Dropout that stays (Gal and Ghahramani 2016): kept values are divided by 1 − p.
    McDropout {
        /// Probability of zeroing a value.
        #[serde(default = "half")]
        p: f64,
    },
    /// x where positive, else s·x, with s drawn uniformly for each value of each picture (randomised
    /// leaky ReLU, Xu et al. 2015, left random when the network answers).
    RandomSlope {
        /// The least slope.
        low: f64,
        /// The largest slope.
        high: f64,
        /// Upper bound, as ReLU6 has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        top: Option<f64>,
    },
    /// Stochastic activation pruning (Dhillon et al. 2018), to stand behind a ReLU: values are drawn
    /// with replacement, each in proportion to its size; those never drawn become 0, the others
    /// are divided by the probability of being drawn at all.
    Sap {
        /// Number of draws, as a share of the layer's values.
        share: f64,
    },
    /// k winners take all (Xiao et al. 2020): the largest values of the layer stay, the others
    /// become 0.
    Kwta {
        /// How many stay, as a share of the layer's values.
        share: f64,
        /// Upper bound, as ReLU6 has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        top: Option<f64>,
    },
    /// x + body(x).
    Residual {
        /// The layers whose result is added.
        body: Vec<Layer>,
    },
}

/// Zero padding of a convolution.
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

fn one() -> usize {
    1
}
fn yes() -> bool {
    true
}
fn epsilon() -> f64 {
    1e-5
}
fn slope() -> f64 {
    0.01
}
fn unit() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn is_one(v: &usize) -> bool {
    *v == 1
}
fn is_zero(v: &usize) -> bool {
    *v == 0
}
fn is_yes(v: &bool) -> bool {
    *v
}
