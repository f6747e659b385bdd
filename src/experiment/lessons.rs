//! Lessons: published defences evaluated side by side as they were published and as they were
//! broken, on the same network and the same images.

use crate::attack::{self, AttackConfig, Bound, Flow, Norm, TargetChoice};
use crate::data::Dataset;
use crate::defence::{DefenceStack, EOT_DRAWS, ModelProvider, Pipeline, Stance};
use crate::error::Result;
use crate::experiment::distance::short_distance_text;
use crate::experiment::evaluate::evaluate;
use crate::experiment::evaluation::{EvaluatedDefence, Evaluation, EvaluationStatus};
use crate::experiment::evaluation_report::EvaluationReport;
use crate::experiment::provenance::Sources;
use crate::experiment::types::{DeviceInfo, Share, VERSION};
use crate::metrics::{McNemar, Rate, RateContrast};
use serde::Serialize;
use std::sync::Arc;

/// One side of a lesson: a model, a defence, an attack.
#[derive(Clone, Copy, Debug)]
pub struct LessonSide {
    /// What it shows, in a few words.
    pub label: &'static str,
    /// The undefended model.
    pub model: &'static str,
    /// The defence round it; none where it is empty.
    pub defence: &'static str,
    /// How much of it the attack knows.
    pub stance: Stance,
    /// The attack, with its parameters: `pgd:steps=20`.
    pub attack: &'static str,
    /// The norm.
    pub norm: Norm,
    /// ε in pixel units.
    pub epsilon: f64,
    /// What is aimed at.
    pub aim: TargetChoice,
}

/// The difference between the sides that a lesson claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LessonClaim {
    /// The last side's robust accuracy lies significantly below the first's.
    Falls,
    /// The last side's robust accuracy lies significantly above that of every other side.
    Gains,
}

/// A lesson: a row of the registry.
#[derive(Debug)]
pub struct LessonSpec {
    /// The name used on the command line.
    pub id: &'static str,
    /// What it teaches, as a sentence.
    pub title: &'static str,
    /// What to see in it, and the reason.
    pub about: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// The sides to compare.
    pub sides: &'static [LessonSide],
    /// What the numbers have to show.
    pub claim: LessonClaim,
}

impl PartialEq for LessonSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Default number of images a lesson is measured on.
pub const LESSON_N: usize = 50;

/// One side of a lesson with its numbers.
#[derive(Clone, Debug, Serialize)]
pub struct LessonSideReport {
    /// What it shows, in a few words.
    pub label: &'static str,
    /// The defence as it was built; none for the undefended network.
    pub defence: Option<String>,
    /// How much of it the attack knew.
    pub stance: Stance,
    /// Clean accuracy.
    pub clean: Share,
    /// Robust accuracy.
    pub robust: Share,
    /// The whole evaluation.
    pub evaluation: EvaluationReport,
}

/// Two sides of a lesson of which the first has to have the larger robust accuracy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LessonContrast {
    /// The side that has to be more robust.
    pub more: &'static str,
    /// The side that has to be less robust.
    pub less: &'static str,
    /// The two compared, sample by sample where the samples are the same.
    #[serde(flatten)]
    pub contrast: RateContrast,
}

/// The result of a lesson: both sides' numbers, and whether they show its claim.
#[derive(Clone, Debug, Serialize)]
pub struct LessonReport {
    /// [`VERSION`].
    pub version: u32,
    /// The lesson's identifier.
    pub lesson: &'static str,
    /// What it teaches.
    pub title: &'static str,
    /// What the numbers have to show.
    pub claim: LessonClaim,
    /// Whether they do, on these samples: each of the contrasts is significant.
    pub shown: bool,
    /// What has to differ.
    pub contrasts: Vec<LessonContrast>,
    /// Number of samples.
    pub n: usize,
    /// The seed.
    pub seed: u64,
    /// The sides.
    pub sides: Vec<LessonSideReport>,
    /// The networks and data it was computed from.
    #[serde(skip)]
    pub origin: Sources,
}

/// A lesson to run.
pub struct LessonTask<'a> {
    /// Which lesson.
    pub lesson: &'static LessonSpec,
    /// On the first so many samples.
    pub n: usize,
    /// The seed of all randomness.
    pub seed: u64,
    /// Where models come from.
    pub models: &'a mut dyn ModelProvider,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
}

/// Called with the number of the side at work and its progress; may stop it.
pub type OnLessonStatus<'a> = &'a mut dyn FnMut(usize, &EvaluationStatus) -> Flow;

impl LessonSide {
    /// The attack as a plan.
    ///
    /// # Errors
    /// Usage, for a row that names no attack or parameter.
    pub fn plan(&self, seed: u64) -> Result<AttackConfig> {
        let plan = AttackConfig::parse(self.attack, self.epsilon)?;
        Ok(AttackConfig { norm: self.norm, seed, target: self.aim, ..plan })
    }

