//! Checkpoints: parameters and moments in one safetensors file, written whole or not at all.

use crate::data::read_bounded;
use crate::error::{Error, Result};
use crate::model::{Weights, read_tensors, write_tensors};
use crate::training::adam::Parameter;
use safetensors::Dtype;
use std::path::Path;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The seed it began with.
    pub seed: u64,
    /// Passes over the training set it is to make.
    pub epochs: u64,
    /// The next step, counted from 0 over all epochs.
    pub step: u64,
}

/// No checkpoint larger than this is read, in bytes.
const LARGEST: u64 = 16 << 30;

const POSITION: &str = "epsiloscope.position";
/// The recipe's identifier, as bytes: two recipes may have the same parameters.
const RECIPE: &str = "epsiloscope.recipe";

/// Writes a checkpoint of all networks of a run.
///
/// # Errors
/// Failure, when the folder is read-only or full.
pub fn save(
    path: &Path,
    recipe: &str,
    networks: &[Vec<Parameter>],
    position: Position,
) -> Result<()> {
    let words = [position.seed, position.epochs, position.step];
    let bytes = words.iter().flat_map(|w| (*w as i64).to_le_bytes()).collect();
    let mut tensors = vec![
        (POSITION.to_string(), vec![3], bytes, Dtype::I64),
        (RECIPE.to_string(), vec![recipe.len()], recipe.as_bytes().to_vec(), Dtype::U8),
    ];
    for (at, network) in networks.iter().enumerate() {
        for p in network {
            for (part, values) in parts(p) {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let name = format!("{at}.{}{part}", p.name);
                tensors.push((name, vec![values.len()], bytes, Dtype::F32));
            }
        }
    }
    write_tensors(path, &tensors)
}

/// What a parameter consists of, by the suffix of each part's name.
fn parts(p: &Parameter) -> [(&'static str, &Vec<f32>); 4] {
    [("", &p.value), (".mean", &p.mean), (".square", &p.square), (".singular", &p.singular)]
}

/// Reads a checkpoint into `networks`, if it belongs to this run; answers with the next step.
///
/// # Errors
/// Failure, when the file is damaged or belongs to another run.
pub fn load(
    path: &Path,
    recipe: &str,
    networks: &mut [Vec<Parameter>],
    seed: u64,
    epochs: usize,
) -> Result<usize> {
    let bytes = read_bounded(path, "read the checkpoint", LARGEST)?;
    let place = path.display().to_string();
    let other = || {
        Error::failure(
            "the checkpoint belongs to another run (recipe, seed or number of epochs)",
            &place,
            "give the same ones, or remove the checkpoint",
        )
    };
    let tensors = read_tensors(&bytes, &place)?;
    let find = |name: &str| tensors.iter().find(|(n, _)| n == name).ok_or_else(other);
    if find(RECIPE)?.1.data() != recipe.as_bytes() {
        return Err(other());
    }
    let words = find(POSITION)?.1.data().as_chunks().0;
    let words: Vec<u64> = words.iter().map(|w| i64::from_le_bytes(*w) as u64).collect();
    if words.len() != 3 || words[0] != seed || words[1] != epochs as u64 {
        return Err(other());
    }
    let weights = Weights::parse(&bytes, &place)?;
    for (at, network) in networks.iter_mut().enumerate() {
        for p in network {
            let name = format!("{at}.{}", p.name);
            for (part, values) in [
                ("", &mut p.value),
                (".mean", &mut p.mean),
                (".square", &mut p.square),
                (".singular", &mut p.singular),
            ] {
                let found = weights.get(&format!("{name}{part}"), &[values.len()]);
                *values = found.map_err(|_| other())?.to_vec();
            }
        }
    }
    Ok(words[2] as usize)
}
