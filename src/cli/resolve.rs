//! From flags to what the core works with: model, sample, attack.

use super::args::{AttackMethodArgs, AttackSettingsArgs, SampleArgs};
use super::load;
use super::output::note;
use crate::attack::{self, AttackConfig, Bound, Norm, TargetChoice};
use crate::config::Config;
use crate::data::{DATASETS, Dataset, DatasetSpec, Sample, check_writable, same_file};
use crate::defence::{DefenceStack, ModelProvider};
use crate::engine::ChosenDevice;
use crate::error::{Error, ErrorKind, Result};
use crate::experiment::{self, hints};
use crate::model::{self, Card, Model};
use burn_tensor::Device;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The name of the model: as given, else the configured one where it fits the image, else the
/// first built-in one that does.
pub fn model_name(given: Option<&str>, pick: &SampleArgs, config: &Config) -> String {
    if let Some(name) = given {
        return name.to_string();
    }
    let data = match (&pick.image, &pick.dataset) {
        (Some(_), _) => DatasetSpec::of_any_image().map_or("", |row| row.id),
        (None, Some(dataset)) => dataset,
        (None, None) => return config.model.clone(),
    };
    let fits = |card: &Card| card.data == data;
    if model::find_card(&config.model).is_ok_and(|(card, _)| fits(&card)) {
        return config.model.clone();
    }
    let first = model::catalogue().into_iter().find(fits);
    first.map_or_else(|| config.model.clone(), |card| card.name)
}

/// The name of a model, and the data set it is evaluated on: as given, else each other's.
///
/// # Errors
/// Usage, for names that there are not.
pub fn whole(
    model: Option<&str>,
    dataset: Option<&str>,
    config: &Config,
) -> Result<(String, Arc<Dataset>)> {
    let pick = SampleArgs { dataset: dataset.map(str::to_string), ..Default::default() };
    let name = model_name(model, &pick, config);
    let (card, _) = model::find_card(&name)?;
    let dataset = Dataset::load(dataset_id(dataset, &card)?)?;
    Ok((name, dataset))
}

/// The data set: as given, else the model's own.
pub fn dataset_id<'a>(given: Option<&'a str>, card: &'a Card) -> Result<&'a str> {
    match given {
        Some(id) => Ok(id),
        None if DATASETS.iter().any(|row| row.id == card.data) => Ok(&card.data),
        None if !card.data.is_empty() => {
            let (known, place) = (DATASETS.iter().map(|row| row.id), "'data' in the card of");
            let place = format!("{place} '{}'", card.name);
            let listing = "give --dataset; `epsiloscope samples`";
            let error = Error::unknown("data set", &card.data, &place, known, listing);
            Err(Error { kind: ErrorKind::File, ..error })
        }
        None => Err(Error::usage(
            format!("the card of '{}' names no data set", card.name),
            "--dataset",
            "give --dataset ID (`epsiloscope samples` lists them) or --image FILE",
        )),
    }
}

/// The image to attack; prints notes on what does not fit the model.
pub fn sample(pick: &SampleArgs, card: &Card) -> Result<Sample> {
    match &pick.image {
        Some(path) => Sample::from_file(path),
        None => {
            let dataset = Dataset::load(dataset_id(pick.dataset.as_deref(), card)?)?;
            doubt(hints::of_dataset(card, &dataset));
            dataset.get(pick.sample.unwrap_or(0))
        }
    }
}

/// Prints hints, one line each.
pub fn doubt(hints: impl IntoIterator<Item = String>) {
    hints.into_iter().for_each(|hint| note(&hint));
}

/// Checks a place that a result is to be saved to: it can be written to, and is none of the files
/// that are read, unless that is forced.
///
/// # Errors
/// Failure, for a pipe, a device or a folder; usage, for a file that is read.
pub fn target<'a>(
    path: &Path,
    read: impl IntoIterator<Item = &'a Path>,
    force: bool,
) -> Result<()> {
    check_writable(path)?;
    match !force && read.into_iter().any(|input| same_file(input, path)) {
        true => Err(Error::usage(
            format!("'{}' is read, and would be written over", path.display()),
            "--save",
            "choose another name, or give --force",
        )),
        false => Ok(()),
    }
}

