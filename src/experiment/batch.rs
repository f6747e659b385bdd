//! Many samples: attacking a batch of the user's own, and evaluating robust accuracy.

use crate::attack::{Budget, Decision, Flow, Observer, Plan, Problem, Score, Step, Victim, launch};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::report::{Cost, Device, VERSION};
use crate::experiment::single::truth;
use crate::metrics::{Rate, norms};
use crate::model::{Classifier, Model};
use crate::parameter::Settings;
use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Told how many samples are done, of how many; may stop the work (within one attack step).
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize) -> Flow;

/// A batch of pictures to attack.
pub struct Batch {
    /// The model.
    pub model: Arc<Model>,
    /// Pixels in 0..1, `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// N, C, H, W.
    pub shape: [usize; 4],
    /// The true class of each picture.
    pub labels: Vec<usize>,
    /// Which attack, how.
    pub plan: Plan,
    /// How many pictures go through the network at once.
    pub batch_size: usize,
}

/// What came of a batch.
pub struct BatchReport {
    /// The attacked pictures (the strongest attempt inside the ball), `[N, C, H, W]`.
    pub adversarial: Vec<f32>,
    /// Whether the goal was reached.
    pub success: Vec<bool>,
    /// Whether the clean picture was answered rightly; the others are not attacked.
    pub correct: Vec<bool>,
    /// ‖δ‖₂ of each.
    pub l2: Vec<f32>,
    /// ‖δ‖∞ of each.
    pub linf: Vec<f32>,
    /// What it cost.
    pub cost: Cost,
}

/// Reports progress between the steps of an attack, and stops it when asked to.
struct Ticker<'a, 'b> {
    done: usize,
    total: usize,
    progress: &'a mut Progress<'b>,
}

impl Observer for Ticker<'_, '_> {
    fn step(&mut self, _: &Step<'_>) -> Flow {
        (self.progress)(self.done, self.total)
    }

    fn pulse(&mut self) -> Flow {
        (self.progress)(self.done, self.total)
    }
}

/// Attacks every picture of a batch that the model answers rightly.
///
/// # Errors
/// Usage, for shapes, labels, ε, norm or target that do not fit; cancelled; device failures.
pub fn attack_batch(batch: &Batch, mut progress: Progress<'_>) -> Result<BatchReport> {
    check(batch)?;
    let [n, c, h, w] = batch.shape;
    let (size, model) = (c * h * w, &batch.model);
    let begin = Instant::now();
    let mut report = BatchReport {
        adversarial: Vec::with_capacity(batch.images.len()),
        success: Vec::with_capacity(n),
        correct: Vec::with_capacity(n),
        l2: Vec::new(),
        linf: Vec::new(),
        cost: Cost::default(),
    };
    let settings = batch.plan.resolved();
    for first in (0..n).step_by(batch.batch_size.max(1)) {
        let last = (first + batch.batch_size.max(1)).min(n);
        let pixels = &batch.images[first * size..last * size];
        let device = model.network.device();
        let upload = |pixels: Vec<f32>, n: usize| {
            Tensor::<4>::from_data(TensorData::new(pixels, [n, c, h, w]), device)
        };
        let mut victim = Victim::new(&model.network);
        let clean = victim.scores(&upload(pixels.to_vec(), last - first))?;
        let mut images = pixels.to_vec();
        let mut success = vec![false; last - first];
        let (mut open, mut goals, mut picked) = (Vec::new(), Vec::new(), Vec::new());
        for (i, (row, label)) in clean.rows().zip(clean.labels()).enumerate() {
            let truth = batch.labels[first + i];
            report.correct.push(label == truth);
            if label == truth {
                open.push(i);
                goals.push(batch.plan.aim.goal(truth, row)?);
                picked.extend_from_slice(&pixels[i * size..(i + 1) * size]);
            }
        }
        let problem = Problem {
            budget: Budget::new(batch.plan.norm, batch.plan.epsilon, size)?,
            images: upload(picked, open.len()),
            goals,
            seed: batch.plan.seed,
            samples: open.iter().map(|i| (first + i) as u64).collect(),
            crowd: None,
        };
        if !problem.is_empty() {
            let mut ticker = Ticker { done: first, total: n, progress: &mut progress };
            let verdict = launch(batch.plan.attack, &settings, &mut victim, &problem, &mut ticker)?;
            let found = verdict.images.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
            for (row, i) in open.iter().enumerate() {
                images[i * size..(i + 1) * size]
                    .copy_from_slice(&found[row * size..(row + 1) * size]);
                success[*i] = verdict.success[row];
            }
        }
        let (forward, backward) = victim.passes();
        report.cost.forward += forward;
        report.cost.backward += backward;
        for (a, b) in pixels.chunks(size).zip(images.chunks(size)) {
            let sizes = norms(a, b);
            report.l2.push(sizes.l2);
            report.linf.push(sizes.linf);
        }
        report.adversarial.append(&mut images);
        report.success.append(&mut success);
        if progress(last, n) == Flow::Stop && last < n {
            return Err(Error::cancelled());
        }
    }
    report.cost.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

fn check(batch: &Batch) -> Result<()> {
    batch.plan.check()?;
    let [n, c, h, w] = batch.shape;
    let [mc, mh, mw] = batch.model.card.input.shape;
    if [c, h, w] != [mc, mh, mw] || batch.images.len() != n * c * h * w {
        return Err(Error::usage(
            format!("pictures of [{c}, {h}, {w}] for a model that takes [{mc}, {mh}, {mw}]"),
            "--inputs",
            "give x as [N, C, H, W] in the model's size",
        ));
    }
    if batch.labels.len() != n {
        let what = format!("{} labels for {n} pictures", batch.labels.len());
        return Err(Error::usage(what, "--inputs", "give one label a picture"));
    }
    if let Some(bad) = batch.labels.iter().find(|l| **l >= batch.model.card.num_classes) {
        let what = format!("label {bad} for {} classes", batch.model.card.num_classes);
        return Err(Error::usage(what, "--inputs", "number the classes from 0"));
    }
    if let Some(bad) = batch.images.iter().find(|p| !(-1e-6..=1.000_001).contains(*p)) {
        let what = format!("pixel value {bad} is outside 0..1");
        return Err(Error::usage(what, "--inputs", "scale the pixels to 0..1; models normalise"));
    }
    Ok(())
}

/// What is to be evaluated.
pub struct Evaluation {
    /// The model.
    pub model: Arc<Model>,
    /// The samples are the first n of it.
    pub dataset: Arc<Dataset>,
    /// How many samples.
    pub n: usize,
    /// Which attack, how.
    pub plan: Plan,
    /// How many pictures go through the network at once.
    pub batch_size: usize,
    /// Which device does the work, for the report.
    pub device: Device,
}

/// Robust accuracy and all it depends on.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationReport {
    /// [`VERSION`].
    pub version: u32,
    /// The model's name.
    pub model: String,
    /// The data set.
    pub dataset: String,
    /// The attack's identifier.
    pub attack: &'static str,
    /// The norm.
    pub norm: crate::attack::Norm,
    /// The attack's parameters, `auto` values resolved.
    pub parameters: Settings,
    /// The size allowed, in pixel units.
    pub epsilon: f64,
    /// What was aimed at.
    pub target: crate::attack::Aim,
    /// The seed.
    pub seed: u64,
    /// Which device did the work.
    pub device: Device,
    /// Number of samples (the first ones of the data set).
    pub n: usize,
    /// Share answered rightly without an attack.
    pub clean_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub clean_interval: [f64; 2],
    /// Share answered rightly and not broken by this attack: an upper bound of the true robustness.
    pub robust_accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// What it cost.
    pub cost: Cost,
}

