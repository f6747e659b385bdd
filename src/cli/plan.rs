//! From flags to what the core works with: model, sample, attack.

use super::args::{Method, Pick};
use crate::attack::{self, Aim, Extent, Norm, Plan};
use crate::config::Config;
use crate::data::{Dataset, Sample};
use crate::error::{Error, Result};
use crate::experiment;
use crate::model::{self, Card, Model};

/// The name of the model: as given, else the configured one where it fits the picture, else the
/// first built-in one that does.
pub fn model_name(given: Option<&str>, pick: &Pick, config: &Config) -> String {
    if let Some(name) = given {
        return name.to_string();
    }
    let data = match (&pick.image, &pick.dataset) {
        (Some(_), _) => "photos",
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

/// The data set: as given, else the model's own.
pub fn dataset_id<'a>(given: Option<&'a str>, card: &'a Card) -> Result<&'a str> {
    match given {
        Some(id) => Ok(id),
        None if !card.data.is_empty() => Ok(&card.data),
        None => Err(Error::usage(
            format!("the card of '{}' names no data set", card.name),
            "--dataset",
            "give --dataset ID (`epsiloscope samples` lists them) or --image FILE",
        )),
    }
}

/// The picture to attack.
pub fn sample(pick: &Pick, card: &Card) -> Result<Sample> {
    match &pick.image {
        Some(path) => Sample::from_file(path),
        None => {
            let id = dataset_id(pick.dataset.as_deref(), card)?;
            Dataset::load(id)?.get(pick.sample.unwrap_or(0))
        }
    }
}

/// The attack with its settings. `dataset` suggests ε where none is given.
pub fn plan(method: &Method, dataset: &str, labels: &[String], seed: u64) -> Result<Plan> {
    let attack = attack::find(method.attack.as_deref().unwrap_or("pgd"))?;
    let mut plan = Plan::new(attack, 0.0);
    plan.seed = seed;
    if let Some(text) = &method.norm {
        plan.norm = Norm::parse(text)?;
    }
    plan.epsilon = match &method.eps {
        Some(text) => epsilon(text)?,
        None => attack::suggested(dataset, plan.norm),
    };
    for text in &method.set {
        plan.settings.assign(attack.params, attack.id, text)?;
    }
    if let Some(text) = &method.target {
        plan.aim = Aim::parse(text, labels)?;
    }
    plan.check()?;
    Ok(plan)
}

/// As [`plan`], for a command: who gives no ε to an attack that searches for the least perturbation
/// wants to know how far it is, and none is too far.
pub fn command(method: &Method, dataset: &str, model: &Model, seed: u64) -> Result<Plan> {
    let plan = plan(method, dataset, &model.labels, seed)?;
    let searches = plan.attack.extent == Extent::Least;
    Ok(match searches && method.eps.is_none() {
        true => plan.boundless(model.card.input.shape.iter().product()),
        false => plan,
    })
}

/// Attack, norm, ε, parameters and seed in one line; ε only where it decides something.
pub fn describe(plan: &Plan, values: usize) -> String {
    let epsilon = plan.threshold(values).map(|e| experiment::size_text(plan.norm, e));
    let epsilon = epsilon.map_or(String::new(), |e| format!("  ε = {e}"));
    let norm = match plan.attack.extent {
        Extent::Own => String::new(),
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
        let with = |change: fn(&mut Method)| {
            let mut method = Method::default();
            change(&mut method);
            plan(&method, "mnist", &labels, 3)
        };
        let ready = with(|m| m.set = vec!["steps=7".into()]).unwrap();
        assert_eq!((ready.attack.id, ready.seed, ready.settings.int("steps", 0)), ("pgd", 3, 7));
        assert!(ready.epsilon > 0.0);
        for (bad, word) in [
            (with(|m| m.attack = Some("pdg".into())), "'pgd'"),
            (with(|m| m.norm = Some("l0".into())), "linf"),
            (with(|m| m.norm = Some("l7".into())), "l7"),
            (with(|m| m.set = vec!["steps=0".into()]), "steps"),
            (with(|m| m.target = Some("9".into())), "--target"),
        ] {
            let message = bad.unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
