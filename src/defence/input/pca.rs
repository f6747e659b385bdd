//! Projection on the principal components of images' patches.

use crate::data::{Dataset, Image};
use crate::defence::builder::PipelineBuilder;
use crate::defence::input::{clip_vjp, clipped};
use crate::defence::spec::DefenceSpec;
use crate::defence::transform::{BackwardRule, Transform};
use crate::error::Result;
use crate::model::InputSpec;
use crate::parameter::FloatParam;
use crate::rng::KeyedRng;
use std::sync::{Arc, Mutex, PoisonError};

const SHARE: FloatParam =
    FloatParam::new("share", (0.01, 1.0), 0.25, "share of the components that is kept");

/// The leading principal components.
pub const PCA: DefenceSpec = DefenceSpec {
    id: "pca",
    aliases: &[],
    name: "PCA",
    family: "input",
    params: &[SHARE.param],
    backward: BackwardRule::Exact,
    randomised: false,
    summary: "keeps of every patch what patches of pictures usually have",
    about: "The principal components of pictures span where pictures vary; what a perturbation has \
            outside of them is dropped. Here they are those of patches of 8×8 pixels of all channels, \
            learned from the last 500 pictures of the model's data set (all 100 of CIFAR-10, all eight \
            photographs); each patch of the picture is projected on the leading ones, where patches \
            overlap at the edge the mean is taken. It is linear, so an attack through it just spends \
            its ε on the leading components: in the white-box setting it was found to add very little.",
    paper: "Bhagoji, Cullina, Sitawarin, Mittal: Enhancing Robustness of Machine Learning Systems via \
            Data Transformations, CISS 2018; broken by Carlini, Wagner, AISec 2017",
    build: |settings, builder| {
        let basis = learned(builder)?;
        let shape = builder.base.card.input.shape;
        builder.stage(Box::new(Pca::new(&basis, shape, SHARE.get(settings))))
    },
};

/// Components are learned from at most so many images.
const PICTURES: usize = 500;
/// Side of a patch, or the image's where that is shorter.
const SIDE: usize = 8;

/// What is known of patches.
struct Basis {
    /// The mean patch.
    mean: Vec<f32>,
    /// Orthonormal, the one that patches vary most along first.
    components: Vec<Vec<f64>>,
}

/// The basis for a draft's data and input, learned the first time that it is asked for.
fn learned(builder: &PipelineBuilder<'_>) -> Result<Arc<Basis>> {
    type Known = Vec<(String, InputSpec, Arc<Basis>)>;
    static KNOWN: Mutex<Known> = Mutex::new(Vec::new());
    let (id, input) = (&builder.base.card.data, &builder.base.card.input);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., basis)) = known.iter().find(|(data, i, _)| data == id && i == input) {
        return Ok(basis.clone());
    }
    let data = Dataset::load(id).map_err(|_| {
        builder.not_applicable(format!("no pictures of '{id}' are here to learn from"))
    })?;
    let last = data.len().saturating_sub(PICTURES)..data.len();
    let images = last.map(|index| input.fit(&data.sample(index).image));
    let basis = Arc::new(Basis::of(images));
    known.push((id.clone(), input.clone(), basis.clone()));
    Ok(basis)
}

impl Basis {
    fn of(images: impl Iterator<Item = Image>) -> Self {
        let mut patches = Vec::new();
        for image in images {
            let tiles = Tiles::new(image.shape());
            patches.extend(tiles.starts().map(|start| tiles.cut(image.pixels(), start)));
        }
        let n = patches.len() as f64;
        let d = patches.first().map_or(0, Vec::len);
        let mut mean = vec![0.0; d];
        for patch in &patches {
            mean.iter_mut().zip(patch).for_each(|(sum, v)| *sum += f64::from(*v) / n);
        }
        let mut covariance = vec![0.0; d * d];
        for patch in &patches {
            let off: Vec<f64> = patch.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect();
            for (row, a) in covariance.chunks_mut(d).zip(&off) {
                row.iter_mut().zip(&off).for_each(|(sum, b)| *sum += a * b / n);
            }
        }
        let mean = mean.iter().map(|m| *m as f32).collect();
        Self { mean, components: eigenvectors(covariance, d) }
    }
}

