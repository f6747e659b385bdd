//! A batch of images of the user's own.

use crate::attack::{AttackConfig, Flow, Note, TargetModel};
use crate::error::{Error, Result};
use crate::experiment::batching::{
    AttackProgress, LabelledImages, ProgressObserver, batch_size_for, left_out,
};
use crate::experiment::hints;
use crate::experiment::one_sample::{check_compatible, run_attack};
use crate::experiment::prediction::cost;
use crate::experiment::types::AttackCost;
use crate::metrics::norms;
use crate::model::Model;
use std::sync::Arc;
use std::time::Instant;

/// Called with the number of samples done and the total; may stop the work (within one attack
/// step).
pub type OnProgress<'a> = &'a mut dyn FnMut(usize, usize) -> Flow;

/// A batch attack to run: images `[N, C, H, W]` with their labels, a model, an attack.
pub struct BatchTask {
    /// The model.
    pub model: Arc<Model>,
    /// The model that the attack is crafted on, if it is not `model`.
    pub surrogate: Option<Arc<Model>>,
    /// Pixels in 0..1, `[N, C, H, W]`.
    pub images: Vec<f32>,
    /// N, C, H, W.
    pub shape: [usize; 4],
    /// The true class of each image.
    pub labels: Vec<usize>,
    /// Which attack, how.
    pub plan: AttackConfig,
    /// How many images go through the network at once.
    pub batch_size: usize,
}

/// The adversarial images of a batch, with successes, distances and queries per image.
pub struct BatchReport {
    /// The adversarial images (the strongest attempt inside the ball), `[N, C, H, W]`.
    pub adversarial: Vec<f32>,
    /// Which images are left out, since they are of the target class already.
    pub left_out: Vec<bool>,
    /// Whether the clean image was classified correctly; the others are not attacked.
    pub correct: Vec<bool>,
    /// Whether the goal was reached within what bounds the attack, and within ε.
    pub success: Vec<bool>,
    /// Whether the goal was reached, however far away.
    pub reached: Vec<bool>,
    /// How far each image went, in the plan's norm.
    pub distance: Vec<f32>,
    /// ‖δ‖₂ of each.
    pub l2: Vec<f32>,
    /// ‖δ‖∞ of each.
    pub linf: Vec<f32>,
    /// How many queries the attack made about each.
    pub queries: Vec<u64>,
    /// Notes of the attack.
    pub notes: Vec<String>,
    /// What is hardly meant so, one line each.
    pub hints: Vec<String>,
    /// What it cost.
    pub cost: AttackCost,
}

/// Attacks every image of a batch that the model classifies correctly and that is not of the target
/// class already.
///
/// # Errors
/// Usage, for shapes, labels, ε, norm, target or surrogate that do not fit; cancelled; device
/// failures.
pub fn attack_batch(batch: &BatchTask, progress: OnProgress<'_>) -> Result<BatchReport> {
    check(batch)?;
    let (n, begin, model) = (batch.shape[0], Instant::now(), &batch.model);
    let left_out = left_out(std::slice::from_ref(&batch.plan), &batch.labels)?;
    let many = LabelledImages { model, images: &batch.images, labels: &batch.labels, first: 0 };
    let mut victim = TargetModel::new(&model.network);
    let mut surrogate = batch.surrogate.as_ref().map(|model| TargetModel::new(&model.network));
    let answers = many.answers(&mut victim, batch.batch_size, &mut || progress(0, n))?;
    let mut report = BatchReport {
        adversarial: batch.images.clone(),
        left_out,
        correct: answers.labels.iter().zip(&batch.labels).map(|(a, b)| a == b).collect(),
        success: vec![false; n],
        reached: vec![false; n],
        distance: vec![0.0; n],
        l2: vec![0.0; n],
        linf: vec![0.0; n],
        queries: vec![0; n],
        notes: Vec::new(),
        hints: [
            hints::of_epsilon(&batch.plan, many.size()),
            hints::of_logits(&model.card.name, answers.scores.non_finite(), n),
            hints::of_background(&model.card, batch.images.chunks_exact(many.size())),
            hints::of_labels(&answers.labels, &batch.labels),
        ]
        .into_iter()
        .flatten()
        .collect(),
        cost: AttackCost::default(),
    };
    let goals = many.goals(&batch.plan, &answers, answers.right.iter().copied())?;
    let (mut done, mut notes) = (n - goals.len(), Vec::new());
    for part in goals.chunks(batch_size_for(&batch.plan, batch.batch_size)) {
        let problem = many.problem(&batch.plan, part, None)?;
        let mut tell =
            |told: &AttackProgress| progress(done + (told.share * part.len() as f64) as usize, n);
        let mut observer = ProgressObserver::new(&mut tell);
        let verdict =
            run_attack(&batch.plan, &mut victim, surrogate.as_mut(), &problem, &mut observer)?;
        let found = verdict.images.values();
        let size = found.len() / part.len();
        for (row, (i, _)) in part.iter().enumerate() {
            let (before, after) = (many.row(*i), &found[row * size..(row + 1) * size]);
            let sizes = norms(before, after);
            report.adversarial[i * size..(i + 1) * size].copy_from_slice(after);
            report.success[*i] = verdict.success[row];
            report.reached[*i] = verdict.reached[row];
            report.distance[*i] = verdict.distance[row];
            report.queries[*i] = verdict.queries[row];
            (report.l2[*i], report.linf[*i]) = (sizes.l2, sizes.linf);
        }
        Note::add_up(&mut notes, verdict.notes);
        done += part.len();
        if progress(done, n) == Flow::Stop && done < n {
            return Err(Error::cancelled());
        }
    }
    report.notes.extend(Note::texts(&notes));
    report.cost = cost([&victim].into_iter().chain(&surrogate), begin);
    Ok(report)
}

fn check(batch: &BatchTask) -> Result<()> {
    batch.plan.check()?;
    if let Some(surrogate) = &batch.surrogate {
        check_compatible(surrogate, &batch.model)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{TargetChoice, find};
    use burn_tensor::Device;

    #[test]
    fn where_nothing_is_left_to_attack_the_model_is_not_asked() {
        let batch = BatchTask {
            model: Model::load("mnist-cnn", &Device::flex()).unwrap(),
            surrogate: None,
            images: vec![0.0; 3 * 784],
            shape: [3, 1, 28, 28],
            labels: vec![7; 3],
            plan: AttackConfig {
                target: TargetChoice::Class(7),
                ..AttackConfig::new(find("fgsm").unwrap(), 0.1)
            },
            batch_size: 1,
        };
        let mut asked = 0;
        let found = attack_batch(&batch, &mut |_, _| {
            asked += 1;
            Flow::Continue
        });
        let told = found.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(told.contains("every picture of 3") && asked == 0, "{told} {asked}");
    }
}
