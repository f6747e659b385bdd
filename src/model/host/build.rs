//! From a network's layers to the host's.

use super::conv::{Conv, Depthwise, Geometry};
use super::pointwise::{Affine, Curve};
use super::pool::Pool;
use super::{Host, Op};
use crate::model::card::Layer;
use crate::model::graph;
use crate::model::network::Network;
use burn::tensor::{Device, Tensor, TensorData};

impl Host {
    /// The same network on the host; none where it has a layer that is not known here, or weights
    /// that cannot be read.
    pub(in crate::model) fn build(network: &Network) -> Option<Self> {
        let device = network.device.clone();
        let normalisation = match &network.normalisation {
            Some((scale, shift)) => Some((numbers(scale)?, numbers(shift)?)),
            None => None,
        };
        let mut order = Order { size: network.input() };
        let ops = order.stack(&network.ops, &device)?;
        // Logits that are still a map of several pixels would come out in another order.
        let [_, h, w] = order.size;
        (h * w == 1).then(|| Self::new(network.input(), device, normalisation, ops))
    }
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Option<Vec<f32>> {
    tensor.clone().try_into_vec_as::<f32>().ok()
}

/// Follows the size `[C, H, W]` of what flows. A flattened map keeps its size here: the linear layer
/// behind it gets its weights in channels-last order instead.
struct Order {
    size: [usize; 3],
}

impl Order {
    fn stack(&mut self, ops: &[graph::Op], device: &Device) -> Option<Vec<Op>> {
        ops.iter().map(|op| self.op(op, device)).collect()
    }

    fn op(&mut self, op: &graph::Op, device: &Device) -> Option<Op> {
        Some(match op {
            graph::Op::Conv { weight, bias, options } => {
                let [out, inputs, k, kw] = weight.dims();
                let (sides, [c, h, w]) = (options.padding, self.size);
                let even = k == kw && options.stride[0] == options.stride[1];
                if !even || options.dilation != [1, 1] {
                    return None;
                }
                let geometry = Geometry {
                    kernel: k,
                    stride: options.stride[0],
                    before: [sides[0].0, sides[1].0],
                    after: [sides[0].1, sides[1].1],
                };
                let bias = match bias {
                    Some(bias) => numbers(bias)?,
                    None => vec![0.0; out],
                };
                let depthwise = options.groups == out && inputs == 1 && c == out;
                let [h, w] = geometry.sides(h, w);
                self.size = [out, h, w];
                match options.groups {
                    1 => {
                        // [out, in, ky, kx] to [ky, kx, in, out].
                        let weight = weight.clone().permute([2, 3, 1, 0]);
                        let weight = Tensor::<2>::from_data(
                            TensorData::new(numbers(&weight)?, [k * k * inputs, out]),
                            device,
                        );
                        Op::Conv(Conv { geometry, weight, bias })
                    }
                    _ if depthwise => {
                        let weight = numbers(&weight.clone().permute([2, 3, 1, 0]))?;
                        Op::Depthwise(Depthwise { geometry, weight, bias })
                    }
                    _ => return None,
                }
            }
            graph::Op::Affine { scale, shift } => {
                Op::Affine(Affine { scale: numbers(scale)?, shift: numbers(shift)? })
            }
            graph::Op::Linear { weight, bias } => {
                let [inputs, out] = weight.dims();
                let values = channels_last(&numbers(weight)?, self.size, out);
                let bias = match bias {
                    Some(bias) => numbers(bias)?,
                    None => vec![0.0; out],
                };
                self.size = [out, 1, 1];
                let weight = Tensor::from_data(TensorData::new(values, [inputs, out]), device);
                Op::Linear { weight, bias }
            }
            graph::Op::Activation(kind) => Op::Curve(curve(kind)?),
            graph::Op::MaxPool(o) => {
                let pool = self.pool(o.kernel_size[0], o.stride[0], o.padding[0].0);
                Op::MaxPool(pool)
            }
            graph::Op::AvgPool(o) => {
                let pool = self.pool(o.kernel_size[0], o.stride[0], o.padding[0].0);
                Op::AvgPool(pool)
            }
            graph::Op::GlobalAvgPool => {
                self.size = [self.size[0], 1, 1];
                Op::AvgPool(Pool { kernel: 0, stride: 1, padding: 0 })
            }
            graph::Op::Flatten => Op::Flatten,
            graph::Op::Residual(body) => Op::Residual(self.stack(body, device)?),
        })
    }
}

impl Order {
    fn pool(&mut self, kernel: usize, stride: usize, padding: usize) -> Pool {
        let pool = Pool { kernel, stride, padding };
        let [c, h, w] = self.size;
        self.size = [c, pool.side(h), pool.side(w)];
        pool
    }
}

/// Weight rows `[C·H·W, out]` in the order `[H·W·C, out]`.
fn channels_last(values: &[f32], [c, h, w]: [usize; 3], out: usize) -> Vec<f32> {
    let mut sorted = Vec::with_capacity(values.len());
    for pixel in 0..h * w {
        for channel in 0..c {
            sorted.extend_from_slice(&values[(channel * h * w + pixel) * out..][..out]);
        }
    }
    sorted
}

fn curve(kind: &Layer) -> Option<Curve> {
    Some(match kind {
        Layer::Relu => Curve::Relu,
        Layer::Relu6 => Curve::Relu6,
        Layer::LeakyRelu { slope } => Curve::LeakyRelu(*slope as f32),
        Layer::Elu { alpha } => Curve::Elu(*alpha as f32),
        Layer::Silu => Curve::Silu,
        Layer::Softplus => Curve::Softplus,
        Layer::Sigmoid => Curve::Sigmoid,
        Layer::Tanh => Curve::Tanh,
        Layer::Dropout { .. } => Curve::LeakyRelu(1.0),
        _ => return None,
    })
}
