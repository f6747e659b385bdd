//! Checkpoints: parameters and moments in one safetensors file, written whole or not at all.

use crate::error::{Error, Result};
use crate::model::{Weights, read_tensors, write_tensors};
use crate::training::adam::Parameter;
use burn::tensor::{Device, Tensor, TensorData};
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

const POSITION: &str = "epsiloscope.position";

/// Writes a checkpoint.
///
/// # Errors
/// Failure, when the folder is read-only or full; device failures.
pub fn save(path: &Path, parameters: &[Parameter], position: Position) -> Result<()> {
    let words = [position.seed, position.epochs, position.step];
    let bytes = words.iter().flat_map(|w| (*w as i64).to_le_bytes()).collect();
    let mut tensors = vec![(POSITION.to_string(), vec![3], bytes, Dtype::I64)];
    for p in parameters {
        for (suffix, tensor) in [("", &p.value), (".mean", &p.mean), (".square", &p.square)] {
            tensors.push((
                format!("{}{suffix}", p.name),
                p.shape.clone(),
                bytes_of(tensor)?,
                Dtype::F32,
            ));
        }
    }
    write_tensors(path, &tensors)
}

/// A tensor's values as little-endian bytes.
///
/// # Errors
/// Device failures.
pub fn bytes_of(tensor: &Tensor<1>) -> Result<Vec<u8>> {
    let values = tensor.clone().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
    Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// Reads a checkpoint into `parameters`, if it belongs to this run; answers with the next step.
///
/// # Errors
/// Failure, when the file is damaged or belongs to another run.
pub fn load(
    path: &Path,
    parameters: &mut [Parameter],
    seed: u64,
    epochs: usize,
    device: &Device,
) -> Result<usize> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read the checkpoint", path, &e))?;
    let place = path.display().to_string();
    let other = || {
        Error::failure(
            "the checkpoint belongs to another run (recipe, seed or number of epochs)",
            &place,
            "give the same ones, or remove the checkpoint",
        )
    };
    let tensors = read_tensors(&bytes, &place)?;
    let position = tensors.iter().find(|(name, _)| name == POSITION).ok_or_else(other)?;
    let words = position.1.data().as_chunks().0;
    let words: Vec<u64> = words.iter().map(|w| i64::from_le_bytes(*w) as u64).collect();
    if words.len() != 3 || words[0] != seed || words[1] != epochs as u64 {
        return Err(other());
    }
    let weights = Weights::parse(&bytes, &place)?;
    for p in parameters {
        for (suffix, tensor) in
            [("", &mut p.value), (".mean", &mut p.mean), (".square", &mut p.square)]
        {
            let values =
                weights.get(&format!("{}{suffix}", p.name), &p.shape).map_err(|_| other())?;
            let data = TensorData::new(values.to_vec(), [values.len()]);
            *tensor = Tensor::from_data(data, device);
        }
    }
    Ok(words[2] as usize)
}
