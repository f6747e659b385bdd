//! The report of an evaluation, serialised for `--json`.

use crate::attack::{Bound, Norm, TargetChoice};
use crate::defence::Stance;
use crate::experiment::evaluation_state::SampleOutcome;
use crate::experiment::types::{AttackCost, DeviceInfo, Share, class};
use crate::metrics::checks::DatasetEvidence;
use crate::parameter::Settings;
use serde::Serialize;

/// One stage of an attack of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageRow {
    /// Its name.
    pub stage: String,
    /// How many samples it broke.
    pub broken: usize,
    /// Robust accuracy after it and everything before it.
    pub robust_after: Share,
}

/// One attack of an evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct AttackRow {
    /// The attack's identifier.
    pub attack: &'static str,
    /// What bounds the perturbation.
    pub extent: Bound,
    /// The norm.
    pub norm: Norm,
    /// The attack's parameters, `auto` values resolved.
    pub parameters: Settings,
    /// The size allowed, in pixel units; none where ε decides nothing.
    pub epsilon: Option<f64>,
    /// What was aimed at.
    pub target: TargetChoice,
    /// Of the samples that it was tried on, the share that it broke.
    pub broken: Share,
    /// Robust accuracy against this attack alone; none where it was spared samples that an attack
    /// before it had broken.
    pub robust_alone: Option<Share>,
    /// Robust accuracy after it and all attacks before it.
    pub robust_after: Share,
    /// Median distance of the samples it was tried on (those it did not reach count as infinitely
    /// far) for an attack that searches for the least; else of those where it reached its goal.
    pub median_distance: Option<f64>,
    /// Of a randomised defence: the mean share of correct predictions for the samples it was tried
    /// on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<f64>,
    /// Median number of queries of the samples it was tried on.
    pub median_queries: Option<f64>,
    /// Its stages, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageRow>,
    /// Notes of the attack.
    pub notes: Vec<String>,
    /// What it cost.
    pub cost: AttackCost,
}

/// One sample of an evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct SampleRow {
    /// Its number in the data set.
    pub index: usize,
    /// Its true class.
    pub label: usize,
    /// The prediction without an attack; `null` where the network gives no number.
    #[serde(serialize_with = "class")]
    pub clean: usize,
    /// Whether that is right; if not, nothing was attacked.
    pub correct: bool,
    /// Whether it is classified correctly and no attack broke it.
    pub robust: bool,
    /// The result of each attack; none where it was not tried.
    pub attacks: Vec<Option<SampleOutcome>>,
}

/// The defence of an evaluated model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefenceNote {
    /// The stack, as the command line takes it.
    pub stack: String,
    /// How much of it the attacks knew.
    pub stance: Stance,
    /// Draws that EOT averaged over; none where it did not.
    pub draws: Option<u64>,
    /// Predictions that the judge drew for each image; it counts as robust where more than half
    /// of them are right.
    pub votes: u64,
    /// What the defence adds to one prediction, in milliseconds (median of five).
    pub extra_ms: f64,
}

/// Clean and robust accuracy over many samples, with everything they depend on.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationReport {
    /// [`VERSION`](crate::experiment::VERSION).
    pub version: u32,
    /// The model's name.
    pub model: String,
    /// What defends it, as the command line takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defence: Option<DefenceNote>,
    /// The data set.
    pub dataset: String,
    /// The number of the first sample.
    pub first: usize,
    /// Number of samples that count.
    pub n: usize,
    /// How many more were left out, since they are of the target class already.
    pub left_out: usize,
    /// The seed.
    pub seed: u64,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// Whether every attack was tried on every sample, broken before or not.
    pub every: bool,
    /// Share classified correctly without an attack.
    pub clean_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub clean_interval: [f64; 2],
    /// Share classified correctly and broken by none of the attacks: an upper bound of the true
    /// robustness.
    pub robust_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// The limits of the robust accuracy, in words.
    pub caveat: String,
    /// The attacks, in the order in which they were tried.
    pub attacks: Vec<AttackRow>,
    /// The samples that count.
    pub samples: Vec<SampleRow>,
    /// What it cost.
    pub cost: AttackCost,
    /// The evidence of the evaluation checks; in JSON, their results under `lamps`.
    #[serde(rename = "lamps")]
    pub checks: DatasetEvidence,
}