    /// The attack and, where it has any, its ε: `pgd L∞ 0.3`.
    pub fn attack_text(&self) -> String {
        let id = self.attack.split(':').next().unwrap_or_default();
        match attack::find(id).map(|spec| spec.bound) {
            Ok(Bound::Own) => self.attack.to_string(),
            _ => format!(
                "{} {} {}",
                self.attack,
                self.norm,
                short_distance_text(self.norm, self.epsilon)
            ),
        }
    }

    /// The defence; none for the undefended network.
    ///
    /// # Errors
    /// Usage, for a row that names none that there is.
    pub fn stack(&self) -> Result<Option<DefenceStack>> {
        (!self.defence.is_empty()).then(|| DefenceStack::parse(self.defence)).transpose()
    }
}

/// Runs a lesson, side after side; `done` is called with each finished one.
///
/// # Errors
/// Usage, where a model is missing; cancelled; device failures.
pub fn run_lesson(
    task: LessonTask<'_>,
    watch: OnLessonStatus<'_>,
    done: &mut dyn FnMut(usize, &LessonSideReport),
) -> Result<LessonReport> {
    let LessonTask { lesson, n, seed, models, device } = task;
    let (mut sides, mut origin) = (Vec::new(), Sources::default());
    for (at, side) in lesson.sides.iter().enumerate() {
        let model = models.model(side.model)?;
        let defence = match side.stack()? {
            Some(stack) => {
                let pipeline = Pipeline::build(&stack, model.clone(), seed, models)?;
                let (pipeline, stance) = (Arc::new(pipeline), side.stance);
                Some(EvaluatedDefence { pipeline, stance, draws: EOT_DRAWS })
            }
            None => None,
        };
        let dataset = Dataset::load(&model.card.data)?;
        let plan = side.plan(seed)?;
        let task = Evaluation::new(model, dataset, n, plan, device.clone());
        let task = Evaluation { defence, ..task };
        origin.join(task.sources());
        let evaluation = evaluate(&task, &mut |status| watch(at, status))?;
        let report = LessonSideReport::new(side, evaluation);
        done(at, &report);
        sides.push(report);
    }
    let shown = is_shown(lesson.claim, &sides);
    Ok(LessonReport {
        version: VERSION,
        lesson: lesson.id,
        title: lesson.title,
        claim: lesson.claim,
        shown,
        contrasts: contrasts(lesson.claim, &sides),
        n: sides.first().map_or(0, |side| side.robust.n),
        seed,
        sides,
        origin,
    })
}

impl LessonSideReport {
    fn new(side: &LessonSide, evaluation: EvaluationReport) -> Self {
        let n = evaluation.n;
        let count = |of: &dyn Fn(&crate::experiment::SampleRow) -> bool| -> Share {
            Rate { hits: evaluation.samples.iter().filter(|row| of(row)).count(), n }.into()
        };
        Self {
            label: side.label,
            defence: evaluation.defence.as_ref().map(|note| note.stack.clone()),
            stance: side.stance,
            clean: count(&|row| row.correct),
            robust: count(&|row| row.robust),
            evaluation,
        }
    }
}

/// Whether the sides show what they have to: every contrast is significant.
pub fn is_shown(claim: LessonClaim, sides: &[LessonSideReport]) -> bool {
    let contrasts = contrasts(claim, sides);
    !contrasts.is_empty() && contrasts.iter().all(|contrast| contrast.contrast.is_more())
}

/// What has to differ for a claim to be shown.
pub fn contrasts(claim: LessonClaim, sides: &[LessonSideReport]) -> Vec<LessonContrast> {
    let [first @ .., last] = sides else { return Vec::new() };
    let contrast = |more: &LessonSideReport, less: &LessonSideReport| LessonContrast {
        more: more.label,
        less: less.label,
        contrast: contrast(&more.evaluation, &less.evaluation),
    };
    match claim {
        LessonClaim::Falls => {
            first.first().map(|first| contrast(first, last)).into_iter().collect()
        }
        LessonClaim::Gains => first.iter().map(|side| contrast(last, side)).collect(),
    }
}

/// Two evaluations compared: sample by sample where they are over the same ones.
fn contrast(first: &EvaluationReport, second: &EvaluationReport) -> RateContrast {
    let indices =
        |of: &EvaluationReport| of.samples.iter().map(|row| row.index).collect::<Vec<_>>();
    let robust =
        |of: &EvaluationReport| of.samples.iter().map(|row| row.robust).collect::<Vec<_>>();
    let same = first.dataset == second.dataset && indices(first) == indices(second);
    let paired = McNemar::new(&robust(first), &robust(second)).filter(|_| same);
    let rate = |of: &EvaluationReport| Rate {
        hits: of.samples.iter().filter(|row| row.robust).count(),
        n: of.samples.len(),
    };
    paired.map_or_else(|| RateContrast::Unpaired(rate(first), rate(second)), RateContrast::Paired)
}
