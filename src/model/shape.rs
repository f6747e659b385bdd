//! How large everything in a network is: the shapes that flow between its layers, the tensors that
//! they ask for, the memory that all of it takes. A card is worked through here before anything is
//! allocated, so every product is a checked one.

use crate::data::memory;
use crate::error::{Error, Result};
use crate::model::builder;
use crate::model::card::Card;
use crate::model::layer::Layer;
use crate::model::stochastic::ActivationMask;

/// The shape that flows between layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ActivationShape {
    /// `[C, H, W]`.
    Map([usize; 3]),
    /// What was flattened, and how it lay before that.
    Flat([usize; 3]),
}

impl ActivationShape {
    pub(super) fn shape(self) -> [usize; 3] {
        match self {
            Self::Map(shape) | Self::Flat(shape) => shape,
        }
    }

    /// How many values; none where that is no number of this machine's.
    pub(super) fn count(self) -> Option<usize> {
        self.shape().iter().try_fold(1_usize, |product, side| product.checked_mul(*side))
    }
}

/// What a layer makes of `size`; of a residual block, what its body makes of it.
///
/// # Errors
/// What does not fit.
pub(super) fn after(layer: &Layer, size: ActivationShape) -> Result<ActivationShape, String> {
    match (layer, size) {
        (
            Layer::Conv2d { param, inputs, out, kernel, stride, padding, groups, .. },
            ActivationShape::Map(map),
        ) => {
            let fits = *groups > 0 && *stride > 0 && *kernel > 0 && *out > 0 && map[0] == *inputs;
            let fits = fits && inputs % groups == 0 && out % groups == 0;
            let pads = padding.pairs();
            let sides = pads.iter().zip(&map[1..]);
            let mut far =
                sides.flat_map(|((a, b), side)| [a, b].map(|pad| (*pad, (*side).max(*kernel))));
            if let Some((pad, most)) = far.find(|(pad, most)| pad > most) {
                return Err(format!(
                    "conv2d '{param}' has padding {pad}, more than the picture and the kernel: at most {most}"
                ));
            }
            let next = windowed(map, *kernel, *stride, pads).filter(|_| fits);
            let misfit = || format!("conv2d '{param}' ({inputs} channels in) gets {map:?}");
            let [_, h, w] = next.ok_or_else(misfit)?;
            Ok(ActivationShape::Map([*out, h, w]))
        }
        (Layer::BatchNorm2d { param, features, eps }, ActivationShape::Map([c, ..])) => {
            if !(*eps >= 0.0 && eps.is_finite()) {
                return Err(format!(
                    "batchnorm2d '{param}' has eps {eps}, which must be 0 or more"
                ));
            }
            match c == *features {
                true => Ok(size),
                false => Err(format!("batchnorm2d '{param}' of {features} gets {size:?}")),
            }
        }
        (Layer::Linear { param, inputs, out, .. }, _) => match size.count() {
            Some(values) if values == *inputs && *out > 0 => {
                Ok(ActivationShape::Flat([*out, 1, 1]))
            }
            values => {
                let values = values.map_or("too many".into(), |values| values.to_string());
                Err(format!("linear '{param}' takes {inputs} values and gets {values}"))
            }
        },
        (Layer::MaxPool2d { kernel, stride, padding }, ActivationShape::Map(map))
        | (Layer::AvgPool2d { kernel, stride, padding }, ActivationShape::Map(map)) => {
            let stride = stride.unwrap_or(*kernel);
            let fits = *kernel > 0 && stride > 0 && *padding <= *kernel / 2;
            let next = windowed(map, *kernel, stride, [(*padding, *padding); 2]);
            let next = next.filter(|_| fits).map(ActivationShape::Map);
            next.ok_or_else(|| format!("pooling by {kernel} gets {map:?}"))
        }
        (Layer::GlobalAvgPool2d {}, ActivationShape::Map([c, _, _])) => {
            Ok(ActivationShape::Map([c, 1, 1]))
        }
        (Layer::Flatten {}, _) => Ok(ActivationShape::Flat(size.shape())),
        (Layer::Residual { body }, ActivationShape::Map(_)) => {
            let end = body.iter().try_fold(size, |size, layer| after(layer, size))?;
            match end == size {
                true => Ok(size),
                false => Err(format!("a residual body turns {size:?} into {end:?}")),
            }
        }
        (other, ActivationShape::Flat(_)) if needs_map(other) => {
            Err(format!("{} gets {} flat values", kind(other), size.count().unwrap_or(0)))
        }
        _ => Ok(size),
    }
}

