//! The embedded data sets. The binary carries them: copied alone to another machine it still works.

use crate::data::Image;
use crate::data::image_file::{decode, read_image};
use crate::data::{Digest, cifar, idx};
use crate::error::{Error, Result};
use crate::printable::printable;
use flate2::read::GzDecoder;
use serde::Deserialize;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

macro_rules! asset {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)) as &[u8]
    };
}

/// A data set's row.
pub struct DatasetSpec {
    /// The name used on the command line.
    pub id: &'static str,
    /// The name used on the screen.
    pub title: &'static str,
    /// Number of samples.
    pub len: usize,
    /// One line: what it is and whose.
    pub about: &'static str,
    load: fn() -> Result<Store>,
}

/// Every embedded data set.
pub static DATASETS: &[DatasetSpec] = &[
    DatasetSpec {
        id: "mnist",
        title: "MNIST",
        len: 10_000,
        about: "handwritten digits 28×28, test set (LeCun and Cortes, CC BY-SA 3.0)",
        load: mnist,
    },
    DatasetSpec {
        id: "fashion",
        title: "Fashion-MNIST",
        len: 10_000,
        about: "clothes 28×28, test set (Zalando, MIT)",
        load: fashion,
    },
    DatasetSpec {
        id: "cifar10",
        title: "CIFAR-10",
        len: 100,
        about: "100 colour test pictures 32×32, ten a class (Krizhevsky 2009)",
        load: cifar10,
    },
    DatasetSpec {
        id: "photos",
        title: "Photographs",
        len: 8,
        about: "eight photographs with ImageNet labels (CC0 and CC BY 2.0)",
        load: photos,
    },
];

/// What stands for a data set's identifier with a user's own picture.
const FILE: &str = "file";

/// Where the pixels are.
#[derive(Debug)]
enum Store {
    /// All of one shape, one byte a value, `[C, H, W]` each.
    Bytes { shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u8>, names: Vec<String> },
    /// Pictures of any size, with their names.
    Pictures { items: Vec<(String, Image, Option<usize>)>, names: Arc<Vec<String>> },
}

/// A data set that is loaded.
#[derive(Debug)]
pub struct Dataset {
    /// The name used on the command line.
    pub id: String,
    /// The name used on the screen.
    pub title: String,
    /// Names of its classes; empty where the truth is not known.
    pub labels: Arc<Vec<String>>,
    store: Store,
    sum: OnceLock<String>,
}

/// One picture to attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The data set's identifier, or `file`.
    pub dataset: String,
    /// The index in it.
    pub index: usize,
    /// Its name: `mnist #0`, `photos coffee`, or the file's name.
    pub name: String,
    /// The picture, at its own size.
    pub image: Image,
    /// Its class, where it is known.
    pub label: Option<usize>,
}

impl Dataset {
    /// Loads an embedded data set; the second time it is there already.
    ///
    /// # Errors
    /// Usage, when there is none of this name.
    pub fn load(id: &str) -> Result<Arc<Self>> {
        static LOADED: [OnceLock<Arc<Dataset>>; 4] = [const { OnceLock::new() }; 4];
        let at = DATASETS.iter().position(|row| row.id == id).ok_or_else(|| {
            let known = DATASETS.iter().map(|row| row.id);
            Error::unknown("data set", id, "--dataset", known, "`epsiloscope samples`")
        })?;
        if let Some(ready) = LOADED[at].get() {
            return Ok(ready.clone());
        }
        let row = &DATASETS[at];
        let store = (row.load)()?;
        let labels = match &store {
            Store::Bytes { names, .. } => Arc::new(names.clone()),
            Store::Pictures { names, .. } => names.clone(),
        };
        let (id, title, sum) = (row.id.into(), row.title.into(), OnceLock::new());
        let ready = Arc::new(Self { id, title, labels, store, sum });
        Ok(LOADED[at].get_or_init(|| ready).clone())
    }

    /// A data set of one picture from a file.
    ///
    /// # Errors
    /// As [`read_image`].
    pub fn from_file(path: &Path) -> Result<Arc<Self>> {
        let sample = Sample::from_file(path)?;
        let names = Arc::new(Vec::new());
        Ok(Arc::new(Self {
            id: sample.dataset,
            title: sample.name.clone(),
            labels: names.clone(),
            store: Store::Pictures { items: vec![(sample.name, sample.image, None)], names },
            sum: OnceLock::new(),
        }))
    }

    /// A data set of pictures in memory (for training and tests): bytes `[N, C, H, W]`.
    pub fn from_bytes(
        id: &str,
        shape: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u8>,
        names: Vec<String>,
    ) -> Self {
        Self {
            id: id.into(),
            title: id.into(),
            labels: Arc::new(names.clone()),
            store: Store::Bytes { shape, pixels, labels, names },
            sum: OnceLock::new(),
        }
    }

