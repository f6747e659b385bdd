//! Defences against an attack on one sample: attacked without knowing of them, and through them.

use crate::attack::{Observer, Victim};
use crate::data::Picture;
use crate::defence::{Build, DefencePlan, Transform, apply};
use crate::error::Result;
use crate::experiment::report::{Cost, DefenceRow, Prediction, Report};
use crate::experiment::single::{Experiment, answer, assault, cost, picture, problem, tensor};
use crate::model::Model;
use burn::tensor::Tensor;
use std::time::Instant;

/// A defended model: stages before a network.
struct Defended<'a> {
    model: &'a Model,
    transform: Option<Box<dyn Transform>>,
}

impl<'a> Defended<'a> {
    /// None where the defence does not apply to this model (it has no twin).
    fn new(experiment: &'a Experiment, plan: &DefencePlan) -> Option<Self> {
        let model = match plan.defence.build {
            Build::Input(_) => Some(&experiment.model),
            Build::Twin => experiment.twin.as_ref(),
        };
        model.map(|model| Self::before(model, plan))
    }

    /// The defence's stages before a network; a twin has none.
    fn before(model: &'a Model, plan: &DefencePlan) -> Self {
        match plan.defence.build {
            Build::Input(build) => Self { model, transform: Some(build(&plan.settings)) },
            Build::Twin => Self { model, transform: None },
        }
    }

    fn with<T>(&self, then: impl FnOnce(&mut Victim<'_>) -> Result<T>) -> Result<T> {
        match &self.transform {
            None => then(&mut Victim::new(&self.model.network)),
            Some(transform) => {
                let stage = |images: &Tensor<4>| apply(transform.as_ref(), images);
                then(&mut Victim::behind(&self.model.network, &stage))
            }
        }
    }

    fn answer(&self, picture: &Picture) -> Result<Prediction> {
        let images = tensor(self.model, picture);
        self.with(|victim| Ok(answer(self.model, victim, &images)?.0))
    }

    /// What it takes longer than the bare network for one picture: median of five, in ms.
    fn extra_ms(&self, bare: &Model, picture: &Picture) -> Result<f64> {
        let times = |defended: bool| -> Result<f64> {
            let mut laps = Vec::new();
            for _ in 0..5 {
                let begin = Instant::now();
                match defended {
                    true => self.answer(picture)?,
                    false => {
                        let mut victim = Victim::new(&bare.network);
                        answer(bare, &mut victim, &tensor(bare, picture))?.0
                    }
                };
                laps.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            laps.sort_by(f64::total_cmp);
            Ok(laps[2])
        };
        Ok(times(true)? - times(false)?)
    }

    /// The row for `picture`, which cost that much to find. `known` is what was measured before of
    /// the defence alone: its answer to the clean picture and what it takes longer.
    fn row(
        &self,
        plan: &DefencePlan,
        report: &Report,
        stance: &'static str,
        (picture, cost): (Picture, Cost),
        (clean, extra_ms): (Prediction, f64),
    ) -> Result<DefenceRow> {
        let adversarial = self.answer(&picture)?;
        let distance = report.norm.distance(report.original.pixels(), picture.pixels());
        let outcome = report.outcome(clean.label, adversarial.label, distance);
        Ok(DefenceRow {
            defence: plan.defence.id,
            name: plan.to_string(),
            parameters: plan.settings.clone(),
            stance,
            clean,
            adversarial,
            outcome,
            distance,
            extra_ms,
            cost,
            picture,
        })
    }
}

/// The defence's answer to a picture that was attacked without knowing of it. None where the
/// defence does not apply to this model.
///
/// # Errors
/// Device failures.
pub fn defend_naive(
    experiment: &Experiment,
    report: &Report,
    plan: &DefencePlan,
) -> Result<Option<DefenceRow>> {
    let Some(defended) = Defended::new(experiment, plan) else { return Ok(None) };
    let clean = defended.answer(&report.original)?;
    let extra_ms = defended.extra_ms(&experiment.model, &report.original)?;
    let attacked = (report.picture.clone(), Cost::default());
    defended.row(plan, report, "naive", attacked, (clean, extra_ms)).map(Some)
}

/// The defence's answer to an attack that knows it: the same attack, run through the defence (the
/// gradient passes straight through stages that have none). `naive` is the same defence's row from
/// [`defend_naive`]. None where the defence does not apply.
///
/// # Errors
/// Cancelled, when the observer stops it; device failures.
pub fn defend_adaptive(
    experiment: &Experiment,
    report: &Report,
    plan: &DefencePlan,
    naive: &DefenceRow,
    observer: &mut dyn Observer,
) -> Result<Option<DefenceRow>> {
    let Some(defended) = Defended::new(experiment, plan) else { return Ok(None) };
    let known = (naive.clean.clone(), naive.extra_ms);
    if naive.clean.label != report.label {
        let nothing = (report.original.clone(), Cost::default());
        return defended.row(plan, report, "adaptive", nothing, known).map(Some);
    }
    let images = tensor(defended.model, &report.original);
    let problem = problem(experiment, images, report.goal())?;
    let begin = Instant::now();
    let mut attack = |victim: &mut Victim<'_>, surrogate: Option<&mut Victim<'_>>| {
        let mut surrogate = surrogate;
        let verdict =
            assault(&experiment.plan, victim, surrogate.as_deref_mut(), &problem, observer)?;
        Ok((verdict, cost([&*victim].into_iter().chain(surrogate.as_deref()), begin)))
    };
    let (verdict, cost) = defended.with(|victim| match &experiment.surrogate {
        None => attack(victim, None),
        // Who knows the defence puts it before the surrogate, too.
        Some(model) => {
            Defended::before(model, plan).with(|surrogate| attack(victim, Some(surrogate)))
        }
    })?;
    let found = picture(verdict.images, report.original.shape())?;
    defended.row(plan, report, "adaptive", (found, cost), known).map(Some)
}
