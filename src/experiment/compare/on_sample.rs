//! One sample, cell by cell.

use crate::attack::{Flow, StopWhen};
use crate::data::Sample;
use crate::defence::Stance;
use crate::error::{Error, Result};
use crate::experiment::compare::{CompareEvent, Comparison, OnEvent, ShouldContinue, UNDEFENDED};
use crate::experiment::defended::{
    DefenceBaseline, DefendedAttack, bare_ms, defence_baseline, defend,
};
use crate::experiment::one_sample::{Experiment, attack_sample_from, predict_clean};
use crate::experiment::report::{DefenceRow, Report};
use std::sync::Arc;

/// Attacks one sample before every defence. All naive cells come first: the attack on the bare
/// network is made once for them; then those of attacks that know the defence, row by row.
///
/// # Errors
/// Cancelled, when `ask` says so; usage, where an attack does not fit; device failures.
pub fn compare_one(
    task: &Comparison,
    sample: &Sample,
    ask: ShouldContinue<'_>,
    tell: OnEvent<'_>,
) -> Result<()> {
    let experiments: Vec<Experiment> = task
        .plans
        .iter()
        .map(|plan| Experiment {
            model: task.model.clone(),
            surrogate: None,
            sample: sample.clone(),
            plan: plan.clone(),
            device: task.device.clone(),
        })
        .collect();
    let Some(first) = experiments.first() else { return Ok(()) };
    let clean = predict_clean(first)?;
    if task.done.known(UNDEFENDED).is_none() {
        let (prediction, ms) = (clean.prediction.clone(), bare_ms(&task.model, &clean.picture)?);
        let known = DefenceBaseline { clean: prediction, refused: false, ms, extra_ms: 0.0 };
        tell(CompareEvent::Clean(UNDEFENDED.into(), known));
    }
    let mut known = Vec::new();
    for pipeline in &task.pipelines {
        go_on(ask)?;
        let text = pipeline.stack.text();
        known.push(match task.done.known(&text) {
            Some(known) => known.clone(),
            None => {
                let known = defence_baseline(pipeline, &clean.picture)?;
                tell(CompareEvent::Clean(text, known.clone()));
                known
            }
        });
    }
    let open = |at: usize, plan, stance| {
        let text = task.pipelines[at].stack.text();
        task.done.cell(&text, plan, stance).is_none()
    };
    let mut reports: Vec<Option<Report>> = Vec::new();
    for experiment in &experiments {
        let plan = &experiment.plan;
        let wanted = |stance: &Stance| (0..known.len()).any(|at| open(at, plan, *stance));
        let told = task.done.cell(UNDEFENDED, plan, Stance::Naive).is_some();
        if told && !task.stances.iter().any(wanted) {
            reports.push(None);
            continue;
        }
        let report = attack_sample_from(experiment, clean.clone(), &mut StopWhen(&mut *ask))?;
        if !told {
            tell(CompareEvent::Cell(plan.clone(), Arc::new(bare(&report))));
        }
        let rows = (0..known.len()).filter(|at| task.naive() && open(*at, plan, Stance::Naive));
        for at in rows {
            go_on(ask)?;
            let against = against(task, at, Stance::Naive);
            let halt = &mut StopWhen(&mut *ask);
            let row = defend(experiment, &report, against, &known[at], halt)?;
            tell(CompareEvent::Cell(plan.clone(), Arc::new(row)));
        }
        reports.push(Some(report));
    }
    for (at, known) in known.iter().enumerate() {
        for stance in task.knowing() {
            for (experiment, report) in experiments.iter().zip(&reports) {
                let plan = &experiment.plan;
                let Some(report) = report.as_ref().filter(|_| open(at, plan, stance)) else {
                    continue;
                };
                go_on(ask)?;
                let (against, halt) = (against(task, at, stance), &mut StopWhen(&mut *ask));
                let row = defend(experiment, report, against, known, halt)?;
                tell(CompareEvent::Cell(plan.clone(), Arc::new(row)));
            }
        }
    }
    Ok(())
}

fn against(task: &Comparison, at: usize, stance: Stance) -> DefendedAttack<'_> {
    DefendedAttack { pipeline: &task.pipelines[at], surrogate: None, stance, draws: task.draws }
}

/// Whether to go on.
pub(super) fn go_on(ask: ShouldContinue<'_>) -> Result<()> {
    match ask() {
        Flow::Stop => Err(Error::cancelled()),
        Flow::Continue => Ok(()),
    }
}

/// The result of an attack on the undefended network, as a row among those of the defences.
fn bare(report: &Report) -> DefenceRow {
    DefenceRow {
        defence: UNDEFENDED.into(),
        name: "no defence".into(),
        stance: Stance::Naive,
        draws: None,
        clean: report.clean.clone(),
        adversarial: report.adversarial.clone(),
        outcome: report.outcome(),
        held: None,
        distance: report.distance,
        extra_ms: 0.0,
        cost: report.cost,
        checks: report.checks.clone(),
        picture: report.picture.clone(),
    }
}
