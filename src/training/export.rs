//! The end of a training: weights rounded to 16 bits, measured, and written beside their card.

use crate::attack::{self, AttackConfig, Flow, Norm};
use crate::data::{Dataset, sha256, write_atomically};
use crate::error::{Error, Result};
use crate::experiment::{self, Evaluation, EvaluationReport};
use crate::model::{Accuracy, Card, Model, RobustAccuracy, Weights, write_tensors};
use crate::parameter::Value;
use crate::training::adam::WeightTensor;
use crate::training::progress::TrainingProgress;
use crate::training::recipe::{Recipe, TrainingMethod};
use crate::training::reparametrisation::softplus;
use crate::training::spectral;
use crate::training::trainer::Trainer;
use half::f16;
use safetensors::Dtype;
use std::path::Path;
use std::sync::Arc;

/// Samples of the test set that robust accuracy is measured on.
const ROBUST_N: usize = 1000;
/// Steps of the PGD that measures it.
const STEPS: i64 = 20;
/// Samples that AutoAttack is run on: it takes some eight thousand passes for each that resists.
const AUTO_N: usize = 100;

/// Writes and measures every model of a finished training.
///
/// # Errors
/// Cancelled; failure, when the folder cannot be written; device failures.
pub fn export(
    trainer: &Trainer<'_>,
    test: Option<Dataset>,
    out: &Path,
    info: &experiment::DeviceInfo,
    watch: &mut dyn FnMut(&TrainingProgress) -> Flow,
) -> Result<Vec<Card>> {
    let test = test.map(Arc::new);
    let names = trainer.recipe.models();
    let last = trainer.networks.len() - names.len();
    let mut cards = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let folder = match names.len() {
            1 => out.to_path_buf(),
            _ => out.join(name),
        };
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("make the folder", &folder, &e))?;
        let mut card = Card { name: name.clone(), ..trainer.card.clone() };
        if names.len() > 1 {
            card.title = format!("{} {}", card.title, ["A", "B"][at.min(1)]);
        }
        let model = write(trainer, last + at, card, &folder)?;
        let measured = Measure { trainer, test: test.clone(), info }.all(model, at, watch)?;
        let text = toml::to_string(&measured).map_err(|e| {
            Error::failure(format!("cannot write the card: {e}"), folder.display(), "")
        })?;
        write_atomically(&folder.join("card.toml"), |file| file.write_all(text.as_bytes()))?;
        cards.push(measured);
    }
    Ok(cards)
}

/// A number as it is shipped.
fn halved(value: f32) -> [u8; 2] {
    f16::from_f32(value).to_le_bytes()
}

/// Writes the weights of network `at` as `f16` and loads them again: what is measured is what ships.
fn write(trainer: &Trainer<'_>, at: usize, mut card: Card, folder: &Path) -> Result<Model> {
    let mut tensors = Vec::new();
    let mut put = |name: String, shape: &[usize], values: &mut dyn Iterator<Item = f32>| {
        let bytes = values.flat_map(halved).collect();
        tensors.push((name, shape.to_vec(), bytes, Dtype::F16));
    };
    let weights = trainer.weights(at);
    for p in &weights {
        put(p.name.clone(), &p.shape, &mut p.value.iter().copied());
    }
    if let TrainingMethod::Bayes { .. } = trainer.recipe.method {
        for (p, spread) in weights.iter().zip(&trainer.networks[at][weights.len()..]) {
            let sigmas = &mut spread.value.iter().map(|rho| softplus(*rho));
            put(format!("{}.sigma", p.name), &p.shape, sigmas);
        }
    }
    let path = folder.join(&card.weights);
    write_tensors(&path, &tensors)?;
    let bytes = std::fs::read(&path).map_err(|e| Error::io("read back", &path, &e))?;
    card.sha256 = Some(sha256(&bytes));
    let shipped = Weights::parse(&bytes, &path.display().to_string())?;
    card.training = record(trainer, &rounded(weights, &shipped)?);
    Model::build(card, &shipped, trainer.device)
}

fn rounded(mut weights: Vec<WeightTensor>, shipped: &Weights) -> Result<Vec<WeightTensor>> {
    for p in &mut weights {
        p.value = shipped.get(&p.name, &p.shape)?.to_vec();
    }
    Ok(weights)
}

/// Measures a model.
struct Measure<'a> {
    trainer: &'a Trainer<'a>,
    /// The whole test set, where only a part of it is built in.
    test: Option<Arc<Dataset>>,
    info: &'a experiment::DeviceInfo,
}

