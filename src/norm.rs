//! The norms that measure perturbations.

use crate::error::{Error, Result};
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

impl Norm {
    /// The distance between two pictures. L0 counts the values that differ by more than 1e-6.
    pub fn distance(self, a: &[f32], b: &[f32]) -> f32 {
        let gaps = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()));
        let size = match self {
            Self::L0 => gaps.filter(|gap| *gap > 1e-6).count() as f64,
            Self::L1 => gaps.sum(),
            Self::L2 => gaps.map(|gap| gap * gap).sum::<f64>().sqrt(),
            Self::Linf => gaps.fold(0.0, f64::max),
        };
        size as f32
    }

    /// The largest distance between two pictures of this many values in 0..1.
    pub fn largest_distance(self, values: usize) -> f64 {
        match self {
            Self::Linf => 1.0,
            Self::L2 => (values as f64).sqrt(),
            Self::L1 | Self::L0 => values as f64,
        }
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
