//! A network built from a card's layers, on one device.
//!
//! Weights are constants here: only an input can be tracked, so weight gradients are never computed
//! during an attack. (Training hands in tracked tensors through the same builder.) Batch norm in
//! evaluation mode is folded into the convolution before it.

use crate::error::{Error, Result};
use crate::model::card::{Card, Layer};
use crate::model::host::Host;
use crate::model::{Classifier, architecture, graph_slope, read};
use burn::tensor::activation;
use burn::tensor::module;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

/// A network, ready to answer.
pub struct Network {
    pub(super) input: [usize; 3],
    classes: usize,
    pub(super) device: Device,
    /// 1/std and −mean/std per channel, `[1, C, 1, 1]`.
    pub(super) normalisation: Option<(Tensor<4>, Tensor<4>)>,
    pub(super) ops: Vec<Op>,
    /// The same, faster, once the weights are final: see [`Network::freeze`].
    host: Option<Host>,
}

/// One step of the network.
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

/// The shape that flows between layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Map([usize; 3]),
    Flat(usize),
}

/// Hands out the tensor of a name, flat, of a given shape.
pub type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor<1>> + 'a;

impl Network {
    /// Builds the card's network on `device`; `source` hands out the weights.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit, or whatever `source` reports.
    pub fn build(card: &Card, device: &Device, source: &mut Source<'_>) -> Result<Self> {
        let named;
        let layers = match &card.architecture {
            Some(name) => {
                named = architecture::layers(name)?;
                &named
            }
            None => &card.layers,
        };
        let mut builder = Builder { source, card: &card.name };
        let (ops, size) = builder.stack(layers, Size::Map(card.input.shape))?;
        let answers = match size {
            Size::Flat(n) => n,
            Size::Map([c, h, w]) => c * h * w,
        };
        if answers != card.num_classes {
            let what =
                format!("the last layer gives {answers} values for {} classes", card.num_classes);
            return Err(builder.misfit(what));
        }
        let normalisation = card.input.normalisation.as_ref().map(|n| {
            let channel = |values: Vec<f32>| {
                let c = values.len();
                Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, c, 1, 1])
            };
            let scale = n.std.iter().map(|s| 1.0 / s).collect();
            let shift = n.mean.iter().zip(&n.std).map(|(m, s)| -m / s).collect();
            (channel(scale), channel(shift))
        });
        Ok(Self {
            input: card.input.shape,
            classes: card.num_classes,
            device: device.clone(),
            normalisation,
            ops,
            host: None,
        })
    }

    /// Declares the weights final. On the CPU this prepares a faster way to the logits and the
    /// input gradient, where it knows all layers.
    pub fn freeze(&mut self) {
        if self.device == Device::flex() {
            self.host = Host::build(self);
        }
    }

    /// Pixels `[N, C, H, W]` in 0..1 to logits `[N, K]`, on burn's graph.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let images = match &self.normalisation {
            Some((scale, shift)) => images * scale.clone() + shift.clone(),
            None => images,
        };
        flat(run(&self.ops, Flow::Map(images)))
    }

    /// Whether [`Self::freeze`] found a faster way.
    pub fn is_fast(&self) -> bool {
        self.host.is_some()
    }
}

impl Classifier for Network {
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>> {
        match &self.host {
            Some(host) => host.logits(&read(images.clone())?),
            None => read(self.forward(images.clone())),
        }
    }

    fn slope(
        &self,
        images: &Tensor<4>,
        start: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(Vec<f32>, Tensor<4>)> {
        let Some(host) = &self.host else { return graph_slope(self, images, start) };
        let (logits, gradient) = host.slope(&read(images.clone())?, start)?;
        let data = TensorData::new(gradient, images.dims());
        Ok((logits, Tensor::from_data(data, &self.device)))
    }

    fn input_shape(&self) -> [usize; 3] {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn device(&self) -> &Device {
        &self.device
    }
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

struct Builder<'a, 'b> {
    source: &'a mut Source<'b>,
    card: &'a str,
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
                let values = match size {
                    Size::Flat(n) => n,
                    Size::Map([c, h, w]) => c * h * w,
                };
                if values != *inputs {
                    let what = format!("linear '{param}' takes {inputs} values and gets {values}");
                    return Err(self.misfit(what));
                }
                let weight = self.take(param, "weight", &[*out, *inputs])?;
                let weight = weight.reshape([*out, *inputs]).transpose();
                let bias = self.maybe(*bias, param, *out)?;
                Ok((Op::Linear { weight, bias }, Size::Flat(*out)))
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
            (Layer::Flatten, Size::Map([c, h, w])) => Ok((Op::Flatten, Size::Flat(c * h * w))),
            (Layer::Flatten, Size::Flat(_)) => Ok((Op::Flatten, size)),
            (Layer::Residual { body }, Size::Map(_)) => {
                let (ops, after) = self.stack(body, size)?;
                match after == size {
                    true => Ok((Op::Residual(ops), size)),
                    false => {
                        Err(self.misfit(format!("a residual body turns {size:?} into {after:?}")))
                    }
                }
            }
            (other, Size::Flat(n)) if needs_map(other) => {
                Err(self.misfit(format!("{} gets {n} flat values", kind(other))))
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
