//! The embedded models, and models from the user's folders.

use crate::data::{self, DATASETS, Dataset};
use crate::error::{Error, Result};
use crate::model::Classifier;
use crate::model::card::Card;
use crate::model::network::Network;
use crate::model::sample::Spread;
use crate::model::weights::{Weights, sha256};
use burn::tensor::{Device, Tensor, TensorData};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$((
            concat!($name, "/card.toml"),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_models/", $name, "/card.toml")),
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_models/", $name, "/weights.safetensors")),
        )),*]
    };
}

/// Path of the card (for messages), the card, the weights.
static EMBEDDED: &[(&str, &str, &[u8])] = embedded![
    "mnist-cnn",
    "mnist-mlp",
    "mnist-cnn-at",
    "mnist-fgsm-at",
    "mnist-fast-at",
    "mnist-trades",
    "mnist-mart",
    "mnist-at-awp",
    "mnist-trades-awp",
    "mnist-spectral",
    "mnist-distilled",
    "mnist-smooth",
    "mnist-gaussian",
    "mnist-kwta",
    "mnist-random-slope",
    "mnist-bayes",
    "mnist-dropout",
    "mnist-adp-a",
    "mnist-adp-b",
    "fashion-cnn",
    "fashion-mlp",
    "fashion-cnn-at",
    "fashion-trades",
    "fashion-at-awp",
    "fashion-distilled",
    "fashion-random-slope",
    "fashion-bayes",
    "cifar-resnet",
    "cifar-plain",
    "cifar-fast-at",
    "cifar-trades-awp",
    "cifar-distilled",
    "photo-efficientnet-lite0",
];

/// The cards of the embedded models, in the order of menus.
pub fn catalogue() -> Vec<Card> {
    static CARDS: OnceLock<Vec<Card>> = OnceLock::new();
    let parse = || EMBEDDED.iter().filter_map(|(p, text, _)| Card::parse(text, Path::new(p)).ok());
    CARDS.get_or_init(|| parse().collect()).clone()
}

/// The card of a model by name or path, and its weights if they lie in a file.
///
/// # Errors
/// Usage for an unknown name; failure for a card that cannot be read or does not parse.
pub fn find_card(name: &str) -> Result<(Card, Option<PathBuf>)> {
    if let Some(card) = catalogue().into_iter().find(|c| c.name == name) {
        return Ok((card, None));
    }
    let path = Path::new(name);
    if !path.exists() {
        let cards = catalogue();
        let known = cards.iter().map(|c| c.name.as_str());
        return Err(match name.contains(std::path::MAIN_SEPARATOR) {
            true => {
                Error::failure("no such model", path.display(), "name a folder with a card.toml")
            }
            false => Error::unknown("model", name, "--model", known, "`epsiloscope models`"),
        });
    }
    let file = match path.is_dir() {
        true => path.join("card.toml"),
        false => path.to_path_buf(),
    };
    let text = std::fs::read_to_string(&file).map_err(|e| Error::io("read the card", &file, &e))?;
    let card = Card::parse(&text, &file)?;
    let weights = file.parent().unwrap_or(Path::new(".")).join(&card.weights);
    Ok((card, Some(weights)))
}

/// What tells the weights of a model by name or path from all others: their SHA-256.
///
/// # Errors
/// As [`find_card`]; failure for weights that cannot be read.
pub fn fingerprint(name: &str) -> Result<String> {
    let (card, path) = find_card(name)?;
    match path {
        Some(path) => {
            let read = std::fs::read(&path).map_err(|e| Error::io("read the weights", &path, &e));
            Ok(sha256(&read?))
        }
        None => Ok(sha256(embedded_weights(&card).1)),
    }
}

/// The path (for messages) and the bytes of an embedded model's weights.
fn embedded_weights(card: &Card) -> (&'static str, &'static [u8]) {
    let found = catalogue().iter().position(|c| c.name == card.name).unwrap_or(0);
    (EMBEDDED[found].0, EMBEDDED[found].2)
}

