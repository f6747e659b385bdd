//! AutoAttack (Croce & Hein 2020): four attacks without a parameter to tune, one after the other, each
//! from the original image and only on those that are still robust.
//!
//! The stages, their order and their budgets are the published ones. Two things differ, and neither
//! changes which images are fooled: in a stage an image is done at its first success, and every image draws its own random numbers. The published code's warnings are notes
//! here, one line each, beginning with "flag:"; they count over all batches.
//!
//! A robust image is returned as the first stage left it: inside the ball, at the largest loss found.

use crate::attack::context::AttackContext;
use crate::attack::dlr::Dlr;
use crate::attack::gradient_stats::GradientStats;
use crate::attack::image_batch::ImageBatch;
use crate::attack::methods::{apgd, fab, square};
use crate::attack::norm::Norm;
use crate::attack::note::Note;
use crate::attack::observer::{AttackStage, Flow, Observer, StepEvent};
use crate::attack::oracle::GradientOracle;
use crate::attack::problem::{AttackOutput, Problem};
use crate::attack::spec::{Algorithm, AttackSpec, Bound};
use crate::error::Result;
use crate::parameter::{ChoiceParam, IntParam, Settings, Value};

const VERSION: ChoiceParam<Version> = ChoiceParam::new(
    "version",
    &["standard", "plus", "rand"],
    &[Version::Standard, Version::Plus, Version::Rand],
    "standard; plus: six stages, more restarts; rand: for networks that are random themselves",
);
const STEPS: IntParam =
    IntParam::new("steps", (1, 10_000), 100, "gradient steps of each walk; published: 100");
const QUERIES: IntParam =
    IntParam::new("queries", (1, 1_000_000), 5000, "queries of the Square stage; published: 5000");

/// Which ensemble, as the authors name them.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    /// APGD-CE, APGD-T, FAB-T, Square.
    Standard,
    /// Six stages, with more restarts.
    Plus,
    /// For randomised networks: APGD on the mean gradient.
    Rand,
}

/// AutoAttack: APGD-CE, APGD-T, FAB-T and Square, one after the other.
///
/// L∞, L2, L1; gradients (white box); within ε; untargeted only.
///
/// Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
/// Parameter-free Attacks, ICML 2020.
pub const AUTOATTACK: AttackSpec = AttackSpec {
    id: "autoattack",
    name: "AutoAttack",
    family: "ensemble",
    norms: &[Norm::Linf, Norm::L2, Norm::L1],
    bound: Bound::FixedEpsilon,
    targeted: false,
    random: true,
    universal: false,
    training_images: None,
    repetitions: &[STEPS, QUERIES],
    stages: Some(stages),
    params: &[VERSION.param, STEPS.param, QUERIES.param],
    summary: "APGD-CE, APGD-T, FAB-T and Square on whatever still stands: the standard evaluation",
    about: "Four attacks of different kinds, none with anything to tune: Auto-PGD on cross-entropy, \
            Auto-PGD towards the nine likeliest wrong classes, FAB towards the same classes, and the \
            Square black-box search with 5000 queries. Each begins at the original picture, and a \
            picture counts as robust only where all of them fail. What one loss or one gradient hides \
            another finds: when a later stage breaks much of what the first left standing, do not \
            trust the first alone. A picture that falls at once takes a moment, one that stands \
            takes thousands of passes. It is a strong standard test, not a proof: an attack made \
            for the defence at hand may still do better.",
    paper: "Croce, Hein: Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse \
            Parameter-free Attacks, ICML 2020",
    run: Algorithm::Gradient(autoattack),
};

const STANDARD: &[&str] = &["apgd-ce", "apgd-t", "fab-t", "square"];
const PLUS: &[&str] = &["apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"];
const RAND: &[&str] = &["apgd-ce", "apgd-dlr"];

