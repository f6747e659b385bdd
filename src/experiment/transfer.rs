//! Transferability: attacks crafted on one model and tried on others.

use crate::attack::{AttackConfig, Flow, Norm, TargetChoice, TargetModel, generate, judge};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::batch::OnProgress;
use crate::experiment::batching::{
    AttackProgress, LabelledImages, ProgressObserver, batch_size_for, left_out, read,
    universal_images,
};
use crate::experiment::hints;
use crate::experiment::one_sample::check_compatible;
use crate::experiment::prediction::cost;
use crate::experiment::provenance::{DataIdentity, Sources};
use crate::experiment::types::{AttackCost, DeviceInfo, Share, VERSION};
use crate::metrics::Rate;
use crate::model::Model;
use crate::parameter::Settings;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// A transfer matrix to compute: an attack and the models to craft and try it on.
pub struct Transfer {
    /// Each is a surrogate once, and a target model of all; on one device.
    pub models: Vec<Arc<Model>>,
    /// The samples are the first n of it.
    pub dataset: Arc<Dataset>,
    /// How many samples.
    pub n: usize,
    /// Which attack, how.
    pub plan: AttackConfig,
    /// How many images go through the network at once.
    pub batch_size: usize,
    /// Which device does the work, for the report.
    pub device: DeviceInfo,
}

impl Transfer {
    /// The networks and data it was computed from.
    pub fn sources(&self) -> Sources {
        let mut origin = Sources::default();
        self.models.iter().for_each(|model| origin.model(model));
        origin.data(DataIdentity::of(&self.dataset));
        origin
    }
}

/// Success rates by surrogate (rows) and target model (columns), and all they depend on.
#[derive(Clone, Debug, Serialize)]
pub struct TransferReport {
    /// [`VERSION`].
    pub version: u32,
    /// The names of the models, in the order of rows and columns.
    pub models: Vec<String>,
    /// The data set.
    pub dataset: String,
    /// Number of samples that count, of the first ones of the data set.
    pub n: usize,
    /// How many more were left out, since they are of the target class already.
    pub left_out: usize,
    /// The attack's identifier.
    pub attack: &'static str,
    /// The norm.
    pub norm: Norm,
    /// The attack's parameters, `auto` values resolved.
    pub parameters: Settings,
    /// The size allowed, in pixel units; none where ε decides nothing.
    pub epsilon: Option<f64>,
    /// What was aimed at.
    pub target: TargetChoice,
    /// The seed.
    pub seed: u64,
    /// Which device did the work.
    pub device: DeviceInfo,
    /// Clean accuracy of each model.
    pub clean: Vec<Share>,
    /// The success rate of what was crafted on the row's model against the column's, on the samples
    /// that both classify correctly without an attack. On the diagonal the attack knows its target
    /// model.
    pub success: Vec<Vec<Share>>,
    /// What it cost.
    pub cost: AttackCost,
    /// What is hardly meant so, one line each.
    pub hints: Vec<String>,
}

/// Crafts the attack on each model and tries it on all of them.
///
/// # Errors
/// Usage, where the models differ in shape or classes, or where the data set, ε, norm or target
/// does not fit; cancelled; device failures.
pub fn transfer(task: &Transfer, progress: OnProgress<'_>) -> Result<TransferReport> {
    let (begin, plan, count) = (Instant::now(), &task.plan, task.models.len());
    plan.check()?;
    let Some(head) = task.models.first().filter(|_| count > 1) else {
        let remedy = "name at least two, separated by commas";
        return Err(Error::usage("a transfer needs several models", "--models", remedy));
    };
    for model in &task.models[1..] {
        check_compatible(model, head).map_err(|e| Error { place: "--models".into(), ..e })?;
    }
    let range = 0..task.n.min(task.dataset.len());
    let (images, labels) = read(head, &task.dataset, range.clone())?;
    let (n, total) = (labels.len(), count * labels.len());
    let out = left_out(std::slice::from_ref(plan), &labels)?;
    let counted = out.iter().filter(|out| !**out).count();
    let all: Vec<LabelledImages<'_>> = task
        .models
        .iter()
        .map(|model| LabelledImages { model, images: &images, labels: &labels, first: 0 })
        .collect();
    let mut victims: Vec<TargetModel<'_>> =
        task.models.iter().map(|model| TargetModel::new(&model.network)).collect();
    let mut answers = Vec::new();
    for (many, victim) in all.iter().zip(&mut victims) {
        let mut found = many.answers(victim, task.batch_size, &mut || progress(0, total))?;
        found.right.retain(|i| !out[*i]);
        answers.push(found);
    }
    let mut success = Vec::new();
    for (at, many) in all.iter().enumerate() {
        let mut row = vec![Rate { hits: 0, n: 0 }; count];
        let right = answers[at].right.iter().copied();
        let goals = many.goals(plan, &answers[at], right)?;
        let crowd = universal_images(many.model, plan, &task.dataset, range.clone());
        let mut done = (at + 1) * n - goals.len();
        for part in goals.chunks(batch_size_for(plan, task.batch_size)) {
            let problem = many.problem(plan, part, crowd.clone())?;
            let mut tell = |told: &AttackProgress| {
                progress(done + (told.share * part.len() as f64) as usize, total)
            };
            let mut observer = ProgressObserver::new(&mut tell);
            let settings = plan.resolved();
            let found =
                generate(plan.attack, &settings, &mut victims[at], &problem, &mut observer)?;
            for (cell, (victim, answers)) in row.iter_mut().zip(victims.iter_mut().zip(&answers)) {
                let verdict = judge(plan.attack.bound, found.clone(), victim, &problem)?;
                for (k, (i, _)) in part.iter().enumerate() {
                    let counts = answers.labels[*i] == labels[*i];
                    cell.n += usize::from(counts);
                    cell.hits += usize::from(counts && verdict.success[k]);
                }
            }
            done += part.len();
            if progress(done, total) == Flow::Stop && done < total {
                return Err(Error::cancelled());
            }
        }
        success.push(row.into_iter().map(Share::from).collect());
    }
    Ok(TransferReport {
        version: VERSION,
        models: task.models.iter().map(|model| model.card.name.clone()).collect(),
        dataset: task.dataset.id.clone(),
        n: counted,
        left_out: n - counted,
        attack: plan.attack.id,
        norm: plan.norm,
        parameters: plan.resolved(),
        epsilon: plan.threshold(head.card.input.shape.iter().product()),
        target: plan.target,
        seed: plan.seed,
        device: task.device.clone(),
        clean: answers.iter().map(|a| Rate { hits: a.right.len(), n: counted }.into()).collect(),
        success,
        cost: cost(victims.iter(), begin),
        hints: hints::of_epsilon(plan, head.card.input.shape.iter().product())
            .into_iter()
            .chain(task.models.iter().zip(&answers).filter_map(|(model, answers)| {
                hints::of_logits(&model.card.name, answers.scores.non_finite(), n)
            }))
            .collect(),
    })
}
