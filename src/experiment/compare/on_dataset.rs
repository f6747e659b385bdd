//! Many samples, batch by batch: how often each defence holds.

use crate::attack::{AttackConfig, Goal, StopWhen, TargetModel, generate, judge};
use crate::data::{Dataset, Image};
use crate::defence::Stance;
use crate::error::Result;
use crate::experiment::batching::{CleanPredictions, LabelledImages, read, universal_images};
use crate::experiment::compare::on_sample::go_on;
use crate::experiment::compare::{CompareEvent, Comparison, OnEvent, ShouldContinue, UNDEFENDED};
use crate::experiment::defended::{bare_lap, lap};
use crate::experiment::evaluate::evaluate;
use crate::experiment::evaluation::{EvaluatedDefence, Evaluation};
use crate::model::all_finite;
use std::ops::Range;
use std::sync::Arc;

/// Samples that are enough to time a prediction.
const LAPS: usize = 20;

/// Samples attacked at a time.
const BATCH: usize = 20;

/// Attacks the first `n` samples before every defence, twenty at a time. All naive cells come
/// first: the attacks on the undefended network are made once for them. Then, batch by batch, those
/// of attacks that know the defence, which are [`evaluate`]'s. What is misclassified is not
/// attacked and counts as broken.
///
/// # Errors
/// Cancelled, when `ask` says so; usage, where an attack does not fit or where the data set's
/// classes are not the model's; device failures.
pub fn compare_many(
    task: &Comparison,
    dataset: &Arc<Dataset>,
    n: usize,
    ask: ShouldContinue<'_>,
    tell: OnEvent<'_>,
) -> Result<()> {
    let n = n.min(dataset.len());
    let batches = || (0..n).step_by(BATCH).map(|start| start..(start + BATCH).min(n));
    for range in batches() {
        SampleBatch { task, dataset, range }.naive(ask, tell)?;
    }
    for range in batches() {
        for at in 0..task.pipelines.len() {
            for stance in task.knowing() {
                SampleBatch { task, dataset, range: range.clone() }
                    .knowing(at, stance, ask, tell)?;
            }
        }
    }
    Ok(())
}

/// Some samples in a row.
struct SampleBatch<'a> {
    task: &'a Comparison,
    dataset: &'a Arc<Dataset>,
    range: Range<usize>,
}

