//! Data sets: images with their classes, and the samples of which they are made.

use crate::data::Digest;
use crate::data::Image;
use crate::data::image_file::read_image;
use crate::error::{Error, Result};
use crate::printable::printable;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What stands for a data set's identifier with a user's own image.
const FILE: &str = "file";

/// Where the pixels are.
#[derive(Debug)]
enum Store {
    /// Images of one shape `[C, H, W]` as bytes `[N, C, H, W]`, with their classes.
    Bytes { shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u8> },
    /// Images of any size, with their names and, where known, their classes.
    Images(Vec<(String, Image, Option<usize>)>),
}

/// A data set in memory: N images, each with its class where that is known.
#[derive(Debug)]
pub struct Dataset {
    /// The name used on the command line.
    pub id: String,
    /// The name used on the screen.
    pub title: String,
    /// Names of its classes; empty where the classes are not known.
    pub labels: Arc<Vec<String>>,
    store: Store,
    sum: OnceLock<String>,
}

/// One image to attack, with its class where that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The data set's identifier, or `file`.
    pub dataset: String,
    /// The index in it.
    pub index: usize,
    /// Its name: `mnist #0`, `photos coffee`, or the file's name.
    pub name: String,
    /// The image `[C, H, W]`, at its own size.
    pub image: Image,
    /// Its class, where it is known.
    pub label: Option<usize>,
}

impl Dataset {
    /// A data set of one image from a file.
    ///
    /// # Errors
    /// As [`read_image`].
    pub fn from_file(path: &Path) -> Result<Arc<Self>> {
        let sample = Sample::from_file(path)?;
        let (title, items) = (sample.name.clone(), vec![(sample.name, sample.image, None)]);
        Ok(Arc::new(Self { title, ..Self::from_images(&sample.dataset, items, Arc::default()) }))
    }

    /// A data set of bytes `[N, C, H, W]` with N classes and the classes' names.
    pub fn from_bytes(
        id: &str,
        shape: [usize; 3],
        pixels: Vec<u8>,
        labels: Vec<u8>,
        names: Vec<String>,
    ) -> Self {
        Self::new(id, Arc::new(names), Store::Bytes { shape, pixels, labels })
    }

    /// A data set of images of any size, each with its name and, where known, its class.
    pub fn from_images(
        id: &str,
        items: Vec<(String, Image, Option<usize>)>,
        names: Arc<Vec<String>>,
    ) -> Self {
        Self::new(id, names, Store::Images(items))
    }

    fn new(id: &str, labels: Arc<Vec<String>>, store: Store) -> Self {
        Self { id: id.into(), title: id.into(), labels, store, sum: OnceLock::new() }
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
                Store::Images(items) => {
                    items.iter().for_each(|(_, image, label)| take(&mut digest, image, *label));
                }
            }
            digest.finish()
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Bytes { labels, .. } => labels.len(),
            Store::Images(items) => items.len(),
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
            Store::Images(items) => items.get(index).and_then(|i| i.2),
        }
    }

    /// The bytes of sample `index`, `[C, H, W]`, where the samples are kept as bytes of one shape.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        match &self.store {
            Store::Bytes { shape, pixels, .. } => {
                let size: usize = shape.iter().product();
                pixels.get(index * size..(index + 1) * size)
            }
            Store::Images(_) => None,
        }
    }

    /// Sample `index`; the last one where the index is too high.
    pub fn sample(&self, index: usize) -> Sample {
        let index = index.min(self.len().saturating_sub(1));
        let (name, image) = match &self.store {
            Store::Bytes { shape, .. } => {
                let bytes = self.bytes(index).unwrap_or_default();
                (format!("{} #{index}", self.id), Image::from_bytes(*shape, bytes))
            }
            Store::Images(items) => (items[index].0.clone(), items[index].1.clone()),
        };
        Sample { dataset: self.id.clone(), index, name, image, label: self.label(index) }
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
    /// A user's own image.
    ///
    /// # Errors
    /// As [`read_image`].
    pub fn from_file(path: &Path) -> Result<Self> {
        let image = read_image(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let name = printable(&name);
        Ok(Self { dataset: FILE.into(), index: 0, name, image, label: None })
    }

    /// Whether it is a user's own image.
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

/// Adds an image and its class to a digest.
fn take(digest: &mut Digest, image: &Image, label: Option<usize>) {
    image.shape().iter().for_each(|size| digest.add(&(*size as u64).to_le_bytes()));
    image.digest(digest);
    digest.piece(label.map_or(String::new(), |label| label.to_string()).as_bytes());
}