fn autoattack(
    oracle: &mut dyn GradientOracle,
    problem: &Problem,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<AttackOutput> {
    let version = VERSION.get(settings);
    let stages = of(version);
    let mut flags = GradientFlags::before(oracle, problem, version, observer)?;
    let mut queries = flags.queries.clone();
    let mut images = problem.images.clone();
    let mut gradient_stats = vec![GradientStats::default(); problem.len()];
    let mut broken: Vec<Option<&'static str>> = vec![None; problem.len()];
    for (number, name) in stages.iter().enumerate() {
        let active: Vec<usize> = (0..problem.len()).filter(|i| broken[*i].is_none()).collect();
        if active.is_empty() {
            break;
        }
        let part = problem.select(&active);
        let stage = AttackStage { all: stages, number };
        let mut relay =
            StageObserver { observer: &mut *observer, active: &active, queries: &queries, stage };
        let Some(spec) = spec(name) else { continue };
        let found = run(oracle, &part, spec, version, settings, &mut relay)?;
        for (row, i) in active.iter().enumerate() {
            queries[*i] += found.queries[row];
            gradient_stats[*i].add(&found.gradient_stats[row]);
            if found.reached[row] {
                broken[*i] = Some(name);
            }
            if found.reached[row] || number == 0 {
                images.row_mut(*i).copy_from_slice(found.images.row(row));
            }
        }
    }
    flags.after(problem, settings, &broken);
    let mut output = AttackOutput::new(images, queries);
    output.gradient_stats = gradient_stats;
    output.notes = flags.notes;
    output.stages = broken;
    Ok(output)
}

/// The stages of a version.
fn of(version: Version) -> &'static [&'static str] {
    match version {
        Version::Standard => STANDARD,
        Version::Plus => PLUS,
        Version::Rand => RAND,
    }
}

/// The stages at these settings of the ensemble, each with its own settings.
fn stages(settings: &Settings, norm: Norm) -> Vec<(&'static AttackSpec, Settings)> {
    let version = VERSION.get(settings);
    let specs = of(version).iter().filter_map(|name| spec(name));
    specs.map(|spec| (spec, settings_of(spec, version, norm, settings))).collect()
}

/// The attacks that stages are made of.
const ATTACKS: &[AttackSpec] =
    &[apgd::CE, apgd::DLR, apgd::TARGETED, fab::FAB, fab::FAB_T, square::SQUARE];

fn spec(name: &str) -> Option<&'static AttackSpec> {
    ATTACKS.iter().find(|spec| spec.id == name)
}

/// A stage's defaults with its budgets.
fn settings_of(spec: &AttackSpec, version: Version, norm: Norm, settings: &Settings) -> Settings {
    let mut chosen = Settings::defaults(spec.params);
    for (id, value) in budget(spec.id, version, norm, settings).iter() {
        if spec.params.iter().any(|param| param.id == id) {
            chosen.set(id, value.clone());
        }
    }
    chosen
}

/// The result of a stage.
struct Remaining {
    images: ImageBatch,
    /// Whether the goal is reached within ε.
    reached: Vec<bool>,
    queries: Vec<u64>,
    gradient_stats: Vec<GradientStats>,
}

/// The budgets of a stage, as published.
fn budget(name: &str, version: Version, norm: Norm, settings: &Settings) -> Settings {
    let mut of = Settings::default();
    let plus = version == Version::Plus;
    let restarts = match name {
        "apgd-ce" | "apgd-dlr" | "fab" if plus => 5,
        "apgd-ce" if norm == Norm::L1 => 5,
        _ => 1,
    };
    of.set("restarts", Value::Int(restarts));
    STEPS.set(&mut of, STEPS.get(settings));
    of.set("targets", Value::Int(if norm == Norm::L1 && name == "apgd-t" { 5 } else { 9 }));
    QUERIES.set(&mut of, QUERIES.get(settings));
    of.set("draws", Value::Int(if version == Version::Rand { 20 } else { 1 }));
    of.set("stop-early", Value::Bool(version != Version::Rand));
    of.set("leave-at-eps", Value::Bool(true));
    of
}

