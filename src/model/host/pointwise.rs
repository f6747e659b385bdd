//! Layers that work value by value.

use super::Map;

/// Batch norm that could not be folded: one scale and one shift a channel.
pub(in crate::model) struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Affine {
    pub(super) fn forward(&self, mut x: Map) -> Map {
        for pixel in x.values.chunks_mut(x.c) {
            let each = pixel.iter_mut().zip(&self.scale).zip(&self.shift);
            each.for_each(|((v, scale), shift)| *v = *v * scale + shift);
        }
        x
    }

    pub(super) fn backward(&self, mut g: Map) -> Map {
        for pixel in g.values.chunks_mut(g.c) {
            pixel.iter_mut().zip(&self.scale).for_each(|(v, scale)| *v *= scale);
        }
        g
    }
}

/// An activation.
#[derive(Clone, Copy)]
pub(in crate::model) enum Curve {
    Relu,
    Relu6,
    LeakyRelu(f32),
    Elu(f32),
    Silu,
    Softplus,
    Sigmoid,
    Tanh,
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl Curve {
    fn value(self, x: f32) -> f32 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::LeakyRelu(slope) => {
                if x >= 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Self::Elu(alpha) => {
                if x >= 0.0 {
                    x
                } else {
                    alpha * x.exp_m1()
                }
            }
            Self::Silu => x * sigmoid(x),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
        }
    }

    /// The derivative at input `x`.
    fn slope(self, x: f32) -> f32 {
        match self {
            Self::Relu => {
                if x > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::Relu6 => {
                if x > 0.0 && x < 6.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::LeakyRelu(slope) => {
                if x >= 0.0 {
                    1.0
                } else {
                    slope
                }
            }
            Self::Elu(alpha) => {
                if x >= 0.0 {
                    1.0
                } else {
                    alpha * x.exp()
                }
            }
            Self::Silu => {
                let s = sigmoid(x);
                s + x * s * (1.0 - s)
            }
            Self::Softplus => sigmoid(x),
            Self::Sigmoid => {
                let s = sigmoid(x);
                s * (1.0 - s)
            }
            Self::Tanh => 1.0 - x.tanh().powi(2),
        }
    }
}

/// Applies an activation, and keeps its input where the way back is wanted.
pub(super) fn curve(kind: Curve, mut x: Vec<f32>, keep: bool) -> (Vec<f32>, Option<Vec<f32>>) {
    let input = keep.then(|| x.clone());
    match kind {
        // Spelled out, so that the loop becomes a vector instruction.
        Curve::Relu => x.iter_mut().for_each(|v| *v = v.max(0.0)),
        Curve::Relu6 => x.iter_mut().for_each(|v| *v = v.clamp(0.0, 6.0)),
        _ => x.iter_mut().for_each(|v| *v = kind.value(*v)),
    }
    (x, input)
}

/// The way back through an activation.
pub(super) fn curve_back(kind: Curve, mut g: Vec<f32>, input: &[f32]) -> Vec<f32> {
    let each = g.iter_mut().zip(input);
    match kind {
        Curve::Relu => each.for_each(|(g, x)| *g = if *x > 0.0 { *g } else { 0.0 }),
        _ => each.for_each(|(g, x)| *g *= kind.slope(*x)),
    }
    g
}
