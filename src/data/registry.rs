//! The built-in data sets, one row each. The binary carries them: copied alone to another machine it
//! still works.
//!
//! To add one: put its files below `assets/`, and write its row; where its format is new, its reader
//! in a file of its own.

use crate::data::image_file::decode;
use crate::data::spec::{DatasetSpec, EpsilonRange, Epsilons, TrainingData};
use crate::data::{Dataset, cifar, idx};
use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

macro_rules! asset {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)) as &[u8]
    };
}

/// Every built-in data set, in the order of menus.
pub static DATASETS: &[DatasetSpec] = &[
    DatasetSpec {
        id: "mnist",
        title: "MNIST",
        len: 10_000,
        about: "handwritten digits 28×28, test set (LeCun and Cortes, CC BY-SA 3.0)",
        licence: "CC BY-SA 3.0",
        epsilons: Epsilons {
            l0: upto(15.0, 100.0),
            l1: upto(10.0, 40.0),
            l2: upto(2.0, 6.0),
            linf: upto(0.3, 0.5),
        },
        black_background: true,
        any_image: false,
        labels: || owned(idx::MNIST),
        read: |row| {
            let images = asset!("mnist/t10k-images-idx3-ubyte.gz");
            idx_pair(row, images, asset!("mnist/t10k-labels-idx1-ubyte.gz"))
        },
        read_training: Some(idx::read_training_set),
    },
    DatasetSpec {
        id: "fashion",
        title: "Fashion-MNIST",
        len: 10_000,
        about: "clothes 28×28, test set (Zalando, MIT)",
        licence: "MIT",
        epsilons: Epsilons {
            l0: upto(15.0, 100.0),
            l1: upto(8.0, 40.0),
            l2: upto(1.5, 5.0),
            linf: upto(0.1, 0.3),
        },
        black_background: true,
        any_image: false,
        labels: || owned(idx::FASHION),
        read: |row| {
            let images = asset!("fashion/t10k-images-idx3-ubyte.gz");
            idx_pair(row, images, asset!("fashion/t10k-labels-idx1-ubyte.gz"))
        },
        read_training: Some(idx::read_training_set),
    },
    DatasetSpec {
        id: "cifar10",
        title: "CIFAR-10",
        len: 100,
        about: "100 colour test pictures 32×32, ten a class (Krizhevsky 2009)",
        licence: "no licence stated; for research",
        epsilons: Epsilons {
            l0: upto(12.0, 100.0),
            l1: upto(12.0, 48.0),
            l2: upto(0.5, 3.0),
            linf: upto(8.0 / 255.0, 32.0 / 255.0),
        },
        black_background: false,
        any_image: false,
        labels: || owned(cifar::CIFAR10),
        read: |row| {
            let bytes = inflate(asset!("cifar10/test-100.bin.gz"), row.id)?;
            Ok(cifar::dataset(row.id, cifar::split(&bytes)))
        },
        read_training: Some(|row, folder| {
            let (training, test) = cifar::read(folder)?;
            let dataset = |records| cifar::dataset(row.id, records);
            Ok(TrainingData { training: dataset(training), test: test.map(dataset) })
        }),
    },
    DatasetSpec {
        id: "photos",
        title: "Photographs",
        len: 8,
        about: "eight photographs with ImageNet labels (CC0 and CC BY 2.0)",
        licence: "CC0 and CC BY 2.0",
        epsilons: Epsilons {
            l0: upto(150.0, 1000.0),
            l1: upto(255.0, 1000.0),
            l2: upto(2.0, 10.0),
            linf: upto(2.0 / 255.0, 16.0 / 255.0),
        },
        black_background: false,
        any_image: true,
        labels: || (*imagenet_labels()).clone(),
        read: photos,
        read_training: None,
    },
];

const fn upto(default: f64, largest: f64) -> EpsilonRange {
    EpsilonRange { default, largest }
}

impl DatasetSpec {
    /// The row of a data set; none where it is not built in.
    pub fn find(id: &str) -> Option<&'static Self> {
        DATASETS.iter().find(|row| row.id == id)
    }

    /// The row of the data set whose models may be shown any colour image.
    pub fn of_any_image() -> Option<&'static Self> {
        DATASETS.iter().find(|row| row.any_image)
    }

    fn known(id: &str, place: &str) -> Result<&'static Self> {
        Self::find(id).ok_or_else(|| {
            let known = DATASETS.iter().map(|row| row.id);
            Error::unknown("data set", id, place, known, "`epsiloscope samples`")
        })
    }
}

