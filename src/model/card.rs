//! The card of a model: everything about it except the weights. TOML or JSON.
//!
//! The layer list uses PyTorch's names and layouts, so that a network trained there is brought here
//! by writing a card: `param = "conv1"` means the tensors `conv1.weight` and `conv1.bias`.

use crate::data::{Image, ResizeFilter, sha256};
use crate::error::{Error, Result};
use crate::model::card_errors::{self, way};
use crate::model::ops::Layer;
use crate::model::untrusted;
use crate::printable::printable;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Component, Path};

/// A network's image has no more pixels.
const LARGEST_PIXELS: usize = 4096 * 4096;
/// No image is resized to a longer short side.
const LARGEST_SIDE: usize = 16_384;

/// A model's card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name it is asked for by.
    pub name: String,
    /// One line for menus.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The data set it was made for: `mnist`, `fashion`, `photos` …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// Names of the classes; empty: those of `data` (or of `imagenet` for photographs).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Number of classes.
    pub num_classes: usize,
    /// The training or architecture defence it stands for, by that row's identifier; none: ordinary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defence: Option<String>,
    /// File name of the weights, beside the card.
    #[serde(default = "default_weights")]
    pub weights: String,
    /// SHA-256 of the weights file; checked where it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Licence of the weights.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// A network known by name; leave out where `layers` are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// What it takes in.
    pub input: InputSpec,
    /// Measured accuracies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// How it was trained: free text and numbers, shown as they stand.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub training: toml::Table,
    /// The layers, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
}

fn default_weights() -> String {
    "weights.safetensors".into()
}

/// What a model takes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// The range of pixels; always `[0, 1]` here, said so that nobody has to guess.
    #[serde(default = "unit_range")]
    pub range: [f32; 2],
    /// Short side before the centre is cut out; none: the input's own size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// How images are resized.
    #[serde(default)]
    pub filter: ResizeFilter,
    /// Mean and standard deviation per channel, applied inside the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
}

fn unit_range() -> [f32; 2] {
    [0.0, 1.0]
}

impl InputSpec {
    /// The image as the model sees it: resized, cut out, grey or RGB as the card says.
    pub fn fit(&self, image: &Image) -> Image {
        image.fit(self.shape, self.resize, self.filter)
    }
}

/// `(x − mean) / std`, per channel, on pixels in 0..1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Mean of each channel.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
}

/// Measured accuracies, each with its n.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Clean accuracy, 0..1.
    pub clean: f64,
    /// Over how many test samples.
    pub clean_n: usize,
    /// Robust accuracies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub robust: Vec<RobustAccuracy>,
}

/// A robust accuracy and what it was measured with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustAccuracy {
    /// The attack's identifier.
    pub attack: String,
    /// The norm.
    pub norm: String,
    /// ε in pixel units.
    pub epsilon: f64,
    /// The attack's parameters.
    pub parameters: String,
    /// Over how many test samples (the first ones).
    pub n: usize,
    /// The seed.
    pub seed: u64,
    /// Robust accuracy, 0..1.
    pub accuracy: f64,
    /// Its 95 % Wilson interval.
    pub interval: [f64; 2],
}

impl Card {
    /// Parses a card; JSON where the text begins with a brace, else TOML.
    ///
    /// # Errors
    /// Failure, with the line and what is wrong there.
    pub fn parse(text: &str, place: &Path) -> Result<Self> {
        let bad = |what: String| {
            Error::file(
                format!("the card does not parse: {what}"),
                place.display(),
                "see 'Bring a model' in the README for the fields",
            )
        };
        let parsed = match card_errors::is_json(text) {
            true => serde_json::from_str(text).ok(),
            false => toml::from_str(text).ok(),
        };
        let judge = |value: Value| match serde_json::from_value::<Self>(value) {
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        };
        let mut card: Self = parsed.ok_or_else(|| bad(card_errors::explain(text, &judge)))?;
        card.check().map_err(|(field, what)| bad(card_errors::at(text, &way(field), &what)))?;
        card.make_printable();
        Ok(card)
    }