/// The orthonormal eigenvectors of a symmetric matrix `[n, n]`, that of the largest eigenvalue first,
/// by Jacobi's rotations.
fn eigenvectors(mut a: Vec<f64>, n: usize) -> Vec<Vec<f64>> {
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let whole: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..30 {
        let outside = (0..n * n).filter(|at| at / n != at % n).map(|at| a[at] * a[at]);
        if outside.sum::<f64>() <= 1e-24 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, n, (p, q), &mut vectors);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[j * n + j].total_cmp(&a[i * n + i]));
    order.into_iter().map(|i| std::mem::take(&mut vectors[i])).collect()
}

/// The rotation of axes p and q after which the matrix has a zero between them.
fn rotate(a: &mut [f64], n: usize, (p, q): (usize, usize), vectors: &mut [Vec<f64>]) {
    let between = a[p * n + q];
    if between == 0.0 {
        return;
    }
    let half = (a[q * n + q] - a[p * n + p]) / (2.0 * between);
    let tangent = half.signum() / (half.abs() + half.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
    for k in 0..n {
        (a[k * n + p], a[k * n + q]) = turn(a[k * n + p], a[k * n + q]);
    }
    for k in 0..n {
        (a[p * n + k], a[q * n + k]) = turn(a[p * n + k], a[q * n + k]);
        (vectors[p][k], vectors[q][k]) = turn(vectors[p][k], vectors[q][k]);
    }
}

/// How an image is cut into patches: side by side, the last ones moved back into the image.
struct Tiles {
    shape: [usize; 3],
    /// Height and width of a patch.
    sides: [usize; 2],
}

impl Tiles {
    fn new(shape: [usize; 3]) -> Self {
        Self { shape, sides: [shape[1].min(SIDE), shape[2].min(SIDE)] }
    }

    /// The first row and column of each patch.
    fn starts(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        let along = |n: usize, side: usize| (0..n).step_by(side).map(move |at| at.min(n - side));
        let ([_, h, w], [high, wide]) = (self.shape, self.sides);
        along(h, high).flat_map(move |y| along(w, wide).map(move |x| [y, x]))
    }

    /// The numbers of a patch's pixels, in the order of its values.
    fn pixels(&self, [y, x]: [usize; 2]) -> impl Iterator<Item = usize> + use<> {
        let ([c, h, w], [high, wide]) = (self.shape, self.sides);
        let rows = (0..c).flat_map(move |c| (y..y + high).map(move |y| (c * h + y) * w));
        rows.flat_map(move |row| row + x..row + x + wide)
    }

    fn cut(&self, values: &[f32], start: [usize; 2]) -> Vec<f32> {
        self.pixels(start).map(|at| values[at]).collect()
    }
}

struct Pca {
    tiles: Tiles,
    mean: Vec<f32>,
    /// `[D, D]` for patches of D values; symmetric.
    projection: Vec<f32>,
    /// 1 / how many patches a pixel lies in.
    shares: Vec<f32>,
}

impl Pca {
    fn new(basis: &Basis, shape: [usize; 3], share: f64) -> Self {
        let d = basis.mean.len();
        let kept = ((share * d as f64).round() as usize).clamp(1, d);
        let mut projection = vec![0.0; d * d];
        for vector in &basis.components[..kept] {
            for (row, a) in projection.chunks_mut(d).zip(vector) {
                row.iter_mut().zip(vector).for_each(|(sum, b)| *sum += a * b);
            }
        }
        let tiles = Tiles::new(shape);
        let mut shares = vec![0.0; shape.iter().product()];
        tiles.starts().flat_map(|start| tiles.pixels(start)).for_each(|at| shares[at] += 1.0);
        shares.iter_mut().for_each(|count| *count = 1.0 / *count);
        let projection = projection.iter().map(|v| *v as f32).collect();
        Self { tiles, mean: basis.mean.clone(), projection, shares }
    }

    /// Adds up the patches' projections; `mean` is where the patches' values count from.
    fn projected(&self, values: &[f32], mean: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; values.len()];
        for start in self.tiles.starts() {
            let mut patch = mean.to_vec();
            let off = self.tiles.pixels(start).zip(mean).map(|(at, mean)| values[at] - mean);
            for (off, row) in off.zip(self.projection.chunks(mean.len())) {
                patch.iter_mut().zip(row).for_each(|(sum, p)| *sum += off * p);
            }
            self.tiles.pixels(start).zip(patch).for_each(|(at, v)| out[at] += v);
        }
        out
    }

    /// What the image becomes before it is cut off.
    fn map(&self, image: &Image) -> Vec<f32> {
        let mut sums = self.projected(image.pixels(), &self.mean);
        sums.iter_mut().zip(&self.shares).for_each(|(sum, share)| *sum *= share);
        sums
    }
}

