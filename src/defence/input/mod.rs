//! Transformations of the picture before the network sees it, one a file.

mod bit_depth;
mod jpeg;
mod median;

pub use bit_depth::BIT_DEPTH;
pub use jpeg::{JPEG, jpeg};
pub use median::MEDIAN;

#[cfg(test)]
use crate::data::Picture;

/// A picture of rising values, 0..1.
#[cfg(test)]
pub(super) fn ramp(shape: [usize; 3]) -> Picture {
    let n = shape.iter().product::<usize>();
    Picture::new(shape, (0..n).map(|i| i as f32 / (n - 1).max(1) as f32).collect::<Vec<_>>())
}
