//! One scale and one shift a channel.

use super::map::Map;

/// Batch norm that could not be folded: one scale and one shift a channel.
pub(in crate::model) struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Affine {
    pub(in crate::model) fn forward(&self, x: &Map) -> Map {
        let mut values = x.values.clone();
        for pixel in values.chunks_mut(x.c) {
            let each = pixel.iter_mut().zip(&self.scale).zip(&self.shift);
            each.for_each(|((v, scale), shift)| *v = *v * scale + shift);
        }
        x.with(values)
    }

    pub(in crate::model) fn backward(&self, mut g: Map) -> Map {
        for pixel in g.values.chunks_mut(g.c) {
            pixel.iter_mut().zip(&self.scale).for_each(|(v, scale)| *v *= scale);
        }
        g
    }
}
