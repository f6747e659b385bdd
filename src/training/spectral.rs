//! The largest singular value of a weight matrix by power iteration, and the gradient through the
//! division by it (Miyato et al. 2018).

use crate::model::Layer;
use crate::training::adam::WeightTensor;

/// A largest singular value with its two vectors.
pub struct Norm {
    /// The singular value σ.
    pub value: f32,
    left: Vec<f32>,
    right: Vec<f32>,
}

/// One power iteration on `matrix`, with as many rows as the left vector `left` has entries; moves
/// that vector on.
pub fn iterate(matrix: &[f32], left: &mut [f32]) -> Norm {
    let width = matrix.len() / left.len();
    let rows = || matrix.chunks(width);
    let mut right = vec![0.0_f64; width];
    for (row, l) in rows().zip(left.iter()) {
        right.iter_mut().zip(row).for_each(|(r, w)| *r += f64::from(*l) * f64::from(*w));
    }
    normalise(&mut right);
    let dot = |row: &[f32]| row.iter().zip(&right).map(|(w, r)| f64::from(*w) * r).sum::<f64>();
    let mut moved: Vec<f64> = rows().map(dot).collect();
    // uᵀWv of the new vectors is the length of Wv.
    let value = normalise(&mut moved).max(1e-12) as f32;
    left.iter_mut().zip(&moved).for_each(|(l, m)| *l = *m as f32);
    Norm { value, left: left.to_vec(), right: right.iter().map(|r| *r as f32).collect() }
}

/// Brings a vector to length 1 and says how long it was.
fn normalise(vector: &mut [f64]) -> f64 {
    let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    vector.iter_mut().for_each(|v| *v /= length.max(1e-300));
    length
}

/// Where the left vector of a matrix of so many rows starts: no two entries alike, so that it is
/// not orthogonal to what it seeks.
pub fn start(rows: usize) -> Vec<f32> {
    let mut left: Vec<f64> = (0..rows).map(|i| 1.0 + 0.5 * (1.7 * i as f64).sin()).collect();
    normalise(&mut left);
    left.into_iter().map(|l| l as f32).collect()
}

/// The largest singular value, converged to `f32`.
pub fn norm(matrix: &[f32], rows: usize) -> f32 {
    let mut left = start(rows);
    let mut value = 0.0_f32;
    for _ in 0..10_000 {
        let next = iterate(matrix, &mut left).value;
        let still = (next - value).abs() <= 1e-7 * next;
        value = next;
        if still {
            break;
        }
    }
    value
}

impl Norm {
    /// The gradient with respect to W from that with respect to W/σ: (G − ⟨G, W/σ⟩·u vᵀ) / σ.
    pub fn back(&self, mut gradient: Vec<f32>, divided: &[f32]) -> Vec<f32> {
        let along: f64 =
            gradient.iter().zip(divided).map(|(g, w)| f64::from(*g) * f64::from(*w)).sum();
        for (row, l) in gradient.chunks_mut(self.right.len()).zip(&self.left) {
            let by = along as f32 * l;
            row.iter_mut().zip(&self.right).for_each(|(g, r)| *g = (*g - by * r) / self.value);
        }
        gradient
    }
}

/// Each layer's largest singular value, and a bound of the network's Lipschitz constant in L2 from
/// pixels to logits: the product of the layers', a convolution's times ⌈kernel/stride⌉, for in that
/// many windows a side each of its inputs lies. Holds for activations and pooling of slope at most 1
/// and disjoint windows, without residuals.
pub fn lipschitz(layers: &[Layer], parameters: &[WeightTensor]) -> (Vec<(String, f32)>, f64) {
    let (mut norms, mut bound) = (Vec::new(), 1.0);
    for layer in layers {
        let (param, windows) = match layer {
            Layer::Conv2d(conv) => (&conv.param, conv.kernel.div_ceil(conv.stride)),
            Layer::Linear(linear) => (&linear.param, 1),
            _ => continue,
        };
        let name = format!("{param}.weight");
        let Some(weight) = parameters.iter().find(|p| p.name == name) else { continue };
        let value = norm(&weight.value, weight.shape[0]);
        bound *= f64::from(value) * windows as f64;
        norms.push((name, value));
    }
    (norms, bound)
}
