//! The training loop.

use crate::attack::Budget;
use crate::attack::{self, Flow, Goal, Norm, Plan, Problem, Unobserved, Victim, launch};
use crate::data::{Dataset, Filter, read_training_set};
use crate::draws::Draws;
use crate::error::{Error, Result};
use crate::experiment::{self, Evaluation, EvaluationReport};
use crate::model::{Accuracy, Card, Input, Model, Network, Robust, Weights, sha256, write_tensors};
use crate::parameter::Value;
use crate::training::adam::{Parameter, initialise, update};
use crate::training::checkpoint::{self, Position, bytes_of};
use crate::training::recipe::Recipe;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::Dtype;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to train, from what, to where.
pub struct TrainOptions {
    /// The recipe's identifier.
    pub recipe: String,
    /// The folder with the data set's IDX files.
    pub data: PathBuf,
    /// The folder for card, weights and checkpoint.
    pub out: PathBuf,
    /// The seed of all randomness.
    pub seed: u64,
    /// Other than the recipe's number of epochs.
    pub epochs: Option<usize>,
}

/// Where the training stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done: `training` or `measuring`.
    pub phase: &'static str,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Steps done in this epoch (samples done, while measuring).
    pub batch: usize,
    /// Of how many.
    pub batches: usize,
    /// Mean loss of the last steps.
    pub loss: f32,
    /// Share of the last steps' (attacked) pictures answered rightly.
    pub accuracy: f32,
}

/// Time between checkpoints.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(30);
/// Samples of the test set that robust accuracy is measured on.
const ROBUST_N: usize = 1000;

/// Trains a model; picks up from a checkpoint in `out` if there is one. Card and weights are written
/// at the end, with the measured accuracies.
///
/// # Errors
/// Cancelled, when `watch` stops it (the checkpoint is written first); usage for an unknown recipe;
/// failure for data or folders that cannot be read or written; device failures.
pub fn run(
    options: &TrainOptions,
    device: &Device,
    info: &experiment::Device,
    watch: &mut dyn FnMut(&Progress) -> Flow,
) -> Result<Card> {
    let recipe = Recipe::find(&options.recipe)?;
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|e| Error::io("make the folder", out, &e))?;
    let data = read_training_set(recipe.dataset, &options.data)?;
    let epochs = options.epochs.unwrap_or(recipe.epochs).max(1);
    let mut trainer = Trainer {
        recipe,
        card: card(recipe, &data),
        device,
        seed: options.seed,
        batches: data.len() / recipe.batch,
        epochs,
        parameters: Vec::new(),
        data,
    };
    trainer.parameters = initialise(&trainer.card, options.seed, device)?;
    let checkpoint = out.join("checkpoint.safetensors");
    let first = match checkpoint.exists() {
        true => {
            checkpoint::load(&checkpoint, &mut trainer.parameters, options.seed, epochs, device)?
        }
        false => 0,
    };
    trainer.train(first, &checkpoint, watch)?;
    let card = trainer.finish(out, info, watch)?;
    let _ = std::fs::remove_file(&checkpoint);
    Ok(card)
}

fn card(recipe: &Recipe, data: &Dataset) -> Card {
    let shape = data.sample(0).picture.shape();
    Card {
        name: recipe.id.into(),
        title: recipe.title.into(),
        data: recipe.dataset.into(),
        labels: Vec::new(),
        num_classes: data.labels.len(),
        defence: None,
        weights: "weights.safetensors".into(),
        sha256: None,
        licence: "MIT OR Apache-2.0".into(),
        architecture: None,
        input: Input {
            shape,
            range: [0.0, 1.0],
            resize: None,
            filter: Filter::default(),
            normalisation: None,
        },
        accuracy: None,
        training: toml::Table::new(),
        layers: (recipe.layers)(),
    }
}

struct Trainer<'a> {
    recipe: &'static Recipe,
    card: Card,
    device: &'a Device,
    seed: u64,
    data: Dataset,
    batches: usize,
    epochs: usize,
    parameters: Vec<Parameter>,
}

