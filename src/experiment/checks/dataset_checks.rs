//! Checks of a whole evaluation: its evidence, and the probes of single images on some of its
//! samples.

use crate::attack::{AttackConfig, Flow, Knowledge, Logits, StopWhen};
use crate::error::{Error, Result};
use crate::experiment::checks::{FinishedAttack, run_probes};
use crate::experiment::defended::{DefendedAttack, defence_baseline, defend};
use crate::experiment::evaluation::Evaluation;
use crate::experiment::evaluation_report::{EvaluationReport, SampleRow};
use crate::experiment::evaluation_state::{AttackState, SampleOutcome};
use crate::experiment::one_sample::{Experiment, attack_sample};
use crate::metrics::Rate;
use crate::metrics::checks::{
    AttackedDefence, CheckResult, DatasetAttack, DatasetEvidence, Evidence, logit_gap, run_checks,
};

/// The evidence that an evaluation holds for the checks.
pub(in crate::experiment) fn dataset_evidence(
    task: &Evaluation,
    (clean, robust): (Rate, Rate),
    (samples, scores): (&[SampleRow], &Logits),
    entries: &[AttackState],
) -> DatasetEvidence {
    let values = task.model.card.input.shape.iter().product();
    let trial = |(at, (plan, entry)): (usize, (&AttackConfig, &AttackState))| {
        let fate = |row: &SampleRow| {
            let fate = row.attacks.get(at)?.as_ref()?;
            Some((fate.success, fate.stage.clone()))
        };
        let of = |row: &SampleRow, is: fn(&SampleOutcome) -> bool| {
            row.attacks.get(at).and_then(Option::as_ref).is_some_and(is)
        };
        DatasetAttack {
            plan: plan.clone(),
            epsilon: plan.threshold(values),
            staged: !entry.stages.is_empty(),
            broke: samples.iter().map(fate).collect(),
            stood: samples.iter().map(|row| of(row, |fate| fate.stood)).collect(),
            faint: samples.iter().map(|row| of(row, |fate| fate.faint)).collect(),
        }
    };
    // Shares of votes are no logits: how far they are apart says nothing of the softmax.
    let shares = task.defence.as_ref().is_some_and(|d| d.pipeline.answers_in_shares());
    let told = |gap: f32| if shares && !gap.is_nan() { f32::INFINITY } else { gap };
    DatasetEvidence {
        samples: samples.iter().map(|row| row.index).collect(),
        classes: task.model.card.num_classes,
        gaps: scores.rows().map(logit_gap).map(told).collect(),
        non_finite: entries.iter().map(|entry| entry.non_finite).sum(),
        clean,
        robust,
        defence: task.defence.as_ref().map(|d| AttackedDefence {
            stance: d.stance,
            broken: d.pipeline.is_broken(),
            random: d.pipeline.is_random(),
            draws: d.pipeline.averages(d.stance).then_some(d.draws),
            held: None,
            refused: false,
        }),
        trials: task.plans.iter().zip(entries).enumerate().map(trial).collect(),
        looked: Vec::new(),
    }
}

/// Looks at the first `most` robust samples one by one: attacks each once more by the first attack
/// that uses gradients (else the first), and asks every probe about it. `watch` is told how many
/// samples are done.
///
/// # Errors
/// Cancelled, when `watch` says so; device failures; those of a defence's stages.
pub fn probe_robust_samples(
    task: &Evaluation,
    report: &mut EvaluationReport,
    most: usize,
    watch: &mut dyn FnMut(usize) -> Flow,
) -> Result<()> {
    let gradient = |plan: &&AttackConfig| plan.attack.knowledge() == Knowledge::Gradient;
    let Some(plan) = task.plans.iter().find(gradient).or(task.plans.first()) else {
        return Ok(());
    };
    let robust = report.samples.iter().filter(|row| row.robust).map(|row| row.index);
    for (done, index) in robust.take(most).collect::<Vec<_>>().into_iter().enumerate() {
        let looked = one(task, plan, index, &mut || watch(done))?;
        report.checks.looked.push((index, looked));
        if watch(done + 1) == Flow::Stop {
            return Err(Error::cancelled());
        }
    }
    Ok(())
}

/// The results of all checks of single images on this sample, with every probe run.
fn one(
    task: &Evaluation,
    plan: &AttackConfig,
    index: usize,
    go_on: &mut dyn FnMut() -> Flow,
) -> Result<Vec<CheckResult>> {
    let experiment = Experiment {
        model: task.model.clone(),
        surrogate: None,
        sample: task.dataset.sample(index),
        plan: plan.clone(),
        device: task.device.clone(),
    };
    let mut halt = StopWhen(go_on);
    let report = attack_sample(&experiment, &mut halt)?;
    let bare = FinishedAttack { experiment: &experiment, report: &report, row: None };
    let mut evidence = report.checks.clone();
    let mut told = |found: &_| evidence = Evidence::clone(found);
    match &task.defence {
        None => run_probes(&bare, &[], &mut halt, &mut told)?,
        Some(d) => {
            let known = defence_baseline(&d.pipeline, &report.original)?;
            let (stance, draws) = (d.stance, d.draws);
            let against = DefendedAttack { pipeline: &d.pipeline, surrogate: None, stance, draws };
            let row = defend(&experiment, &report, against, &known, &mut halt)?;
            told(&row.checks);
            run_probes(
                &FinishedAttack { row: Some((against, &row)), ..bare },
                &[],
                &mut halt,
                &mut told,
            )?;
        }
    }
    Ok(run_checks(&evidence))
}
