//! Timing of attacks, and of forward and backward passes to compare with.

use crate::attack::{
    self, AttackConfig, AttackOutput, CrossEntropy, Goal, GradientOracle, NoObserver, Problem,
    ScoreOracle, TargetModel, generate,
};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::batching::{LabelledImages, read, universal_images};
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::model::Model;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// A named workload that other tools are timed with, too, with the same parameters.
pub struct Workload {
    /// Its name.
    pub id: &'static str,
    /// The attack, and its parameters as on the command line; empty for the undefended network.
    attack: (&'static str, &'static [&'static str]),
    /// The size allowed, in L∞ for all that need one.
    epsilon: f64,
    /// What it is.
    pub about: &'static str,
}

/// Every workload.
pub static WORKLOADS: &[Workload] = &[
    Workload { id: "fwd", attack: ("", &[]), epsilon: 0.0, about: "one forward pass" },
    Workload { id: "grad", attack: ("", &[]), epsilon: 0.0, about: "one input gradient" },
    Workload { id: "fgsm", attack: ("fgsm", &[]), epsilon: 0.1, about: "FGSM, ε = 0.1" },
    Workload {
        id: "pgd40",
        attack: ("pgd", &["steps=40", "step-size=0.01", "random-start=false"]),
        epsilon: 0.3,
        about: "PGD, ε = 0.3, 40 steps of 0.01 from the clean picture",
    },
    Workload {
        id: "apgd100",
        attack: ("apgd-ce", &["steps=100", "restarts=1"]),
        epsilon: 0.3,
        about: "APGD-CE, ε = 0.3, 100 steps from one start",
    },
    Workload {
        id: "cw100",
        attack: (
            "cw",
            &["steps=100", "searches=1", "initial-c=1", "learning-rate=0.01", "abort-early=false"],
        ),
        epsilon: 0.0,
        about: "C&W L2, one constant of 1, 100 steps of Adam at 0.01",
    },
    Workload {
        id: "square1000",
        attack: ("square", &["queries=1000", "restarts=1", "p-init=0.8"]),
        epsilon: 0.02,
        about: "Square, ε = 0.02, 1000 queries",
    },
];

/// A timing to run.
pub struct BenchTask {
    /// The model.
    pub model: Arc<Model>,
    /// The images are the first ones of it that the model classifies correctly.
    pub dataset: Arc<Dataset>,
    /// A workload's name, or an attack's: that at its defaults.
    pub work: String,
    /// How many images at once.
    pub batch: usize,
    /// How often it is timed.
    pub repeats: usize,
    /// After so many seconds it is timed no more.
    pub cap: f64,
}

impl BenchTask {
    /// The networks and data it was computed from.
    pub fn sources(&self) -> Sources {
        let mut origin = Sources::default();
        origin.model(&self.model);
        origin.data(DataIdentity::of(&self.dataset));
        origin
    }
}

/// The times of the repetitions, in seconds, and the passes of one.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Wall time of each repetition, in seconds.
    pub seconds: Vec<f64>,
    /// Forward passes of one repetition, counted by image.
    pub forward: u64,
    /// Backward passes of one repetition, counted by image.
    pub backward: u64,
}

/// What a repetition does.
enum Task {
    Forward,
    Gradient,
    Attack(AttackConfig),
}

/// Times the work, warmed up. The check that follows an attack is not timed.
///
/// # Errors
/// Usage, for an unknown work or too few images; device failures.
pub fn bench(bench: &BenchTask) -> Result<BenchReport> {
    let model = &bench.model;
    let task = task(bench)?;
    let (images, labels) = right(bench)?;
    let many = LabelledImages { model, images: &images, labels: &labels, first: 0 };
    let goals: Vec<_> = labels.iter().map(|t| Goal::Untargeted { truth: *t }).enumerate().collect();
    let values = model.card.input.shape.iter().product();
    let plan = match &task {
        Task::Attack(plan) => plan.clone(),
        _ => AttackConfig::new(attack::find("fgsm")?, 0.0),
    };
    let plan = if plan.threshold(values).is_some() { plan } else { plan.boundless(values) };
    let crowd = universal_images(model, &plan, &bench.dataset, 0..bench.dataset.len());
    let problem = many.problem(&plan, &goals, crowd)?;
    let run = || once(&task, &plan, model, &problem);
    // What takes a moment is timed many times over, and warmed up twice; a long run not at all.
    let quick = ["fwd", "grad", "fgsm"].contains(&bench.work.as_str());
    let (inner, warmups) = match (quick, bench.batch) {
        (true, batch) => ((200 / batch).max(1), 2),
        (false, 1) => (1, 1),
        (false, _) => (1, 0),
    };
    for _ in 0..warmups {
        run()?;
    }
    let mut timing = BenchReport { seconds: Vec::new(), forward: 0, backward: 0 };
    let start = Instant::now();
    for _ in 0..bench.repeats.max(1) {
        let begin = Instant::now();
        for _ in 0..inner {
            (timing.forward, timing.backward) = run()?;
        }
        timing.seconds.push(begin.elapsed().as_secs_f64() / inner as f64);
        if start.elapsed().as_secs_f64() > bench.cap {
            break;
        }
    }
    Ok(timing)
}

fn task(bench: &BenchTask) -> Result<Task> {
    let data = &bench.model.card.data;
    let found = WORKLOADS.iter().find(|w| w.id == bench.work);
    match found.map(|w| (w, w.attack)) {
        Some((Workload { id: "fwd", .. }, _)) => Ok(Task::Forward),
        Some((Workload { id: "grad", .. }, _)) => Ok(Task::Gradient),
        Some((work, (id, settings))) => {
            let mut plan = AttackConfig::new(attack::find(id)?, work.epsilon);
            for text in settings {
                plan.settings.assign(plan.attack.params, id, text)?;
            }
            Ok(Task::Attack(plan))
        }
        None => {
            let spec = attack::find(&bench.work)?;
            Ok(Task::Attack(AttackConfig::new(spec, attack::default_epsilon(data, spec.norms[0]))))
        }
    }
}

/// The first images that the model classifies correctly.
fn right(bench: &BenchTask) -> Result<(Vec<f32>, Vec<usize>)> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for first in (0..bench.dataset.len()).step_by(100) {
        let (some, truths) =
            read(&bench.model, &bench.dataset, first..(first + 100).min(bench.dataset.len()))?;
        let many = LabelledImages { model: &bench.model, images: &some, labels: &truths, first };
        let mut victim = TargetModel::new(&bench.model.network);
        let answers = many.answers(&mut victim, 100, &mut || attack::Flow::Continue)?;
        for i in answers.right {
            images.extend_from_slice(many.row(i));
            labels.push(truths[i]);
            if labels.len() == bench.batch {
                return Ok((images, labels));
            }
        }
    }
    let what = format!("the model answers only {} pictures rightly", labels.len());
    Err(Error::usage(what, "--batch", "take a smaller batch"))
}

/// One repetition; how many passes it took.
fn once(task: &Task, plan: &AttackConfig, model: &Model, problem: &Problem) -> Result<(u64, u64)> {
    use crate::attack::DecisionOracle;
    let mut victim = TargetModel::new(&model.network);
    match task {
        Task::Forward => drop(victim.logits(&problem.images)?),
        Task::Gradient => drop(victim.gradient(&problem.images, &problem.goals, &CrossEntropy)?),
        Task::Attack(_) => {
            let settings = plan.resolved();
            let found: AttackOutput =
                generate(plan.attack, &settings, &mut victim, problem, &mut NoObserver)?;
            drop(found);
        }
    }
    Ok(victim.passes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_name_parameters_that_there_are() {
        for work in WORKLOADS.iter().filter(|work| !work.attack.0.is_empty()) {
            let (id, settings) = work.attack;
            let spec = attack::find(id).unwrap();
            let mut plan = AttackConfig::new(spec, work.epsilon);
            for text in settings {
                plan.settings.assign(spec.params, id, text).unwrap();
            }
        }
    }
}
