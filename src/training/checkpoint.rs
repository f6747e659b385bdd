//! Checkpoints: parameters and moments in one safetensors file, written whole or not at all, with a
//! checksum.

use crate::data::{Digest, memory, read_bounded};
use crate::error::{Error, Result};
use crate::model::{Weights, read_tensors, write_tensors};
use crate::training::adam::WeightTensor;
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
/// What tells the run from others, as digits: see [`identity`].
const RUN: &str = "epsiloscope.run";
/// SHA-256 of all that stands in the other tensors, as digits.
const SUM: &str = "epsiloscope.sha256";

/// What tells a run from others beside its seed and length: recipe, card, data (by SHA-256) and the
/// program's version.
pub fn identity(recipe: &str, card: &str, data: &str) -> String {
    let mut digest = Digest::default();
    let pieces = [recipe, card, data, env!("CARGO_PKG_VERSION")];
    pieces.iter().for_each(|piece| digest.piece(piece.as_bytes()));
    digest.finish()
}

/// Writes a checkpoint of all networks of a run.
///
/// # Errors
/// Failure, when the folder is read-only or full.
pub fn save(
    path: &Path,
    run: &str,
    networks: &[Vec<WeightTensor>],
    position: Position,
) -> Result<()> {
    let words = [position.seed, position.epochs, position.step];
    let bytes = words.iter().flat_map(|w| (*w as i64).to_le_bytes()).collect();
    let mut tensors = vec![
        (POSITION.to_string(), vec![3], bytes, Dtype::I64),
        (RUN.to_string(), vec![run.len()], run.as_bytes().to_vec(), Dtype::U8),
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
    let entry = |(name, shape, bytes, kind): &(String, Vec<usize>, Vec<u8>, Dtype)| {
        (name.clone(), *kind, shape.clone(), bytes.clone())
    };
    let sum = sum(tensors.iter().map(entry).collect());
    tensors.push((SUM.to_string(), vec![sum.len()], sum.into_bytes(), Dtype::U8));
    write_tensors(path, &tensors)
}

/// SHA-256 of tensors, whatever their order: their names, types, shapes and bytes.
fn sum(mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>) -> String {
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut digest = Digest::default();
    for (name, kind, shape, bytes) in tensors {
        digest.piece(name.as_bytes());
        digest.piece(format!("{kind:?} {shape:?}").as_bytes());
        digest.piece(&bytes);
    }
    digest.finish()
}

/// What a parameter consists of, by the suffix of each part's name.
fn parts(p: &WeightTensor) -> [(&'static str, &Vec<f32>); 4] {
    [("", &p.value), (".mean", &p.mean), (".square", &p.square), (".singular", &p.singular)]
}

/// Reads a checkpoint into `networks`, if it belongs to this run; answers with the next step.
///
/// # Errors
/// Failure, when the file is damaged or belongs to another run.
pub fn load(
    path: &Path,
    run: &str,
    networks: &mut [Vec<WeightTensor>],
    seed: u64,
    epochs: usize,
) -> Result<usize> {
    let bytes = read_bounded(path, "read the checkpoint", memory::budget() / 2)?;
    parse(&bytes, path, run, networks, (seed, epochs as u64))
}

/// As [`load`], from the file's bytes.
fn parse(
    bytes: &[u8],
    path: &Path,
    run: &str,
    networks: &mut [Vec<WeightTensor>],
    (seed, epochs): (u64, u64),
) -> Result<usize> {
    let place = path.display().to_string();
    let other = || {
        Error::file(
            "the checkpoint belongs to another run (recipe, data, seed, epochs or program version)",
            &place,
            "give the same ones, or remove the checkpoint",
        )
    };
    let tensors = read_tensors(bytes, &place)?;
    let find = |name: &str| tensors.iter().find(|(n, _)| n == name).ok_or_else(other);
    let all = tensors.iter().filter(|(name, _)| name != SUM).map(|(name, view)| {
        (name.clone(), view.dtype(), view.shape().to_vec(), view.data().to_vec())
    });
    let whole = sum(all.collect());
    let seal = tensors.iter().find(|(name, _)| name == SUM).map(|(_, view)| view.data());
    if seal != Some(whole.as_bytes()) {
        let what = match seal {
            Some(_) => "the checkpoint is damaged: its checksum is not that of its content",
            None => "the checkpoint has no checksum: it is damaged, or an older version wrote it",
        };
        return Err(Error::file(what, &place, "remove it to begin anew, or restore a copy"));
    }
    if find(RUN)?.1.data() != run.as_bytes() {
        return Err(other());
    }
    let words = find(POSITION)?.1.data().as_chunks().0;
    let words: Vec<u64> = words.iter().map(|w| i64::from_le_bytes(*w) as u64).collect();
    if words.len() != 3 || words[0] != seed || words[1] != epochs {
        return Err(other());
    }
    let weights = Weights::parse(bytes, &place)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_of_a_checkpoint_changes_unnoticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        let networks = [vec![WeightTensor::new("fc.weight", &[1, 2], vec![0.5, -0.25])]];
        let position = Position { seed: 1, epochs: 2, step: 3 };
        save(&path, "run", &networks, position).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let read = |bytes: &[u8], run: &str| {
            let mut found = [vec![WeightTensor::new("fc.weight", &[1, 2], vec![0.0; 2])]];
            parse(bytes, &path, run, &mut found, (1, 2)).map(|step| (step, found))
        };
        let whole = Ok((3, networks.clone()));
        assert_eq!(read(&bytes, "run"), whole);
        assert!(read(&bytes, "other").unwrap_err().to_string().contains("another run"));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Spaces of the header may change to other white space.
            let found = read(&flipped, "run");
            assert!(found.is_err() || found == whole, "bit {bit}");
        }
    }
}
