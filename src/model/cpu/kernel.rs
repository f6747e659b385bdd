//! The inner loops, in vector instructions where the processor has them.
//!
//! Every sum runs over its terms in one order, however many images, rows or threads there are: a
//! image's answer is the same to the last bit in a batch of one and in a batch of many.

use pulp::{Simd, WithSimd};
use std::array::from_fn;
use std::ops::Range;

/// Adds numbers one by one.
pub(super) fn add(to: &mut [f32], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
}

/// The vector instructions in use.
#[derive(Clone, Copy)]
pub(in crate::model) enum Level {
    /// AVX2 with fused multiplication and addition.
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    Other(pulp::Arch),
}

impl Level {
    /// The best that this processor has.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(found) = pulp::x86::V3::try_new() {
            return Self::V3(found);
        }
        Self::Other(pulp::Arch::new())
    }

    /// Compiled for these instructions, and run.
    #[inline]
    pub(super) fn run<T>(self, work: impl WithSimd<Output = T>) -> T {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V3(simd) => Simd::vectorize(simd, work),
            Self::Other(arch) => arch.dispatch(work),
        }
    }

    /// How many numbers a vector holds.
    fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.run(Lanes)
    }
}

/// A matrix `[rows, columns]` in panels of two vectors' columns, each panel row by row: what a tile
/// of outputs reads, in the order in which it reads it. The last panel may be of one vector; zeros
/// stand behind the last column.
#[derive(Clone)]
pub(in crate::model) struct Panels {
    pub rows: usize,
    pub columns: usize,
    lanes: usize,
    pub values: Vec<f32>,
}

/// One panel: its first column, how many columns it has, and how many vectors.
#[derive(Clone, Copy)]
struct Panel {
    column: usize,
    columns: usize,
    vectors: usize,
    start: usize,
}

impl Panels {
    /// A matrix of zeros.
    pub(super) fn zeros(rows: usize, columns: usize, level: Level) -> Self {
        let lanes = level.lanes();
        let values = vec![0.0; rows * columns.div_ceil(lanes) * lanes];
        Self { rows, columns, lanes, values }
    }

    /// The matrix whose value at row r and column c stands in `source` at `rows[r] + columns[c]`.
    pub(super) fn pack(source: &[f32], rows: &[usize], columns: &[usize], level: Level) -> Self {
        let mut packed = Self::zeros(rows.len(), columns.len(), level);
        for panel in packed.panels() {
            let width = panel.vectors * packed.lanes;
            let offsets = &columns[panel.column..][..panel.columns];
            let to = packed.values[panel.start..].chunks_mut(width);
            for (to, row) in to.zip(rows) {
                for (to, column) in to.iter_mut().zip(offsets) {
                    *to = source[row + column];
                }
            }
        }
        packed
    }

    /// A matrix that lies row by row.
    pub(super) fn fill(&mut self, source: &[f32]) {
        for panel in self.panels() {
            let width = panel.vectors * self.lanes;
            let to = self.values[panel.start..].chunks_mut(width);
            for (to, row) in to.zip(source.chunks(self.columns)) {
                to[..panel.columns].copy_from_slice(&row[panel.column..][..panel.columns]);
            }
        }
    }

    /// Hands every value to its place in `target`, as [`Self::pack`] found it.
    pub(super) fn unpack(&self, rows: &[usize], columns: &[usize], target: &mut [f32]) {
        for panel in self.panels() {
            let width = panel.vectors * self.lanes;
            let offsets = &columns[panel.column..][..panel.columns];
            for (from, row) in self.values[panel.start..].chunks(width).zip(rows) {
                for (from, column) in from.iter().zip(offsets) {
                    target[row + column] = *from;
                }
            }
        }
    }

    /// Adds every column's values to `sums`.
    pub(super) fn add_rows(&self, sums: &mut [f32]) {
        for panel in self.panels() {
            let sums = &mut sums[panel.column..][..panel.columns];
            let width = panel.vectors * self.lanes;
            for row in self.values[panel.start..][..self.rows * width].chunks(width) {
                add(sums, row);
            }
        }
    }

    fn panels(&self) -> impl Iterator<Item = Panel> + use<> {
        let (rows, columns, lanes) = (self.rows, self.columns, self.lanes);
        (0..columns).step_by(2 * lanes).map(move |column| {
            let columns = (columns - column).min(2 * lanes);
            let vectors = columns.div_ceil(lanes);
            Panel { column, columns, vectors, start: column * rows }
        })
    }
}