/// No window goes farther in one step: what lies between is more than any picture has.
const LARGEST_STRIDE: usize = 1 << 14;

/// What windows make of a map; none where they are larger than it.
fn windowed(
    [c, h, w]: [usize; 3],
    kernel: usize,
    stride: usize,
    pad: [(usize, usize); 2],
) -> Option<[usize; 3]> {
    if stride > LARGEST_STRIDE {
        return None;
    }
    let side = |n: usize, (a, b): (usize, usize)| {
        let room = n.checked_add(a)?.checked_add(b)?.checked_sub(kernel)?;
        (room / stride.max(1)).checked_add(1)
    };
    Some([c, side(h, pad[0])?, side(w, pad[1])?])
}

fn needs_map(layer: &Layer) -> bool {
    use Layer as L;
    matches!(
        layer,
        L::Conv2d { .. }
            | L::BatchNorm2d { .. }
            | L::MaxPool2d { .. }
            | L::AvgPool2d { .. }
            | L::GlobalAvgPool2d {}
            | L::Residual { .. }
    )
}

/// What a layer is called in a card; of an activation, that it is one.
fn kind(layer: &Layer) -> &'static str {
    match layer {
        Layer::Conv2d { .. } => "conv2d",
        Layer::BatchNorm2d { .. } => "batchnorm2d",
        Layer::Linear { .. } => "linear",
        Layer::MaxPool2d { .. } => "maxpool2d",
        Layer::AvgPool2d { .. } => "avgpool2d",
        Layer::GlobalAvgPool2d {} => "globalavgpool2d",
        Layer::Residual { .. } => "residual",
        _ => "activation",
    }
}

/// A layer as messages call it: `conv2d 'c'`.
fn called(layer: &Layer) -> String {
    match layer {
        Layer::Conv2d { param, .. }
        | Layer::BatchNorm2d { param, .. }
        | Layer::Linear { param, .. } => {
            format!("{} '{param}'", kind(layer))
        }
        _ => kind(layer).to_string(),
    }
}

/// The names and shapes of the tensors that a layer without a body asks for.
fn tensors(layer: &Layer) -> Vec<(String, Vec<usize>)> {
    let (param, parts): (&str, Vec<(&str, Vec<usize>)>) = match layer {
        Layer::Conv2d { param, inputs, out, kernel, groups, bias, .. } => {
            let weight = ("weight", vec![*out, inputs / (*groups).max(1), *kernel, *kernel]);
            (
                param,
                [Some(weight), bias.then(|| ("bias", vec![*out]))].into_iter().flatten().collect(),
            )
        }
        Layer::Linear { param, inputs, out, bias } => {
            let weight = ("weight", vec![*out, *inputs]);
            (
                param,
                [Some(weight), bias.then(|| ("bias", vec![*out]))].into_iter().flatten().collect(),
            )
        }
        Layer::BatchNorm2d { param, features, .. } => {
            let parts = ["weight", "bias", "running_mean", "running_var"];
            (param, parts.map(|part| (part, vec![*features])).to_vec())
        }
        _ => return Vec::new(),
    };
    parts.into_iter().map(|(part, shape)| (format!("{param}.{part}"), shape)).collect()
}

/// So many pictures at least flow through a network at once: those that it is tried with.
pub(super) const PROBES: u64 = 4;

/// What a network asks for.
#[derive(Debug, Default)]
pub(super) struct MemoryEstimate {
    /// Names and shapes of its tensors, in the order of its layers.
    pub tensors: Vec<(String, Vec<usize>)>,
    /// Values that one picture's way forward leaves for the way back.
    values: u64,
    /// Values of the largest layer.
    largest: u64,
    /// Numbers in its tensors.
    weights: u64,
}

