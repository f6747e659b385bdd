//! A training at work: its networks, and the loop over steps.

use crate::attack::Flow;
use crate::data::{Dataset, ResizeFilter};
use crate::error::{Error, Result};
use crate::model::{Card, Classifier, InputSpec, Network, argmax};
use crate::training::adam::{WeightTensor, initialise, tensor};
use crate::training::batch::{Batch, epoch_order};
use crate::training::checkpoint::{self, Position};
use crate::training::inner_attack::{maximise, pictures};
use crate::training::loss::cross_entropy;
use crate::training::progress::{RobustnessProbe, TrainingProgress};
use crate::training::recipe::{InnerAttack, Recipe, TrainingMethod};
use crate::training::reparametrisation;
use crate::training::spectral;
use crate::training::step_loss::{PeerNetworks, StepGradients, StepLoss};
use burn_tensor::Device;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time between checkpoints.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(30);
/// Steps between probes: they cost a twentieth of the training.
const BETWEEN_PROBES: usize = 200;
/// Steps of a probe's attack.
const PROBE: usize = 5;

/// The card of a recipe's network, before anything is measured.
pub fn card(recipe: &Recipe, data: &Dataset) -> Card {
    let shape = data.sample(0).image.shape();
    Card {
        name: recipe.id.into(),
        title: recipe.title.into(),
        data: recipe.dataset.into(),
        labels: Vec::new(),
        num_classes: data.labels.len(),
        defence: recipe.defence.map(str::to_string),
        weights: "weights.safetensors".into(),
        sha256: None,
        licence: "MIT OR Apache-2.0".into(),
        architecture: None,
        input: InputSpec {
            shape,
            range: [0.0, 1.0],
            resize: None,
            filter: ResizeFilter::default(),
            normalisation: recipe.input_normalisation(),
        },
        accuracy: None,
        training: toml::Table::new(),
        layers: (recipe.layers)(),
    }
}

/// A training at work.
pub struct Trainer<'a> {
    /// Its recipe.
    pub recipe: &'static Recipe,
    /// The card of what is trained, without accuracies.
    pub card: Card,
    /// Where it computes.
    pub device: &'a Device,
    /// The seed of all randomness.
    pub seed: u64,
    /// Passes over the training set, of each phase.
    pub epochs: usize,
    /// One; teacher and student; or the two of a pair. A posterior's spreads follow its means.
    pub networks: Vec<Vec<WeightTensor>>,
    data: &'a Dataset,
    batches: usize,
}

impl<'a> Trainer<'a> {
    /// At its start.
    ///
    /// # Errors
    /// Failure, for layers that do not fit together, or fewer samples than one batch.
    pub fn new(
        recipe: &'static Recipe,
        data: &'a Dataset,
        seed: u64,
        epochs: usize,
        device: &'a Device,
    ) -> Result<Self> {
        let card = card(recipe, data);
        let batches = data.len() / recipe.batch;
        if batches == 0 {
            let what =
                format!("{} samples are less than one batch of {}", data.len(), recipe.batch);
            return Err(Error::failure(what, "--data", "give the whole training set"));
        }
        let count = match recipe.method {
            TrainingMethod::Distillation { .. } | TrainingMethod::Diverse { .. } => 2,
            _ => 1,
        };
        let mut networks = Vec::new();
        for at in 0..count {
            let mut parameters = initialise(&card, seed ^ (at << 48), recipe.gain, device)?;
            if recipe.spectral {
                let matrices = parameters.iter_mut().filter(|p| p.shape.len() > 1);
                matrices.for_each(|p| p.singular = spectral::start(p.shape[0]));
            }
            if let TrainingMethod::Bayes { sigma, .. } = recipe.method {
                let spreads = reparametrisation::spreads(&parameters, sigma);
                parameters.extend(spreads);
            }
            networks.push(parameters);
        }
        Ok(Self { recipe, card, device, seed, epochs, networks, data, batches })
    }

    /// What tells this training from others beside its seed and length.
    pub(super) fn identity(&self) -> Result<String> {
        let card = self.card.sha256()?;
        Ok(checkpoint::identity(self.recipe.id, &card, self.data.sha256()))
    }

    /// How often the epochs are gone through: once for a teacher and once for its student.
    fn phases(&self) -> usize {
        match self.recipe.method {
            TrainingMethod::Distillation { .. } => 2,
            _ => 1,
        }
    }

