//! The report of an evaluation, made from its state.

use crate::attack::{AttackConfig, Bound, Note};
use crate::defence::Stance;
use crate::experiment::batching::CleanPredictions;
use crate::experiment::checks;
use crate::experiment::evaluation::Evaluation;
use crate::experiment::evaluation_report::{
    AttackRow, DefenceNote, EvaluationReport, SampleRow, StageRow,
};
use crate::experiment::evaluation_state::{AttackState, EvaluationState, SampleOutcome};
use crate::experiment::types::{AttackCost, Share, VERSION};
use crate::metrics::checks::DatasetEvidence;
use crate::metrics::{Rate, median};

/// Makes the report from what was done; `out` says which samples are left out, `clean` is what the
/// clean images cost, `extra_ms` what the defence adds to a prediction.
pub(super) fn summarise(
    task: &Evaluation,
    (labels, out): (&[usize], &[bool]),
    answers: &CleanPredictions,
    state: &EvaluationState,
    (clean, extra_ms): (AttackCost, Option<f64>),
) -> EvaluationReport {
    let counted = || (0..labels.len()).filter(|i| !out[*i]);
    let n = counted().count();
    let number = |i: &usize| task.first + i;
    let standing =
        |before: usize| answers.right.iter().filter(|i| !state.broken(before, number(i))).count();
    let mut cost = clean;
    let mut attacks = Vec::new();
    for (at, (plan, entry)) in task.plans.iter().zip(&state.entries).enumerate() {
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
        robust: answers.labels[i] == labels[i] && !state.broken(task.plans.len(), number(&i)),
        attacks: state.entries.iter().map(|e| e.fates.get(&number(&i)).cloned()).collect(),
    };
    let right = Rate { hits: answers.right.len(), n };
    let robust = Rate { hits: standing(task.plans.len()), n };
    let samples: Vec<SampleRow> = counted().map(row).collect();
    let scores = answers.scores.select(&counted().collect::<Vec<_>>());
    let seen = (samples.as_slice(), &scores);
    let checks = checks::dataset_evidence(task, (right, robust), seen, &state.entries);
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

/// The caveat of a naive evaluation.
const NAIVE: &str = "not robustness: the attack does not know the defence";

/// The limits of the robust accuracy in words: the fewer and the weaker the attacks, the less it
/// says.
fn caveat(checks: &DatasetEvidence) -> String {
    let bound = "an upper bound: a stronger attack may lower it";
    let all = crate::metrics::checks::check_dataset(checks);
    match all.iter().find(|verdict| verdict.check.id == "attacks" && verdict.status.warns()) {
        Some(weak) => format!("{bound}, and {}", weak.reason),
        None => bound.to_string(),
    }
}
