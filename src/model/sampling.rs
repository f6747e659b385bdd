//! Networks of sampled weights: Bayesian ones (Blundell et al. 2015), and ordinary ones whose weights
//! are perturbed by a share of each.

use crate::error::Result;
use crate::model::posterior::WeightPosterior;
use crate::model::store::Model;
use crate::model::{Network, read};
use crate::rng::RngKey;

/// The parts of a chance that belong to weights begin here; those of layers lie below.
const WEIGHTS: u64 = 2 << 32;

impl Model {
    /// Whether its weights come with standard deviations.
    pub fn is_bayesian(&self) -> bool {
        self.spreads.iter().any(|spread| matches!(spread, WeightPosterior::Known(_)))
    }

    /// A network of weights drawn from normal distributions around the model's own: of the standard
    /// deviations that lie beside them, elsewhere of `relative` times each weight's size.
    ///
    /// # Errors
    /// Device, when the device is lost or out of memory.
    pub fn sample_network(&self, rng_key: RngKey, relative: f64) -> Result<Network> {
        let share = relative as f32;
        self.network.with_weights(&mut |i, tensor| {
            let mut values = read(tensor.clone())?;
            let mut draws = rng_key.rng(WEIGHTS + i as u64);
            match &self.spreads[i] {
                WeightPosterior::Known(sigmas) => {
                    let each = values.iter_mut().zip(sigmas);
                    each.for_each(|(value, sigma)| *value += sigma * draws.normal());
                }
                WeightPosterior::Share => {
                    values.iter_mut().for_each(|v| *v += share * v.abs() * draws.normal());
                }
                WeightPosterior::None => {}
            }
            Ok(values)
        })
    }
}
