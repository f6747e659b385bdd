//! Weights in safetensors files: `f16`, `bf16`, `f32` or `f64` on disk, `f32` in memory.

use crate::data::{memory, sha256, write_atomically};
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Tensors by name: shape and values.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Tensors of numbers that are not read here: of what kind, and how many numbers.
    others: BTreeMap<String, (Dtype, usize)>,
    place: String,
    sum: String,
}

/// What tools put before every tensor's name: data-parallel training, `torch.compile`, wrappers.
const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];

impl Weights {
    /// Reads a safetensors file's bytes; `place` is named in errors.
    ///
    /// # Errors
    /// Failure, when it is not such a file, or when there is no memory for its numbers.
    pub fn parse(bytes: &[u8], place: &str) -> Result<Self> {
        Self::summed(bytes, place, sha256(bytes))
    }

    /// The same, where the bytes' SHA-256 is known.
    pub(super) fn summed(bytes: &[u8], place: &str, sum: String) -> Result<Self> {
        let views = read_tensors(bytes, place)?;
        let numbers: u64 = views.iter().map(|(_, view)| count(view) as u64).sum();
        memory::check_budget(
            numbers.checked_mul(4),
            "the tensors",
            place,
            "take a smaller network",
        )?;
        let (mut tensors, mut others) = (BTreeMap::new(), BTreeMap::new());
        for (name, view) in views {
            match floats(&view) {
                Some(values) => {
                    tensors.insert(name, (view.shape().to_vec(), values));
                }
                None => {
                    others.insert(name, (view.dtype(), count(&view)));
                }
            }
        }
        Ok(Self { tensors, others, place: place.into(), sum })
    }