impl Dataset {
    /// Loads a built-in data set; the second time it is there already.
    ///
    /// # Errors
    /// Usage, when there is none of this name.
    pub fn load(id: &str) -> Result<Arc<Self>> {
        static LOADED: Mutex<BTreeMap<&str, Arc<Dataset>>> = Mutex::new(BTreeMap::new());
        let loaded = || LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let row = DatasetSpec::known(id, "--dataset")?;
        if let Some(ready) = loaded().get(row.id) {
            return Ok(ready.clone());
        }
        let dataset = row.read()?;
        Ok(loaded().entry(row.id).or_insert_with(|| Arc::new(dataset)).clone())
    }
}

impl TrainingData {
    /// Reads the training set of the data set `id` from `folder`.
    ///
    /// # Errors
    /// Usage, for a data set that is not known or has no training set; failure, naming the file that
    /// is missing or damaged.
    pub fn read(id: &str, folder: &Path) -> Result<Self> {
        DatasetSpec::known(id, "--data")?.training(folder)
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(std::string::ToString::to_string).collect()
}

/// The names of ImageNet's 1000 classes.
fn imagenet_labels() -> Arc<Vec<String>> {
    static NAMES: OnceLock<Arc<Vec<String>>> = OnceLock::new();
    let read = || {
        let text = String::from_utf8_lossy(asset!("imagenet-labels.txt"));
        Arc::new(text.lines().map(str::to_string).collect())
    };
    NAMES.get_or_init(read).clone()
}

fn inflate(bytes: &[u8], place: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).map_err(|e| {
        Error::failure(format!("embedded data is damaged: {e}"), place, "build the program again")
    })?;
    Ok(out)
}

fn idx_pair(row: &DatasetSpec, images: &[u8], labels: &[u8]) -> Result<Dataset> {
    let (shape, pixels) = idx::images(&inflate(images, row.id)?, row.id)?;
    let labels = idx::labels(&inflate(labels, row.id)?, row.id)?;
    Ok(Dataset::from_bytes(row.id, shape, pixels, labels, row.labels()))
}

#[derive(Deserialize)]
struct PhotoList {
    photo: Vec<Photo>,
}

#[derive(Deserialize)]
struct Photo {
    id: String,
    index: usize,
}

fn photos(row: &DatasetSpec) -> Result<Dataset> {
    const FILES: [(&str, &[u8]); 8] = [
        ("coffee", asset!("photos/coffee.jpg")),
        ("camera", asset!("photos/camera.png")),
        ("chelsea", asset!("photos/chelsea.png")),
        ("rocket", asset!("photos/rocket.jpg")),
        ("barn", asset!("photos/barn.jpg")),
        ("alps", asset!("photos/alps.jpg")),
        ("china", asset!("photos/china.jpg")),
        ("flower", asset!("photos/flower.jpg")),
    ];
    let text = String::from_utf8_lossy(asset!("photos/photos.toml"));
    let list: PhotoList = toml::from_str(&text).map_err(|e| {
        Error::failure(format!("embedded list is damaged: {}", e.message()), "photos.toml", "")
    })?;
    let mut items = Vec::new();
    for (id, bytes) in FILES {
        let label = list.photo.iter().find(|p| p.id == id).map(|p| p.index);
        items.push((id.to_string(), decode(Cursor::new(bytes), Path::new(id))?, label));
    }
    Ok(Dataset::from_images(row.id, items, imagenet_labels()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::Norm;

    #[test]
    fn training_sets_are_of_known_data_sets_that_have_one() {
        let told = |id: &str| match TrainingData::read(id, Path::new(".")) {
            Ok(_) => String::new(),
            Err(e) => e.to_string(),
        };
        assert!(told("svhn").contains("unknown data set"), "{}", told("svhn"));
        assert!(told("photos").contains("no training set"), "{}", told("photos"));
    }

    #[test]
    fn every_data_set_is_what_its_row_says() {
        for row in DATASETS {
            let data = Dataset::load(row.id).unwrap();
            assert!(Norm::ALL.iter().all(|norm| {
                let range = row.epsilons.of(*norm);
                0.0 < range.default && range.default < range.largest
            }));
            assert_eq!(*data.labels, row.labels());
            assert_eq!(data.len(), row.len, "{}", row.id);
            for index in [0, row.len - 1] {
                let sample = data.get(index).unwrap();
                sample.image.check(row.id).unwrap();
                assert!(sample.label.is_some_and(|l| l < data.labels.len()), "{}", sample.name);
            }
            assert!(data.get(row.len).is_err());
        }
        // The first test digit is a seven, the first garment an ankle boot; CIFAR has ten a class.
        assert_eq!(Dataset::load("mnist").unwrap().label(0), Some(7));
        assert_eq!(Dataset::load("fashion").unwrap().label(0), Some(9));
        let cifar = Dataset::load("cifar10").unwrap();
        for class in 0..10 {
            assert_eq!((0..100).filter(|i| cifar.label(*i) == Some(class)).count(), 10);
        }
    }
}