impl Transform for Pca {
    fn apply(&self, image: &Image, _: &mut KeyedRng) -> Result<Image> {
        Ok(clipped(image.shape(), self.map(image)))
    }

    fn vjp(&self, image: &Image, mut gradient: Vec<f32>, _: &mut KeyedRng) -> Result<Vec<f32>> {
        clip_vjp(&self.map(image), &mut gradient);
        gradient.iter_mut().zip(&self.shares).for_each(|(slope, share)| *slope *= share);
        Ok(self.projected(&gradient, &vec![0.0; self.mean.len()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defence::input::{listed, ramp};

    fn mnist(range: std::ops::Range<usize>) -> impl Iterator<Item = Image> {
        let data = Dataset::load("mnist").unwrap();
        range.map(move |index| data.sample(index).image)
    }

    #[test]
    fn it_is_numpys() {
        // numpy.linalg.eigh of the covariance of the 8,000 patches, 16 components of 64.
        let basis = Basis::of(mnist(9_500..10_000));
        let image = mnist(0..1).next().unwrap();
        let out = Pca::new(&basis, [1, 28, 28], 0.25).map(&image);
        let list = [(10 * 28 + 14, 0.341_630), (21 * 28 + 12, 0.436_657), (8 * 28 + 8, 0.811_727)];
        assert!(listed(&out, &list), "{:?}", list.map(|(at, _)| out[at]));
    }

    #[test]
    fn it_keeps_what_it_kept_and_with_all_components_everything() {
        for shape in [[1, 16, 24], [3, 5, 3], [1, 1, 1]] {
            let basis = Basis::of((1..9).map(|k| {
                let values = ramp(shape);
                let bent = values.pixels().iter().map(|v| (v * 37.0 * k as f32).fract());
                Image::new(shape, bent.collect::<Vec<_>>())
            }));
            let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
            let whole = Pca::new(&basis, shape, 1.0).map(&ramp(shape));
            assert!(close(&whole, ramp(shape).pixels()), "{shape:?}");
            let pca = Pca::new(&basis, shape, 0.25);
            let once = pca.map(&ramp(shape));
            assert!(close(&pca.map(&Image::new(shape, once.clone())), &once), "{shape:?}");
        }
    }

    #[test]
    fn eigenvectors_are_orthonormal_and_in_order() {
        let a = vec![4.0, 1.0, 0.5, 1.0, 3.0, 0.25, 0.5, 0.25, 5.0];
        let vectors = eigenvectors(a.clone(), 3);
        let mut last = f64::INFINITY;
        for (i, v) in vectors.iter().enumerate() {
            for (j, w) in vectors.iter().enumerate() {
                let dot: f64 = v.iter().zip(w).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
            let image: Vec<f64> =
                a.chunks(3).map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum()).collect();
            let value: f64 = image.iter().zip(v).map(|(a, b)| a * b).sum();
            assert!(image.iter().zip(v).all(|(a, b)| (a - value * b).abs() < 1e-12));
            assert!(value < last);
            last = value;
        }
    }
}
