//! A network's layers on burn's graph, and gradients through it by autodiff: of the pixels for
//! attacks, of the weights for training.

use crate::error::Result;
use crate::model::layer::Layer;
use crate::model::network::Network;
use crate::model::read;
use crate::model::stochastic::ActivationMask;
use crate::rng::RngKey;
use burn_tensor::activation;
use burn_tensor::module;
use burn_tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn_tensor::{Device, Tensor, TensorData};

/// One step of the network.
#[derive(Clone)]
pub(super) enum Op {
    Conv {
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    },
    Affine {
        scale: Tensor<4>,
        shift: Tensor<4>,
    },
    Linear {
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
    },
    Activation(Layer),
    /// min(x, bound).
    Cap(f64),
    ActivationMask(ActivationMask),
    MaxPool(MaxPoolOptions<2>),
    AvgPool(AvgPoolOptions<2>),
    GlobalAvgPool,
    Flatten,
    Residual(Vec<Op>),
}

/// What flows between layers.
enum Flow {
    Map(Tensor<4>),
    Flat(Tensor<2>),
}

/// How a pass is made.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    /// What random layers draw from, one a picture; empty: the default.
    pub rng_keys: &'a [RngKey],
    /// Whether layers that work while training only do.
    pub training: bool,
}

/// Logits `[N, K]` of what enters the first layer.
pub(super) fn answer(ops: &[Op], images: Tensor<4>, pass: Pass<'_>) -> Result<Tensor<2>> {
    Ok(flat(run(ops, Flow::Map(images), pass)?))
}

/// Logits, and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels. Forward passes
/// that need no gradient run on plain tensors: a tracked graph that is never consumed would leak.
pub(super) fn input_gradient(
    network: &Network,
    images: &Tensor<4>,
    rng_keys: &[RngKey],
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<4>)> {
    let tracked = images.clone().autodiff().require_grad();
    let answers = network.answer(tracked.clone(), Pass { rng_keys, training: false })?;
    let (logits, loss) = begin(answers, &network.device, logit_gradient)?;
    let mut gradients = loss.backward();
    // A network that is constant in its input (all units dead) has a zero gradient.
    let gradient = tracked.grad_remove(&mut gradients).unwrap_or_else(|| images.zeros_like());
    Ok((logits, gradient))
}

/// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to `weights`; `build` makes
/// the network of the same weights, tracked.
pub(super) fn weight_gradients(
    weights: &[Tensor<1>],
    build: impl FnOnce(&[Tensor<1>]) -> Result<Network>,
    images: &Tensor<4>,
    rng_keys: &[RngKey],
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let tracked: Vec<_> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
    let network = build(&tracked)?;
    let pass = Pass { rng_keys, training: true };
    let answers = network.answer(images.clone().autodiff(), pass)?;
    let (logits, loss) = begin(answers, &network.device, logit_gradient)?;
    let mut gradients = loss.backward();
    let gradient = |weight: &Tensor<1>| match weight.grad_remove(&mut gradients) {
        Some(gradient) => read(gradient),
        None => Ok(vec![0.0; weight.dims()[0]]),
    };
    Ok((logits, tracked.iter().map(gradient).collect::<Result<_>>()?))
}

/// Logits as numbers, and the scalar whose gradient is wanted.
fn begin(
    answers: Tensor<2>,
    device: &Device,
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<1>)> {
    let shape = answers.dims();
    let logits = read(answers.clone().inner())?;
    let logit_gradient = TensorData::new(logit_gradient(&logits), shape);
    let logit_gradient = Tensor::<2>::from_data(logit_gradient, device).autodiff();
    Ok((logits, (answers * logit_gradient).sum()))
}

fn flat(flow: Flow) -> Tensor<2> {
    match flow {
        Flow::Flat(x) => x,
        Flow::Map(x) => {
            let [n, c, h, w] = x.dims();
            x.reshape([n, c * h * w])
        }
    }
}

