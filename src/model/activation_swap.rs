//! What takes the place of activations after the fact: architecture defences that need no training.

use crate::error::{Error, Result};
use crate::model::ops::{Kwta, Layer, McDropout, RandomSlope, Residual, Role, Sap};

/// What takes the place of activations; the weights stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActivationSwap {
    /// Every ReLU becomes one of random slope below zero.
    RandomSlope {
        /// The least slope.
        low: f64,
        /// The largest slope.
        high: f64,
    },
    /// Behind every ReLU, values are pruned at random, the small ones first.
    Sap {
        /// Number of draws, as a share of the layer's values.
        share: f64,
    },
    /// Before every ReLU the largest values only are kept.
    Kwta {
        /// How many stay, as a share of the layer's values.
        share: f64,
    },
    /// The network's own dropout stays active; where it has none, some is put before its last linear
    /// layer.
    Dropout {
        /// Probability of zeroing a value, where the network has no dropout of its own.
        p: f64,
    },
}

impl ActivationSwap {
    /// The layers with what takes the place of their `last` activations.
    ///
    /// # Errors
    /// Usage, where there is nothing to replace.
    pub(super) fn replace(self, layers: &[Layer], last: usize) -> Result<Vec<Layer>> {
        let mut found = self.through(layers, &mut activations(layers).saturating_sub(last));
        let changed = found != layers;
        match (self, found.iter().rposition(|layer| matches!(layer, Layer::Linear(_)))) {
            (Self::Dropout { p }, Some(last)) if !changed => {
                found.insert(last, McDropout { p }.into());
                Ok(found)
            }
            _ if changed => Ok(found),
            _ => Err(Error::usage(
                format!("the network has no {} to replace", self.replaced()),
                "architecture defence",
                "take another network, or another defence",
            )),
        }
    }

    fn replaced(self) -> &'static str {
        match self {
            Self::Dropout { .. } => "dropout and no linear layer",
            Self::RandomSlope { .. } | Self::Sap { .. } | Self::Kwta { .. } => "ReLU",
        }
    }

    /// Replaces all activations but the first `spared` ones.
    fn through(self, layers: &[Layer], spared: &mut usize) -> Vec<Layer> {
        layers.iter().flat_map(|layer| self.instead(layer, spared)).collect()
    }

    fn instead(self, layer: &Layer, spared: &mut usize) -> Vec<Layer> {
        if let Some(body) = layer.body() {
            return vec![Residual { body: self.through(body, spared) }.into()];
        }
        let top = match (layer.def().role(), self) {
            (Role::Rectifier(_), _) if *spared > 0 => {
                *spared -= 1;
                return vec![layer.clone()];
            }
            (Role::Rectifier(top), _) => top,
            (Role::TrainingDropout(p), Self::Dropout { .. }) => {
                return vec![McDropout { p }.into()];
            }
            // What is no activation stays.
            (Role::TrainingDropout(_) | Role::Other, _) => return vec![layer.clone()],
        };
        match self {
            Self::RandomSlope { low, high } => vec![RandomSlope { low, high, top }.into()],
            Self::Kwta { share } => vec![Kwta { share, top: None }.into(), layer.clone()],
            Self::Sap { share } => vec![layer.clone(), Sap { share }.into()],
            Self::Dropout { .. } => vec![layer.clone()],
        }
    }
}

/// How many activations there are to replace.
fn activations(layers: &[Layer]) -> usize {
    let count = |layer: &Layer| match layer.def().role() {
        Role::Rectifier(_) => 1,
        Role::TrainingDropout(_) | Role::Other => layer.body().map_or(0, activations),
    };
    layers.iter().map(count).sum()
}
