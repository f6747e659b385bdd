//! Types that several reports share: predictions, outcomes, shares, costs, and what they refer to.

use crate::attack::NON_FINITE;
use crate::metrics::Rate;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Version of the JSON objects; raised when a field is added or changes its meaning.
pub const VERSION: u32 = 2;

/// A model's prediction for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The predicted class; [`NON_FINITE`] (`null` in JSON) where its logits are no numbers.
    #[serde(serialize_with = "class")]
    pub label: usize,
    /// That class's name.
    pub name: String,
    /// The softmax probability of that class, 0..1; not a number (`null` in JSON) where there is no
    /// class.
    pub confidence: f32,
    /// The softmax probabilities of every class.
    #[serde(skip)]
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The class's name and its share in per cent with so many decimals; the name alone where there
    /// is no class.
    pub fn text(&self, decimals: usize) -> String {
        self.named(&self.name, decimals)
    }

    /// The same with a shorter name.
    pub fn named(&self, name: &str, decimals: usize) -> String {
        match self.confidence.is_nan() {
            true => name.to_string(),
            false => format!("{name} ({:.decimals$} %)", self.confidence * 100.0),
        }
    }
}

/// A class's number; null for a prediction without a class.
pub(super) fn class<S: Serializer>(label: &usize, to: S) -> Result<S::Ok, S::Error> {
    Some(*label).filter(|label| *label != NON_FINITE).serialize(to)
}

/// Reads what [`class`] has written.
pub(super) fn read_class<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(NON_FINITE))
}

/// A share with its 95 % Wilson interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// 0..1; not a number (`null` in JSON) of none.
    pub value: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
    /// How many.
    pub hits: usize,
    /// Of how many.
    pub n: usize,
}

impl From<Rate> for Share {
    fn from(rate: Rate) -> Self {
        let (value, interval) = (rate.value(), rate.interval());
        Self { value, interval, hits: rate.hits, n: rate.n }
    }
}

/// The cost of a piece of work: network passes and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AttackCost {
    /// Forward passes, counted by image.
    pub forward: u64,
    /// Backward passes, counted by image.
    pub backward: u64,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// A reference to a sample of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRef {
    /// The data set's identifier, or `file`.
    pub dataset: String,
    /// The index in it.
    pub index: usize,
    /// Its name: `mnist #0`, or the file's path.
    pub name: String,
}

/// The compute device that did the work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceInfo {
    /// `cpu` or `wgpu`.
    pub kind: String,
    /// The adapter, or the CPU backend's name.
    pub name: String,
}

/// The outcome of an attack on one image, defended or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The attack failed: the prediction is still right.
    Right,
    /// The attack succeeded.
    Fooled,
    /// The clean image is misclassified or refused already: nothing was attacked.
    Wrong,
    /// A detector refused the adversarial image.
    Detected,
    /// The smoothed network abstained: no class has enough votes.
    Abstained,
}

impl Outcome {
    /// Whether the attack failed. False where the clean image was misclassified already.
    pub fn holds(self) -> bool {
        matches!(self, Self::Right | Self::Detected | Self::Abstained)
    }

    /// The outcome in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Fooled => "fooled",
            Self::Wrong => "wrong before",
            Self::Detected => "detected",
            Self::Abstained => "abstained",
        }
    }

    /// The outcome in a sign, the same in every pane, table and report.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Right => "✓",
            Self::Fooled => "✗",
            Self::Wrong => "!",
            Self::Detected => "⚑",
            Self::Abstained => "?",
        }
    }
}
