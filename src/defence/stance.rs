//! How much of a defence an attacker knows.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much of a defence the attacker knows (naive, adaptive), and which remedies against masked
/// gradients it uses (BPDA, EOT; Athalye et al. 2018).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// Nothing: the attack is made on the undefended network. That it fails then is not robustness.
    #[default]
    Naive,
    /// All, but it takes gradients as they come: zero through rounding, of one draw of what is random,
    /// of cross-entropy in single precision behind the softmax.
    Gradient,
    /// Straight through what has no gradient (BPDA), one draw of what is random.
    Bpda,
    /// The mean over draws (EOT), no way through what has no gradient.
    Eot,
    /// All, and it uses what the defence calls for: BPDA, EOT, a loss on the logits.
    Adaptive,
}

impl Stance {
    /// Every stance, from the least knowledge to the most.
    pub const ALL: [Self; 5] = [Self::Naive, Self::Gradient, Self::Bpda, Self::Eot, Self::Adaptive];

    /// The name used on the command line and in reports.
    pub fn id(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Gradient => "gradient",
            Self::Bpda => "bpda",
            Self::Eot => "eot",
            Self::Adaptive => "adaptive",
        }
    }

    /// Reads an identifier.
    ///
    /// # Errors
    /// Usage, with the nearest known one.
    pub fn parse(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|stance| stance.id() == text).ok_or_else(|| {
            let known = Self::ALL.iter().map(|stance| stance.id());
            Error::unknown("stance", text, "--stance", known, "`epsiloscope evaluate --help`")
        })
    }

    /// Whether it goes straight through what has no gradient.
    pub fn through(self) -> bool {
        matches!(self, Self::Bpda | Self::Adaptive)
    }

    /// Whether it averages over draws.
    pub fn averages(self) -> bool {
        matches!(self, Self::Eot | Self::Adaptive)
    }
}

impl fmt::Display for Stance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
