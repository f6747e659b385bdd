//! From a network's layers to the host's.

use super::conv::{Conv, Geometry};
use super::depthwise::Depthwise;
use super::kernel::Level;
use super::pointwise::{Activation, Affine};
use super::pool::Pool;
use super::{CpuNetwork, Op};
use crate::model::graph;
use crate::model::layer::Layer;
use crate::model::network::Network;
use burn_tensor::Tensor;
use std::sync::Arc;

/// A step that no picture is looked at with.
const LARGEST_STRIDE: usize = 64;

impl CpuNetwork {
    /// The same network on the host; none where it has a layer that is not known here, or weights
    /// that cannot be read. A network that is `like` another but for its activations shares its
    /// weights.
    pub(in crate::model) fn build(network: &Network, like: Option<&Self>) -> Option<Self> {
        let normalisation = match &network.normalisation {
            Some((scale, shift)) => Some((numbers(scale)?, numbers(shift)?)),
            None => None,
        };
        let level = Level::detect();
        let mut shared = Vec::new();
        like.inspect(|like| weighted(&like.ops, &mut shared));
        let mut order = Order { size: network.input(), level, shared: shared.into_iter() };
        let ops = order.stack(&network.ops)?;
        // Logits that are still a map of several pixels would come out in another order.
        let [_, h, w] = order.size;
        (h * w == 1).then_some(Self { input: network.input(), normalisation, ops, level })
    }
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Option<Vec<f32>> {
    tensor.clone().try_into_vec_as::<f32>().ok()
}

/// Follows the size `[C, H, W]` of what flows. A flattened map keeps its size here: the linear layer
/// behind it sorts its weights by channels last instead.
struct Order<'a> {
    size: [usize; 3],
    level: Level,
    /// Layers whose weights can be had, in order.
    shared: std::vec::IntoIter<&'a Op>,
}

/// The layers with weights, in order.
fn weighted<'a>(ops: &'a [Op], found: &mut Vec<&'a Op>) {
    for op in ops {
        match op {
            Op::Residual(body) => weighted(body, found),
            Op::Conv(..) | Op::Depthwise(..) => found.push(op),
            _ => {}
        }
    }
}

impl Order<'_> {
    fn stack(&mut self, ops: &[graph::Op]) -> Option<Vec<Op>> {
        let mut built: Vec<Op> = Vec::new();
        for op in ops.iter().filter(|op| !matches!(op, graph::Op::Flatten)) {
            match (self.op(op)?, built.last_mut()) {
                // An activation of bounds is part of the layer before it.
                (Op::Activation(curve), Some(Op::Conv(_, none) | Op::Depthwise(_, none)))
                    if none.is_none() && curve.clamp().is_some() =>
                {
                    *none = curve.clamp();
                }
                (op, _) => built.push(op),
            }
        }
        Some(built)
    }

    fn op(&mut self, op: &graph::Op) -> Option<Op> {
        Some(match op {
            graph::Op::Conv { weight, bias, options } => {
                let [out, inputs, k, kw] = weight.dims();
                let (sides, [c, h, w]) = (options.padding, self.size);
                let even = k == kw && options.stride[0] == options.stride[1];
                // The way back keeps a part of the kernel for each remainder by the stride.
                if !even || options.dilation != [1, 1] || options.stride[0] > LARGEST_STRIDE {
                    return None;
                }
                let geometry = Geometry {
                    kernel: k,
                    stride: options.stride[0],
                    before: [sides[0].0, sides[1].0],
                    after: [sides[0].1, sides[1].1],
                };
                let depthwise = options.groups == out && inputs == 1 && c == out;
                let [h, w] = geometry.sides(h, w);
                self.size = [out, h, w];
                let bias = || maybe(bias);
                match (options.groups, self.shared.next()) {
                    (_, Some(Op::Conv(conv, _))) => Op::Conv(conv.clone(), None),
                    (_, Some(Op::Depthwise(conv, _))) => Op::Depthwise(conv.clone(), None),
                    (1, _) => {
                        let (weight, sides) = (numbers(weight)?, [out, inputs]);
                        let conv = Conv::new(geometry, sides, &weight, bias()?, self.level);
                        Op::Conv(Arc::new(conv), None)
                    }
                    _ if depthwise => {
                        let weight = numbers(&weight.clone().permute([2, 3, 1, 0]))?;
                        let bias = bias()?.unwrap_or_else(|| vec![0.0; out]);
                        Op::Depthwise(Arc::new(Depthwise { geometry, weight, bias }), None)
                    }
                    _ => return None,
                }
            }
            graph::Op::Affine { scale, shift } => {
                Op::Affine(Affine { scale: numbers(scale)?, shift: numbers(shift)? })
            }
            graph::Op::Linear { weight, bias } => {
                let (before, [_, out]) = (self.size, weight.dims());
                self.size = [out, 1, 1];
                if let Some(Op::Conv(conv, _)) = self.shared.next() {
                    return Some(Op::Conv(conv.clone(), None));
                }
                let weight = numbers(&weight.clone().transpose())?;
                let conv = Conv::linear(before, &weight, maybe(bias)?, self.level);
                Op::Conv(Arc::new(conv), None)
            }
            graph::Op::Activation(kind) => Op::Activation(curve(kind)?),
            graph::Op::Cap(bound) => Op::Activation(Activation::Cap(*bound as f32)),
            graph::Op::ActivationMask(mask) => Op::ActivationMask(*mask),
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
            graph::Op::Flatten => return None,
            graph::Op::Residual(body) => Op::Residual(self.stack(body)?),
        })
    }
}

impl Order<'_> {
    fn pool(&mut self, kernel: usize, stride: usize, padding: usize) -> Pool {
        let pool = Pool { kernel, stride, padding };
        let [c, h, w] = self.size;
        self.size = [c, pool.side(h), pool.side(w)];
        pool
    }
}

fn maybe(bias: &Option<Tensor<1>>) -> Option<Option<Vec<f32>>> {
    match bias {
        Some(bias) => numbers(bias).map(Some),
        None => Some(None),
    }
}

fn curve(kind: &Layer) -> Option<Activation> {
    Some(match kind {
        Layer::Relu {} => Activation::Relu,
        Layer::Relu6 {} => Activation::Relu6,
        Layer::LeakyRelu { slope } => Activation::LeakyRelu(*slope as f32),
        Layer::Elu { alpha } => Activation::Elu(*alpha as f32),
        Layer::Silu {} => Activation::Silu,
        Layer::Softplus {} => Activation::Softplus,
        Layer::Sigmoid {} => Activation::Sigmoid,
        Layer::Tanh {} => Activation::Tanh,
        _ => return None,
    })
}
