//! The training images of universal attacks.

use crate::attack::{AttackConfig, ImageBatch, TrainingImages};
use crate::data::{DATASETS, Dataset, Sample};
use crate::error::Result;
use crate::experiment::prediction::truth;
use crate::model::Model;
use std::sync::Arc;

/// Whether the attack learns from other images than those it attacks.
pub(super) fn needs_training_images(plan: &AttackConfig) -> bool {
    plan.attack.training_images.is_some()
}

/// The first images of the model's data set, as many as the plan's parameter `samples` says,
/// without `sample` itself. None where the attack needs none, and where no image's class is known.
///
/// # Errors
/// Failure, when the data set cannot be read.
pub(super) fn training_images(
    model: &Model,
    plan: &AttackConfig,
    sample: &Sample,
) -> Result<Option<Arc<TrainingImages>>> {
    let id = match model.card.data.as_str() {
        "" => &sample.dataset,
        own => own,
    };
    if !needs_training_images(plan) || !DATASETS.iter().any(|row| row.id == id) {
        return Ok(None);
    }
    let dataset = Dataset::load(id)?;
    let others = (0..dataset.len()).filter(|i| sample.dataset != id || sample.index != *i);
    Ok(first_images(model, plan, &dataset, others))
}

/// The first of these images, as many as the plan's parameter `samples` says.
pub(super) fn first_images(
    model: &Model,
    plan: &AttackConfig,
    dataset: &Dataset,
    order: impl Iterator<Item = usize>,
) -> Option<Arc<TrainingImages>> {
    let most = plan.attack.training_images?.count(&plan.settings);
    let known = order.map(|index| dataset.sample(index));
    let known = known.filter_map(|sample| truth(model, &sample).map(|label| (sample, label)));
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (sample, label) in known.take(most) {
        pixels.extend_from_slice(model.card.input.fit(&sample.image).pixels());
        labels.push(label);
    }
    if labels.is_empty() {
        return None;
    }
    let images = ImageBatch::new(model.card.input.shape, pixels);
    Some(Arc::new(TrainingImages { images, labels }))
}
