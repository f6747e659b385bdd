//! Random and sparse layers: each value is multiplied by a factor that depends on the values and on
//! random numbers. On the backward pass the factors are constants.
//!
//! An image's factors come from its own [`RngKey`] and the number of the layer, value by value in
//! channels-last order, so that batch, engine and device change nothing.

use super::activations::upper_bound;
use super::def::defaults::half;
use super::def::{LayerDef, Role, shape_after};
use crate::error::Result;
use crate::model::cpu::{Backward, Clamp, CpuOp, CpuRun, Kept, Lower, Map, OnCpu, Weights};
use crate::model::graph::{NodeOp, Run, Value, ValueId};
use crate::model::graph_builder::GraphBuilder;
use crate::model::read;
use crate::model::shape::Shape;
use crate::rng::{KeyedRng, RngKey};
use burn_tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The parts of an [`RngKey`] that belong to layers begin here; stages of a pipeline lie below.
const LAYERS: u64 = 1 << 32;

/// More draws than this many times the values are refused.
const MOST_DRAWS: f64 = 100.0;

/// Factors that the values of a layer are multiplied by.
trait Factors: Clone + Send + Sync + 'static {
    /// Whether it works while training only.
    const TRAINING_ONLY: bool;
    /// Whether the factors depend on random numbers.
    const RANDOM: bool;

    /// Whether its parameters are in range.
    ///
    /// # Errors
    /// What is wrong with them.
    fn check(&self) -> Result<(), String>;

    /// An upper bound of its input, as ReLU6 has one.
    fn top(&self) -> Option<f64>;

    /// Fills in the factor of each value of one image.
    fn fill(&self, values: &[f32], rng: &mut KeyedRng, factors: &mut [f32]);
}

macro_rules! random_layer {
    ($Op:ident, $name:literal, $role:expr, $held:expr) => {
        impl LayerDef for $Op {
            fn name(&self) -> &'static str {
                $name
            }

            fn param(&self) -> Option<&str> {
                None
            }

            fn role(&self) -> Role {
                let role: fn(&Self) -> Role = $role;
                role(self)
            }

            fn output(&self, input: Shape) -> Result<Shape, String> {
                self.check()?;
                Ok(input)
            }

            fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
                Vec::new()
            }

            fn macs(&self, _: Shape) -> u64 {
                0
            }

            fn held(&self) -> f64 {
                let held: fn(&Self) -> f64 = $held;
                held(self)
            }

            fn build(&self, input: ValueId, graph: &mut GraphBuilder<'_, '_>) -> Result<ValueId> {
                let shape = shape_after(self, input, graph)?;
                let input = match self.top() {
                    Some(top) => graph.push(upper_bound(top), &[input], shape),
                    None => input,
                };
                let (number, sides) = (graph.next_random(), shape.sides());
                Ok(graph.push(FactorsNode { rule: self.clone(), number, sides }, &[input], shape))
            }
        }
    };
}

/// Dropout: zeroes values while training, does nothing when the network predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// Probability of zeroing a value; the others are divided by 1 − p.
    #[serde(default = "half")]
    pub p: f64,
}

random_layer!(Dropout, "dropout", |op| Role::TrainingDropout(op.p), |_| 1.0);

impl Factors for Dropout {
    const TRAINING_ONLY: bool = true;
    const RANDOM: bool = false;

    fn check(&self) -> Result<(), String> {
        check_probability(self.p)
    }

    fn top(&self) -> Option<f64> {
        None
    }

    fn fill(&self, _: &[f32], rng: &mut KeyedRng, factors: &mut [f32]) {
        drop_values(self.p, rng, factors);
    }
}

/// Monte Carlo dropout, which stays when the network predicts (Gal and Ghahramani 2016).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McDropout {
    /// Probability of zeroing a value; the others are divided by 1 − p.
    #[serde(default = "half")]
    pub p: f64,
}

random_layer!(McDropout, "mcdropout", |_| Role::Other, |_| 2.0);

impl Factors for McDropout {
    const TRAINING_ONLY: bool = false;
    const RANDOM: bool = true;

    fn check(&self) -> Result<(), String> {
        check_probability(self.p)
    }

    fn top(&self) -> Option<f64> {
        None
    }

    fn fill(&self, _: &[f32], rng: &mut KeyedRng, factors: &mut [f32]) {
        drop_values(self.p, rng, factors);
    }
}

fn check_probability(p: f64) -> Result<(), String> {
    match (0.0..1.0).contains(&p) {
        true => Ok(()),
        false => Err(format!("the dropout probability {p} is not in 0..1")),
    }
}

/// 0 with probability p, else 1/(1 − p).
fn drop_values(p: f64, rng: &mut KeyedRng, factors: &mut [f32]) {
    rng.coarse(factors);
    let (p, kept) = (p as f32, (1.0 / (1.0 - p)) as f32);
    factors.iter_mut().for_each(|f| *f = if *f < p { 0.0 } else { kept });
}