/// A model with its weights on a device.
pub struct Model {
    /// Its card.
    pub card: Card,
    /// Names of its classes.
    pub labels: Arc<Vec<String>>,
    /// The network.
    pub network: Network,
    parameters: usize,
    /// Of each tensor, how far its values are drawn around what they are.
    pub(super) spreads: Vec<Spread>,
}

impl Model {
    /// Loads a model by embedded name, folder or card file onto `device`.
    ///
    /// # Errors
    /// As [`find_card`]; failure for weights that are missing, damaged, of the wrong shape (naming
    /// the tensor), or for a network that answers with probabilities instead of logits.
    pub fn load(name: &str, device: &Device) -> Result<Arc<Self>> {
        let (card, path) = find_card(name)?;
        let weights = match &path {
            Some(path) => {
                let bytes =
                    std::fs::read(path).map_err(|e| Error::io("read the weights", path, &e))?;
                check_sha(&card, &bytes, path)?;
                Weights::parse(&bytes, &path.display().to_string())?
            }
            None => {
                let (place, bytes) = embedded_weights(&card);
                Weights::parse(bytes, place)?
            }
        };
        let model = Self::build(card, &weights, device)?;
        Ok(Arc::new(model))
    }

    /// Builds a model from a card and its weights, and checks that it answers with logits.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn build(card: Card, weights: &Weights, device: &Device) -> Result<Self> {
        let (mut used, mut spreads) = (0, Vec::new());
        let mut network = Network::build(&card, device, &mut |name, shape| {
            let values = weights.get(name, shape)?;
            used += values.len();
            spreads.push(Spread::find(weights, name, shape)?);
            Ok(Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device))
        })?;
        network.freeze();
        let labels = labels(&card)?;
        let model = Self { card, labels, network, parameters: used, spreads };
        model.check_logits()?;
        Ok(model)
    }

    /// How many weights it has.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Answers three flat pictures; a network whose answers all sum to 1 hides its logits behind a
    /// softmax, and every attack on it would underflow. Also warms the device up.
    fn check_logits(&self) -> Result<()> {
        let [c, h, w] = self.card.input.shape;
        let device = self.network.device();
        let ramp: Tensor<1> = Tensor::from_floats([0.0, 0.5, 1.0], device);
        let images = ramp.reshape([3, 1, 1, 1]).expand([3, c, h, w]);
        let answers = self.network.forward(images)?.try_into_vec_as::<f32>().map_err(|e| {
            let place = format!("model '{}'", self.card.name);
            Error { place, ..Error::lost(&e) }
        })?;
        let rows = answers.chunks(self.card.num_classes);
        let probabilities = rows.clone().all(|row| {
            row.iter().all(|v| (0.0..=1.0).contains(v))
                && (row.iter().sum::<f32>() - 1.0).abs() < 1e-4
        });
        match probabilities {
            false => Ok(()),
            true => Err(Error::failure(
                "the network answers with probabilities, not logits",
                format!("card '{}'", self.card.name),
                "leave out its last softmax",
            )),
        }
    }
}

fn check_sha(card: &Card, bytes: &[u8], path: &Path) -> Result<()> {
    let Some(wanted) = &card.sha256 else { return Ok(()) };
    let found = sha256(bytes);
    match found.eq_ignore_ascii_case(wanted) {
        true => Ok(()),
        false => Err(Error::failure(
            format!(
                "the weights' sha256 is {}…, the card says {}…",
                &found[..12],
                wanted.get(..12).unwrap_or(wanted)
            ),
            path.display(),
            "get the right weights, or correct or leave out the card's sha256",
        )),
    }
}

fn labels(card: &Card) -> Result<Arc<Vec<String>>> {
    if !card.labels.is_empty() {
        return Ok(Arc::new(card.labels.clone()));
    }
    if card.data == "photos" && card.num_classes == 1000 {
        return Ok(data::imagenet_labels());
    }
    if DATASETS.iter().any(|row| row.id == card.data) {
        let names = Dataset::load(&card.data)?.labels.clone();
        if names.len() == card.num_classes {
            return Ok(names);
        }
    }
    Ok(Arc::new((0..card.num_classes).map(|k| k.to_string()).collect()))
}
