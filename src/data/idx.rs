//! The IDX format of MNIST and Fashion-MNIST, plain or gzip-compressed.

use crate::data::spec::{DatasetSpec, TrainingData};
use crate::data::{Dataset, memory, read_bounded};
use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

/// Names of MNIST's classes.
pub const MNIST: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Names of Fashion-MNIST's classes.
pub const FASHION: &[&str] = &[
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

fn damaged(what: &str, place: &str) -> Error {
    Error::file(format!("not an IDX file: {what}"), place, "fetch the data set again")
}

/// The sizes that a header tells of, and how many bytes come behind it.
fn sizes(bytes: &[u8], dims: usize, place: &str) -> Result<(Vec<usize>, usize)> {
    if bytes.len() < 4 + 4 * dims || bytes[..4] != [0, 0, 8, dims as u8] {
        return Err(damaged("wrong header", place));
    }
    let word =
        |i: usize| u32::from_be_bytes(bytes[4 + 4 * i..8 + 4 * i].try_into().unwrap_or([0; 4]));
    let sizes: Vec<usize> = (0..dims).map(|i| word(i) as usize).collect();
    let total = sizes.iter().try_fold(1usize, |a, b| a.checked_mul(*b));
    let total = total.ok_or_else(|| damaged("wrong length", place))?;
    Ok((sizes, total))
}

fn header(bytes: &[u8], dims: usize, place: &str) -> Result<Vec<usize>> {
    let (sizes, total) = sizes(bytes, dims, place)?;
    match total {
        0 => Err(damaged("it holds nothing", place)),
        total if total == bytes.len() - 4 - 4 * dims => Ok(sizes),
        _ => Err(damaged("wrong length", place)),
    }
}

/// The images of an IDX file: shape `[1, H, W]` and bytes `[N, 1, H, W]`.
///
/// # Errors
/// Failure, when the bytes are not such a file.
pub fn images(bytes: &[u8], place: &str) -> Result<([usize; 3], Vec<u8>)> {
    let sizes = header(bytes, 3, place)?;
    Ok(([1, sizes[1], sizes[2]], bytes[16..].to_vec()))
}

/// The labels of an IDX file.
///
/// # Errors
/// Failure, when the bytes are not such a file.
pub fn labels(bytes: &[u8], place: &str) -> Result<Vec<u8>> {
    header(bytes, 1, place)?;
    Ok(bytes[8..].to_vec())
}

/// Reads a training set, `train-images-idx3-ubyte[.gz]` and `train-labels-idx1-ubyte[.gz]`, from a
/// folder.
///
/// # Errors
/// Failure, naming the file that is missing or damaged.
pub fn read_training_set(row: &DatasetSpec, folder: &Path) -> Result<TrainingData> {
    let (pixels, place) = read(folder, "train-images-idx3-ubyte", 3)?;
    let (classes, label_place) = read(folder, "train-labels-idx1-ubyte", 1)?;
    let (shape, pixels) = images(&pixels, &place)?;
    let labels = labels(&classes, &label_place)?;
    let names = row.labels();
    if labels.len() * shape.iter().product::<usize>() != pixels.len() {
        return Err(damaged("as many labels as pictures are needed", &label_place));
    }
    if let Some(bad) = labels.iter().find(|l| usize::from(**l) >= names.len()) {
        return Err(damaged(&format!("label {bad} is out of range"), &label_place));
    }
    let training = Dataset::from_bytes(row.id, shape, pixels, labels, names);
    Ok(TrainingData { training, test: None })
}

fn read(folder: &Path, name: &str, dims: usize) -> Result<(Vec<u8>, String)> {
    let both = [folder.join(name), folder.join(format!("{name}.gz"))];
    let Some(path) = both.iter().find(|path| path.exists()) else {
        return Err(Error::file(
            format!("no {name} or {name}.gz"),
            folder.display(),
            "point --data at a folder with the data set's IDX files (README: 'Training data')",
        ));
    };
    let bytes = read_bounded(path, "read the data set", memory::budget() / 3)?;
    let place = path.display().to_string();
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => Ok((unpack(&bytes, dims, &place)?, place)),
        false => Ok((bytes, place)),
    }
}

/// What a gzip-compressed IDX file holds: no more than its header tells of, since a small archive can
/// go on for ever.
fn unpack(bytes: &[u8], dims: usize, place: &str) -> Result<Vec<u8>> {
    let bad = |e: std::io::Error| damaged(&e.to_string(), place);
    let mut archive = GzDecoder::new(bytes);
    let mut out = vec![0; 4 + 4 * dims];
    archive.read_exact(&mut out).map_err(bad)?;
    let (_, total) = sizes(&out, dims, place)?;
    // As unpacked, and as the data set holds it.
    memory::check_budget(
        (total as u64).checked_mul(2),
        "the data set",
        place,
        "take a smaller one",
    )?;
    archive.take(total as u64 + 1).read_to_end(&mut out).map_err(bad)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused_not_believed() {
        let good = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9];
        assert_eq!(images(&good, "x").unwrap(), ([1, 1, 2], vec![7, 9]));
        assert!(images(&good[..17], "x").is_err());
        assert!(images(&[], "x").is_err());
        assert!(labels(&good, "x").is_err());
        let empty = [0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28];
        assert!(images(&empty, "x").unwrap_err().to_string().contains("holds nothing"));
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(images(&huge, "x").is_err());
    }

    #[test]
    fn an_archive_without_end_is_unpacked_no_further_than_its_header_says() {
        use flate2::write::GzEncoder;
        use std::io::Write;
        let pack = |zeros: usize| {
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&[0, 0, 8, 1, 0, 0, 0, 3]).unwrap();
            packed.write_all(&vec![0; zeros]).unwrap();
            packed.finish().unwrap()
        };
        assert_eq!(labels(&unpack(&pack(3), 1, "x").unwrap(), "x").unwrap(), [0; 3]);
        let long = unpack(&pack(50_000_000), 1, "x").unwrap();
        assert_eq!(long.len(), 12);
        assert!(labels(&long, "x").unwrap_err().to_string().contains("wrong length"));
        assert!(unpack(&pack(3)[..12], 1, "x").is_err());
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 255, 255, 0, 0, 255, 255];
        let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&huge).unwrap();
        let told = unpack(&packed.finish().unwrap(), 3, "x").unwrap_err().to_string();
        assert!(told.contains("--memory"), "{told}");
    }
}
