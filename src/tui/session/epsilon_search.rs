//! The search for the least ε with which the attack works: what was tried, and what was found.

use crate::engine::{JobId, RunJob};
use crate::experiment::{MinimumEpsilon, distance_text};
use std::sync::Arc;

/// A search, going on or over.
#[derive(Clone, Debug)]
pub struct EpsilonSearch {
    /// Its number.
    pub id: JobId,
    /// What is searched for.
    pub job: Arc<RunJob>,
    /// On which model.
    pub model: String,
    /// Every ε tried so far, and whether the attack reached its goal.
    pub tried: Vec<(f64, bool)>,
    /// The ε that is tried now.
    pub trying: Option<f64>,
    /// What was found.
    pub found: Option<Arc<MinimumEpsilon>>,
}

impl EpsilonSearch {
    /// A search that was asked for.
    pub fn new(id: JobId, job: Arc<RunJob>, model: String) -> Self {
        Self { id, job, model, tried: Vec::new(), trying: None, found: None }
    }

    /// The largest ε that held below the least one that fooled.
    pub fn between(&self) -> Option<(f64, f64)> {
        let fooled = self.tried.iter().filter(|(_, fooled)| *fooled).map(|(epsilon, _)| *epsilon);
        let above = fooled.fold(f64::INFINITY, f64::min);
        let held = self.tried.iter().filter(|(epsilon, fooled)| !fooled && *epsilon < above);
        let below = held.map(|(epsilon, _)| *epsilon).fold(0.0, f64::max);
        (self.found.is_none() && above.is_finite()).then_some((below, above))
    }

    /// What came of it, in words.
    pub fn sentence(&self) -> Option<String> {
        let least = self.found.as_ref()?;
        let (report, attack) = (&least.report, self.job.plan.attack.name);
        let norm = report.norm;
        if !report.attacked {
            return Some(report.sentence());
        }
        Some(match least.epsilon {
            Some(epsilon) => format!(
                "{} becomes {} at {norm} ε = {}: the least with which {attack} works",
                report.clean.name,
                report.adversarial.name,
                distance_text(norm, epsilon)
            ),
            None => format!("{} holds against {attack} at every {norm} ε", report.clean.name),
        })
    }

    /// Whether nothing was found yet.
    pub fn is_running(&self) -> bool {
        self.found.is_none()
    }
}
