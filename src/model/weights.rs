//! Weights in safetensors files: `f16`, `bf16`, `f32` or `f64` on disk, `f32` in memory.

use crate::data::atomically;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Tensors by name: shape and values.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    place: String,
}

impl Weights {
    /// Reads a safetensors file's bytes; `place` is named in errors.
    ///
    /// # Errors
    /// Failure, when it is not such a file or holds something other than floating point numbers.
    pub fn parse(bytes: &[u8], place: &str) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, view) in read_tensors(bytes, place)? {
            // Counters such as num_batches_tracked are of no use here.
            if let Some(values) = floats(&view) {
                tensors.insert(name, (view.shape().to_vec(), values));
            }
        }
        Ok(Self { tensors, place: place.into() })
    }

    /// The values of tensor `name`, which must have this shape.
    ///
    /// # Errors
    /// Failure, naming the tensor, when it is missing, has another shape or is not finite.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let Some((found, values)) = self.tensors.get(name) else {
            let have: Vec<_> = self.tensors.keys().take(6).map(String::as_str).collect();
            return Err(Error::failure(
                format!("tensor '{name}' is missing"),
                &self.place,
                format!("name the card's layers as the file's tensors: {} …", have.join(", ")),
            ));
        };
        if found != shape {
            return Err(Error::failure(
                format!("tensor '{name}' has shape {found:?}, the card needs {shape:?}"),
                &self.place,
                "make the card's layer sizes agree with the weights",
            ));
        }
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(Error::failure(
                format!("tensor '{name}' holds {bad}"),
                &self.place,
                "train the network again; its weights have diverged",
            ));
        }
        Ok(values)
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// How many numbers there are in all.
    pub fn count(&self) -> usize {
        self.tensors.values().map(|(_, values)| values.len()).sum()
    }
}

/// The tensors of a safetensors file by name.
///
/// # Errors
/// Failure, when it is not such a file.
pub fn read_tensors<'a>(bytes: &'a [u8], place: &str) -> Result<Vec<(String, TensorView<'a>)>> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| {
        Error::failure(
            format!("not a safetensors file: {e}"),
            place,
            "save it again by safetensors",
        )
    })?;
    Ok(file.tensors())
}

/// The values of a tensor as `f32`; none where they are not floating point numbers.
pub fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        Dtype::F16 => {
            bytes.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect()
        }
        Dtype::BF16 => {
            bytes.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect()
        }
        _ => return None,
    })
}

/// Writes `f32` tensors as safetensors, whole or not at all.
///
/// # Errors
/// Failure, when the place is read-only or full.
pub fn write_tensors(path: &Path, tensors: &[(String, Vec<usize>, Vec<u8>, Dtype)]) -> Result<()> {
    let bad = |e: safetensors::SafeTensorError| {
        Error::failure(format!("cannot save the tensors: {e}"), path.display(), "")
    };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes, kind)| {
            Ok((name.as_str(), TensorView::new(*kind, shape.clone(), bytes).map_err(bad)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, None).map_err(bad)?;
    atomically(path, |file| file.write_all(&bytes))
}

/// SHA-256 as lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
