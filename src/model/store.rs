//! The embedded models, and models from the user's folders.

use crate::data::{DatasetSpec, memory, read_bounded, sha256};
use crate::error::{Error, Result};
use crate::model::card::Card;
use crate::model::memory_estimate::MemoryEstimate;
use crate::model::network::Network;
use crate::model::posterior::WeightPosterior;
use crate::model::weights::Weights;
use crate::model::{other_formats, sanity_check};
use burn_tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// A card has no more bytes.
const LARGEST_CARD: u64 = 4 << 20;

/// The card of a model by name or path, and its weights if they lie in a file.
///
/// # Errors
/// Usage for an unknown name; failure for a card that cannot be read or does not parse, and for what
/// is no card, with the way from there.
pub fn find_card(name: &str) -> Result<(Card, Option<PathBuf>)> {
    if let Some(card) = catalogue().into_iter().find(|c| c.name == name) {
        return Ok((card, None));
    }
    let path = Path::new(name);
    if !path.exists() {
        let cards = catalogue();
        let known = cards.iter().map(|c| c.name.as_str());
        let is_path = name.contains(std::path::MAIN_SEPARATOR) || other_formats::is_file_name(name);
        return Err(match is_path {
            true => Error::file("no such model", path.display(), "name a folder with a card.toml"),
            false => Error::unknown("model", name, "--model", known, "`epsiloscope models`"),
        });
    }
    let file = match path.is_dir() {
        true if path.join("card.toml").exists() => path.join("card.toml"),
        true => return Err(other_formats::no_card(path)),
        false => path.to_path_buf(),
    };
    other_formats::refuse_by_name(&file)?;
    let text = other_formats::text(read_bounded(&file, "read the card", LARGEST_CARD)?, &file)?;
    let card = Card::parse(&text, &file)?;
    let weights = file.parent().unwrap_or(Path::new(".")).join(&card.weights);
    Ok((card, Some(weights)))
}

/// The bytes of a weights file. Its numbers are held three times at least: as they lie in the file,
/// as they were read, and on the device.
fn read_weights(path: &Path) -> Result<Vec<u8>> {
    read_bounded(path, "read the weights", memory::budget() / 3)
}

/// The path (for messages) and the bytes of an embedded model's weights.
fn embedded_weights(card: &Card) -> (&'static str, &'static [u8]) {
    let found = catalogue().iter().position(|c| c.name == card.name).unwrap_or(0);
    (EMBEDDED[found].0, EMBEDDED[found].2)
}

/// What tells a model from all others, whatever its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// The name on its card.
    pub name: String,
    /// SHA-256 of its card: [`Card::sha256`].
    pub card_sha256: String,
    /// SHA-256 of its weights' file.
    pub weights_sha256: String,
}

/// A model with its weights on a device.
pub struct Model {
    /// What tells it from all others.
    pub identity: ModelIdentity,
    /// Its card.
    pub card: Card,
    /// Names of its classes.
    pub labels: Arc<Vec<String>>,
    /// The network.
    pub network: Network,
    /// What is worth knowing about how it was read, one line each.
    pub notes: Vec<String>,
    parameters: usize,
    /// Of each tensor, how far its values are drawn around what they are.
    pub(super) spreads: Vec<WeightPosterior>,
}

impl Model {
    /// Loads a model by embedded name, folder or card file onto `device`.
    ///
    /// # Errors
    /// As [`find_card`] and [`Model::build`]; failure for weights that are missing or damaged.
    pub fn load(name: &str, device: &Device) -> Result<Arc<Self>> {
        let (card, path) = find_card(name)?;
        MemoryEstimate::of(&card)?;
        let weights = match &path {
            Some(path) => {
                let bytes = read_weights(path)?;
                let sum = sha256(&bytes);
                check_sha(&card, &sum, path)?;
                Weights::summed(&bytes, &path.display().to_string(), sum)?
            }
            None => {
                let (place, bytes) = embedded_weights(&card);
                Weights::parse(bytes, place)?
            }
        };
        Ok(Arc::new(Self::build(card, &weights, device)?))
    }

    /// Builds a model from a card and its weights, and checks that it answers with logits.
    ///
    /// # Errors
    /// Failure for layers that do not fit each other or take more memory than there is, for tensors
    /// that are missing, of the wrong shape or left over (naming them), and for a network that
    /// answers with probabilities instead of logits, or never with a number.
    pub fn build(card: Card, weights: &Weights, device: &Device) -> Result<Self> {
        let need = MemoryEstimate::of(&card)?;
        let wanted: Vec<String> = need.tensors.into_iter().map(|(name, _)| name).collect();
        let prefix = weights.prefix(&wanted);
        let (mut used, mut parameters, mut spreads) = (BTreeSet::new(), 0, Vec::new());
        let mut network = Network::build(&card, device, &mut |name, shape| {
            let name = format!("{prefix}{name}");
            let values = weights.get(&name, shape)?;
            parameters += values.len();
            spreads.push(WeightPosterior::find(weights, &name, shape)?);
            used.extend([WeightPosterior::sigma(&name), name]);
            Ok(Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device))
        })?;
        weights.all_used(&used)?;
        network.freeze();
        let labels = labels(&card);
        let note = || format!("the names of its tensors begin with '{prefix}', which is left out");
        let mut notes: Vec<String> = (!prefix.is_empty()).then(note).into_iter().collect();
        let identity = ModelIdentity {
            name: card.name.clone(),
            card_sha256: card.sha256()?,
            weights_sha256: weights.sha256().to_string(),
        };
        notes.extend(sanity_check::check(&card, &network, weights)?);
        Ok(Self { identity, card, labels, network, notes, parameters, spreads })
    }

    /// How many weights it has.
    pub fn parameters(&self) -> usize {
        self.parameters
    }
}

fn check_sha(card: &Card, found: &str, path: &Path) -> Result<()> {
    let Some(wanted) = &card.sha256 else { return Ok(()) };
    match found.eq_ignore_ascii_case(wanted) {
        true => Ok(()),
        false => Err(Error::file(
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

fn labels(card: &Card) -> Arc<Vec<String>> {
    if !card.labels.is_empty() {
        return Arc::new(card.labels.clone());
    }
    let names = DatasetSpec::find(&card.data).map(DatasetSpec::labels);
    if let Some(names) = names.filter(|names| names.len() == card.num_classes) {
        return Arc::new(names);
    }
    Arc::new((0..card.num_classes).map(|k| k.to_string()).collect())
}
