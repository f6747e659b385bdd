//! From a card's layers to a network's operations: sizes checked, weights fetched, batch norm in
//! evaluation mode folded into the convolution before it.

use crate::error::{Error, Result};
use crate::model::architecture;
use crate::model::card::Card;
use crate::model::graph::Op;
use crate::model::layer::Layer;
use crate::model::network::WeightSource;
use crate::model::shape::{self, ActivationShape};
use crate::model::stochastic::ActivationMask;
use burn_tensor::Tensor;
use burn_tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};

/// The layers of a card, its architecture's where it names one.
///
/// # Errors
/// Usage, for an unknown architecture.
pub(super) fn layers(card: &Card) -> Result<Vec<Layer>> {
    match &card.architecture {
        Some(name) => architecture::layers(name),
        None => Ok(card.layers.clone()),
    }
}

/// The operations of a card's network; `source` hands out the weights.
///
/// # Errors
/// Failure, naming the layer that does not fit, or whatever `source` reports.
pub(super) fn build(card: &Card, source: &mut WeightSource<'_>) -> Result<Vec<Op>> {
    let mut builder = Builder { source, card: &card.name, masks: 0 };
    let (ops, size) = builder.stack(&layers(card)?, ActivationShape::Map(card.input.shape))?;
    let answers = size.count().unwrap_or(usize::MAX);
    match answers == card.num_classes {
        true => Ok(ops),
        false => Err(builder.misfit(format!(
            "the last layer gives {answers} values for {} classes",
            card.num_classes
        ))),
    }
}

struct Builder<'a, 'b> {
    source: &'a mut WeightSource<'b>,
    card: &'a str,
    /// How many random and sparse layers there are so far.
    masks: u64,
}

impl Builder<'_, '_> {
    fn misfit(&self, what: String) -> Error {
        Error::failure(what, format!("card '{}'", self.card), "make the layer sizes agree")
    }

    fn take(&mut self, name: &str, part: &str, shape: &[usize]) -> Result<Tensor<1>> {
        (self.source)(&format!("{name}.{part}"), shape)
    }

    fn maybe(&mut self, wanted: bool, name: &str, size: usize) -> Result<Option<Tensor<1>>> {
        wanted.then(|| self.take(name, "bias", &[size])).transpose()
    }

    fn stack(
        &mut self,
        layers: &[Layer],
        mut size: ActivationShape,
    ) -> Result<(Vec<Op>, ActivationShape)> {
        let mut ops = Vec::new();
        let mut rest = layers.iter().peekable();
        while let Some(layer) = rest.next() {
            if let Some(mask) = ActivationMask::new(layer, self.masks, size.shape())
                .map_err(|what| self.misfit(what))?
            {
                if let Layer::RandomSlope { top: Some(top), .. }
                | Layer::Kwta { top: Some(top), .. } = layer
                {
                    ops.push(Op::Cap(*top));
                }
                ops.push(Op::ActivationMask(mask));
                self.masks += 1;
                continue;
            }
            let (mut op, next) = self.layer(layer, size)?;
            if let (
                Op::Conv { weight, bias, .. },
                Some(norm @ Layer::BatchNorm2d { param, features, eps }),
            ) = (&mut op, rest.peek())
            {
                shape::after(norm, next).map_err(|what| self.misfit(what))?;
                let (scale, shift) = self.norm(param, *features, *eps)?;
                let old = weight.clone();
                *weight = old * scale.clone().reshape([*features, 1, 1, 1]);
                *bias = Some(match bias.take() {
                    Some(bias) => bias * scale + shift,
                    None => shift,
                });
                rest.next();
            }
            size = next;
            ops.push(op);
        }
        Ok((ops, size))
    }

    /// Batch norm as one scale and one shift a channel.
    fn norm(&mut self, param: &str, features: usize, eps: f64) -> Result<(Tensor<1>, Tensor<1>)> {
        let mut part = |name: &str| self.take(param, name, &[features]);
        let (gamma, beta) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let scale = gamma / variance.add_scalar(eps).sqrt();
        let shift = beta - mean * scale.clone();
        Ok((scale, shift))
    }

    fn layer(&mut self, layer: &Layer, size: ActivationShape) -> Result<(Op, ActivationShape)> {
        let next = shape::after(layer, size).map_err(|what| self.misfit(what))?;
        let op = match layer {
            Layer::Conv2d { param, inputs, out, kernel, stride, padding, groups, bias } => {
                let shape = [*out, inputs / groups, *kernel, *kernel];
                let weight = self.take(param, "weight", &shape)?.reshape(shape);
                let bias = self.maybe(*bias, param, *out)?;
                let pads = padding.pairs();
                let options = ConvOptions::new_with_padding([*stride; 2], pads, [1; 2], *groups);
                Op::Conv { weight, bias, options }
            }
            Layer::BatchNorm2d { param, features, eps } => {
                let (scale, shift) = self.norm(param, *features, *eps)?;
                let shape = [1, *features, 1, 1];
                Op::Affine { scale: scale.reshape(shape), shift: shift.reshape(shape) }
            }
            Layer::Linear { param, inputs, out, bias } => {
                let weight = self.take(param, "weight", &[*out, *inputs])?;
                let weight = weight.reshape([*out, *inputs]).transpose();
                let bias = self.maybe(*bias, param, *out)?;
                Op::Linear { weight, bias }
            }
            Layer::MaxPool2d { kernel, stride, padding } => Op::MaxPool(MaxPoolOptions {
                stride: [stride.unwrap_or(*kernel); 2],
                padding: [(*padding, *padding); 2],
                ..MaxPoolOptions::new([*kernel; 2])
            }),
            Layer::AvgPool2d { kernel, stride, padding } => Op::AvgPool(AvgPoolOptions {
                stride: [stride.unwrap_or(*kernel); 2],
                padding: [(*padding, *padding); 2],
                ..AvgPoolOptions::new([*kernel; 2])
            }),
            Layer::GlobalAvgPool2d {} => Op::GlobalAvgPool,
            Layer::Flatten {} => Op::Flatten,
            Layer::Residual { body } => Op::Residual(self.stack(body, size)?.0),
            activation => Op::Activation(activation.clone()),
        };
        Ok((op, next))
    }
}