impl Trainer<'_> {
    fn train(
        &mut self,
        first: usize,
        checkpoint: &Path,
        watch: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<()> {
        let total = self.epochs * self.batches;
        let mut order = Vec::new();
        let mut saved = Instant::now();
        let (mut loss, mut accuracy) = (f32::NAN, f32::NAN);
        for step in first..total {
            let (epoch, batch) = (step / self.batches, step % self.batches);
            if batch == 0 || order.is_empty() {
                order = self.order(epoch);
            }
            let picked = &order[batch * self.recipe.batch..(batch + 1) * self.recipe.batch];
            let (l, a) = self.step(picked, step, total)?;
            let blend =
                |old: f32, new: f32| if old.is_nan() { new } else { 0.98 * old + 0.02 * new };
            (loss, accuracy) = (blend(loss, l), blend(accuracy, a));
            let progress = Progress {
                phase: "training",
                epoch,
                epochs: self.epochs,
                batch: batch + 1,
                batches: self.batches,
                loss,
                accuracy,
            };
            let stop = watch(&progress) == Flow::Stop;
            if stop || saved.elapsed() > BETWEEN_CHECKPOINTS {
                let (seed, epochs) = (self.seed, self.epochs as u64);
                let position = Position { seed, epochs, step: step as u64 + 1 };
                checkpoint::save(checkpoint, &self.parameters, position)?;
                saved = Instant::now();
            }
            if stop {
                return Err(Error::cancelled());
            }
        }
        Ok(())
    }

    /// The order of the samples in an epoch: Fisher–Yates, keyed by seed and epoch.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.data.len()).collect();
        let mut draws = Draws::new(self.seed, epoch as u64, 2 << 32);
        for i in (1..order.len()).rev() {
            order.swap(i, draws.below(i + 1));
        }
        order
    }

    /// One step; answers with loss and accuracy on its (attacked) pictures.
    fn step(&mut self, picked: &[usize], step: usize, total: usize) -> Result<(f32, f32)> {
        let n = picked.len();
        let (images, labels) = self.batch(picked, step);
        let images = match self.recipe.adversary {
            None => images,
            Some(_) => self.attacked(images, &labels, picked, step, total)?,
        };
        let tracked: Vec<Tensor<1>> =
            self.parameters.iter().map(|p| p.value.clone().autodiff().require_grad()).collect();
        let network = self.network(&tracked)?;
        let logits = network.forward(images.autodiff());
        let classes = self.card.num_classes;
        let mut wanted = vec![0.0_f32; n * classes];
        for (row, label) in labels.iter().enumerate() {
            wanted[row * classes + label] = 1.0;
        }
        let wanted: Tensor<2> =
            Tensor::from_data(TensorData::new(wanted, [n, classes]), self.device).autodiff();
        let loss = (log_softmax(logits.clone(), 1) * wanted).sum() / -(n as f64);
        let mut gradients = loss.backward();
        let rate = self.rate(step, total);
        for (parameter, tracked) in self.parameters.iter_mut().zip(&tracked) {
            if let Some(gradient) = tracked.grad_remove(&mut gradients) {
                update(parameter, gradient, step + 1, rate);
            }
        }
        let rows = logits.inner().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        let scores = attack::Scores::new(rows, classes);
        let right = scores.labels().iter().zip(&labels).filter(|(a, b)| a == b).count();
        let loss = loss.inner().try_into_scalar::<f32>().map_err(|e| Error::lost(&e))?;
        if !loss.is_finite() {
            let what = format!("the training diverged at step {step} (loss {loss})");
            return Err(Error::failure(what, self.recipe.id, "try another --seed"));
        }
        Ok((loss, right as f32 / n as f32))
    }

    /// Rises from 0 over two fifths of the training, then falls to 0 (Smith 2017, as Wong et al.).
    fn rate(&self, step: usize, total: usize) -> f64 {
        let at = (step as f64 + 0.5) / total as f64;
        let share = if at < 0.4 { at / 0.4 } else { (1.0 - at) / 0.6 };
        self.recipe.rate * share
    }

    fn network(&self, values: &[Tensor<1>]) -> Result<Network> {
        let mut next = values.iter();
        Network::build(&self.card, self.device, &mut |name, _| {
            let missing = || Error::failure("a parameter is missing", name, "");
            next.next().cloned().ok_or_else(missing)
        })
    }

    fn batch(&self, picked: &[usize], step: usize) -> (Tensor<4>, Vec<usize>) {
        let [c, h, w] = self.card.input.shape;
        let mut draws = Draws::new(self.seed, step as u64, 3 << 32);
        let mut pixels = Vec::with_capacity(picked.len() * c * h * w);
        for index in picked {
            let bytes = self.data.bytes(*index).unwrap_or_default();
            let flip = self.recipe.flip && draws.unit() < 0.5;
            for row in bytes.chunks(w) {
                let value = |b: &u8| f32::from(*b) / 255.0;
                match flip {
                    true => pixels.extend(row.iter().rev().map(value)),
                    false => pixels.extend(row.iter().map(value)),
                }
            }
        }
        let labels = picked.iter().map(|i| self.data.label(*i).unwrap_or(0)).collect();
        let data = TensorData::new(pixels, [picked.len(), c, h, w]);
        (Tensor::from_data(data, self.device), labels)
    }

    /// The batch as the recipe's adversary leaves it.
    fn attacked(
        &self,
        images: Tensor<4>,
        labels: &[usize],
        picked: &[usize],
        step: usize,
        total: usize,
    ) -> Result<Tensor<4>> {
        let Some(adversary) = self.recipe.adversary else { return Ok(images) };
        let ramp = (4.0 * (step + 1) as f64 / total as f64).min(1.0);
        let epsilon = adversary.epsilon * ramp;
        let mut plan = Plan::new(attack::find("pgd")?, epsilon);
        plan.settings.set("steps", Value::Int(adversary.steps as i64));
        plan.settings.set("step-size", Value::Float(adversary.step_share * epsilon));
        let values: Vec<Tensor<1>> = self.parameters.iter().map(|p| p.value.clone()).collect();
        let network = self.network(&values)?;
        let problem = Problem {
            budget: Budget::new(Norm::Linf, epsilon, self.card.input.shape.iter().product())?,
            images,
            goals: labels.iter().map(|truth| Goal::Untargeted { truth: *truth }).collect(),
            seed: self.seed ^ ((step as u64 + 1) << 20),
            samples: picked.iter().map(|i| *i as u64).collect(),
            crowd: None,
        };
        let mut victim = Victim::new(&network);
        Ok(launch(plan.attack, &plan.settings, &mut victim, &problem, &mut Unobserved)?.images)
    }

    /// Writes weights and card, measured on the test set.
    fn finish(
        mut self,
        out: &Path,
        info: &experiment::Device,
        watch: &mut dyn FnMut(&Progress) -> Flow,
    ) -> Result<Card> {
        let mut tensors = Vec::new();
        for p in &self.parameters {
            tensors.push((p.name.clone(), p.shape.clone(), bytes_of(&p.value)?, Dtype::F32));
        }
        let path = out.join(&self.card.weights);
        write_tensors(&path, &tensors)?;
        let bytes = std::fs::read(&path).map_err(|e| Error::io("read back", &path, &e))?;
        self.card.sha256 = Some(sha256(&bytes));
        let weights = Weights::parse(&bytes, &path.display().to_string())?;
        let model = Arc::new(Model::build(self.card.clone(), &weights, self.device)?);
        let mut measure = |n: usize, plan: Plan| -> Result<EvaluationReport> {
            let dataset = Dataset::load(self.recipe.dataset)?;
            let device = info.clone();
            let task = Evaluation::new(model.clone(), dataset, n, plan, device);
            experiment::evaluate(&task, &mut |status| {
                let nan = f32::NAN;
                let (epoch, epochs) = (self.epochs, self.epochs);
                let (batch, batches) = (status.done as usize, status.total as usize);
                let phase = "measuring";
                watch(&Progress { phase, epoch, epochs, batch, batches, loss: nan, accuracy: nan })
            })
        };
        // ε = 0 by one cheap step: the clean accuracy on the whole test set.
        let clean = measure(usize::MAX, Plan::new(attack::find("fgsm")?, 0.0))?;
        let robust = measure(ROBUST_N, Plan::new(attack::find("pgd")?, self.recipe.measured_at))?;
        let attack = &robust.attacks[0];
        self.card.accuracy = Some(Accuracy {
            clean: clean.clean_accuracy,
            clean_n: clean.n,
            robust: vec![Robust {
                attack: attack.attack.into(),
                norm: attack.norm.id().into(),
                epsilon: self.recipe.measured_at,
                parameters: attack.parameters.to_string(),
                n: robust.n,
                seed: robust.seed,
                accuracy: robust.robust_accuracy,
                interval: robust.interval,
            }],
        });
        self.card.training = self.record(info);
        let text = toml::to_string(&self.card).map_err(|e| {
            Error::failure(format!("cannot write the card: {e}"), out.display(), "")
        })?;
        crate::data::atomically(&out.join("card.toml"), |file| file.write_all(text.as_bytes()))?;
        Ok(self.card)
    }

    fn record(&self, info: &experiment::Device) -> toml::Table {
        let r = self.recipe;
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| {
            table.insert(key.into(), value);
        };
        put("recipe", r.id.into());
        put("seed", (self.seed as i64).into());
        put("epochs", (self.epochs as i64).into());
        put("batch", (r.batch as i64).into());
        put("optimiser", "Adam, triangular learning rate".into());
        put("learning_rate", r.rate.into());
        put("mirrored", r.flip.into());
        put("device", format!("{} {}", info.kind, info.name).into());
        if let Some(a) = r.adversary {
            let text = format!(
                "PGD-{} L∞ ε = {} (reached over the first quarter), α = {}·ε, random start",
                a.steps, a.epsilon, a.step_share
            );
            put("adversary", text.into());
        }
        table
    }
}
