//! The memory that a network takes, reckoned from its card before anything is allocated.

use crate::data::memory;
use crate::error::{Error, Result};
use crate::model::architecture;
use crate::model::card::Card;
use crate::model::ops::Layer;
use crate::model::shape::Shape;

/// So many images at least flow through a network at once: those that it is tried with when it is
/// loaded.
pub(super) const PROBES: u64 = 4;

/// What a network asks for.
#[derive(Debug, Default)]
pub(super) struct MemoryEstimate {
    /// Names and shapes of its tensors, in the order of its layers.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Values that the forward pass of one image leaves for the backward pass.
    values: u64,
    /// Values of the largest layer.
    largest: u64,
    /// Numbers in its tensors.
    weights: u64,
}

impl MemoryEstimate {
    /// Works a card through layer by layer, and compares it with the memory there is.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit the one before it, or that takes too much memory.
    pub(super) fn of(card: &Card) -> Result<Self> {
        let mut estimate = Self::default();
        let shape = Shape::Map(card.input.shape);
        estimate.count_output(shape, 1.0);
        estimate.check_budget("input.shape", card)?;
        estimate.walk(&architecture::layers_of(card)?, shape, "", card)?;
        Ok(estimate)
    }

    fn walk(
        &mut self,
        layers: &[Layer],
        mut shape: Shape,
        within: &str,
        card: &Card,
    ) -> Result<Shape> {
        for (i, layer) in layers.iter().enumerate() {
            let place = format!("{within}layer {}", i + 1);
            let def = layer.def();
            if let (Some(body), Shape::Map(_)) = (layer.body(), shape) {
                self.walk(body, shape, &format!("{place}, body "), card)?;
            }
            shape = def.output(shape).map_err(|what| {
                let at = format!("card '{}'", card.name);
                Error::failure(format!("{place}: {what}"), at, "make the layer sizes agree")
            })?;
            let found = layer.tensors();
            for (_, shape) in &found {
                let sides = shape.iter().map(|side| *side as u64);
                self.weights = self.weights.saturating_add(sides.fold(1, u64::saturating_mul));
            }
            self.tensors.extend(found);
            self.count_output(shape, def.held());
            self.check_budget(&format!("{place} ({})", layer.called()), card)?;
        }
        Ok(shape)
    }

    /// Counts the output of a layer, held so many times.
    fn count_output(&mut self, shape: Shape, times: f64) {
        if times == 0.0 {
            return;
        }
        let count = shape.count().map_or(u64::MAX, |count| (count as f64 * times) as u64);
        self.values = self.values.saturating_add(count);
        self.largest = self.largest.max(count);
    }

    /// The bytes that all up to here takes: images on their way, forward and backward; tensors in the
    /// file, as they were read, on the device and as the CPU engine sorts them; the classes' names.
    fn bytes(&self, card: &Card) -> Option<u64> {
        let image = self.largest.checked_mul(2)?.checked_add(self.values)?;
        let tensors = self.weights.checked_mul(4)?;
        let numbers = image.checked_mul(PROBES)?.checked_add(tensors)?;
        let names = (card.num_classes as u64).checked_mul(64)?;
        numbers.checked_mul(4)?.checked_add(names)
    }

    fn check_budget(&self, what: &str, card: &Card) -> Result<()> {
        let place = format!("card '{}'", card.name);
        memory::check_budget(self.bytes(card), what, &place, "make it smaller")
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Network, catalogue};
    use burn_tensor::{Device, Tensor, TensorData};
    use proptest::prelude::*;

    /// What is counted beforehand is what the builder then asks for, in the same order.
    #[test]
    fn the_tensors_are_those_that_are_asked_for() {
        for card in catalogue() {
            let estimate = MemoryEstimate::of(&card).unwrap();
            let mut asked = Vec::new();
            Network::build(&card, &Device::flex(), &mut |name, shape| {
                asked.push((name.to_string(), shape.to_vec()));
                let n: usize = shape.iter().product();
                let data = TensorData::new(vec![1.0_f32; n], [n]);
                Ok(Tensor::from_data(data, &Device::flex()))
            })
            .unwrap();
            assert_eq!(estimate.tensors, asked, "{}", card.name);
            let bytes = estimate.bytes(&card).unwrap();
            assert!(bytes < 400 << 20, "{} takes {bytes} bytes", card.name);
        }
    }

    proptest! {
        /// Whatever numbers a card holds: a size or a complaint, never an overflow.
        #[test]
        fn no_numbers_overflow(
            sides in proptest::array::uniform3(any::<usize>()),
            numbers in proptest::array::uniform6(prop_oneof![0..40_usize, any::<usize>()]),
        ) {
            let [inputs, out, kernel, stride, padding, groups] = numbers;
            let text = format!(
                "[{{\"op\":\"conv2d\",\"param\":\"a\",\"in\":{inputs},\"out\":{out},\"kernel\":{kernel},\
                 \"stride\":{stride},\"padding\":{padding},\"groups\":{groups}}},\
                 {{\"op\":\"maxpool2d\",\"kernel\":{kernel},\"padding\":{padding}}},\
                 {{\"op\":\"avgpool2d\",\"kernel\":{kernel},\"stride\":{stride}}},\
                 {{\"op\":\"sap\",\"share\":50.0}},\
                 {{\"op\":\"linear\",\"param\":\"b\",\"in\":{inputs},\"out\":{out}}}]"
            );
            let layers: Vec<Layer> = serde_json::from_str(&text).unwrap();
            for layer in &layers {
                for shape in [Shape::Map(sides), Shape::Flat(sides)] {
                    let _ = layer.def().output(shape).map(|output| layer.def().macs(output));
                    let card = &catalogue()[0];
                    let mut estimate = MemoryEstimate::default();
                    let _ = estimate.walk(std::slice::from_ref(layer), shape, "", card);
                }
            }
        }
    }
}