impl Measure<'_> {
    /// The card of `model`, with what it reaches.
    fn all(
        &self,
        model: Model,
        at: usize,
        watch: &mut dyn FnMut(&TrainingProgress) -> Flow,
    ) -> Result<Card> {
        let model = Arc::new(model);
        let recipe = self.trainer.recipe;
        let built_in = Dataset::load(recipe.dataset)?;
        let mut card = model.card.clone();
        let mut on =
            |data: &Arc<Dataset>, n: usize, plan: AttackConfig| -> Result<EvaluationReport> {
                let task = Evaluation::new(model.clone(), data.clone(), n, plan, self.info.clone());
                experiment::evaluate(&task, &mut |status| {
                    let nan = f32::NAN;
                    watch(&TrainingProgress {
                        phase: "measuring",
                        epoch: self.trainer.epochs,
                        epochs: self.trainer.epochs,
                        batch: status.done as usize,
                        batches: status.total as usize,
                        loss: nan,
                        accuracy: nan,
                        probe: None,
                    })
                })
            };
        let whole = self.test.as_ref().unwrap_or(&built_in);
        // ε = 0 by one cheap step: the clean accuracy on the whole test set.
        let clean = on(whole, usize::MAX, AttackConfig::new(attack::find("fgsm")?, 0.0))?;
        let mut plan = AttackConfig::new(attack::find("pgd")?, recipe.measured_at);
        plan.settings.set("steps", Value::Int(STEPS));
        let pgd = format!("pgd:steps={STEPS}");
        let mut asked = vec![(pgd, plan.clone(), ROBUST_N)];
        let mut named = |id: &str, n| -> Result<()> {
            asked.push((id.into(), AttackConfig::new(attack::find(id)?, recipe.measured_at), n));
            Ok(())
        };
        if recipe.method.adversary().is_some_and(|a| a.steps == 1) {
            // Beside what an attack of many steps finds: what one step would make believe.
            named("fgsm", ROBUST_N)?;
        }
        named("autoattack", AUTO_N)?;
        let (mut robust, mut commands) = (Vec::new(), Vec::new());
        for (attack, plan, n) in asked {
            let found = row(&on(&built_in, n, plan)?, recipe);
            commands.push(format!(
                "epsiloscope evaluate --model {} --attack {attack} --eps {} --n {}",
                card.name,
                experiment::short_distance_text(Norm::Linf, recipe.measured_at),
                found.n,
            ));
            robust.push(found);
        }
        if let Some(test) = &self.test {
            let found = on(test, ROBUST_N, plan)?;
            let text = format!(
                "PGD-{STEPS} at ε = {} on the first {} pictures of the whole test set: {:.1} % \
                 ({:.1} … {:.1} %), seed {}",
                experiment::short_distance_text(Norm::Linf, recipe.measured_at),
                found.n,
                found.robust_accuracy * 100.0,
                found.interval[0] * 100.0,
                found.interval[1] * 100.0,
                found.seed,
            );
            card.training.insert("whole_test_set".into(), text.into());
        }
        card.accuracy = Some(Accuracy { clean: clean.clean_accuracy, clean_n: clean.n, robust });
        card.training.insert("measured_by".into(), commands.into());
        card.training
            .insert("device".into(), format!("{} {}", self.info.kind, self.info.name).into());
        if self.trainer.recipe.models().len() > 1 {
            card.training.insert("member".into(), ["a", "b"][at.min(1)].into());
        }
        Ok(card)
    }
}

fn row(report: &EvaluationReport, recipe: &Recipe) -> RobustAccuracy {
    let attack = &report.attacks[0];
    RobustAccuracy {
        attack: attack.attack.into(),
        norm: attack.norm.id().into(),
        epsilon: recipe.measured_at,
        parameters: attack.parameters.to_string(),
        n: report.n,
        seed: report.seed,
        accuracy: report.robust_accuracy,
        interval: report.interval,
    }
}

/// How the model was trained, with everything needed to do it again.
fn record(trainer: &Trainer<'_>, weights: &[WeightTensor]) -> toml::Table {
    let r = trainer.recipe;
    let mut table = toml::Table::new();
    let mut put = |key: &str, value: toml::Value| {
        table.insert(key.into(), value);
    };
    put("recipe", r.id.into());
    put("seed", (trainer.seed as i64).into());
    put("epochs", (trainer.epochs as i64).into());
    put("batch", (r.batch as i64).into());
    put("optimiser", "Adam, triangular learning rate".into());
    put("learning_rate", r.rate.into());
    put("mirrored", r.flip.into());
    put("method", r.method.describe().into());
    put("weights", "rounded to f16 before they were measured".into());
    if r.shift > 0 {
        put("shifted_by", (r.shift as i64).into());
    }
    if let Some(adversary) = r.method.adversary() {
        put("adversary", adversary.describe().into());
    }
    if let Some(gamma) = r.perturbation {
        put("weight_perturbation", gamma.into());
    }
    if r.spectral {
        let (norms, bound) = spectral::lipschitz(&trainer.card.layers, weights);
        let norms = norms.into_iter().map(|(name, norm)| (name, f64::from(norm).into()));
        put("spectral_norms", toml::Value::Table(norms.collect()));
        put("lipschitz_bound", bound.into());
    }
    table
}