    /// The values of tensor `name`, which must have this shape.
    ///
    /// # Errors
    /// Failure, naming the tensor, when it is missing, is of a kind of numbers that is not read
    /// here, has another shape, is not finite, or is a variance below zero.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let bad = |what: String, remedy: &str| Err(Error::file(what, &self.place, remedy));
        let Some((found, values)) = self.tensors.get(name) else {
            if let Some((kind, _)) = self.others.get(name) {
                let what =
                    format!("tensor '{name}' holds {kind:?} numbers, which are not read here");
                return bad(what, "save it as F32, F16, BF16 or F64");
            }
            let have: Vec<_> = self.tensors.keys().take(6).map(String::as_str).collect();
            let remedy = match have.is_empty() {
                true => "it holds no tensors of F32, F16, BF16 or F64 numbers".to_string(),
                false => {
                    format!("name the card's layers as the file's tensors: {} …", have.join(", "))
                }
            };
            return bad(format!("tensor '{name}' is missing"), &remedy);
        };
        if found != shape {
            let what = format!("tensor '{name}' has shape {found:?}, the card needs {shape:?}");
            return bad(what, "make the card's layer sizes agree with the weights");
        }
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            let what = format!("tensor '{name}' holds {value}");
            return bad(what, "train the network again; its weights have diverged");
        }
        let variance = name.ends_with(".running_var");
        if let Some(value) = values.iter().find(|v| variance && **v < 0.0) {
            let what = format!("tensor '{name}' holds {value}, and no variance is below 0");
            return bad(
                what,
                "with it the network gives no number (NaN); export its weights again",
            );
        }
        Ok(values)
    }

    /// SHA-256 of the file that they were read from.
    pub fn sha256(&self) -> &str {
        &self.sum
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// How many numbers there are in all.
    pub fn count(&self) -> usize {
        self.tensors.values().map(|(_, values)| values.len()).sum()
    }

    /// What all names begin with (`module.`, `_orig_mod.`, `model.`, or several of them) where the
    /// `wanted` tensors are only found behind it; else nothing.
    pub(super) fn prefix(&self, wanted: &[String]) -> &str {
        let all = || self.tensors.keys().chain(self.others.keys()).map(String::as_str);
        let first = all().next().unwrap_or_default();
        let fits = |prefix: &str| {
            wanted.iter().all(|name| self.tensors.contains_key(&format!("{prefix}{name}")))
        };
        let mut end = 0;
        while !fits(&first[..end]) {
            let shared = |prefix: &&&str| {
                all().all(|name| name.get(end..).is_some_and(|rest| rest.starts_with(**prefix)))
            };
            match PREFIXES.iter().find(shared) {
                Some(prefix) => end += prefix.len(),
                None => return "",
            }
        }
        &first[..end]
    }

    /// Checks that nothing was left over: a tensor that no layer uses mostly belongs to a layer that
    /// the card forgets, and without it the network answers something else. Counters
    /// (`num_batches_tracked`) and second copies of tensors in use (tied weights) may be there.
    ///
    /// # Errors
    /// Failure, naming them.
    pub(super) fn all_used(&self, used: &BTreeSet<String>) -> Result<()> {
        let tied = |name: &str, tensor: &(Vec<usize>, Vec<f32>)| {
            let mut others = self.tensors.iter().filter(|(other, _)| used.contains(*other));
            others.any(|(other, found)| other != name && found == tensor)
        };
        let counter =
            |name: &str, count: usize| count <= 1 || name.ends_with("num_batches_tracked");
        let left = self.tensors.iter().filter(|(name, (_, values))| {
            let spare = values.is_empty() || name.ends_with("num_batches_tracked");
            !used.contains(*name) && !spare
        });
        let left = left.filter(|(name, tensor)| !tied(name, tensor));
        let left = left.map(|(name, _)| format!("'{name}'"));
        let others = self.others.iter().filter(|(name, (_, count))| !counter(name, *count));
        let others = others.map(|(name, (kind, _))| format!("'{name}' ({kind:?})"));
        let names: Vec<String> = left.chain(others).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (what, them) = match names.len() {
            0 => return Ok(()),
            1 => ("a tensor that no layer uses".to_string(), "its layer"),
            n => (format!("{n} tensors that no layer uses"), "their layers"),
        };
        Err(Error::file(
            format!("{what}: {}{more}", names[..names.len().min(NAMED)].join(", ")),
            &self.place,
            format!("add {them} to the card (a batchnorm2d, a bias?), or save the file without"),
        ))
    }

    /// The tensor of the largest number, and that.
    pub(super) fn largest(&self) -> Option<(&str, f32)> {
        let size = |values: &[f32]| values.iter().fold(0.0_f32, |a, v| a.max(v.abs()));
        let each = self.tensors.iter().map(|(name, (_, values))| (name.as_str(), size(values)));
        each.max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// So many tensors are named in an error.
const NAMED: usize = 6;

/// A header of more bytes is no network's.
const LARGEST_HEADER: u64 = 16 << 20;

/// How many numbers a tensor has.
fn count(view: &TensorView<'_>) -> usize {
    view.shape().iter().product()
}

/// The tensors of a safetensors file by name.
///
/// # Errors
/// Failure, when it is not such a file.
pub fn read_tensors<'a>(bytes: &'a [u8], place: &str) -> Result<Vec<(String, TensorView<'a>)>> {
    let bad = |what: String| {
        let what = format!("not a safetensors file: {what}");
        Error::file(what, place, "save it again by safetensors")
    };
    let header = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    if let Some(length) = header.filter(|length| *length > LARGEST_HEADER) {
        return Err(bad(format!("its header would have {}", memory::size_text(length))));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|e| bad(e.to_string()))?;
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
        Error::file(format!("cannot save the tensors: {e}"), path.display(), "")
    };
    let views = tensors
        .iter()
        .map(|(name, shape, bytes, kind)| {
            Ok((name.as_str(), TensorView::new(*kind, shape.clone(), bytes).map_err(bad)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, None).map_err(bad)?;
    write_atomically(path, |file| file.write_all(&bytes))
}
