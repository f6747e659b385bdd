//! From a card's layers to a network's operations: sizes checked, weights fetched, batch norm in
//! evaluation mode folded into the convolution before it.

use crate::error::{Error, Result};
use crate::model::architecture;
use crate::model::card::Card;
use crate::model::graph::Op;
use crate::model::layer::Layer;
use crate::model::mask::Mask;
use crate::model::network::Source;
use burn::tensor::Tensor;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};

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
pub(super) fn build(card: &Card, source: &mut Source<'_>) -> Result<Vec<Op>> {
    let mut builder = Builder { source, card: &card.name, masks: 0 };
    let (ops, size) = builder.stack(&layers(card)?, Size::Map(card.input.shape))?;
    let answers = size.count();
    match answers == card.num_classes {
        true => Ok(ops),
        false => Err(builder.misfit(format!(
            "the last layer gives {answers} values for {} classes",
            card.num_classes
        ))),
    }
}

/// The shape that flows between layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Map([usize; 3]),
    /// What was flattened, and how it lay before that.
    Flat([usize; 3]),
}

impl Size {
    fn shape(self) -> [usize; 3] {
        match self {
            Self::Map(shape) | Self::Flat(shape) => shape,
        }
    }

    fn count(self) -> usize {
        self.shape().iter().product()
    }
}

struct Builder<'a, 'b> {
    source: &'a mut Source<'b>,
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