    /// Trains from step `first` on; saves a checkpoint now and then.
    ///
    /// # Errors
    /// Cancelled, when `watch` stops it; failure for a loss that is not finite; device failures.
    pub(super) fn train(
        &mut self,
        first: usize,
        (checkpoint, identity): (&Path, &str),
        watch: &mut dyn FnMut(&TrainingProgress) -> Flow,
    ) -> Result<()> {
        let epochs = self.epochs * self.phases();
        let mut picked = Vec::new();
        let mut saved = Instant::now();
        let (mut loss, mut accuracy) = (f32::NAN, f32::NAN);
        let mut probe: Option<RobustnessProbe> = None;
        for step in first..epochs * self.batches {
            let (epoch, at) = (step / self.batches, step % self.batches);
            if at == 0 || picked.is_empty() {
                picked = epoch_order(self.data.len(), self.seed, epoch);
            }
            let size = self.recipe.batch;
            let batch = self.batch(&picked[at * size..(at + 1) * size], step);
            let learned = self.step(&batch, step)?;
            probe = probe.map(|old| RobustnessProbe { fresh: false, ..old });
            let blend =
                |old: f32, new: f32| if old.is_nan() { new } else { 0.98 * old + 0.02 * new };
            (loss, accuracy) =
                (blend(loss, learned.loss as f32), blend(accuracy, learned.accuracy));
            if step % BETWEEN_PROBES == BETWEEN_PROBES - 1 {
                probe = Some(self.probe(&batch, step)?);
            }
            let batches = self.batches;
            let phase = "training";
            let batch = at + 1;
            let progress =
                TrainingProgress { phase, epoch, epochs, batch, batches, loss, accuracy, probe };
            let stop = watch(&progress) == Flow::Stop;
            if stop || saved.elapsed() > BETWEEN_CHECKPOINTS {
                let (seed, epochs) = (self.seed, self.epochs as u64);
                let position = Position { seed, epochs, step: step as u64 + 1 };
                checkpoint::save(checkpoint, identity, &self.networks, position)?;
                saved = Instant::now();
            }
            if stop {
                return Err(Error::cancelled());
            }
        }
        Ok(())
    }

    fn batch(&self, picked: &[usize], step: usize) -> Batch {
        Batch::new(self.data, self.card.input.shape, self.recipe, picked, self.seed, step)
    }

    /// One step of every network that learns now.
    fn step(&mut self, batch: &Batch, step: usize) -> Result<StepGradients> {
        let per_phase = self.epochs * self.batches;
        let (phase, step_in_phase) = (step / per_phase, step % per_phase);
        let mut last = Err(Error::cancelled());
        // Before the two of a pair learn, both answer: neither sees the other's step.
        let pair: Vec<Network> = match self.recipe.method {
            TrainingMethod::Diverse { .. } => {
                let both = self.networks.iter();
                both.map(|p| self.network(&reparametrisation::plain(p).0)).collect::<Result<_>>()?
            }
            TrainingMethod::Distillation { .. } if phase == 1 => {
                vec![self.network(&reparametrisation::plain(&self.networks[0]).0)?]
            }
            _ => Vec::new(),
        };
        let learners = match self.recipe.method {
            TrainingMethod::Diverse { .. } => 0..2,
            _ => phase..phase + 1,
        };
        for at in learners {
            let peers = match self.recipe.method {
                TrainingMethod::Diverse { .. } => {
                    PeerNetworks { other: pair.get(1 - at), ..PeerNetworks::default() }
                }
                _ => PeerNetworks { teacher: pair.first(), ..PeerNetworks::default() },
            };
            let (gradients, learned) = self.gradients(at, &peers, batch, step)?;
            let rate = self.rate(step_in_phase, per_phase);
            for (parameter, gradient) in self.networks[at].iter_mut().zip(&gradients) {
                parameter.update(gradient, step_in_phase + 1, rate);
            }
            last = Ok(learned);
        }
        let learned = last?;
        match learned.loss.is_finite() {
            true => Ok(learned),
            false => {
                let what = format!("the training diverged at step {step} (loss {})", learned.loss);
                Err(Error::failure(what, self.recipe.id, "try another --seed"))
            }
        }
    }