/// The attack with its settings. `dataset` suggests ε where none is given.
pub fn plan(
    method: &AttackMethodArgs,
    dataset: &str,
    labels: &[String],
    seed: u64,
) -> Result<AttackConfig> {
    let (given, manner) = (method.attack.as_deref().unwrap_or("pgd"), &method.manner);
    let mut words = given.split(':');
    let attack = attack::find(words.next().unwrap_or_default())?;
    let mut plan = AttackConfig::new(attack, 0.0);
    plan.seed = seed;
    if let Some(text) = &manner.norm {
        plan.norm = Norm::parse(text)?;
    }
    plan.epsilon = match &manner.eps {
        Some(text) => epsilon(text)?,
        None => attack::default_epsilon(dataset, plan.norm),
    };
    for text in words.chain(manner.set.iter().map(String::as_str)) {
        plan.settings.assign(attack.params, attack.id, text)?;
    }
    if let Some(text) = &manner.target {
        plan.target = TargetChoice::parse(text, labels)?;
    }
    plan.check()?;
    Ok(plan)
}

/// As [`plan`], for one attack whose result is looked at: who gives no ε to an attack that searches
/// for the least perturbation wants to know how far it is, and none is too far.
pub fn command(
    method: &AttackMethodArgs,
    dataset: &str,
    model: &Model,
    seed: u64,
) -> Result<AttackConfig> {
    let plan = plan(method, dataset, &model.labels, seed)?;
    let searches = plan.attack.bound == Bound::MinimumNorm;
    Ok(match searches && method.manner.eps.is_none() {
        true => plan.boundless(model.card.input.shape.iter().product()),
        false => plan,
    })
}

/// Several attacks, made in the same manner; each may bring parameters of its own.
pub fn plans(
    attacks: &[String],
    manner: &AttackSettingsArgs,
    dataset: &str,
    model: &Model,
    seed: u64,
) -> Result<Vec<AttackConfig>> {
    if attacks.len() > 1 && !manner.set.is_empty() {
        return Err(Error::usage(
            format!("--set would fit only one of {} attacks", attacks.len()),
            "--set",
            "write the parameters behind the attack, such as pgd:steps=100",
        ));
    }
    let one = |attack: Option<String>| {
        let method = AttackMethodArgs { attack, manner: manner.clone() };
        plan(&method, dataset, &model.labels, seed)
    };
    match attacks {
        [] => Ok(vec![one(None)?]),
        some => some.iter().map(|attack| one(Some(attack.clone()))).collect(),
    }
}

/// The stacks that `--defence` names, `all` being every defence alone.
///
/// # Errors
/// As [`DefenceStack::parse_among`].
pub fn stacks(given: &[String], config: &Config) -> Result<Vec<DefenceStack>> {
    let mut stacks = Vec::new();
    for text in given {
        match text.as_str() {
            "all" => stacks.extend(DefenceStack::all()),
            _ => stacks.push(DefenceStack::parse_among(text, &config.hybrids)?),
        }
    }
    Ok(stacks)
}

/// Loads models onto the device in use, each once.
pub struct ModelLoader {
    device: Device,
    known: HashMap<String, Arc<Model>>,
}

impl ModelLoader {
    /// Loads onto this device.
    pub fn new(chosen: &ChosenDevice) -> Self {
        Self { device: chosen.device.clone(), known: HashMap::new() }
    }
}

impl ModelProvider for ModelLoader {
    fn model(&mut self, name: &str) -> Result<Arc<Model>> {
        if let Some(ready) = self.known.get(name) {
            return Ok(ready.clone());
        }
        let model = load(name, &self.device)?;
        self.known.insert(name.to_string(), model.clone());
        Ok(model)
    }
}

