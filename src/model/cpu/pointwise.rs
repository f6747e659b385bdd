//! Layers that work value by value.

use super::Map;
use super::kernel::Clamp;

/// Batch norm that could not be folded: one scale and one shift a channel.
pub(super) struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Affine {
    pub(super) fn forward(&self, x: &Map) -> Map {
        let mut values = x.values.clone();
        for pixel in values.chunks_mut(x.c) {
            let each = pixel.iter_mut().zip(&self.scale).zip(&self.shift);
            each.for_each(|((v, scale), shift)| *v = *v * scale + shift);
        }
        x.with(values)
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
pub(super) enum Activation {
    Relu,
    Relu6,
    /// min(x, bound).
    Cap(f32),
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

impl Activation {
    fn value(self, x: f32) -> f32 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Cap(bound) => x.min(bound),
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
            Self::Cap(bound) => {
                if x < bound {
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

    pub(super) fn forward(self, x: &Map) -> Map {
        x.with(x.values.iter().map(|v| self.value(*v)).collect())
    }

    pub(super) fn backward(self, x: &Map, mut g: Map) -> Map {
        g.values.iter_mut().zip(&x.values).for_each(|(g, x)| *g *= self.slope(*x));
        g
    }

    /// The bounds that are all there is to it.
    pub(super) fn clamp(self) -> Clamp {
        match self {
            Self::Relu => Some((0.0, f32::INFINITY)),
            Self::Relu6 => Some((0.0, 6.0)),
            Self::Cap(bound) => Some((f32::NEG_INFINITY, bound)),
            _ => None,
        }
    }
}