impl SampleBatch<'_> {
    /// Of one prediction a sample, those to the samples that come after the first `known`.
    fn news(&self, known: usize, all: Vec<bool>) -> Vec<bool> {
        all.into_iter().skip(known.saturating_sub(self.range.start)).collect()
    }

    /// Whether something about these samples is not known yet.
    fn open(&self, known: usize) -> bool {
        known < self.range.end
    }

    /// The clean images, and what comes of attacks on the undefended network.
    fn naive(&self, ask: ShouldContinue<'_>, tell: OnEvent<'_>) -> Result<()> {
        let Comparison { model, pipelines, done, .. } = self.task;
        let names: Vec<String> = std::iter::once(UNDEFENDED.to_string())
            .chain(pipelines.iter().map(|pipeline| pipeline.stack.text()))
            .collect();
        // Where only adaptive stances are wanted, naive attacks on the defences are not needed.
        let tried = if self.task.naive() { names.len() } else { 1 };
        let open = |at: usize, plan| self.open(done.held(&names[at], plan, Stance::Naive).len());
        let plans: Vec<&AttackConfig> =
            self.task.plans.iter().filter(|plan| (0..tried).any(|at| open(at, plan))).collect();
        if plans.is_empty() && names.iter().all(|name| !self.open(done.right(name).len())) {
            return Ok(());
        }
        let (images, labels) = read(model, self.dataset, self.range.clone())?;
        let many =
            LabelledImages { model, images: &images, labels: &labels, first: self.range.start };
        let seen: Vec<_> =
            pipelines.iter().map(|p| p.attacker_view(Stance::Naive, self.task.draws)).collect();
        let mut victims = vec![TargetModel::new(&model.network)];
        victims.extend(seen.iter().map(|seen| TargetModel::new(seen)));
        let mut answers = Vec::new();
        for (at, (name, victim)) in names.iter().zip(&mut victims).enumerate() {
            let found = many.answers(victim, usize::MAX, ask)?;
            let known = done.right(name).len();
            if self.open(known) {
                let lost: Vec<usize> = self
                    .range
                    .clone()
                    .zip(found.scores.rows())
                    .filter(|(_, row)| !all_finite(row))
                    .map(|(sample, _)| sample)
                    .collect();
                if !lost.is_empty() {
                    tell(CompareEvent::Lost(name.clone(), lost));
                }
                let laps = self.laps(at, &many, done.laps(name).len())?;
                tell(CompareEvent::Right(
                    name.clone(),
                    self.news(known, right(&found, labels.len())),
                    laps,
                ));
            }
            answers.push(found);
        }
        for plan in plans {
            let wanted = |i: &usize| answers[..tried].iter().any(|found| found.right.contains(i));
            let goals = many.goals(plan, &answers[0], (0..labels.len()).filter(wanted))?;
            let crowd = universal_images(model, plan, self.dataset, self.range.clone());
            let problem = many.problem(plan, &goals, crowd)?;
            let (spec, settings) = (plan.attack, plan.resolved());
            let found =
                generate(spec, &settings, &mut victims[0], &problem, &mut StopWhen(&mut *ask))?;
            for at in (0..tried).filter(|at| open(*at, plan)) {
                go_on(ask)?;
                let verdict = judge(spec.bound, found.clone(), &mut victims[at], &problem)?;
                let held = held(&answers[at], labels.len(), &goals, &verdict.success);
                let known = done.held(&names[at], plan, Stance::Naive).len();
                let held = self.news(known, held);
                tell(CompareEvent::Held(names[at].clone(), plan.clone(), Stance::Naive, held));
            }
        }
        Ok(())
    }

    /// The times of single predictions of the defence in row `at`, where too few are known so far.
    fn laps(&self, at: usize, many: &LabelledImages<'_>, timed: usize) -> Result<Vec<f64>> {
        let shape = many.model.card.input.shape;
        let pictures = (0..many.labels.len()).map(|i| Image::new(shape, many.row(i)));
        let lap = |picture: Image| match at.checked_sub(1) {
            Some(at) => lap(&self.task.pipelines[at], &picture),
            None => bare_lap(many.model, &picture),
        };
        pictures.take(LAPS.saturating_sub(timed)).map(lap).collect()
    }

    /// What comes of attacks that know defence `at`.
    fn knowing(
        &self,
        at: usize,
        stance: Stance,
        ask: ShouldContinue<'_>,
        tell: OnEvent<'_>,
    ) -> Result<()> {
        let Comparison { model, pipelines, plans, draws, device, done, .. } = self.task;
        let pipeline = &pipelines[at];
        let name = pipeline.stack.text();
        for plan in plans {
            let known = done.held(&name, plan, stance).len();
            if !self.open(known) {
                continue;
            }
            let defence = EvaluatedDefence { pipeline: pipeline.clone(), stance, draws: *draws };
            let evaluation = Evaluation {
                model: model.clone(),
                dataset: self.dataset.clone(),
                first: self.range.start,
                n: self.range.len(),
                defence: Some(defence),
                plans: vec![plan.clone()],
                every: true,
                batch_size: self.range.len(),
                device: device.clone(),
                state: None,
            };
            let report = evaluate(&evaluation, &mut |_| ask())?;
            let held = report.samples.iter().map(|sample| sample.robust).collect();
            tell(CompareEvent::Held(name.clone(), plan.clone(), stance, self.news(known, held)));
        }
        Ok(())
    }
}

/// Which of `n` samples are classified correctly.
fn right(answers: &CleanPredictions, n: usize) -> Vec<bool> {
    (0..n).map(|i| answers.right.contains(&i)).collect()
}

/// Which of `n` samples are classified correctly, and are so still after an attack with these
/// goals.
fn held(
    answers: &CleanPredictions,
    n: usize,
    goals: &[(usize, Goal)],
    success: &[bool],
) -> Vec<bool> {
    let broken = |i: usize| goals.iter().zip(success).any(|((j, _), broken)| *j == i && *broken);
    (0..n).map(|i| answers.right.contains(&i) && !broken(i)).collect()
}
