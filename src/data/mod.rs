//! Samples, data sets and pictures. Pixels are always `f32` in `0..=1`, laid out `[C, H, W]`.

mod dataset;
mod file;
mod idx;
mod picture;
mod save;

pub use dataset::{DATASETS, Dataset, DatasetRow, Sample, imagenet_labels};
pub use file::read_picture;
pub use idx::read_training_set;
pub use picture::{Filter, Picture};
pub use save::{atomically, save_npy, save_png};
