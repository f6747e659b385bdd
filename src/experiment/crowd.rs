//! The pictures that an attack on everything at once learns from.

use crate::attack::{Crowd, Plan};
use crate::data::{DATASETS, Dataset, Sample};
use crate::error::Result;
use crate::experiment::single::truth;
use crate::model::{Classifier, Model};
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// How many pictures, where the attack has no parameter `samples`.
const CUSTOMARY: i64 = 100;

/// The first pictures of the model's data set, as many as the plan's parameter `samples` says,
/// without `sample` itself. None where the attack needs none, and where no picture's class is known.
///
/// # Errors
/// Failure, when the data set cannot be read.
pub(super) fn crowd(model: &Model, plan: &Plan, sample: &Sample) -> Result<Option<Arc<Crowd>>> {
    let counted = plan.attack.params.iter().any(|param| param.id == "samples");
    let id = match model.card.data.as_str() {
        "" => &sample.dataset,
        own => own,
    };
    let embedded = DATASETS.iter().any(|row| row.id == id);
    if !(plan.attack.crowd || counted) || !embedded {
        return Ok(None);
    }
    let most = plan.resolved().int("samples", CUSTOMARY).max(1) as usize;
    let dataset = Dataset::load(id)?;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in 0..dataset.len() {
        if labels.len() == most {
            break;
        }
        let other = dataset.sample(index);
        let itself = sample.dataset == id && sample.index == index;
        if let Some(label) = truth(model, &other).filter(|_| !itself) {
            pixels.extend_from_slice(model.card.input.fit(&other.picture).pixels());
            labels.push(label);
        }
    }
    if labels.is_empty() {
        return Ok(None);
    }
    let [c, h, w] = model.card.input.shape;
    let data = TensorData::new(pixels, [labels.len(), c, h, w]);
    let images = Tensor::from_data(data, model.network.device());
    Ok(Some(Arc::new(Crowd { images, labels })))
}
