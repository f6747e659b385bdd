//! What a model predicts for one image, and what that cost.

use crate::attack::{DecisionOracle, ImageBatch, Logits, NON_FINITE, ScoreOracle, TargetModel};
use crate::data::Sample;
use crate::error::Result;
use crate::experiment::trace::probabilities;
use crate::experiment::types::{AttackCost, Prediction};
use crate::model::Model;
use std::time::Instant;

/// The class of `sample` in the model's own numbering, where the two agree on what classes are.
pub(super) fn truth(model: &Model, sample: &Sample) -> Option<usize> {
    let card = &model.card;
    let unnamed = card.data.is_empty() && card.input.shape == sample.image.shape();
    let same = card.data == sample.dataset || unnamed;
    sample.label.filter(|label| same && *label < card.num_classes)
}

/// The prediction behind a row of logits.
pub(super) fn prediction(model: &Model, row: &[f32]) -> Prediction {
    let probabilities = probabilities(row);
    let label = Logits::new(row.to_vec(), row.len()).labels()[0];
    let unnamed = || match label {
        NON_FINITE => "no number".to_string(),
        label => label.to_string(),
    };
    Prediction {
        label,
        name: model.labels.get(label).cloned().unwrap_or_else(unnamed),
        confidence: probabilities.get(label).copied().unwrap_or(f32::NAN),
        probabilities,
    }
}

/// The model's prediction to a batch of one, and the logits behind it.
pub(super) fn answer(
    model: &Model,
    victim: &mut TargetModel<'_>,
    images: &ImageBatch,
) -> Result<(Prediction, Vec<f32>)> {
    let scores = victim.logits(images)?;
    let row = scores.rows().next().unwrap_or_default().to_vec();
    Ok((prediction(model, &row), row))
}

/// The passes of these models and the time since `begin`.
pub(super) fn cost<'a>(
    asked: impl IntoIterator<Item = &'a TargetModel<'a>>,
    begin: Instant,
) -> AttackCost {
    let passes = asked.into_iter().map(DecisionOracle::passes);
    let (forward, backward) = passes.fold((0, 0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
    AttackCost { forward, backward, seconds: begin.elapsed().as_secs_f64() }
}