/// x where positive, else s·x, with s drawn uniformly for each value of each image (randomised leaky
/// ReLU, Xu et al. 2015, left random when the network predicts).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomSlope {
    /// The least slope.
    pub low: f64,
    /// The largest slope.
    pub high: f64,
    /// Upper bound, as ReLU6 has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<f64>,
}

random_layer!(RandomSlope, "randomslope", |_| Role::Other, |_| 2.0);

impl Factors for RandomSlope {
    const TRAINING_ONLY: bool = false;
    const RANDOM: bool = true;

    fn check(&self) -> Result<(), String> {
        let Self { low, high, .. } = self;
        match low <= high && low.is_finite() && high.is_finite() {
            true => Ok(()),
            false => Err(format!("the slopes {low} to {high} are no range")),
        }
    }

    fn top(&self) -> Option<f64> {
        self.top
    }

    fn fill(&self, values: &[f32], rng: &mut KeyedRng, factors: &mut [f32]) {
        let (low, high) = (self.low as f32, self.high as f32);
        rng.coarse(factors);
        let each = factors.iter_mut().zip(values);
        each.for_each(|(f, x)| *f = if *x > 0.0 { 1.0 } else { low + (high - low) * *f });
    }
}

/// Stochastic activation pruning (Dhillon et al. 2018), to stand behind a ReLU: values are drawn with
/// replacement, each in proportion to its size; those never drawn become 0, the others are divided
/// by the probability of being drawn at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sap {
    /// Number of draws, as a share of the layer's values.
    pub share: f64,
}

random_layer!(Sap, "sap", |_| Role::Other, |op| 2.0 + op.share.clamp(0.0, MOST_DRAWS));

impl Factors for Sap {
    const TRAINING_ONLY: bool = false;
    const RANDOM: bool = true;

    fn check(&self) -> Result<(), String> {
        // Values may be drawn more than once.
        match self.share > 0.0 && self.share <= MOST_DRAWS {
            true => Ok(()),
            false => Err(format!("the share {} is not in 0..{MOST_DRAWS}", self.share)),
        }
    }

    fn top(&self) -> Option<f64> {
        None
    }

    fn fill(&self, values: &[f32], rng: &mut KeyedRng, factors: &mut [f32]) {
        let mut spacings = vec![0.0; count(self.share, values.len()) + 1];
        rng.units(&mut spacings);
        prune(values, &mut spacings, factors);
    }
}

/// k winners take all (Xiao et al. 2020): the largest values of the layer stay, the others become 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kwta {
    /// How many stay, as a share of the layer's values.
    pub share: f64,
    /// Upper bound, as ReLU6 has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<f64>,
}

random_layer!(Kwta, "kwta", |_| Role::Other, |_| 2.0);

impl Factors for Kwta {
    const TRAINING_ONLY: bool = false;
    const RANDOM: bool = false;

    fn check(&self) -> Result<(), String> {
        match self.share > 0.0 && self.share <= 1.0 {
            true => Ok(()),
            false => Err(format!("the share {} is not in 0..1", self.share)),
        }
    }

    fn top(&self) -> Option<f64> {
        self.top
    }

    fn fill(&self, values: &[f32], _: &mut KeyedRng, factors: &mut [f32]) {
        keep_largest(values, count(self.share, values.len()).min(values.len()), factors);
    }
}

/// A layer of factors in its place.
struct FactorsNode<R> {
    rule: R,
    /// Its number among such layers.
    number: u64,
    /// `[C, H, W]` of its input; of a vector those before it was flattened.
    sides: [usize; 3],
}

impl<R: Factors> FactorsNode<R> {
    /// The factors of the values of images, `[N, H, W, C]`; an image without a key draws from the
    /// default one.
    fn factors(&self, values: &[f32], rng_keys: &[RngKey]) -> Vec<f32> {
        let size = self.sides.iter().product::<usize>().max(1);
        let mut factors = vec![0.0; values.len()];
        let images = values.chunks(size).zip(factors.chunks_mut(size));
        for (i, (values, factors)) in images.enumerate() {
            let key = rng_keys.get(i).copied().unwrap_or_default();
            self.rule.fill(values, &mut key.rng(LAYERS + self.number), factors);
        }
        factors
    }

    /// The input times its factors. They depend on the values, but the gradient takes them as
    /// constants.
    fn multiply<const D: usize>(&self, x: Tensor<D>, run: &Run<'_>) -> Result<Tensor<D>> {
        let values = channels_last(&read(x.clone().inner())?, self.sides);
        let factors = channels_first(&self.factors(&values, run.rng_keys), self.sides);
        let factors = TensorData::new(factors, x.dims());
        Ok(x.clone() * Tensor::from_data(factors, &x.inner().device()))
    }
}

