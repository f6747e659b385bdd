//! What an evaluation found: serialised as it stands for `--json`.

use crate::attack::{AttackConfig, Bound, Norm, Note, TargetChoice};
use crate::defence::Stance;
use crate::experiment::batching::CleanPredictions;
use crate::experiment::checks;
use crate::experiment::evaluate::Evaluation;
use crate::experiment::evaluation_state::{AttackState, EvaluationState, SampleOutcome};
use crate::experiment::report::{AttackCost, DeviceInfo, VERSION, class};
use crate::metrics::checks::DatasetEvidence;
use crate::metrics::{Rate, median};
use crate::parameter::Settings;
use serde::Serialize;

/// A share with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// 0..1; not a number (`null` in JSON) of none.
    pub value: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// How many.
    pub hits: usize,
    /// Of how many.
    pub n: usize,
}

impl From<Rate> for Share {
    fn from(rate: Rate) -> Self {
        let (value, interval) = (rate.value(), rate.interval());
        Self { value, interval, hits: rate.hits, n: rate.n }
    }
}

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
    /// Of a randomised defence: the mean share of right answers to the samples it was tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<f64>,
    /// Median number of queries of the samples it was tried on.
    pub median_queries: Option<f64>,
    /// Its stages, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageRow>,
    /// What else it tells.
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
    /// The answer without an attack; `null` where the network gives no number.
    #[serde(serialize_with = "class")]
    pub clean: usize,
    /// Whether that is right; if not, nothing was attacked.
    pub correct: bool,
    /// Whether it is answered rightly and no attack broke it.
    pub robust: bool,
    /// What came of each attack; none where it was not tried.
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
    /// Answers that the judge asked for a picture; a picture counts as robust where more than half
    /// of them are right.
    pub votes: u64,
    /// What the defence adds to one answer, in milliseconds (median of five).
    pub extra_ms: f64,
}

/// Robust accuracy and all it depends on.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationReport {
    /// [`VERSION`].
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
    /// Share answered rightly without an attack.
    pub clean_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub clean_interval: [f64; 2],
    /// Share answered rightly and broken by none of the attacks: an upper bound of the true
    /// robustness.
    pub robust_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// What the robust accuracy is not.
    pub caveat: String,
    /// The attacks, in the order in which they were tried.
    pub attacks: Vec<AttackRow>,
    /// The samples that count.
    pub samples: Vec<SampleRow>,
    /// What it cost.
    pub cost: AttackCost,
    /// What the evaluation lamps look at; in JSON, what they show.
    #[serde(rename = "lamps")]
    pub checks: DatasetEvidence,
}

