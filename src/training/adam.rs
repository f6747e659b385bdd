//! Named parameters and Adam (Kingma and Ba 2015) on them, on the CPU: a checkpoint is three tensors
//! a parameter, resuming is exact, and every device trains by the same arithmetic.

use crate::error::Result;
use crate::model::{Card, Layer, Network};
use crate::rng::KeyedRng;
use burn_tensor::{Device, Tensor, TensorData};

/// One parameter with its moments, all flat.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTensor {
    /// PyTorch's name: `conv1.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub value: Vec<f32>,
    /// Mean of the gradients.
    pub mean: Vec<f32>,
    /// Mean of their squares.
    pub square: Vec<f32>,
    /// The left singular vector that spectral normalisation follows; empty without it.
    pub singular: Vec<f32>,
}

impl WeightTensor {
    /// A parameter that has not moved yet.
    pub fn new(name: &str, shape: &[usize], value: Vec<f32>) -> Self {
        let (mean, square) = (vec![0.0; value.len()], vec![0.0; value.len()]);
        Self { name: name.into(), shape: shape.to_vec(), value, mean, square, singular: Vec::new() }
    }

    /// One step of Adam with β = (0.9, 0.999); `step` counts from 1.
    pub fn update(&mut self, gradient: &[f32], step: usize, rate: f64) {
        const B1: f32 = 0.9;
        const B2: f32 = 0.999;
        let c1 = 1.0 - f64::from(B1).powi(step as i32);
        let c2 = (1.0 - f64::from(B2).powi(step as i32)) as f32;
        let rate = (rate / c1) as f32;
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, gradient), (mean, square)) in self.value.iter_mut().zip(gradient).zip(moments)
        {
            *mean = *mean * B1 + gradient * (1.0 - B1);
            *square = *square * B2 + gradient * gradient * (1.0 - B2);
            *value -= rate * *mean / ((*square / c2).sqrt() + 1e-8);
        }
    }
}

/// Draws the starting values, uniform in ±gain/√fan_in: PyTorch's own at gain 1, biases too; He's
/// (He et al. 2015) at √6, biases 0. The last convolution of a residual body starts at 0, so that a
/// deep network without batch norm begins as a shallow one.
///
/// # Errors
/// Failure, for layers that do not fit together.
pub fn initialise(card: &Card, seed: u64, gain: f64, device: &Device) -> Result<Vec<WeightTensor>> {
    let mut list: Vec<WeightTensor> = Vec::new();
    let mut fan_in = 1;
    let closing = closing(&card.layers);
    Network::build(card, device, &mut |name, shape| {
        // A bias follows its weight and shares its fan-in.
        let bias = shape.len() == 1;
        if !bias {
            fan_in = shape[1..].iter().product();
        }
        let zero = bias && gain > 1.0 || closing.iter().any(|c| name.starts_with(&format!("{c}.")));
        let bound = if zero { 0.0 } else { gain as f32 / (fan_in as f32).sqrt() };
        let mut draws = KeyedRng::new(seed, list.len() as u64, 1 << 32);
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| draws.signed() * bound).collect();
        list.push(WeightTensor::new(name, shape, values.clone()));
        Ok(tensor(&values, device))
    })?;
    Ok(list)
}

/// Flat values on a device.
pub fn tensor(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// The convolutions that end a residual body.
fn closing(layers: &[Layer]) -> Vec<String> {
    let mut found = Vec::new();
    for layer in layers {
        if let Layer::Residual(block) = layer {
            let mut convs = block.body.iter().filter_map(|l| match l {
                Layer::Conv2d(conv) => Some(conv.param.clone()),
                _ => None,
            });
            found.extend(convs.next_back());
        }
    }
    found
}
