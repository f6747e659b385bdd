//! Collects the evidence of the evaluation checks: the history of an attack, and probes beside it.

mod auto_checks;
mod dataset_checks;
mod loss_history;
mod probes;

pub use auto_checks::{OnEvidence, run_auto_checks, run_probes};
pub(super) use dataset_checks::dataset_evidence;
pub use dataset_checks::probe_robust_samples;
pub(super) use loss_history::LossHistory;
pub use probes::FinishedAttack;

use crate::attack::TargetModel;
use crate::metrics::checks::FirstGradient;

/// The first gradient that the attack saw, summarised; none where it used none.
pub(super) fn first_gradient(victim: &TargetModel<'_>) -> Option<FirstGradient> {
    victim.first_gradient().map(|(gradient, log2_scale)| FirstGradient::new(gradient, log2_scale))
}