/// Windows over an image `[height, line]` whose rows are padded as far as the windows reach:
/// `lines` runs of `run` numbers, one below the other.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a> {
    pub image: &'a [f32],
    /// Numbers in a row, and rows.
    pub line: usize,
    pub height: usize,
    /// The row and the number in it under the first window's corner; rows outside are zeros.
    pub top: isize,
    pub left: usize,
    /// Rows from window to window downwards, and numbers from window to window to the right.
    pub down: usize,
    pub across: usize,
    pub lines: usize,
    pub run: usize,
}

impl Windows<'_> {
    /// Which of a window's lines lie in the image, and where the first line would begin.
    fn lines(&self, row: usize) -> (Range<usize>, isize) {
        let first = (row * self.down) as isize + self.top;
        let from = (-first).max(0) as usize;
        let to = (self.height as isize - first).clamp(0, self.lines as isize) as usize;
        (from..to.max(from), first * self.line as isize + self.left as isize)
    }
}

/// Where answers go: `columns` a row, in rows `line` numbers apart, `step` numbers apart.
pub(super) struct Answers<'a> {
    pub values: &'a mut [f32],
    pub rows: Range<usize>,
    pub columns: usize,
    pub line: usize,
    pub step: usize,
}

/// Lower and upper bounds of an activation.
pub(in crate::model) type Clamp = Option<(f32, f32)>;

/// Every window of the rows times the weights, plus the bias, within bounds.
pub(super) struct Correlate<'a> {
    pub windows: Windows<'a>,
    pub weights: &'a Panels,
    /// As long as there are columns; empty: zeros.
    pub bias: &'a [f32],
    pub clamp: Clamp,
    pub answers: Answers<'a>,
}

/// Cuts `n` into runs of nearly the same length, at most `most`.
fn tiles(n: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = n.div_ceil(most).max(1);
    (0..count).map(move |i| i * n / count..(i + 1) * n / count)
}

/// Runs `call` with the length as a constant.
macro_rules! sized {
    ($length:expr, $M:ident in [$($m:literal)*] => $call:expr) => {
        match $length {
            $($m => {
                const $M: usize = $m;
                $call
            })*
            _ => {}
        }
    };
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for panel in self.weights.panels() {
            for row in self.answers.rows.clone() {
                let (lines, start) = self.windows.lines(row);
                let most = if panel.vectors == 2 { 6 } else { 12 };
                for tile in tiles(self.answers.columns, most) {
                    let at = start + (tile.start * self.windows.across) as isize;
                    let place = Place { panel, row, column: tile.start, at, lines: lines.clone() };
                    match panel.vectors {
                        2 => {
                            sized!(tile.len(), M in [1 2 3 4 5 6] => self.tile::<S, M, 2>(simd, place));
                        }
                        _ => {
                            sized!(tile.len(), M in [1 2 3 4 5 6 7 8 9 10 11 12] => self.tile::<S, M, 1>(simd, place));
                        }
                    }
                }
            }
        }
    }
}

/// A tile: M neighbouring answers of a row, the columns of one panel.
struct Place {
    panel: Panel,
    row: usize,
    column: usize,
    /// Where the first window's first line begins; outside of the image if that line is.
    at: isize,
    lines: Range<usize>,
}

impl Correlate<'_> {
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(&mut self, simd: S, place: Place) {
        let Windows { image, line, across, run, .. } = self.windows;
        let (panel, width) = (place.panel, V * S::F32_LANES);
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for l in place.lines {
            let from = (place.at + (l * line) as isize) as usize;
            let rows: [&[f32]; M] = from_fn(|i| &image[from + i * across..][..run]);
            let weights = &self.weights.values[panel.start + l * run * width..][..run * width];
            let weights = S::as_simd_f32s(weights).0.as_chunks::<V>().0;
            for (k, weights) in weights.iter().enumerate() {
                for (sums, row) in sums.iter_mut().zip(&rows) {
                    let x = simd.splat_f32s(row[k]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(x, *weight, *sum);
                    }
                }
            }
        }
        let Answers { values, rows, line, step, .. } = &mut self.answers;
        let first = (place.row - rows.start) * *line + place.column * *step + panel.column;
        for (i, sums) in sums.iter().enumerate() {
            let to = &mut values[first + i * *step..][..panel.columns];
            let (whole, rest) = S::as_mut_simd_f32s(to);
            for (v, sum) in sums.iter().enumerate() {
                let mut sum = *sum;
                if !self.bias.is_empty() {
                    let bias =
                        &self.bias[panel.column + v * S::F32_LANES..panel.column + panel.columns];
                    let bias = match bias.len() >= S::F32_LANES {
                        true => S::as_simd_f32s(bias).0[0],
                        false => simd.partial_load_f32s(bias),
                    };
                    sum = simd.add_f32s(sum, bias);
                }
                if let Some((low, high)) = self.clamp {
                    sum = simd.max_f32s(simd.splat_f32s(low), sum);
                    sum = simd.min_f32s(simd.splat_f32s(high), sum);
                }
                match whole.get_mut(v) {
                    Some(to) => *to = sum,
                    None => simd.partial_store_f32s(rest, sum),
                }
            }
        }
    }
}

