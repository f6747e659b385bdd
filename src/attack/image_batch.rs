//! [`ImageBatch`]: the images that attacks work on, in main memory.

use crate::data::Image;
use crate::error::{Error, Result};
use burn_tensor::{Device, Tensor, TensorData};
use std::ops::Range;

/// N images of one shape, `[N, C, H, W]`, as plain `f32` values in main memory, pixels in 0..1: N
/// rows of C·H·W values, each channel row by row.
///
/// Attacks and their oracles speak of images in this form only. They become tensors on the device
/// in one place, where [`TargetModel`](super::TargetModel) hands them to the network, and gradients
/// come back from there.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBatch {
    shape: [usize; 3],
    values: Vec<f32>,
}

impl ImageBatch {
    /// Images of `shape`, `[C, H, W]`, from N·C·H·W values.
    pub fn new(shape: [usize; 3], values: Vec<f32>) -> Self {
        Self { shape, values }
    }

    /// N black images of `shape`, `[C, H, W]`.
    pub fn zeros(shape: [usize; 3], n: usize) -> Self {
        Self::new(shape, vec![0.0; n * shape.iter().product::<usize>()])
    }

    /// A batch of one.
    pub fn of(image: &Image) -> Self {
        Self::new(image.shape(), image.pixels().to_vec())
    }

    /// Image `i` of the batch.
    pub fn image(&self, i: usize) -> Image {
        Image::new(self.shape, self.row(i).to_vec())
    }

    /// The values of a tensor `[N, C, H, W]`.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn from_tensor(images: Tensor<4>) -> Result<Self> {
        let [_, c, h, w] = images.dims();
        let values = images.try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        Ok(Self::new([c, h, w], values))
    }

    /// The images as a tensor `[N, C, H, W]` on `device`.
    pub fn to_tensor(&self, device: &Device) -> Tensor<4> {
        let [c, h, w] = self.shape;
        Tensor::from_data(TensorData::new(self.values.clone(), [self.len(), c, h, w]), device)
    }

    /// Number of images N.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.size()).unwrap_or(0)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of values of one image, C·H·W.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Shape of one image, `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All values, N·C·H·W of them.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, N·C·H·W of them, without copying.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The C·H·W values of image `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.size()..(i + 1) * self.size()]
    }

    /// The C·H·W values of image `i`, to be changed.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        let size = self.size();
        &mut self.values[i * size..(i + 1) * size]
    }

    /// The values of each image.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks(self.size().max(1))
    }

    /// The values of each image, to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        let size = self.size().max(1);
        self.values.chunks_mut(size)
    }

    /// Appends one image of C·H·W values.
    pub fn push(&mut self, row: &[f32]) {
        self.values.extend_from_slice(row);
    }

    /// Appends the images of another batch of the same shape.
    pub fn append(&mut self, mut other: Self) {
        match self.values.is_empty() {
            true => self.values = other.values,
            false => self.values.append(&mut other.values),
        }
    }

    /// The images with these indices, in that order; an index may occur more than once.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut values = Vec::with_capacity(indices.len() * self.size());
        indices.iter().for_each(|i| values.extend_from_slice(self.row(*i)));
        Self::new(self.shape, values)
    }

    /// The images of a range of indices.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let size = self.size();
        Self::new(self.shape, self.values[range.start * size..range.end * size].to_vec())
    }
}