/// The model that an attack is crafted on; none where it is the target model itself.
pub fn surrogate(
    name: Option<&str>,
    victim: &Model,
    chosen: &ChosenDevice,
) -> Result<Option<Arc<Model>>> {
    let Some(name) = name else { return Ok(None) };
    let surrogate = load(name, &chosen.device)?;
    experiment::check_compatible(&surrogate, victim)?;
    Ok(Some(surrogate))
}

/// `--n`: as given, else so many that the interval is about ±7 points wide.
pub fn count(given: Option<usize>, first: usize, dataset: &Dataset) -> Result<usize> {
    const CUSTOMARY: usize = 200;
    let most = dataset.len().saturating_sub(first);
    if most == 0 {
        return Err(Error::usage(
            format!("'{}' has {} samples: none is number {first}", dataset.id, dataset.len()),
            "--from",
            format!("give 0..{}", dataset.len().saturating_sub(1)),
        ));
    }
    let n = given.unwrap_or(CUSTOMARY.min(most));
    match (1..=most).contains(&n) {
        true => Ok(n),
        false => Err(Error::usage(
            format!("'{}' has {most} samples from number {first} on, not {n}", dataset.id),
            "--n",
            format!("give 1..{most}"),
        )),
    }
}

/// Attack, norm, ε, parameters and seed in one line; ε only where it decides something.
pub fn describe(plan: &AttackConfig, values: usize) -> String {
    let epsilon = plan.threshold(values).map(|e| experiment::distance_text(plan.norm, e));
    let epsilon = epsilon.map_or(String::new(), |e| format!("  ε = {e}"));
    let norm = match plan.attack.bound {
        Bound::Own => String::new(),
        _ => format!(" {}", plan.norm),
    };
    let parameters = match plan.resolved().to_string() {
        none if none.is_empty() => none,
        some => format!("  {some}"),
    };
    format!("{}{norm}{epsilon}{parameters}  seed {}", plan.attack.id, plan.seed)
}

/// `--eps`.
pub fn epsilon(text: &str) -> Result<f64> {
    attack::parse_epsilon(text).ok_or_else(|| {
        Error::usage(
            format!("'{text}' is not a size of a perturbation"),
            "--eps",
            "give a number in pixel units of 0..1, such as 0.1 or 8/255",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::Value;

    #[test]
    fn epsilon_is_a_decimal_or_a_fraction() {
        assert_eq!(epsilon("0.25"), Ok(0.25));
        assert_eq!(epsilon("8/255"), Ok(8.0 / 255.0));
        assert_eq!(epsilon(" 8 / 255 "), Ok(8.0 / 255.0));
        for bad in ["", "x", "nan", "inf", "1/0", "0/0", "8/", "/255", "1/2/3", "0,3"] {
            assert!(epsilon(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_plan_is_checked_against_the_attack() {
        let labels = ["0".to_string(), "1".to_string()];
        let with = |change: fn(&mut AttackMethodArgs)| {
            let mut method = AttackMethodArgs::default();
            change(&mut method);
            plan(&method, "mnist", &labels, 3)
        };
        let ready = with(|m| m.manner.set = vec!["steps=7".into()]).unwrap();
        assert_eq!(
            (ready.attack.id, ready.seed, ready.settings.get("steps")),
            ("pgd", 3, Value::Int(7))
        );
        assert!(ready.epsilon > 0.0);
        for (bad, word) in [
            (with(|m| m.attack = Some("pdg".into())), "'pgd'"),
            (with(|m| m.manner.norm = Some("l0".into())), "linf"),
            (with(|m| m.manner.norm = Some("l7".into())), "l7"),
            (with(|m| m.manner.set = vec!["steps=0".into()]), "steps"),
            (with(|m| m.manner.target = Some("9".into())), "--target"),
        ] {
            let message = bad.unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