impl MemoryEstimate {
    /// Works a card through, and holds it against the memory there is.
    ///
    /// # Errors
    /// Failure, naming the layer that does not fit the one before it, or that takes too much memory.
    pub(super) fn of(card: &Card) -> Result<Self> {
        let mut need = Self::default();
        let size = ActivationShape::Map(card.input.shape);
        need.flows(size, 1.0);
        need.hold("input.shape", card)?;
        need.walk(&builder::layers(card)?, size, "", card)?;
        Ok(need)
    }

    fn walk(
        &mut self,
        layers: &[Layer],
        mut size: ActivationShape,
        within: &str,
        card: &Card,
    ) -> Result<ActivationShape> {
        for (i, layer) in layers.iter().enumerate() {
            let place = format!("{within}layer {}", i + 1);
            let misfit = |what: String| {
                let place = format!("card '{}'", card.name);
                Error::failure(what, place, "make the layer sizes agree")
            };
            if let (Layer::Residual { body }, ActivationShape::Map(_)) = (layer, size) {
                self.walk(body, size, &format!("{place}, body "), card)?;
            }
            let fits = after(layer, size).and_then(|next| {
                ActivationMask::new(layer, 0, size.shape())?;
                Ok(next)
            });
            size = fits.map_err(|what| misfit(format!("{place}: {what}")))?;
            let found = tensors(layer);
            for (_, shape) in &found {
                let sides = shape.iter().map(|side| *side as u64);
                self.weights = self.weights.saturating_add(sides.fold(1, u64::saturating_mul));
            }
            self.tensors.extend(found);
            match layer {
                // Part of the layer before them, or nothing at all.
                Layer::Relu {}
                | Layer::Relu6 {}
                | Layer::BatchNorm2d { .. }
                | Layer::Flatten {} => {}
                Layer::Sap { share } => self.flows(size, 2.0 + share.clamp(0.0, 100.0)),
                Layer::Kwta { .. } | Layer::McDropout { .. } | Layer::RandomSlope { .. } => {
                    self.flows(size, 2.0);
                }
                _ => self.flows(size, 1.0),
            }
            self.hold(&format!("{place} ({})", called(layer)), card)?;
        }
        Ok(size)
    }

    /// Counts what flows out of a layer, so many times.
    fn flows(&mut self, size: ActivationShape, times: f64) {
        let count = size.count().map_or(u64::MAX, |count| (count as f64 * times) as u64);
        self.values = self.values.saturating_add(count);
        self.largest = self.largest.max(count);
    }

    /// The bytes that all up to here takes: pictures on their way, there and back; tensors in the
    /// file, as they were read, on the device and as the CPU wants them; the classes' names.
    fn bytes(&self, card: &Card) -> Option<u64> {
        let picture = self.largest.checked_mul(2)?.checked_add(self.values)?;
        let tensors = self.weights.checked_mul(4)?;
        let numbers = picture.checked_mul(PROBES)?.checked_add(tensors)?;
        let names = (card.num_classes as u64).checked_mul(64)?;
        numbers.checked_mul(4)?.checked_add(names)
    }

    fn hold(&self, what: &str, card: &Card) -> Result<()> {
        memory::check_budget(
            self.bytes(card),
            what,
            &format!("card '{}'", card.name),
            "make it smaller",
        )
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
            let need = MemoryEstimate::of(&card).unwrap();
            let mut asked = Vec::new();
            Network::build(&card, &Device::flex(), &mut |name, shape| {
                asked.push((name.to_string(), shape.to_vec()));
                let n: usize = shape.iter().product();
                let data = TensorData::new(vec![1.0_f32; n], [n]);
                Ok(Tensor::from_data(data, &Device::flex()))
            })
            .unwrap();
            assert_eq!(need.tensors, asked, "{}", card.name);
            let bytes = need.bytes(&card).unwrap();
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
                for size in [ActivationShape::Map(sides), ActivationShape::Flat(sides)] {
                    let _ = after(layer, size);
                    let card = &catalogue()[0];
                    let mut need = MemoryEstimate::default();
                    let _ = need.walk(std::slice::from_ref(layer), size, "", card);
                }
            }
        }
    }
}