/// Makes the report from what was done; `out` says which samples are left out, `clean` is what the
/// clean pictures cost, `extra_ms` what the defence adds to an answer.
pub(super) fn summarise(
    task: &Evaluation,
    (labels, out): (&[usize], &[bool]),
    answers: &CleanPredictions,
    ledger: &EvaluationState,
    (clean, extra_ms): (AttackCost, Option<f64>),
) -> EvaluationReport {
    let counted = || (0..labels.len()).filter(|i| !out[*i]);
    let n = counted().count();
    let number = |i: &usize| task.first + i;
    let standing =
        |before: usize| answers.right.iter().filter(|i| !ledger.broken(before, number(i))).count();
    let mut cost = clean;
    let mut attacks = Vec::new();
    for (at, (plan, entry)) in task.plans.iter().zip(&ledger.entries).enumerate() {
        let standing = (standing(at), standing(at + 1));
        attacks.push(attack_row(task, plan, entry, standing, (answers.right.len(), n)));
        cost.forward += entry.cost.forward;
        cost.backward += entry.cost.backward;
        cost.seconds += entry.cost.seconds;
    }
    let row = |i: usize| SampleRow {
        index: number(&i),
        label: labels[i],
        clean: answers.labels[i],
        correct: answers.labels[i] == labels[i],
        robust: answers.labels[i] == labels[i] && !ledger.broken(task.plans.len(), number(&i)),
        attacks: ledger.entries.iter().map(|e| e.fates.get(&number(&i)).cloned()).collect(),
    };
    let right = Rate { hits: answers.right.len(), n };
    let robust = Rate { hits: standing(task.plans.len()), n };
    let samples: Vec<SampleRow> = counted().map(row).collect();
    let scores = answers.scores.select(&counted().collect::<Vec<_>>());
    let seen = (samples.as_slice(), &scores);
    let checks = checks::dataset_evidence(task, (right, robust), seen, &ledger.entries);
    EvaluationReport {
        version: VERSION,
        model: task.model.card.name.clone(),
        defence: task.defence.as_ref().map(|d| DefenceNote {
            stack: d.pipeline.stack.text(),
            stance: d.stance,
            draws: d.pipeline.averages(d.stance).then_some(d.draws),
            votes: d.pipeline.votes(),
            extra_ms: extra_ms.unwrap_or(f64::NAN),
        }),
        dataset: task.dataset.id.clone(),
        first: task.first,
        n,
        left_out: labels.len() - n,
        seed: task.plans.first().map_or(0, |plan| plan.seed),
        device: task.device.clone(),
        every: task.every,
        clean_accuracy: right.value(),
        clean_interval: right.interval(),
        robust_accuracy: robust.value(),
        interval: robust.interval(),
        caveat: match &task.defence {
            Some(d) if d.stance == Stance::Naive => NAIVE.to_string(),
            _ => caveat(&checks),
        },
        attacks,
        samples,
        cost,
        checks,
    }
}

fn attack_row(
    task: &Evaluation,
    plan: &AttackConfig,
    entry: &AttackState,
    (before, after): (usize, usize),
    (right, n): (usize, usize),
) -> AttackRow {
    let fates = || entry.fates.values();
    let broken = fates().filter(|fate| fate.success).count();
    let share = |hits: usize| Share::from(Rate { hits, n });
    let distance = |fate: &SampleOutcome| match fate.reached {
        true => Some(f64::from(fate.distance)),
        false => (plan.attack.bound == Bound::MinimumNorm).then_some(f64::INFINITY),
    };
    let mut standing = before;
    let stage = |name: &String| {
        let fell = fates().filter(|f| f.success && f.stage.as_ref() == Some(name)).count();
        standing -= fell.min(standing);
        StageRow { stage: name.clone(), broken: fell, robust_after: share(standing) }
    };
    AttackRow {
        attack: plan.attack.id,
        extent: plan.attack.bound,
        norm: plan.norm,
        parameters: plan.resolved(),
        epsilon: plan.threshold(task.model.card.input.shape.iter().product()),
        target: plan.target,
        broken: Rate { hits: broken, n: entry.fates.len() }.into(),
        robust_alone: (entry.fates.len() == right).then(|| share(right - broken)),
        robust_after: share(after),
        median_distance: median(fates().filter_map(distance)),
        held: {
            let shares: Vec<f64> = fates().filter_map(|fate| fate.held.map(f64::from)).collect();
            (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
        },
        median_queries: median(fates().map(|fate| fate.queries as f64)),
        // With --every, a stage breaks samples that an attack before it had broken.
        stages: match task.every && before < right {
            true => Vec::new(),
            false => entry.stages.iter().map(stage).collect(),
        },
        notes: Note::texts(&entry.notes).into_iter().chain(entry.standstill()).collect(),
        cost: entry.cost,
    }
}

/// What a naive evaluation is worth.
const NAIVE: &str = "not robustness: the attack does not know the defence";

/// What the robust accuracy is not: the fewer and the weaker the attacks, the less it says.
fn caveat(checks: &DatasetEvidence) -> String {
    let bound = "an upper bound: a stronger attack may lower it";
    let all = crate::metrics::checks::check_dataset(checks);
    match all.iter().find(|verdict| verdict.check.id == "attacks" && verdict.status.warns()) {
        Some(weak) => format!("{bound}, and {}", weak.reason),
        None => bound.to_string(),
    }
}
