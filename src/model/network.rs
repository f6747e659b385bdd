//! A network built from a card's layers, on one device.
//!
//! Attacks track the input only, and its weights are constants to them; training asks for the
//! gradients of the weights instead ([`Network::weight_gradients`]). Batch norm in evaluation mode is folded
//! into the convolution before it.

use crate::error::{Error, Result};
use crate::model::activation_swap::ActivationSwap;
use crate::model::card::Card;
use crate::model::cpu::CpuNetwork;
use crate::model::graph::{Graph, Run};
use crate::model::graph_builder::WeightSource;
use crate::model::ops::{self, Layer};
use crate::model::{Classifier, ModelOutput, architecture, autodiff, read};
use crate::rng::RngKey;
use burn_tensor::{Device, Tensor, TensorData};
use std::sync::Arc;

/// A network, ready to answer. Cheap to clone: weights are shared.
#[derive(Clone)]
pub struct Network {
    card: Arc<Card>,
    pub(super) device: Device,
    /// Its weights, in the order in which they were handed out.
    weights: Vec<Tensor<1>>,
    /// 1/std and −mean/std per channel, `[1, C, 1, 1]`.
    normalisation: Option<(Tensor<4>, Tensor<4>)>,
    graph: Arc<Graph>,
    /// The same on the CPU engine, once the weights are final (see [`Network::freeze`]), or why not.
    cpu: Result<Arc<CpuNetwork>, String>,
}

impl Network {
    /// Builds the card's network on `device`; `source` hands out the weights.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit, or whatever `source` reports.
    pub fn build(card: &Card, device: &Device, source: &mut WeightSource<'_>) -> Result<Self> {
        Self::assemble(Arc::new(card.clone()), device, source)
    }

