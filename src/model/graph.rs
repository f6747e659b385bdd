//! A network's layers on burn's graph, and gradients through it by autodiff: of the pixels for
//! attacks, of the weights for training.

use crate::error::Result;
use crate::model::card::Layer;
use crate::model::network::Network;
use crate::model::read;
use burn::tensor::activation;
use burn::tensor::module;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

/// One step of the network.
#[derive(Clone)]
pub(super) enum Op {
    Conv { weight: Tensor<4>, bias: Option<Tensor<1>>, options: ConvOptions<2> },
    Affine { scale: Tensor<4>, shift: Tensor<4> },
    Linear { weight: Tensor<2>, bias: Option<Tensor<1>> },
    Activation(Layer),
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

/// Logits `[N, K]` of what enters the first layer.
pub(super) fn answer(ops: &[Op], images: Tensor<4>) -> Tensor<2> {
    flat(run(ops, Flow::Map(images)))
}

/// Logits, and the gradient of Σ logits·`start(logits)` with respect to the pixels. Forward passes
/// that need no gradient run on plain tensors: a tracked graph that is never consumed would leak.
pub(super) fn slope(
    network: &Network,
    images: &Tensor<4>,
    start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<4>)> {
    let tracked = images.clone().autodiff().require_grad();
    let (logits, loss) = begin(network.forward(tracked.clone()), &network.device, start)?;
    let mut gradients = loss.backward();
    // A network that is constant in its input (all units dead) has a zero gradient.
    let gradient = tracked.grad_remove(&mut gradients).unwrap_or_else(|| images.zeros_like());
    Ok((logits, gradient))
}

/// Logits, and the gradients of Σ logits·`start(logits)` with respect to `weights`; `build` makes
/// the network of the same weights, tracked.
pub(super) fn learn(
    weights: &[Tensor<1>],
    build: impl FnOnce(&[Tensor<1>]) -> Result<Network>,
    images: &Tensor<4>,
    start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let tracked: Vec<_> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
    let network = build(&tracked)?;
    let answers = network.forward(images.clone().autodiff());
    let (logits, loss) = begin(answers, &network.device, start)?;
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
    start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<1>)> {
    let shape = answers.dims();
    let logits = read(answers.clone().inner())?;
    let start = TensorData::new(start(&logits), shape);
    let start = Tensor::<2>::from_data(start, device).autodiff();
    Ok((logits, (answers * start).sum()))
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

fn run(ops: &[Op], mut flow: Flow) -> Flow {
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
            (Op::MaxPool(options), Flow::Map(x)) => {
                Flow::Map(module::max_pool2d(x, options.clone()))
            }
            (Op::AvgPool(options), Flow::Map(x)) => {
                Flow::Map(module::avg_pool2d(x, options.clone()))
            }
            (Op::GlobalAvgPool, Flow::Map(x)) => Flow::Map(x.mean_dims(&[2, 3])),
            (Op::Flatten, x) => Flow::Flat(flat(x)),
            (Op::Residual(body), Flow::Map(x)) => match run(body, Flow::Map(x.clone())) {
                Flow::Map(y) => Flow::Map(x + y),
                // The builder admits only bodies that keep the shape.
                flat => flat,
            },
            // The builder admits none of these after a flattening.
            (_, x) => x,
        };
    }
    flow
}

fn activate<const D: usize>(kind: &Layer, x: Tensor<D>) -> Tensor<D> {
    match kind {
        Layer::Relu => activation::relu(x),
        Layer::Relu6 => x.clamp(0.0, 6.0),
        Layer::LeakyRelu { slope } => activation::leaky_relu(x, *slope),
        Layer::Elu { alpha } => activation::elu(x, *alpha),
        Layer::Gelu => activation::gelu(x),
        Layer::Silu => activation::silu(x),
        Layer::Softplus => activation::softplus(x, 1.0),
        Layer::Sigmoid => activation::sigmoid(x),
        Layer::Tanh => activation::tanh(x),
        _ => x,
    }
}