    fn stack(&mut self, layers: &[Layer], mut size: Size) -> Result<(Vec<Op>, Size)> {
        let mut ops = Vec::new();
        let mut rest = layers.iter().peekable();
        while let Some(layer) = rest.next() {
            if let Some(mask) =
                Mask::new(layer, self.masks, size.shape()).map_err(|what| self.misfit(what))?
            {
                if let Layer::RandomSlope { top: Some(top), .. }
                | Layer::Kwta { top: Some(top), .. } = layer
                {
                    ops.push(Op::Cap(*top));
                }
                ops.push(Op::Mask(mask));
                self.masks += 1;
                continue;
            }
            let (mut op, next) = self.layer(layer, size)?;
            if let (
                Op::Conv { weight, bias, .. },
                Some(Layer::BatchNorm2d { param, features, eps }),
            ) = (&mut op, rest.peek())
            {
                let (scale, shift) = self.norm(param, *features, *eps, next)?;
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
    fn norm(
        &mut self,
        param: &str,
        features: usize,
        eps: f64,
        size: Size,
    ) -> Result<(Tensor<1>, Tensor<1>)> {
        if !matches!(size, Size::Map([c, ..]) if c == features) {
            return Err(self.misfit(format!("batchnorm2d '{param}' of {features} gets {size:?}")));
        }
        let mut part = |name: &str| self.take(param, name, &[features]);
        let (gamma, beta) = (part("weight")?, part("bias")?);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let scale = gamma / variance.add_scalar(eps).sqrt();
        let shift = beta - mean * scale.clone();
        Ok((scale, shift))
    }

    fn layer(&mut self, layer: &Layer, size: Size) -> Result<(Op, Size)> {
        let windowed =
            |[c, h, w]: [usize; 3], kernel: usize, stride: usize, pad: [(usize, usize); 2]| {
                let side = |n: usize, (a, b): (usize, usize)| {
                    (n + a + b).checked_sub(kernel).map(|r| r / stride.max(1) + 1)
                };
                Some([c, side(h, pad[0])?, side(w, pad[1])?])
            };
        match (layer, size) {
            (
                Layer::Conv2d { param, inputs, out, kernel, stride, padding, groups, bias },
                Size::Map(map),
            ) => {
                let fits = *groups > 0 && *stride > 0 && *kernel > 0 && map[0] == *inputs;
                let fits = fits && inputs % groups == 0 && out % groups == 0;
                let pads = padding.pairs();
                let Some([_, h, w]) = windowed(map, *kernel, *stride, pads).filter(|_| fits) else {
                    let what = format!("conv2d '{param}' ({inputs} channels in) gets {map:?}");
                    return Err(self.misfit(what));
                };
                let shape = [*out, inputs / groups, *kernel, *kernel];
                let weight = self.take(param, "weight", &shape)?.reshape(shape);
                let bias = self.maybe(*bias, param, *out)?;
                let options = ConvOptions::new_with_padding([*stride; 2], pads, [1; 2], *groups);
                Ok((Op::Conv { weight, bias, options }, Size::Map([*out, h, w])))
            }
            (Layer::BatchNorm2d { param, features, eps }, Size::Map(_)) => {
                let (scale, shift) = self.norm(param, *features, *eps, size)?;
                let shape = [1, *features, 1, 1];
                Ok((Op::Affine { scale: scale.reshape(shape), shift: shift.reshape(shape) }, size))
            }
            (Layer::Linear { param, inputs, out, bias }, _) => {
                let values = size.count();
                if values != *inputs {
                    let what = format!("linear '{param}' takes {inputs} values and gets {values}");
                    return Err(self.misfit(what));
                }
                let weight = self.take(param, "weight", &[*out, *inputs])?;
                let weight = weight.reshape([*out, *inputs]).transpose();
                let bias = self.maybe(*bias, param, *out)?;
                Ok((Op::Linear { weight, bias }, Size::Flat([*out, 1, 1])))
            }
            (Layer::MaxPool2d { kernel, stride, padding }, Size::Map(map))
            | (Layer::AvgPool2d { kernel, stride, padding }, Size::Map(map)) => {
                let stride = stride.unwrap_or(*kernel);
                let fits = *kernel > 0 && stride > 0 && *padding * 2 <= *kernel;
                let pads = [(*padding, *padding); 2];
                let Some(next) = windowed(map, *kernel, stride, pads).filter(|_| fits) else {
                    return Err(self.misfit(format!("pooling by {kernel} gets {map:?}")));
                };
                let op = match layer {
                    Layer::MaxPool2d { .. } => Op::MaxPool(MaxPoolOptions {
                        stride: [stride; 2],
                        padding: pads,
                        ..MaxPoolOptions::new([*kernel; 2])
                    }),
                    _ => Op::AvgPool(AvgPoolOptions {
                        stride: [stride; 2],
                        padding: pads,
                        ..AvgPoolOptions::new([*kernel; 2])
                    }),
                };
                Ok((op, Size::Map(next)))
            }
            (Layer::GlobalAvgPool2d, Size::Map([c, _, _])) => {
                Ok((Op::GlobalAvgPool, Size::Map([c, 1, 1])))
            }
            (Layer::Flatten, _) => Ok((Op::Flatten, Size::Flat(size.shape()))),
            (Layer::Residual { body }, Size::Map(_)) => {
                let (ops, after) = self.stack(body, size)?;
                match after == size {
                    true => Ok((Op::Residual(ops), size)),
                    false => {
                        Err(self.misfit(format!("a residual body turns {size:?} into {after:?}")))
                    }
                }
            }
            (other, Size::Flat(_)) if needs_map(other) => {
                Err(self.misfit(format!("{} gets {} flat values", kind(other), size.count())))
            }
            (activation, _) => Ok((Op::Activation(activation.clone()), size)),
        }
    }
}

fn needs_map(layer: &Layer) -> bool {
    use Layer as L;
    matches!(
        layer,
        L::Conv2d { .. }
            | L::BatchNorm2d { .. }
            | L::MaxPool2d { .. }
            | L::AvgPool2d { .. }
            | L::GlobalAvgPool2d
            | L::Residual { .. }
    )
}

fn kind(layer: &Layer) -> &'static str {
    match layer {
        Layer::Conv2d { .. } => "conv2d",
        Layer::BatchNorm2d { .. } => "batchnorm2d",
        Layer::MaxPool2d { .. } => "maxpool2d",
        Layer::AvgPool2d { .. } => "avgpool2d",
        Layer::GlobalAvgPool2d => "globalavgpool2d",
        Layer::Residual { .. } => "residual",
        _ => "layer",
    }
}