/// Measures clean and robust accuracy on the first n samples of the model's data set. A sample
/// counts as robust when it is answered rightly *and* not broken.
///
/// # Errors
/// Usage, where the data set's classes are not the model's; as [`attack_batch`].
pub fn evaluate(task: &Evaluation, progress: Progress<'_>) -> Result<EvaluationReport> {
    let (model, n) = (&task.model, task.n.min(task.dataset.len()));
    let [c, h, w] = model.card.input.shape;
    let mut images = Vec::with_capacity(n * c * h * w);
    let mut labels = Vec::with_capacity(n);
    for index in 0..n {
        let sample = task.dataset.sample(index);
        let Some(label) = truth(model, &sample) else {
            return Err(Error::usage(
                format!("'{}' was not made for '{}'", model.card.name, task.dataset.id),
                "--dataset",
                format!("use the model's own data set, '{}'", model.card.data),
            ));
        };
        images.extend_from_slice(model.card.input.fit(&sample.picture).pixels());
        labels.push(label);
    }
    let batch = Batch {
        model: model.clone(),
        images,
        shape: [n, c, h, w],
        labels,
        plan: task.plan.clone(),
        batch_size: task.batch_size,
    };
    let found = attack_batch(&batch, progress)?;
    let robust = found.correct.iter().zip(&found.success).filter(|(c, s)| **c && !**s).count();
    let clean = Rate { hits: found.correct.iter().filter(|c| **c).count(), n };
    let robust = Rate { hits: robust, n };
    Ok(EvaluationReport {
        version: VERSION,
        model: model.card.name.clone(),
        dataset: task.dataset.id.clone(),
        attack: task.plan.attack.id,
        norm: task.plan.norm,
        parameters: task.plan.resolved(),
        epsilon: task.plan.epsilon,
        target: task.plan.aim,
        seed: task.plan.seed,
        device: task.device.clone(),
        n,
        clean_accuracy: clean.value(),
        clean_interval: clean.interval(),
        robust_accuracy: robust.value(),
        interval: robust.interval(),
        cost: found.cost,
    })
}
