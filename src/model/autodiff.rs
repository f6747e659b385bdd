//! Gradients by burn's autodiff: of the pixels for attacks, of the weights for training.

use crate::error::Result;
use crate::model::read;
use burn_tensor::{Device, Tensor, TensorData};

/// Logits, and the gradient of Σ logits·`logit_gradient(logits)` with respect to the pixels of
/// `images` `[N, C, H, W]`; `run` gives the logits `[N, K]` of the network. Forward
/// passes that need no gradient run on plain tensors: a tracked graph that is never consumed would
/// leak.
pub(super) fn input_gradient(
    run: impl FnOnce(Tensor<4>) -> Result<Tensor<2>>,
    device: &Device,
    images: &Tensor<4>,
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<4>)> {
    let tracked = images.clone().autodiff().require_grad();
    let (logits, loss) = scalar(run(tracked.clone())?, device, logit_gradient)?;
    let mut gradients = loss.backward();
    // A network that is constant in its input (all units dead) has a zero gradient.
    let gradient = tracked.grad_remove(&mut gradients).unwrap_or_else(|| images.zeros_like());
    Ok((logits, gradient))
}

/// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to `weights`; `run`
/// gives the logits of the network of these weights, tracked.
pub(super) fn weight_gradients(
    run: impl FnOnce(&[Tensor<1>]) -> Result<Tensor<2>>,
    device: &Device,
    weights: &[Tensor<1>],
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
    let tracked: Vec<_> = weights.iter().map(|w| w.clone().autodiff().require_grad()).collect();
    let (logits, loss) = scalar(run(&tracked)?, device, logit_gradient)?;
    let mut gradients = loss.backward();
    let gradient = |weight: &Tensor<1>| match weight.grad_remove(&mut gradients) {
        Some(gradient) => read(gradient),
        None => Ok(vec![0.0; weight.dims()[0]]),
    };
    Ok((logits, tracked.iter().map(gradient).collect::<Result<_>>()?))
}

/// Logits as numbers, and the scalar whose gradient is wanted.
fn scalar(
    logits: Tensor<2>,
    device: &Device,
    logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
) -> Result<(Vec<f32>, Tensor<1>)> {
    let shape = logits.dims();
    let numbers = read(logits.clone().inner())?;
    let weights = TensorData::new(logit_gradient(&numbers), shape);
    let weights = Tensor::<2>::from_data(weights, device).autodiff();
    Ok((numbers, (logits * weights).sum()))
}