    /// What tells it from all others, whatever its name: the SHA-256 of all of its shapes, pixels and
    /// classes, in order. Computed once.
    pub fn sha256(&self) -> &str {
        self.sum.get_or_init(|| {
            let mut digest = Digest::default();
            match &self.store {
                Store::Bytes { shape, pixels, labels, .. } => {
                    shape.iter().for_each(|size| digest.add(&(*size as u64).to_le_bytes()));
                    digest.piece(pixels);
                    digest.piece(labels);
                }
                Store::Pictures { items, .. } => {
                    items.iter().for_each(|(_, picture, label)| take(&mut digest, picture, *label));
                }
            }
            digest.finish()
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Bytes { labels, .. } => labels.len(),
            Store::Pictures { items, .. } => items.len(),
        }
    }

    /// True when it has no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of sample `index`.
    pub fn label(&self, index: usize) -> Option<usize> {
        match &self.store {
            Store::Bytes { labels, .. } => labels.get(index).map(|l| usize::from(*l)),
            Store::Pictures { items, .. } => items.get(index).and_then(|i| i.2),
        }
    }

    /// The bytes of sample `index`, `[C, H, W]`, where the samples are kept as bytes of one shape.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        match &self.store {
            Store::Bytes { shape, pixels, .. } => {
                let size: usize = shape.iter().product();
                pixels.get(index * size..(index + 1) * size)
            }
            Store::Pictures { .. } => None,
        }
    }

    /// Sample `index`; the last one where the index is too high.
    pub fn sample(&self, index: usize) -> Sample {
        let index = index.min(self.len().saturating_sub(1));
        let (name, picture) = match &self.store {
            Store::Bytes { shape, .. } => {
                let bytes = self.bytes(index).unwrap_or_default();
                (format!("{} #{index}", self.id), Image::from_bytes(*shape, bytes))
            }
            Store::Pictures { items, .. } => (items[index].0.clone(), items[index].1.clone()),
        };
        Sample { dataset: self.id.clone(), index, name, image: picture, label: self.label(index) }
    }

    /// Sample `index`.
    ///
    /// # Errors
    /// Usage, when the index is too high.
    pub fn get(&self, index: usize) -> Result<Sample> {
        if index < self.len() {
            return Ok(self.sample(index));
        }
        Err(Error::usage(
            format!("'{}' has no sample {index}", self.id),
            "--sample",
            format!("give 0..{}", self.len().saturating_sub(1)),
        ))
    }
}

impl Sample {
    /// A user's own picture.
    ///
    /// # Errors
    /// As [`read_image`].
    pub fn from_file(path: &Path) -> Result<Self> {
        let picture = read_image(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = printable(&name);
        Ok(Self { dataset: FILE.into(), index: 0, name, image: picture, label: None })
    }

    /// Whether it is a user's own picture.
    pub fn is_file(&self) -> bool {
        self.dataset == FILE
    }

    /// SHA-256 of its shape, its pixels and its class.
    pub fn sha256(&self) -> String {
        let mut digest = Digest::default();
        take(&mut digest, &self.image, self.label);
        digest.finish()
    }
}

/// Takes in a picture and its class.
fn take(digest: &mut Digest, picture: &Image, label: Option<usize>) {
    picture.shape().iter().for_each(|size| digest.add(&(*size as u64).to_le_bytes()));
    picture.digest(digest);
    digest.piece(label.map_or(String::new(), |label| label.to_string()).as_bytes());
}

/// The names of ImageNet's 1000 classes.
pub fn imagenet_labels() -> Arc<Vec<String>> {
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

fn idx_pair(images: &[u8], labels: &[u8], place: &str, names: &[&str]) -> Result<Store> {
    let (shape, pixels) = idx::images(&inflate(images, place)?, place)?;
    let labels = idx::labels(&inflate(labels, place)?, place)?;
    let names = names.iter().map(|n| n.to_string()).collect();
    Ok(Store::Bytes { shape, pixels, labels, names })
}

fn mnist() -> Result<Store> {
    idx_pair(
        asset!("mnist/t10k-images-idx3-ubyte.gz"),
        asset!("mnist/t10k-labels-idx1-ubyte.gz"),
        "mnist",
        idx::MNIST,
    )
}

fn fashion() -> Result<Store> {
    idx_pair(
        asset!("fashion/t10k-images-idx3-ubyte.gz"),
        asset!("fashion/t10k-labels-idx1-ubyte.gz"),
        "fashion",
        idx::FASHION,
    )
}

fn cifar10() -> Result<Store> {
    let bytes = inflate(asset!("cifar10/test-100.bin.gz"), "cifar10")?;
    let records = bytes.chunks_exact(1 + 3072);
    Ok(Store::Bytes {
        shape: cifar::SHAPE,
        labels: records.clone().map(|r| r[0]).collect(),
        pixels: records.flat_map(|r| &r[1..]).copied().collect(),
        names: cifar::CIFAR10.iter().map(|n| n.to_string()).collect(),
    })
}

#[derive(Deserialize)]
struct Photos {
    photo: Vec<Photo>,
}

#[derive(Deserialize)]
struct Photo {
    id: String,
    index: usize,
}

fn photos() -> Result<Store> {
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
    let list: Photos = toml::from_str(&text).map_err(|e| {
        Error::failure(format!("embedded list is damaged: {}", e.message()), "photos.toml", "")
    })?;
    let mut items = Vec::new();
    for (id, bytes) in FILES {
        let label = list.photo.iter().find(|p| p.id == id).map(|p| p.index);
        items.push((id.to_string(), decode(Cursor::new(bytes), Path::new(id))?, label));
    }
    Ok(Store::Pictures { items, names: imagenet_labels() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_is_what_its_row_says() {
        for row in DATASETS {
            let data = Dataset::load(row.id).unwrap();
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
