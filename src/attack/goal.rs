//! [`Goal`]: what an attack wants of one image, and [`TargetChoice`], how the user says it.

use crate::error::{Error, Result};
use serde::Serialize;

/// The label of an image that a defence refuses to classify: no class.
pub const REJECTED: usize = usize::MAX;

/// The label of an image for which the network gives no number (a logit that is infinite or not a
/// number): no class, and never the true one.
pub const NON_FINITE: usize = usize::MAX - 1;

/// What an attack wants of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Untargeted: any label other than the true class.
    Untargeted {
        /// The true class.
        truth: usize,
    },
    /// Targeted: exactly this class.
    Targeted {
        /// The target class.
        target: usize,
    },
}

impl Goal {
    /// Whether predicting `label` fulfils the goal. A rejection does not.
    pub fn reached(self, label: usize) -> bool {
        match self {
            Self::Untargeted { truth } => label != truth && label != REJECTED,
            Self::Targeted { target } => label == target,
        }
    }

    /// The class whose loss counts: the true one, or the target.
    pub fn class(self) -> usize {
        match self {
            Self::Untargeted { truth } => truth,
            Self::Targeted { target } => target,
        }
    }

    /// +1 to increase the loss of the true class, −1 to decrease that of the target: the one place
    /// where a targeted attack flips the sign.
    pub fn sign(self) -> f64 {
        match self {
            Self::Untargeted { .. } => 1.0,
            Self::Targeted { .. } => -1.0,
        }
    }
}

/// Whether an attack is targeted, and how the target class is chosen. It becomes a [`Goal`] for each
/// image once the clean logits are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetChoice {
    /// Untargeted: any wrong label.
    #[default]
    Untargeted,
    /// This class.
    Class(usize),
    /// The class that the model finds second most likely for the clean image.
    SecondMostLikely,
    /// The class that the model finds least likely for the clean image.
    LeastLikely,
    /// The next class by number, 0 after the last: the usual choice where several tools are to be
    /// compared on the same targets.
    Next,
}

impl TargetChoice {
    /// Whether images of class `truth` are of the target class already, so that there is nothing to
    /// attack.
    pub fn is_at(self, truth: usize) -> bool {
        self == Self::Class(truth)
    }

    /// The goal for an image of class `truth` with these clean logits, `[K]`.
    ///
    /// # Errors
    /// Usage, when the target does not exist or is the true class itself.
    pub fn goal(self, truth: usize, logits: &[f32]) -> Result<Goal> {
        let others = || (0..logits.len()).filter(|class| *class != truth);
        let target = match self {
            Self::Untargeted => return Ok(Goal::Untargeted { truth }),
            Self::Class(class) => Some(class),
            Self::SecondMostLikely => others().max_by(|a, b| logits[*a].total_cmp(&logits[*b])),
            Self::LeastLikely => others().min_by(|a, b| logits[*a].total_cmp(&logits[*b])),
            Self::Next => Some((truth + 1) % logits.len().max(1)),
        };
        match target {
            Some(target) if target < logits.len() && target != truth => {
                Ok(Goal::Targeted { target })
            }
            Some(target) if target == truth => Err(Error::usage(
                format!("target class {target} is the picture's own class"),
                "--target",
                "choose another class",
            )),
            _ => Err(Error::usage(
                "no such target class",
                "--target",
                format!("give 0..{}, second, least or next", logits.len().saturating_sub(1)),
            )),
        }
    }

    /// Parses `--target`: a class number, a class name, `second`, `least`, `next` or
    /// `none`.
    ///
    /// # Errors
    /// Usage, saying what may be given.
    pub fn parse(text: &str, labels: &[String]) -> Result<Self> {
        match text {
            "none" => return Ok(Self::Untargeted),
            "second" => return Ok(Self::SecondMostLikely),
            "least" => return Ok(Self::LeastLikely),
            "next" => return Ok(Self::Next),
            _ => {}
        }
        let by_name = || labels.iter().position(|l| l.eq_ignore_ascii_case(text));
        let class = text.parse().ok().filter(|c| *c < labels.len()).or_else(by_name);
        class.map(Self::Class).ok_or_else(|| {
            Error::usage(
                format!("unknown target class '{text}'"),
                "--target",
                format!(
                    "give 0..{}, a class name, second, least or next",
                    labels.len().saturating_sub(1)
                ),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_become_goals() {
        let logits = [3.0, -1.0, 2.0, -7.0];
        let goal = |target: TargetChoice| target.goal(0, &logits);
        assert_eq!(goal(TargetChoice::Untargeted), Ok(Goal::Untargeted { truth: 0 }));
        assert_eq!(goal(TargetChoice::SecondMostLikely), Ok(Goal::Targeted { target: 2 }));
        assert_eq!(goal(TargetChoice::LeastLikely), Ok(Goal::Targeted { target: 3 }));
        assert_eq!(goal(TargetChoice::Next), Ok(Goal::Targeted { target: 1 }));
        assert_eq!(TargetChoice::Next.goal(3, &logits), Ok(Goal::Targeted { target: 0 }));
        assert!(goal(TargetChoice::Class(0)).is_err() && goal(TargetChoice::Class(4)).is_err());
        assert!(
            Goal::Targeted { target: 2 }.reached(2) && !Goal::Untargeted { truth: 2 }.reached(2)
        );
    }
}
