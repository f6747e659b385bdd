//! Norms and the budget they bound: sizes, projections, steepest steps and random starts.
//!
//! All tensors are `[N, C, H, W]` perturbations δ or gradients; each picture is treated on its own,
//! so a batch of 1 and a batch of N give the same answer.

use crate::attack::draws::Draws;
use crate::error::{Error, Result};
use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use std::fmt;

/// A norm that measures a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Number of values changed.
    L0,
    /// Sum of the changes.
    L1,
    /// Euclidean length.
    L2,
    /// Largest change of any value.
    Linf,
}

impl Norm {
    /// Every norm.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::Linf];

    /// The name used on the command line and in reports.
    pub fn id(self) -> &'static str {
        match self {
            Self::L0 => "l0",
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::Linf => "linf",
        }
    }

    /// Finds a norm by its name.
    ///
    /// # Errors
    /// Usage, listing the names.
    pub fn parse(text: &str) -> Result<Self> {
        let wanted = text.to_ascii_lowercase().replace('∞', "inf");
        let found = Self::ALL.into_iter().find(|n| n.id() == wanted);
        found.ok_or_else(|| {
            let what = format!("unknown norm '{text}'");
            Error::usage(what, "--norm", "give one of l0, l1, l2, linf")
        })
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::Linf => "L∞",
        })
    }
}

/// The threat model: how much may be changed, measured how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// How a perturbation is measured.
    pub norm: Norm,
    /// The largest size allowed, in pixel units (0..1).
    pub epsilon: f32,
}

/// Keeps a division by a zero norm from making NaN; far below any real gradient's norm.
const TINY: f32 = 1e-30;

impl Budget {
    /// The budget, checked.
    ///
    /// # Errors
    /// Usage, when ε is not a number, negative, or larger than the largest distance in the box.
    pub fn new(norm: Norm, epsilon: f64, values: usize) -> Result<Self> {
        let largest = match norm {
            Norm::Linf => 1.0,
            Norm::L2 => (values as f64).sqrt(),
            Norm::L1 | Norm::L0 => values as f64,
        };
        if !epsilon.is_finite() || !(0.0..=largest).contains(&epsilon) {
            return Err(Error::usage(
                format!("ε = {epsilon} is out of range for {norm}"),
                "--eps",
                format!("give 0..{largest:.4}, in pixel units of 0..1 (8/255 is understood too)"),
            ));
        }
        let epsilon = epsilon as f32;
        Ok(Self { norm, epsilon })
    }

    /// Projects δ onto the ball of this budget. Scaling for L2; clamping for L∞.
    ///
    /// L2 is followed by clipping to the box in the attack: x is in the box, so clipping only
    /// shrinks |δ|, and both constraints hold.
    ///
    /// # Errors
    /// Failure, for a norm that no attack offers yet.
    pub fn project(&self, delta: Tensor<4>) -> Result<Tensor<4>> {
        match self.norm {
            Norm::Linf => Ok(delta.clamp(-self.epsilon, self.epsilon)),
            Norm::L2 => {
                let size = l2(&delta);
                let factor = (size.clamp_min(TINY).recip() * self.epsilon).clamp_max(1.0);
                Ok(delta * factor)
            }
            Norm::L0 | Norm::L1 => Err(self.unsupported()),
        }
    }

    /// The direction of unit size in this norm along which a linear loss of gradient `g` grows
    /// fastest: sign(g) for L∞, g/‖g‖₂ for L2. A zero gradient gives a zero step, never NaN.
    ///
    /// # Errors
    /// Failure, for a norm that no attack offers yet.
    pub fn steepest(&self, g: Tensor<4>) -> Result<Tensor<4>> {
        match self.norm {
            Norm::Linf => Ok(g.sign()),
            Norm::L2 => {
                // Scale by the largest value first: squares of tiny gradients underflow in f32.
                let top = g.clone().abs().max_dims(&[1, 2, 3]).clamp_min(TINY);
                let g = g / top;
                let size = l2(&g).clamp_min(TINY);
                Ok(g / size)
            }
            Norm::L0 | Norm::L1 => Err(self.unsupported()),
        }
    }

    /// A start drawn uniformly from the ball, keyed by seed, sample and restart. For L2 the radius
    /// is ε·u^(1/d), which is uniform in volume.
    ///
    /// # Errors
    /// Failure, for a norm that no attack offers yet.
    pub fn random_start(&self, like: &Tensor<4>, draws: &[Draws]) -> Result<Tensor<4>> {
        let shape = like.dims();
        let values = shape[1] * shape[2] * shape[3];
        let mut start = Vec::with_capacity(shape[0] * values);
        for draw in draws {
            let mut draw = draw.clone();
            match self.norm {
                Norm::Linf => start.extend((0..values).map(|_| draw.signed() * self.epsilon)),
                Norm::L2 => start.extend(draw.in_l2_ball(values, self.epsilon)),
                Norm::L0 | Norm::L1 => return Err(self.unsupported()),
            }
        }
        Ok(Tensor::from_data(TensorData::new(start, shape), &like.device()))
    }

    fn unsupported(&self) -> Error {
        let what = format!("no projection onto the {} ball", self.norm);
        Error::failure(what, "attack", "choose linf or l2")
    }
}

/// ‖δ‖₂ of each picture, `[N, 1, 1, 1]`.
fn l2(delta: &Tensor<4>) -> Tensor<4> {
    delta.clone().square().sum_dims(&[1, 2, 3]).sqrt()
}