impl<R: Factors> NodeOp for FactorsNode<R> {
    fn forward(&self, mut inputs: Vec<Value>, run: &Run<'_>) -> Result<Value> {
        Ok(match inputs.remove(0) {
            x if R::TRAINING_ONLY && !run.training => x,
            Value::Map(x) => Value::Map(self.multiply(x, run)?),
            Value::Flat(x) => Value::Flat(self.multiply(x, run)?),
        })
    }

    fn on_cpu(&self, _: &[Shape], _: Shape, _: &mut Lower<'_>) -> OnCpu {
        let (rule, number, sides) = (self.rule.clone(), self.number, self.sides);
        OnCpu::op(Self { rule, number, sides })
    }

    fn is_random(&self) -> bool {
        R::RANDOM
    }
}

impl<R: Factors> CpuOp for FactorsNode<R> {
    fn forward(&self, inputs: &[&Map], run: &CpuRun<'_>) -> (Map, Kept) {
        let x = inputs[0];
        if R::TRAINING_ONLY && !run.training {
            return (x.with(x.values.clone()), Kept::Nothing);
        }
        let factors = self.factors(&x.values, run.rng_keys);
        let both = x.values.iter().zip(&factors);
        (x.with(both.map(|(x, factor)| x * factor).collect()), Kept::Factors(factors))
    }

    fn backward(&self, at: Backward<'_>, mut gradient: Map, _: &CpuRun<'_>) -> Vec<Map> {
        match at.kept {
            Kept::Factors(factors) => {
                gradient.values.iter_mut().zip(&factors).for_each(|(g, factor)| *g *= factor);
            }
            // Dropout that was not at work.
            Kept::Nothing => {}
        }
        vec![gradient]
    }

    fn weights(&self) -> Weights {
        Weights::None
    }

    fn clamp(&self) -> Clamp {
        None
    }

    fn take_clamp(&mut self, _: Clamp) -> bool {
        false
    }
}

/// Images `[N, C, H, W]` as `[N, H, W, C]`.
fn channels_last(values: &[f32], [c, h, w]: [usize; 3]) -> Vec<f32> {
    permuted(values, [c, h * w])
}

/// Images `[N, H, W, C]` as `[N, C, H, W]`.
fn channels_first(values: &[f32], [c, h, w]: [usize; 3]) -> Vec<f32> {
    permuted(values, [h * w, c])
}

/// Matrices `[rows, columns]`, one behind the other, transposed.
fn permuted(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (from, to) in values.chunks(rows * columns).zip(out.chunks_mut(rows * columns)) {
        for (row, line) in from.chunks(columns).enumerate() {
            let places = to.iter_mut().skip(row).step_by(rows);
            places.zip(line).for_each(|(to, from)| *to = *from);
        }
    }
    out
}

/// A share of the values, at least one.
fn count(share: f64, values: usize) -> usize {
    ((share * values as f64).round() as usize).max(1)
}

/// 1 for the k largest, the first of equals; else 0.
fn keep_largest(values: &[f32], k: usize, factors: &mut [f32]) {
    let mut sorted = values.to_vec();
    let (_, least, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    let mut equals = k - values.iter().filter(|x| x.total_cmp(&least).is_gt()).count();
    for (f, x) in factors.iter_mut().zip(values) {
        *f = match x.total_cmp(&least) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal if equals > 0 => {
                equals -= 1;
                1.0
            }
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => 0.0,
        };
    }
}

/// The factors of stochastic activation pruning. `units` are one more uniform numbers than there are
/// draws: as the spacings of a Poisson process they make the draws in ascending order, so that one
/// pass over the values finds which are hit.
fn prune(values: &[f32], units: &mut [f32], factors: &mut [f32]) {
    let draws = units.len() - 1;
    let total: f64 = values.iter().map(|x| f64::from(x.abs())).sum();
    if total <= 0.0 {
        return factors.fill(0.0);
    }
    units.iter_mut().for_each(|u| *u = -(-*u).ln_1p());
    let all: f64 = units.iter().map(|spacing| f64::from(*spacing)).sum();
    let scale = total / all;
    let mut spacings = units[..draws].iter().map(|spacing| f64::from(*spacing) * scale);
    let (mut next, mut reached) = (spacings.next().unwrap_or(f64::INFINITY), 0.0);
    for (f, x) in factors.iter_mut().zip(values) {
        let size = f64::from(x.abs());
        reached += size;
        let mut hit = false;
        while next < reached {
            hit = true;
            next += spacings.next().unwrap_or(f64::INFINITY);
        }
        // 1 − (1 − p)^r, without cancellation.
        let drawn = || -(draws as f64 * (-size / total).ln_1p()).exp_m1();
        *f = if hit { (1.0 / drawn()) as f32 } else { 0.0 };
    }
}
