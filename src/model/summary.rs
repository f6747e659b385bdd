//! The layers of a network as `epsiloscope models NAME` lists them.

use crate::error::{Error, Result};
use crate::model::architecture;
use crate::model::card::Card;
use crate::model::ops::Layer;
use crate::model::shape::Shape;
use serde::Serialize;

/// One layer of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSummary {
    /// Its place, from 1: `3`; in the body of a block `3.1`.
    pub place: String,
    /// The op, as cards call it.
    pub op: &'static str,
    /// Prefix of its tensors' names; empty where it has none.
    pub param: String,
    /// Shape of its output without the batch: `[C, H, W]` or `[K]`.
    pub output: Vec<usize>,
    /// Numbers in its tensors, without those of a body.
    pub parameters: u64,
    /// Multiply-accumulate operations for one image, of convolutions and linear layers.
    pub macs: u64,
}

impl Card {
    /// Its layers in order, with what each costs; the layers of a body before the block.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit; usage, for an unknown architecture.
    pub fn layer_summaries(&self) -> Result<Vec<LayerSummary>> {
        let mut found = Vec::new();
        let shape = Shape::Map(self.input.shape);
        list(&architecture::layers_of(self)?, shape, "", &mut found).map_err(|what| {
            Error::file(what, format!("card '{}'", self.name), "make the layer sizes agree")
        })?;
        Ok(found)
    }
}

fn list(
    layers: &[Layer],
    mut shape: Shape,
    within: &str,
    found: &mut Vec<LayerSummary>,
) -> Result<(), String> {
    for (i, layer) in layers.iter().enumerate() {
        let (def, place) = (layer.def(), format!("{within}{}", i + 1));
        if let Some(body) = layer.body() {
            list(body, shape, &format!("{place}."), found)?;
        }
        shape = def.output(shape)?;
        let sizes = layer
            .tensors()
            .into_iter()
            .map(|(_, sides)| sides.iter().map(|side| *side as u64).fold(1, u64::saturating_mul));
        found.push(LayerSummary {
            place,
            op: def.name(),
            param: def.param().unwrap_or_default().to_string(),
            output: shape.listed(),
            parameters: sizes.fold(0, u64::saturating_add),
            macs: def.macs(shape),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::model::{Model, find_card};
    use burn_tensor::Device;

    #[test]
    fn lenet_and_efficientnet_cost_what_their_papers_say() {
        let sum = |name: &str| {
            let layers = find_card(name).unwrap().0.layer_summaries().unwrap();
            let macs: u64 = layers.iter().map(|layer| layer.macs).sum();
            let parameters: u64 = layers.iter().map(|layer| layer.parameters).sum();
            (layers.len(), macs, parameters)
        };
        // EfficientNet-Lite0: 407 M multiply-adds at 224 (Liu 2020), and 384 M without padding's share.
        let (_, macs, parameters) = sum("photo-efficientnet-lite0");
        assert!((380_000_000..410_000_000).contains(&macs), "{macs}");
        let model = Model::load("photo-efficientnet-lite0", &Device::flex()).unwrap();
        assert_eq!(parameters, model.parameters() as u64);
        let (layers, _, parameters) = sum("cifar-resnet");
        assert!(layers > 15);
        let model = Model::load("cifar-resnet", &Device::flex()).unwrap();
        assert_eq!(parameters, model.parameters() as u64);
    }
}