fn run(
    oracle: &mut dyn GradientOracle,
    part: &Problem,
    spec: &AttackSpec,
    version: Version,
    settings: &Settings,
    relay: &mut StageObserver<'_>,
) -> Result<Remaining> {
    let chosen = settings_of(spec, version, part.budget.norm, settings);
    let output = spec.run(oracle, part, &chosen, relay)?;
    let images = output.images;
    let mut context = AttackContext::new(part, relay);
    let all = context.all();
    let labels = context.labels(oracle, &all, &images)?;
    let mut reached = context.reached(&all, &labels);
    for (i, reached) in reached.iter_mut().enumerate() {
        // A search for the least perturbation may end outside the ball.
        let distance = part.budget.norm.distance(context.x.row(i), images.row(i));
        *reached &= distance <= part.budget.epsilon * (1.0 + 1e-6);
    }
    let queries = output.queries.iter().zip(&context.queries).map(|(a, b)| a + b).collect();
    Ok(Remaining { images, reached, queries, gradient_stats: output.gradient_stats })
}

/// Passes a stage's events on, in the numbers of the whole problem.
struct StageObserver<'a> {
    observer: &'a mut dyn Observer,
    active: &'a [usize],
    /// Queries before this stage, by image of the whole problem.
    queries: &'a [u64],
    stage: AttackStage,
}

impl Observer for StageObserver<'_> {
    fn step(&mut self, step: &StepEvent<'_>) -> Flow {
        let active: Vec<usize> = step.active.iter().map(|i| self.active[*i]).collect();
        let before = active.first().map_or(0, |i| self.queries[*i]);
        let queries = before + step.queries;
        self.observer.step(&StepEvent {
            active: &active,
            queries,
            stage: Some(self.stage),
            ..*step
        })
    }

    fn poll(&mut self) -> Flow {
        self.observer.poll()
    }
}

/// The warnings of the published code.
struct GradientFlags {
    notes: Vec<Note>,
    queries: Vec<u64>,
}

/// Number of images that are queried for warnings about the network itself, and how often.
const LOOKED_AT: usize = 16;
const REPEATS: usize = 5;

impl GradientFlags {
    fn before(
        oracle: &mut dyn GradientOracle,
        problem: &Problem,
        version: Version,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut notes = Vec::new();
        let mut context = AttackContext::new(problem, observer);
        let few: Vec<usize> = context.all().into_iter().take(LOOKED_AT).collect();
        let images = context.x.select(&few);
        let slope = context.gradients(oracle, &few, &images, &Dlr)?;
        let mut moved = vec![false; few.len()];
        for _ in 1..REPEATS {
            let again = context.logits(oracle, &few, &images)?;
            for (moved, (a, b)) in moved.iter_mut().zip(again.rows().zip(slope.logits.rows())) {
                *moved |= a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-4 * b.abs().max(1.0));
            }
        }
        let mut count = |some: &str, none: &str, hits: usize| {
            notes.push(Note::count(some, none, (hits, few.len())));
        };
        let moved = moved.into_iter().filter(|moved| *moved).count();
        match version {
            Version::Rand => {
                count("", "flag: the network is not random; use version=standard", moved);
            }
            _ => count("flag: the network is random; use version=rand", "", moved),
        }
        let logits = slope.logits.rows().filter(|row| {
            let sum: f32 = row.iter().sum();
            !row.iter().all(|z| (0.0..=1.0).contains(z)) || (sum - 1.0).abs() >= 1e-5
        });
        count("", "flag: the answers look like probabilities, not logits", logits.count());
        let flat = slope.gradient.iter().filter(|g| g.iter().all(|v| *v == 0.0)).count();
        count("flag: {hits} of {of} pictures looked at have a gradient of zero", "", flat);
        match oracle.classes() {
            2 => notes.push(Note::line("flag: two classes: the margin stands in for DLR")),
            3 => notes.push(Note::line("flag: three classes: targeted DLR needs four")),
            _ => {}
        }
        Ok(Self { notes, queries: context.queries })
    }

    /// The warnings that only the result gives.
    fn after(&mut self, problem: &Problem, settings: &Settings, broken: &[Option<&str>]) {
        if (STEPS.get(settings), QUERIES.get(settings)) != (100, 5000) {
            self.notes.push(Note::line("flag: not the published 100 steps and 5000 queries"));
        }
        let square = broken.iter().filter(|stage| **stage == Some("square")).count();
        let masked = "flag: Square, which sees no gradient, broke {hits} of {of} that gradients could \
                      not: they may be masked";
        let note = Note::count(masked, "", (square, problem.len()));
        self.notes.push(Note { least: 0.002, ..note });
    }
}
