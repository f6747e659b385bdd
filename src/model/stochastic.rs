//! Random and sparse layers: each value is multiplied by a factor that depends on the values and on
//! random numbers. On the way back the factors are constants.
//!
//! A picture's factors come from its own [`RngKey`] and the number of the layer, value by value in
//! channels-last order, so that batch, engine and device change nothing.

use crate::model::layer::Layer;
use crate::rng::RngKey;

/// The parts of a chance that belong to layers begin here; stages of a pipeline lie below.
const LAYERS: u64 = 1 << 32;

/// What the factors of a layer are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// 1 above zero, else uniform between the two.
    Slope { low: f32, high: f32 },
    /// 0 unless drawn, else 1 over the probability of being drawn.
    Sap { share: f64 },
    /// 1 for the largest, else 0.
    Kwta { share: f64 },
    /// 0 with this probability, else 1/(1 − p).
    Dropout { p: f64 },
}

/// A random or sparse layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ActivationMask {
    kind: Kind,
    /// Its number among such layers.
    number: u64,
    /// Whether it works while training only.
    pub training: bool,
    /// `[C, H, W]` of what it works on; what was flattened counts as before that.
    pub shape: [usize; 3],
}

impl ActivationMask {
    /// The layer as number `number` of its kind; none where it is no such layer.
    ///
    /// # Errors
    /// What is wrong with its parameters.
    pub(super) fn new(
        layer: &Layer,
        number: u64,
        shape: [usize; 3],
    ) -> Result<Option<Self>, String> {
        let kind = match *layer {
            Layer::RandomSlope { low, high, .. } => {
                if !(low <= high && low.is_finite() && high.is_finite()) {
                    return Err(format!("the slopes {low} to {high} are no range"));
                }
                Kind::Slope { low: low as f32, high: high as f32 }
            }
            Layer::Kwta { share, .. } if !(share > 0.0 && share <= 1.0) => {
                return Err(format!("the share {share} is not in 0..1"));
            }
            // Values may be drawn more than once.
            Layer::Sap { share } if !(share > 0.0 && share <= MOST) => {
                return Err(format!("the share {share} is not in 0..{MOST}"));
            }
            Layer::Sap { share } => Kind::Sap { share },
            Layer::Kwta { share, .. } => Kind::Kwta { share },
            Layer::Dropout { p } | Layer::McDropout { p } => match (0.0..1.0).contains(&p) {
                true => Kind::Dropout { p },
                false => return Err(format!("the dropout probability {p} is not in 0..1")),
            },
            _ => return Ok(None),
        };
        let training = matches!(layer, Layer::Dropout { .. });
        Ok(Some(Self { kind, number, training, shape }))
    }

    /// Whether it draws random numbers when the network answers.
    pub(super) fn is_random(&self) -> bool {
        !self.training && !matches!(self.kind, Kind::Kwta { .. })
    }

    /// The factors of the values of pictures, channels last; a picture without a chance draws from
    /// the default one.
    pub(super) fn factors(&self, values: &[f32], rng_keys: &[RngKey]) -> Vec<f32> {
        let units = self.shape.iter().product::<usize>().max(1);
        let mut factors = vec![0.0; values.len()];
        for (i, (values, factors)) in
            values.chunks(units).zip(factors.chunks_mut(units)).enumerate()
        {
            self.fill(values, rng_keys.get(i).copied().unwrap_or_default(), factors);
        }
        factors
    }

    fn fill(&self, values: &[f32], rng_key: RngKey, factors: &mut [f32]) {
        let mut draws = rng_key.rng(LAYERS + self.number);
        match self.kind {
            Kind::Slope { low, high } => {
                draws.coarse(factors);
                let each = factors.iter_mut().zip(values);
                each.for_each(|(f, x)| *f = if *x > 0.0 { 1.0 } else { low + (high - low) * *f });
            }
            Kind::Dropout { p } => {
                draws.coarse(factors);
                let (p, kept) = (p as f32, (1.0 / (1.0 - p)) as f32);
                factors.iter_mut().for_each(|f| *f = if *f < p { 0.0 } else { kept });
            }
            Kind::Kwta { share } => {
                winners(values, count(share, values.len()).min(values.len()), factors);
            }
            Kind::Sap { share } => {
                let mut spacings = vec![0.0; count(share, values.len()) + 1];
                draws.units(&mut spacings);
                prune(values, &mut spacings, factors);
            }
        }
    }
}

/// So many draws there are at most, as a share of the values.
const MOST: f64 = 100.0;

/// A share of the values, at least one.
fn count(share: f64, values: usize) -> usize {
    ((share * values as f64).round() as usize).max(1)
}

/// 1 for the k largest, the first of equals; else 0.
fn winners(values: &[f32], k: usize, factors: &mut [f32]) {
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
            _ => 0.0,
        };
    }
}

/// The factors of stochastic activation pruning. `units` are one more uniform numbers than there are
/// draws: as the spacings of a Poisson process they make the draws in ascending order, so that one
/// walk over the values finds which are hit.
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
