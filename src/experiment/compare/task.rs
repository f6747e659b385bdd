//! What is compared, and the attacks that are compared by default.

use crate::attack::{self, AttackConfig, AttackSpec, Flow, Norm, default_epsilon};
use crate::data::{Dataset, Sample};
use crate::defence::{Pipeline, Stance};
use crate::error::{Error, Result};
use crate::experiment::compare::findings::{CompareEvent, CompareFindings};
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::types::DeviceInfo;
use crate::model::Model;
use std::sync::Arc;

/// Called between pieces of work; may stop them.
pub type ShouldContinue<'a> = &'a mut dyn FnMut() -> Flow;

/// Called with each finding as soon as it is known.
pub type OnEvent<'a> = &'a mut dyn FnMut(CompareEvent);

/// A comparison to run: defences × attacks on one model.
pub struct Comparison {
    /// The undefended network.
    pub model: Arc<Model>,
    /// The defences round it.
    pub pipelines: Vec<Arc<Pipeline>>,
    /// The attacks.
    pub plans: Vec<AttackConfig>,
    /// How much the attacks know of the defences: naive, adaptive, or both.
    pub stances: Vec<Stance>,
    /// Draws that EOT averages over.
    pub draws: u64,
    /// Which device does the work, for the reports.
    pub device: DeviceInfo,
    /// What is known already, and left as it is.
    pub done: CompareFindings,
}

impl Comparison {
    /// What it is made of, on this sample and on samples of this data set.
    ///
    /// # Errors
    /// Failure, when the sample's data set cannot be read.
    pub fn sources(&self, sample: Option<&Sample>, dataset: Option<&Dataset>) -> Result<Sources> {
        let mut origin = Sources::default();
        origin.model(&self.model);
        self.pipelines.iter().for_each(|pipeline| origin.pipeline(pipeline));
        if let Some(sample) = sample {
            origin.data(DataIdentity::of_sample(sample)?);
        }
        if let Some(dataset) = dataset {
            origin.data(DataIdentity::of(dataset));
        }
        Ok(origin)
    }

    /// The stances beside the naive one.
    pub(super) fn knowing(&self) -> impl Iterator<Item = Stance> + '_ {
        self.stances.iter().copied().filter(|stance| *stance != Stance::Naive)
    }

    pub(super) fn naive(&self) -> bool {
        self.stances.contains(&Stance::Naive)
    }
}

/// The attacks to begin with: what was trained against the first two norms' worth of them shows
/// how little that says of the others.
const CUSTOMARY: [&str; 6] = [
    "fgsm:linf",
    "pgd:linf",
    "pgd:l2",
    "apgd-ce:l1:steps=40",
    "rotate-translate:search=random",
    "square:linf:queries=200",
];

/// The attacks to begin with, for images of this data set.
pub fn default_attacks(dataset: &str, seed: u64) -> Vec<AttackConfig> {
    CUSTOMARY.iter().filter_map(|text| parse_attack(text, dataset, seed).ok()).collect()
}

/// An attack in a norm at the ε that is usual for a data set.
pub fn default_attack(
    attack: &'static AttackSpec,
    norm: Norm,
    dataset: &str,
    seed: u64,
) -> AttackConfig {
    AttackConfig { norm, seed, ..AttackConfig::new(attack, default_epsilon(dataset, norm)) }
}

/// Reads `id`, `id:NORM`, `id:NAME=VALUE`, such as `pgd:l2:steps=100`; ε is the usual one.
///
/// # Errors
/// Usage, with the nearest known name or what is allowed.
pub fn parse_attack(text: &str, dataset: &str, seed: u64) -> Result<AttackConfig> {
    let mut words = text.trim().split(':');
    let attack = attack::find(words.next().unwrap_or_default())?;
    let mut plan = default_attack(attack, attack.norms[0], dataset, seed);
    for word in words {
        match word.contains('=') {
            true => plan.settings.assign(attack.params, attack.id, word)?,
            false => {
                let norm = Norm::parse(word).map_err(|e| Error { place: text.into(), ..e })?;
                (plan.norm, plan.epsilon) = (norm, default_epsilon(dataset, norm));
            }
        }
    }
    plan.check()?;
    Ok(plan)
}