    fn assemble(card: Arc<Card>, device: &Device, source: &mut WeightSource<'_>) -> Result<Self> {
        let mut weights = Vec::new();
        let layers = architecture::layers_of(&card)?;
        let mut source = |name: &str, shape: &[usize]| {
            let values = source(name, shape)?;
            weights.push(values.clone());
            Ok(values)
        };
        let graph = ops::graph(&layers, card.input.shape, &card.name, &mut source)?;
        let logits = graph.shape(graph.nodes.len()).count().unwrap_or(usize::MAX);
        if logits != card.num_classes {
            return Err(Error::failure(
                format!("the last layer gives {logits} values for {} classes", card.num_classes),
                format!("card '{}'", card.name),
                "make the layer sizes agree",
            ));
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
        let (graph, cpu) = (Arc::new(graph), Err("its weights are not final".into()));
        Ok(Self { card, device: device.clone(), weights, normalisation, graph, cpu })
    }

    /// Declares the weights final. On the CPU this brings the network to the CPU engine, which is
    /// faster than burn, where that has a kernel for every op.
    pub fn freeze(&mut self) {
        self.cpu = match self.device == Device::flex() {
            true => self.on_cpu(None),
            false => Err("it computes on another device".into()),
        };
    }

    fn on_cpu(&self, like: Option<&CpuNetwork>) -> Result<Arc<CpuNetwork>, String> {
        CpuNetwork::build(&self.graph, self.normalisation.as_ref(), like).map(Arc::new)
    }

    /// The same weights with another rule in place of all activations.
    ///
    /// # Errors
    /// As [`Self::with_last_activations`].
    pub fn with_activations(&self, rule: ActivationSwap) -> Result<Self> {
        self.with_last_activations(rule, usize::MAX)
    }

    /// The same weights with another rule in place of the `last` activations.
    ///
    /// # Errors
    /// Usage, where there is nothing to replace; failure for parameters out of range.
    pub fn with_last_activations(&self, rule: ActivationSwap, last: usize) -> Result<Self> {
        let layers = rule.replace(&architecture::layers_of(&self.card)?, last)?;
        let card = Card { architecture: None, layers, ..Card::clone(&self.card) };
        let mut network = self.rebuild(Arc::new(card), &self.weights)?;
        if let Ok(cpu) = &self.cpu {
            network.cpu = network.on_cpu(Some(cpu));
        }
        Ok(network)
    }

    /// The same layers with other weights: `change` is asked about one tensor after the other, by
    /// number, in the order in which they were handed out.
    ///
    /// # Errors
    /// Whatever `change` reports.
    pub(super) fn with_weights(
        &self,
        change: &mut dyn FnMut(usize, &Tensor<1>) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let changed = self.weights.iter().enumerate().map(|(i, tensor)| {
            let values = change(i, tensor)?;
            let data = TensorData::new(values, tensor.dims());
            Ok(Tensor::from_data(data, &self.device))
        });
        let mut network = self.rebuild(self.card.clone(), &changed.collect::<Result<Vec<_>>>()?)?;
        if self.on_cpu_engine() {
            network.freeze();
        }
        Ok(network)
    }

    /// The card's network of other weights, in the order in which they were handed out.
    fn rebuild(&self, card: Arc<Card>, weights: &[Tensor<1>]) -> Result<Self> {
        let mut next = weights.iter().cloned();
        Self::assemble(card, &self.device, &mut |name, _| {
            next.next().ok_or_else(|| Error::failure("a weight is missing", name, ""))
        })
    }

    /// Pixels `[N, C, H, W]` in 0..1 to logits `[N, K]`, on burn's graph.
    ///
    /// # Errors
    /// Device, when the device is lost while a random or sparse layer looks at its values.
    pub fn forward(&self, images: Tensor<4>) -> Result<Tensor<2>> {
        self.run(images, &Run { rng_keys: &[], training: false })
    }

    /// As [`Self::forward`], run as told.
    pub(super) fn run(&self, images: Tensor<4>, run: &Run<'_>) -> Result<Tensor<2>> {
        let images = match &self.normalisation {
            Some((scale, shift)) => images * scale.clone() + shift.clone(),
            None => images,
        };
        self.graph.forward(images, run)
    }

    /// Whether the CPU engine runs it.
    pub fn on_cpu_engine(&self) -> bool {
        self.cpu.is_ok()
    }

    /// Why the CPU engine does not run it, naming the layer that keeps it off; none where it does.
    pub fn off_cpu_engine(&self) -> Option<&str> {
        self.cpu.as_ref().err().map(String::as_str)
    }

    /// Whether its predictions depend on random numbers.
    pub fn is_random(&self) -> bool {
        self.graph.is_random()
    }

    /// [`Classifier::logits`] where the random layers of each image draw from a chance of its own;
    /// no chances: from the default one.
    ///
    /// # Errors
    /// Failure, for images of another size; device, when the device is lost or out of memory.
    pub fn logits_with(&self, images: &Tensor<4>, rng_keys: &[RngKey]) -> Result<Vec<f32>> {
        self.check(rng_keys, images.dims())?;
        match &self.cpu {
            Ok(cpu) => Ok(cpu.logits(&read(images.clone())?, rng_keys)),
            Err(_) => {
                let run = Run { rng_keys, training: false };
                read(self.run(images.clone(), &run)?)
            }
        }
    }

    /// [`Classifier::input_gradient`] where the random layers of each image draw from a key of its own;
    /// no keys: from the default one.
    ///
    /// # Errors
    /// Failure, for images of another size; device, when the device is lost or out of memory.
    pub fn input_gradient_with(
        &self,
        images: &Tensor<4>,
        rng_keys: &[RngKey],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(Vec<f32>, Tensor<4>)> {
        self.check(rng_keys, images.dims())?;
        let Ok(cpu) = &self.cpu else {
            let run = |x| self.run(x, &Run { rng_keys, training: false });
            return autodiff::input_gradient(run, &self.device, images, logit_gradient);
        };
        let (logits, gradient) =
            cpu.input_gradient(&read(images.clone())?, rng_keys, logit_gradient);
        let data = TensorData::new(gradient, images.dims());
        Ok((logits, Tensor::from_data(data, &self.device)))
    }

    /// Logits, and the gradients of Σ logits·`logit_gradient(logits)` with respect to the weights: one list a
    /// tensor, in the order in which `source` handed them out. `rng_keys` holds what the random layers
    /// of each image draw from; empty: the default for all. Dropout is active.
    ///
    /// # Errors
    /// Failure, naming the layer, for a network with batch norm, whose statistics are not trained
    /// here; device, when the device is lost or out of memory.
    pub fn weight_gradients(
        &self,
        images: &Tensor<4>,
        rng_keys: &[RngKey],
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        self.check(rng_keys, images.dims())?;
        if let Some(norm) = batch_norm(&architecture::layers_of(&self.card)?) {
            return Err(Error::failure(
                format!("batchnorm2d '{norm}' cannot be trained"),
                format!("card '{}'", self.card.name),
                "leave it out; a residual network of few layers does without",
            ));
        }
        if let Ok(cpu) = &self.cpu
            && let Some(found) =
                cpu.weight_gradients(&read(images.clone())?, rng_keys, logit_gradient)
        {
            return Ok(found);
        }
        let run = |tracked: &[Tensor<1>]| {
            let network = self.rebuild(self.card.clone(), tracked)?;
            network.run(images.clone().autodiff(), &Run { rng_keys, training: true })
        };
        autodiff::weight_gradients(run, &self.device, &self.weights, logit_gradient)
    }

    /// The images are of the network's size, and there is one chance an image, or none at all.
    fn check(&self, rng_keys: &[RngKey], [n, c, h, w]: [usize; 4]) -> Result<()> {
        let place = || format!("network '{}'", self.card.name);
        if [c, h, w] != self.input() {
            let what = format!("pictures of {:?} for a network of {:?}", [c, h, w], self.input());
            return Err(Error::failure(what, place(), "bring them to its size"));
        }
        match rng_keys.is_empty() || rng_keys.len() == n {
            true => Ok(()),
            false => Err(Error::failure(
                format!("{} chances for {n} pictures", rng_keys.len()),
                place(),
                "give one a picture, or none",
            )),
        }
    }

    /// `[C, H, W]`.
    pub(super) fn input(&self) -> [usize; 3] {
        self.card.input.shape
    }
}

impl Classifier for Network {
    fn logits(&self, images: &Tensor<4>) -> Result<Vec<f32>> {
        self.logits_with(images, &[])
    }

    fn input_gradient(
        &self,
        images: &Tensor<4>,
        logit_gradient: &mut dyn FnMut(&[f32]) -> Vec<f32>,
    ) -> Result<(ModelOutput, Tensor<4>)> {
        let (logits, gradient) = self.input_gradient_with(images, &[], logit_gradient)?;
        Ok((ModelOutput { logits, rejected: Vec::new() }, gradient))
    }

    fn input_shape(&self) -> [usize; 3] {
        self.input()
    }

    fn classes(&self) -> usize {
        self.card.num_classes
    }

    fn device(&self) -> &Device {
        &self.device
    }
}

/// The first batch norm among the layers.
fn batch_norm(layers: &[Layer]) -> Option<String> {
    layers.iter().find_map(|layer| match layer {
        Layer::BatchNorm2d(norm) => Some(norm.param.clone()),
        other => batch_norm(other.body()?),
    })
}
