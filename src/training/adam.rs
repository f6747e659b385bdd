//! Named parameters and Adam (Kingma and Ba 2015) on them. Written here, not taken from burn, so
//! that a checkpoint is three tensors a parameter and resuming is exact.

use crate::draws::Draws;
use crate::error::Result;
use crate::model::{Card, Network};
use burn::tensor::{Device, Tensor, TensorData};

/// One parameter with its moments, all flat.
pub struct Parameter {
    /// PyTorch's name: `conv1.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub value: Tensor<1>,
    /// Mean of the gradients.
    pub mean: Tensor<1>,
    /// Mean of their squares.
    pub square: Tensor<1>,
}

/// Draws the starting values as PyTorch does: uniform in ±1/√fan_in, biases too.
///
/// # Errors
/// Failure, for layers that do not fit together.
pub fn initialise(card: &Card, seed: u64, device: &Device) -> Result<Vec<Parameter>> {
    let mut list: Vec<Parameter> = Vec::new();
    let mut fan_in = 1;
    Network::build(card, device, &mut |name, shape| {
        // A bias follows its weight and shares its fan-in.
        if shape.len() > 1 {
            fan_in = shape[1..].iter().product();
        }
        let bound = 1.0 / (fan_in as f32).sqrt();
        let mut draws = Draws::new(seed, list.len() as u64, 1 << 32);
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| draws.signed() * bound).collect();
        let value = Tensor::from_data(TensorData::new(values.clone(), [values.len()]), device);
        list.push(Parameter {
            name: name.into(),
            shape: shape.to_vec(),
            mean: value.zeros_like(),
            square: value.zeros_like(),
            value: value.clone(),
        });
        Ok(value)
    })?;
    Ok(list)
}

/// One step of Adam with β = (0.9, 0.999); `step` counts from 1.
pub fn update(parameter: &mut Parameter, gradient: Tensor<1>, step: usize, rate: f64) {
    const B1: f64 = 0.9;
    const B2: f64 = 0.999;
    let mean = parameter.mean.clone() * B1 + gradient.clone() * (1.0 - B1);
    let square = parameter.square.clone() * B2 + gradient.square() * (1.0 - B2);
    let c1 = 1.0 - B1.powi(step as i32);
    let c2 = 1.0 - B2.powi(step as i32);
    let root = (square.clone() / c2).sqrt() + 1e-8;
    parameter.value = parameter.value.clone() - (mean.clone() / root) * (rate / c1);
    parameter.mean = mean;
    parameter.square = square;
}
