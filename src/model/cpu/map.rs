//! Feature maps, and how a network is run over them.

use super::kernel::Level;
use crate::rng::RngKey;
use rayon::prelude::*;

/// Feature maps of N images, channels last: `[N, H, W, C]`. A vector is a map of one pixel, or of as
/// many as before it was flattened.
pub(in crate::model) struct Map {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub values: Vec<f32>,
}

impl Map {
    /// Number of values of one image.
    pub(in crate::model) fn size(&self) -> usize {
        self.h * self.w * self.c
    }

    /// `[H, W, C]`.
    pub(in crate::model) fn shape(&self) -> [usize; 3] {
        [self.h, self.w, self.c]
    }

    /// A map of the same shape with other values.
    pub(in crate::model) fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }
}

/// How the network is run.
pub(in crate::model) struct CpuRun<'a> {
    pub level: Level,
    /// What random layers draw from, one key an image; empty: the default key for all.
    pub rng_keys: &'a [RngKey],
    /// Whether layers that work while training only do.
    pub training: bool,
    /// Whether layers use all threads by themselves, because there are too few images for them.
    pub(super) wide: bool,
}

/// Fewer multiplications are not worth a second thread.
const WIDE: usize = 1 << 21;

impl CpuRun<'_> {
    /// Fills `values`, which are groups of `group` numbers with `terms` multiplications each, in
    /// bands of whole groups; `fill` is told the number of the first.
    pub(super) fn bands(
        &self,
        values: &mut [f32],
        group: usize,
        terms: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) {
        if !self.wide || values.len() * terms < WIDE {
            return fill(0, values);
        }
        let groups = values.len().div_ceil(group);
        let size = groups.div_ceil(2 * rayon::current_num_threads()).max(1);
        let bands = values.par_chunks_mut(size * group).enumerate();
        bands.for_each(|(i, values)| fill(i * size, values));
    }
}