fn run(ops: &[Op], mut flow: Flow, pass: Pass<'_>) -> Result<Flow> {
    for op in ops {
        flow = match (op, flow) {
            (Op::Conv { weight, bias, options }, Flow::Map(x)) => {
                Flow::Map(module::conv2d(x, weight.clone(), bias.clone(), options.clone()))
            }
            (Op::Affine { scale, shift }, Flow::Map(x)) => {
                Flow::Map(x * scale.clone() + shift.clone())
            }
            (Op::Linear { weight, bias }, x) => {
                Flow::Flat(module::linear(flat(x), weight.clone(), bias.clone()))
            }
            (Op::Activation(kind), Flow::Map(x)) => Flow::Map(activate(kind, x)),
            (Op::Activation(kind), Flow::Flat(x)) => Flow::Flat(activate(kind, x)),
            (Op::Cap(bound), Flow::Map(x)) => Flow::Map(x.clamp_max(*bound)),
            (Op::Cap(bound), Flow::Flat(x)) => Flow::Flat(x.clamp_max(*bound)),
            (Op::ActivationMask(mask), x) if mask.training && !pass.training => x,
            (Op::ActivationMask(mask), Flow::Map(x)) => {
                Flow::Map(multiply(mask, x, pass.rng_keys)?)
            }
            (Op::ActivationMask(mask), Flow::Flat(x)) => {
                Flow::Flat(multiply(mask, x, pass.rng_keys)?)
            }
            (Op::MaxPool(options), Flow::Map(x)) => {
                Flow::Map(module::max_pool2d(x, options.clone()))
            }
            (Op::AvgPool(options), Flow::Map(x)) => {
                Flow::Map(module::avg_pool2d(x, options.clone()))
            }
            (Op::GlobalAvgPool, Flow::Map(x)) => Flow::Map(x.mean_dims(&[2, 3])),
            (Op::Flatten, x) => Flow::Flat(flat(x)),
            (Op::Residual(body), Flow::Map(x)) => match run(body, Flow::Map(x.clone()), pass)? {
                Flow::Map(y) => Flow::Map(x + y),
                // The builder admits only bodies that keep the shape.
                flat => flat,
            },
            // The builder admits none of these after a flattening.
            (_, x) => x,
        };
    }
    Ok(flow)
}

/// Multiplies by the layer's factors; they depend on the values, but not to the graph.
fn multiply<const D: usize>(
    mask: &ActivationMask,
    x: Tensor<D>,
    rng_keys: &[RngKey],
) -> Result<Tensor<D>> {
    let values = read(x.clone().inner())?;
    let factors =
        swap(&mask.factors(&swap(&values, mask.shape, false), rng_keys), mask.shape, true);
    let factors = TensorData::new(factors, x.dims());
    Ok(x.clone() * Tensor::from_data(factors, &x.inner().device()))
}

/// Pictures `[C, H, W]` to `[H, W, C]`, or back.
fn swap(values: &[f32], [c, h, w]: [usize; 3], back: bool) -> Vec<f32> {
    let mut swapped = vec![0.0; values.len()];
    for (from, to) in values.chunks(c * h * w).zip(swapped.chunks_mut(c * h * w)) {
        for channel in 0..c {
            for pixel in 0..h * w {
                let (first, last) = (channel * h * w + pixel, pixel * c + channel);
                match back {
                    true => to[first] = from[last],
                    false => to[last] = from[first],
                }
            }
        }
    }
    swapped
}

fn activate<const D: usize>(kind: &Layer, x: Tensor<D>) -> Tensor<D> {
    match kind {
        Layer::Relu {} => activation::relu(x),
        Layer::Relu6 {} => x.clamp(0.0, 6.0),
        Layer::LeakyRelu { slope } => activation::leaky_relu(x, *slope),
        Layer::Elu { alpha } => activation::elu(x, *alpha),
        Layer::Gelu {} => activation::gelu(x),
        Layer::Silu {} => activation::silu(x),
        Layer::Softplus {} => activation::softplus(x, 1.0),
        Layer::Sigmoid {} => activation::sigmoid(x),
        Layer::Tanh {} => activation::tanh(x),
        _ => x,
    }
}
