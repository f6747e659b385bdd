//! Linear maps that work along columns and along rows, one after the other: blurring, resizing,
//! leaving out waves.

use rayon::prelude::*;

/// A linear map along one axis: for each place of the result, the first place that it looks at, and
/// the weights from there on.
pub(super) struct Axis(pub Vec<(usize, Vec<f32>)>);

impl Axis {
    /// Maps `[n, width]` values along the first of the two axes.
    fn map(&self, values: &[f32], width: usize) -> Vec<f32> {
        let mut out = vec![0.0; self.0.len() * width];
        for ((first, weights), out) in self.0.iter().zip(out.chunks_mut(width)) {
            for (weight, row) in weights.iter().zip(values[first * width..].chunks(width)) {
                out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
            }
        }
        out
    }

    /// The adjoint of [`Self::map`].
    fn vjp(&self, slopes: &[f32], width: usize) -> Vec<f32> {
        let mut out = vec![0.0; slopes.len()];
        for ((first, weights), row) in self.0.iter().zip(slopes.chunks(width)) {
            for (weight, out) in weights.iter().zip(out[first * width..].chunks_mut(width)) {
                out.iter_mut().zip(row).for_each(|(o, v)| *o += weight * v);
            }
        }
        out
    }
}

/// The same map for every channel of `[C, H, W]`: along the columns, then along the rows. As many
/// places come out as go in.
pub(super) struct Separable {
    /// Along the columns (H places).
    pub down: Axis,
    /// Along the rows (W places).
    pub across: Axis,
}

impl Separable {
    /// The map of these values.
    pub fn map(&self, values: &[f32]) -> Vec<f32> {
        self.each(values, Axis::map)
    }

    /// The adjoint: from the slopes of what came out to those of what went in.
    pub fn vjp(&self, slopes: &[f32]) -> Vec<f32> {
        self.each(slopes, Axis::vjp)
    }

    fn each(&self, values: &[f32], along: fn(&Axis, &[f32], usize) -> Vec<f32>) -> Vec<f32> {
        let (h, w) = (self.down.0.len(), self.across.0.len());
        let plane = |plane: &[f32]| {
            let turned = turned(&along(&self.down, plane, w), w);
            self::turned(&along(&self.across, &turned, h), h)
        };
        values.par_chunks(h * w).flat_map_iter(plane).collect()
    }
}

/// Rows of this width as columns.
fn turned(values: &[f32], width: usize) -> Vec<f32> {
    (0..width).flat_map(|x| values[x..].iter().step_by(width).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::KeyedRng;

    #[test]
    fn the_pull_is_the_adjoint_and_columns_are_not_rows() {
        let mut rng = KeyedRng::new(0, 0, 0);
        let mut take = |n: usize| (0..n).map(|_| rng.signed()).collect::<Vec<f32>>();
        let down = Axis(vec![(0, take(2)), (1, take(1)), (0, take(3))]);
        let across = Axis((0..4).map(|at| (at / 2, take(3))).collect());
        let map = Separable { down, across };
        let (values, slopes) = (take(24), take(24));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (there, back) = (map.map(&values), map.vjp(&slopes));
        assert!((dot(&there, &slopes) - dot(&values, &back)).abs() < 1e-5);
        // By hand: the second row of the second channel, its third column.
        let [row, weights] = [&map.down.0[1], &map.across.0[2]];
        let by_hand: f32 =
            (0..3).map(|k| weights.1[k] * row.1[0] * values[12 + 4 + weights.0 + k]).sum();
        assert!((there[12 + 4 + 2] - by_hand).abs() < 1e-6);
    }
}