    /// Whether the fields make sense; else which one does not, and why.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let no = |field, what: &str| Err((field, what.to_string()));
        let [c, h, w] = self.input.shape;
        let fits = h.checked_mul(w).is_some_and(|pixels| (1..=LARGEST_PIXELS).contains(&pixels));
        if !matches!(c, 1 | 3) || !fits {
            let what = format!(
                "input.shape [{c}, {h}, {w}] must be [1 or 3, height, width], of {LARGEST_PIXELS} pixels \
                 at most"
            );
            return Err(("input.shape", what));
        }
        if self.input.range != [0.0, 1.0] {
            let what = "input.range must be [0.0, 1.0]; put scaling into input.normalisation";
            return no("input.range", what);
        }
        if let Some(short) = self.input.resize.filter(|short| !(1..=LARGEST_SIDE).contains(short)) {
            let what = format!("input.resize {short} must be in 1..{LARGEST_SIDE}");
            return Err(("input.resize", what));
        }
        let sound = |n: &Normalisation| {
            let finite = n.mean.iter().chain(&n.std).all(|value| value.is_finite());
            finite && n.mean.len() == c && n.std.len() == c && n.std.iter().all(|s| *s > 0.0)
        };
        if !self.input.normalisation.as_ref().is_none_or(sound) {
            let what = format!("input.normalisation needs {c} means and {c} positive stds");
            return Err(("input.normalisation", what));
        }
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if self.weights.is_empty() || !Path::new(&self.weights).components().all(inside) {
            let what = format!(
                "weights '{}' must be a file beside the card, without a '/' at its start and without '..'",
                self.weights
            );
            return Err(("weights", what));
        }
        if self.num_classes == 1 {
            return no(
                "num_classes",
                "num_classes is 1, and must be at least 2: a network with one answer tells two classes \
                 apart by a sigmoid; give its last layer a first row of zeros, with bias 0, and 2 classes",
            );
        }
        if self.num_classes < 2 {
            return no("num_classes", "num_classes must be at least 2");
        }
        if !self.labels.is_empty() && self.labels.len() != self.num_classes {
            let found = self.labels.len();
            return Err(("labels", format!("{found} labels for {} classes", self.num_classes)));
        }
        match (&self.architecture, self.layers.is_empty()) {
            (None, true) => no("layers", "neither layers nor architecture are given"),
            (Some(_), false) => no("architecture", "layers and architecture exclude each other"),
            _ => Ok(()),
        }
    }

    /// Makes every text of it [`printable`], but for the name of the weights file, which is a path.
    fn make_printable(&mut self) {
        let Self { name, title, data, labels, licence, accuracy, training, .. } = self;
        let robust = accuracy.iter_mut().flat_map(|accuracy| &mut accuracy.robust);
        let measured = robust.flat_map(|row| [&mut row.attack, &mut row.norm, &mut row.parameters]);
        let texts = [name, title, data, licence].into_iter().chain(labels).chain(measured);
        texts.for_each(|text| *text = printable(text));
        untrusted::clean_table(training);
    }

    /// What tells it from all others, whatever its name and however its file is laid out: the SHA-256 of
    /// all of its fields, as JSON.
    ///
    /// # Errors
    /// Failure, where it cannot be put into JSON.
    pub fn sha256(&self) -> Result<String> {
        let text = serde_json::to_vec(self).map_err(|e| {
            let place = format!("card '{}'", self.name);
            Error::file(format!("cannot write JSON: {e}"), place, "check the card's fields")
        })?;
        Ok(sha256(&text))
    }

    /// The name for menus.
    pub fn shown(&self) -> &str {
        match self.title.is_empty() {
            true => &self.name,
            false => &self.title,
        }
    }
}
