//! Pictures on the host: what attacks that reason pixel by pixel work on.

use crate::error::{Error, Result};
use burn_tensor::{Device, Tensor, TensorData};

/// N pictures of one shape as plain numbers, one row of C·H·W values each.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBatch {
    shape: [usize; 3],
    values: Vec<f32>,
}

impl ImageBatch {
    /// Takes N·C·H·W values.
    pub fn new(shape: [usize; 3], values: Vec<f32>) -> Self {
        Self { shape, values }
    }

    /// N pictures of zeros.
    pub fn zeros(shape: [usize; 3], n: usize) -> Self {
        Self::new(shape, vec![0.0; n * shape.iter().product::<usize>()])
    }

    /// Reads `[N, C, H, W]` from the device.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn from_tensor(images: &Tensor<4>) -> Result<Self> {
        let [_, c, h, w] = images.dims();
        let values = images.clone().try_into_vec_as::<f32>().map_err(|e| Error::lost(&e))?;
        Ok(Self::new([c, h, w], values))
    }

    /// Writes them to the device, `[N, C, H, W]`.
    pub fn to_tensor(&self, device: &Device) -> Tensor<4> {
        self.slice(0..self.len(), device)
    }

    /// Writes some of them to the device.
    pub(super) fn slice(&self, range: std::ops::Range<usize>, device: &Device) -> Tensor<4> {
        let [c, h, w] = self.shape;
        let n = range.len();
        let values = &self.values[range.start * self.size()..range.end * self.size()];
        Tensor::from_data(TensorData::new(values.to_vec(), [n, c, h, w]), device)
    }

    /// How many pictures.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.size()).unwrap_or(0)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values a picture: C·H·W.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// One picture.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.size()..(i + 1) * self.size()]
    }

    /// One picture, to be changed.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        let size = self.size();
        &mut self.values[i * size..(i + 1) * size]
    }

    /// Every picture.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks(self.size().max(1))
    }

    /// Appends a picture.
    pub fn push(&mut self, row: &[f32]) {
        self.values.extend_from_slice(row);
    }

    /// Appends pictures.
    pub fn append(&mut self, mut other: Self) {
        self.values.append(&mut other.values);
    }

    /// The pictures with these numbers, in that order; a number may occur more than once.
    pub fn select(&self, which: &[usize]) -> Self {
        let mut values = Vec::with_capacity(which.len() * self.size());
        which.iter().for_each(|i| values.extend_from_slice(self.row(*i)));
        Self::new(self.shape, values)
    }
}