/// Adds windowsᵀ·g to `sums`: the gradient of the weights.
pub(super) struct Outer<'a> {
    pub windows: Windows<'a>,
    /// Rows and columns of windows; a row of `g` belongs to each.
    pub rows: usize,
    pub columns: usize,
    pub g: &'a Panels,
    /// `[lines·run, columns of g]`.
    pub sums: &'a mut Panels,
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Windows { lines, run, .. } = self.windows;
        for (g, sums) in self.g.panels().zip(self.sums.panels()) {
            for line in 0..lines {
                for tile in tiles(run, 6) {
                    let at = (g.start, sums.start, line, tile.start);
                    match g.vectors {
                        2 => {
                            sized!(tile.len(), M in [1 2 3 4 5 6] => self.tile::<S, M, 2>(simd, at));
                        }
                        _ => {
                            sized!(tile.len(), M in [1 2 3 4 5 6] => self.tile::<S, M, 1>(simd, at));
                        }
                    }
                }
            }
        }
    }
}

impl Outer<'_> {
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const V: usize>(
        &mut self,
        simd: S,
        (g, sums, line, first): (usize, usize, usize, usize),
    ) {
        let width = V * S::F32_LANES;
        let to = &mut self.sums.values[sums + (line * self.windows.run + first) * width..];
        let to = S::as_mut_simd_f32s(&mut to[..M * width]).0.as_chunks_mut::<V>().0;
        let mut sums: [[S::f32s; V]; M] = from_fn(|i| to[i]);
        for row in 0..self.rows {
            let (lines, start) = self.windows.lines(row);
            if !lines.contains(&line) {
                continue;
            }
            let from = (start + (line * self.windows.line) as isize) as usize + first;
            let g = &self.g.values[g + row * self.columns * width..][..self.columns * width];
            let g = S::as_simd_f32s(g).0.as_chunks::<V>().0;
            for (column, g) in g.iter().enumerate() {
                let x = &self.windows.image[from + column * self.windows.across..];
                let Some(x) = x.first_chunk::<M>() else { continue };
                for (sums, x) in sums.iter_mut().zip(x) {
                    let x = simd.splat_f32s(*x);
                    for (sum, g) in sums.iter_mut().zip(g) {
                        *sum = simd.mul_add_e_f32s(x, *g, *sum);
                    }
                }
            }
        }
        to.copy_from_slice(&sums);
    }
}

/// Every window of the rows times few weights, `[channel, lines, run]`: what is too narrow for a
/// vector of outputs is summed along the run.
pub(super) struct Dots<'a> {
    pub windows: Windows<'a>,
    pub weights: &'a [f32],
    pub answers: Answers<'a>,
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for row in self.answers.rows.clone() {
            for tile in tiles(self.answers.columns, 8) {
                sized!(tile.len(), M in [1 2 3 4 5 6 7 8] => self.tile::<S, M>(simd, row, tile.start));
            }
        }
    }
}

impl Dots<'_> {
    #[inline(always)]
    fn tile<S: Simd, const M: usize>(&mut self, simd: S, row: usize, column: usize) {
        let Windows { image, line, across, lines: count, run, .. } = self.windows;
        let (lines, start) = self.windows.lines(row);
        let Answers { values, rows, line: out, step, .. } = &mut self.answers;
        let first = (row - rows.start) * *out + column * *step;
        for (channel, weights) in self.weights.chunks(count * run).enumerate() {
            let mut sums = [simd.splat_f32s(0.0); M];
            let mut rest = [0.0_f32; M];
            for l in lines.clone() {
                let from = (start + (l * line + column * across) as isize) as usize;
                let (weights, last) = S::as_simd_f32s(&weights[l * run..][..run]);
                let rows: [_; M] = from_fn(|i| S::as_simd_f32s(&image[from + i * across..][..run]));
                for (k, weight) in weights.iter().enumerate() {
                    for (sum, (row, _)) in sums.iter_mut().zip(&rows) {
                        *sum = simd.mul_add_e_f32s(row[k], *weight, *sum);
                    }
                }
                for (rest, (_, row)) in rest.iter_mut().zip(&rows) {
                    *rest += row.iter().zip(last).map(|(x, w)| x * w).sum::<f32>();
                }
            }
            for i in 0..M {
                values[first + i * *step + channel] = simd.reduce_sum_f32s(sums[i]) + rest[i];
            }
        }
    }
}