    /// The gradients of the parameters of network `at`; see [`reparametrisation::Reparametrisation`].
    ///
    /// # Errors
    /// Device failures.
    pub fn gradients(
        &mut self,
        at: usize,
        peers: &PeerNetworks<'_>,
        batch: &Batch,
        step: usize,
    ) -> Result<(Vec<Vec<f32>>, StepGradients)> {
        let share = 1.0 / self.data.len() as f64;
        let seed = self.seed;
        let (weights, form) = match (self.recipe.method, self.recipe.spectral) {
            (TrainingMethod::Bayes { prior, .. }, _) => {
                reparametrisation::drawn(&self.networks[at], prior, share, seed, step)
            }
            (_, true) => reparametrisation::normalised(&mut self.networks[at]),
            _ => reparametrisation::plain(&self.networks[at]),
        };
        let network = self.network(&weights)?;
        let total = (self.epochs * self.batches) as f64;
        let ramp = (4.0 * (step + 1) as f64 / total).min(1.0);
        let key = seed ^ ((step as u64 + 1) << 20);
        let method = &self.recipe.method;
        let step_loss = StepLoss::new(method, &network, peers, batch, ramp, key)?;
        let mut learned = step_loss.evaluate(&network)?;
        if let Some(gamma) = self.recipe.perturbation {
            let parameters = &self.networks[at];
            let moved =
                reparametrisation::perturbed(&weights, parameters, &learned.gradients, gamma);
            learned.gradients = step_loss.evaluate(&self.network(&moved)?)?.gradients;
        }
        let gradients = std::mem::take(&mut learned.gradients);
        let (gradients, more) = form.back(&self.networks[at], &weights, gradients);
        learned.loss += more;
        Ok((gradients, learned))
    }

    /// Rises from 0 over two fifths of the training, then falls to 0 (Smith 2017, as Wong et al.).
    fn rate(&self, step: usize, total: usize) -> f64 {
        let at = (step as f64 + 0.5) / total as f64;
        let share = if at < 0.4 { at / 0.4 } else { (1.0 - at) / 0.6 };
        self.recipe.rate * share
    }

    /// A network of these weights.
    ///
    /// # Errors
    /// Failure, for too few weights.
    pub fn network(&self, weights: &[Vec<f32>]) -> Result<Network> {
        let mut next = weights.iter();
        let mut network = Network::build(&self.card, self.device, &mut |name, _| {
            let missing = || Error::failure("a parameter is missing", name, "");
            Ok(tensor(next.next().ok_or_else(missing)?, self.device))
        })?;
        network.freeze();
        Ok(network)
    }

    /// The weights that network `at` answers with at its best: a posterior's means, matrices divided
    /// by their converged norms.
    pub fn weights(&self, at: usize) -> Vec<WeightTensor> {
        let parameters = &self.networks[at];
        let means = match self.recipe.method {
            TrainingMethod::Bayes { .. } => parameters.len() / 2,
            _ => parameters.len(),
        };
        let mut weights = parameters[..means].to_vec();
        if self.recipe.spectral {
            for p in weights.iter_mut().filter(|p| p.shape.len() > 1) {
                let norm = spectral::norm(&p.value, p.shape[0]);
                p.value.iter_mut().for_each(|w| *w /= norm);
            }
        }
        weights
    }

    /// Looks at the last network as it stands.
    fn probe(&self, batch: &Batch, step: usize) -> Result<RobustnessProbe> {
        let at = match self.phases() {
            1 => 0,
            _ => step / (self.epochs * self.batches),
        };
        let weights: Vec<Vec<f32>> = self.weights(at).into_iter().map(|p| p.value).collect();
        let network = self.network(&weights)?;
        let accuracy = |pixels: &[f32]| -> Result<f32> {
            let images = pictures(pixels, network.input_shape(), self.device);
            let logits = network.logits(&images)?;
            let rows = logits.chunks(network.classes()).zip(&batch.labels);
            let right = rows.filter(|(row, label)| argmax(row) == Some(**label)).count();
            Ok(right as f32 / batch.labels.len() as f32)
        };
        let adversary = InnerAttack::pgd(self.recipe.measured_at, PROBE, 0.5);
        let seed = self.seed ^ ((step as u64 + 1) << 40);
        let pull = |i: usize, row: &[f32], slope: &mut [f64]| {
            cross_entropy(row, batch.labels[i], slope);
        };
        let after = maximise(&network, &batch.pixels, &adversary, seed, &batch.samples, &pull)?;
        Ok(RobustnessProbe {
            clean: accuracy(&batch.pixels)?,
            attacked: accuracy(&after)?,
            steps: PROBE,
            epsilon: self.recipe.measured_at,
            fresh: true,
        })
    }
}
